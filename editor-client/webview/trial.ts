/** A connection test: run, and drawn while it runs. */
import { html, nothing, type TemplateResult } from "lit";
import type { Methods, Stage } from "../src/protocol";
import { start } from "./host";
import { icon } from "./parts";
import { draw } from "./ui";

export interface TestRun {
  stages: Stage[];
  /** Undefined while it runs. */
  ok?: boolean;
  /** Why it could not be run at all. */
  error?: string;
  /** The last request, without its key. */
  curl?: string | null;
  statusPage?: string | null;
  cancel(): void;
  /** Tests again, this time up to a real answer. */
  deeper?: () => void;
}

/** Begins a test. `done` gives what refused it, if anything did. */
export function begin(params: Methods["profiles/test"]["params"]): { run: TestRun; done: Promise<unknown> } {
  const run: TestRun = { stages: [], cancel: () => running.cancel() };
  const running = start("profiles/test", params, (value) => {
    const { kind, ...stage } = value as Stage & { kind: string };
    if (kind === "stage") run.stages.push(stage);
    draw();
  });
  const done = running.result.then(
    (result) => void Object.assign(run, result),
    (error: Error) => {
      Object.assign(run, { ok: false, error: error.message });
      return error;
    },
  );
  return { run, done: done.finally(draw) };
}

const NAMES: Record<string, string> = {
  settings: "Settings",
  address: "Address",
  tcp: "Connection",
  tls: "Encryption (TLS)",
  auth: "Key",
  listing: "Model",
  completion: "A real answer",
};

function stage({ name, ok, durationMs, detail, remedy }: Stage): TemplateResult {
  return html`<li class=${ok ? "good" : "bad"} data-stage=${name}>
    ${icon(ok ? "pass" : "error")} <strong>${NAMES[name] ?? name}</strong>
    <span class="quiet">${durationMs < 1 ? "under 1" : Math.round(durationMs)} ms</span>
    ${detail ? html`<div>${detail}</div>` : nothing}${remedy ? html`<div class="remedy">${remedy}</div>` : nothing}
  </li>`;
}

export function stagesOf(run: TestRun): TemplateResult {
  const running = run.ok === undefined;
  const end = run.error ?? (running ? "Testing…" : run.ok ? "The connection works." : "The connection does not work.");
  return html`<div class="stages">
    <div role="status">
      <ol aria-label="Connection test">
        ${run.stages.map(stage)}
      </ol>
      <p class=${run.ok === false ? "bad" : ""}>
        ${running ? html`<vscode-progress-ring></vscode-progress-ring>` : nothing}${end}
      </p>
    </div>
    ${running ? html`<vscode-button secondary @click=${run.cancel}>Cancel the test</vscode-button>` : nothing}
    ${
      run.statusPage && !running
        ? html`<p><a class="status-page" href=${run.statusPage}>The provider's status page</a></p>`
        : nothing
    }
    ${
      run.curl
        ? html`<details class="curl">
            <summary>The same request as a curl command, without the key</summary>
            <pre tabindex="0">${run.curl}</pre>
          </details>`
        : nothing
    }
    ${
      run.ok && run.deeper
        ? html`<vscode-button class="deeper" secondary @click=${run.deeper}>Ask for a real answer too</vscode-button>
            <div class="help">It costs a few tokens.</div>`
        : nothing
    }
  </div>`;
}
