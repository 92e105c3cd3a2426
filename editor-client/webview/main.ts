/** The panel: draws the state it is given, posts what the user wants. */
import "@vscode-elements/elements/dist/vscode-badge/index.js";
import "@vscode-elements/elements/dist/vscode-button/index.js";
import "@vscode-elements/elements/dist/vscode-checkbox/index.js";
import "@vscode-elements/elements/dist/vscode-label/index.js";
import "@vscode-elements/elements/dist/vscode-option/index.js";
import "@vscode-elements/elements/dist/vscode-progress-ring/index.js";
import "@vscode-elements/elements/dist/vscode-single-select/index.js";
import "@vscode-elements/elements/dist/vscode-textarea/index.js";
import "@vscode-elements/elements/dist/vscode-textfield/index.js";
import { html, nothing, render, type TemplateResult } from "lit";
import { type Destination, type PanelCommand, type Tab, TABS, type ToPanel } from "../src/messages";
import { countdown } from "../src/words";
import { abandon, form, openWizard } from "./form";
import { generalView } from "./general";
import { hear, keep, kept, send } from "./host";
import { limitsView } from "./limits";
import { movingView } from "./moving";
import { icon } from "./parts";
import { poolsView } from "./pools";
import { problems } from "./problems";
import { profilesView, rotate } from "./profiles";
import { act, draw, drawAndFocus, holdWhilePressed, nowThere, paintWith, ui } from "./ui";

const VIEWS: Record<Tab, () => TemplateResult> = {
  profiles: profilesView,
  pools: poolsView,
  limits: limitsView,
  general: generalView,
  moving: movingView,
};

const root = document.getElementById("panel")!;
const command = (name: PanelCommand) => () => send({ type: "command", command: name });

function tab(id: Tab, label: string): TemplateResult {
  const select = () => {
    ui.tab = id;
    draw();
  };
  const key = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const step = event.key === "ArrowRight" ? 1 : TABS.length - 1;
    ui.tab = TABS[(TABS.indexOf(id) + step) % TABS.length]!;
    drawAndFocus(`#tab-${ui.tab}`);
  };
  const on = ui.tab === id;
  return html`<button
    role="tab"
    id="tab-${id}"
    class="tab"
    aria-selected=${on ? "true" : "false"}
    aria-controls="view"
    tabindex=${on ? 0 : -1}
    @click=${select}
    @keydown=${key}
  >
    ${label}
  </button>`;
}

function helpless(): TemplateResult {
  const { kind, message, remedy } = ui.backend;
  if (kind === "idle" || kind === "starting")
    return html`<p class="empty"><vscode-progress-ring></vscode-progress-ring> The server is starting…</p>`;
  return html`<div class="empty">
    <p>${icon("error")} ${message ?? "The server is not running."}</p>
    <div class="buttons">
      ${remedy === "install" || remedy === "update" ? html`<vscode-button @click=${command("rooroute.install")}>${remedy === "install" ? "Install" : "Update"}</vscode-button>` : nothing}
      <vscode-button secondary @click=${command("rooroute.restart")}>Restart server</vscode-button>
      <vscode-button secondary @click=${command("rooroute.log")}>Show log</vscode-button>
    </div>
  </div>`;
}

const STORES = {
  keyring: "Keys are kept in the operating system's keyring.",
  session:
    "This machine has no keyring: keys last for this session only. Refer to an environment variable as ${NAME}, or let the editor keep them.",
  client: "Keys are kept in the editor's secret storage.",
  unchecked: "Waiting for the operating system's keyring to answer.",
} as const;

function undoBar(): TemplateResult | typeof nothing {
  const undo = ui.undo;
  if (!undo) return nothing;
  const take = async () => {
    ui.undo = undefined;
    await act(undo.act);
  };
  return html`<div class="notice undo" role="status">
    <p>${undo.done}</p>
    <vscode-button id="undo" @click=${() => void take()}>Undo</vscode-button>
    <vscode-button secondary @click=${() => ((ui.undo = undefined), draw())}>Dismiss</vscode-button>
  </div>`;
}

function trouble(): TemplateResult | typeof nothing {
  if (!ui.trouble) return nothing;
  return html`<div class="notice bad" role="alert">
    <p>${icon("error")} ${ui.trouble}</p>
    <vscode-button secondary @click=${() => ((ui.trouble = undefined), draw())}>Dismiss</vscode-button>
  </div>`;
}

function whole(): TemplateResult {
  const snapshot = ui.snapshot;
  const said = html`<div class="unseen" role="status" aria-live="polite">${ui.said}</div>`;
  if (!snapshot || ui.backend.kind !== "running") return html`${said}${helpless()}`;
  if (ui.draft) return html`${said}${trouble()}${form(ui.draft)}`;
  return html`${said}
    <header>
      <div class="buttons">
        <vscode-button id="add" icon="add" @click=${() => void openWizard()}>Add profile</vscode-button>
        ${snapshot.profiles.length ? html`<vscode-button id="rotate" secondary icon="sync" @click=${() => void rotate(undefined)}>Rotate key now</vscode-button>` : nothing}
        <vscode-button id="explain" secondary icon="question" @click=${command("rooroute.explain")}
          >Explain last request</vscode-button
        >
        <vscode-button secondary icon="go-to-file" @click=${command("rooroute.config")}
          >Configuration file</vscode-button
        >
      </div>
    </header>
    ${trouble()}${undoBar()}${problems(command("rooroute.config"))}
    <div role="tablist" class="tabs" aria-label="rooroute">
      ${tab("profiles", `Profiles (${snapshot.profiles.length})`)}${tab("pools", `Pools (${snapshot.pools.length})`)}${tab("limits", "Limits")}${tab("general", "General")}${tab("moving", "Import, export, history")}
    </div>
    <div id="view" role="tabpanel" aria-labelledby="tab-${ui.tab}">${VIEWS[ui.tab]()}</div>
    <footer>
      <p class="quiet">${STORES[snapshot.secretStore]}</p>
      ${snapshot.secretStore === "session" ? html`<vscode-button secondary id="keep-in-editor" @click=${command("rooroute.keepKeysInEditor")}>Keep keys in the editor</vscode-button>` : nothing}
    </footer>`;
}

/** In seconds; a timer for a month would go off at once. */
const A_DAY = 86_400;

let clock: number | undefined;

/** Fills in what counts down, and comes back only while something does. */
function tick(): void {
  clearTimeout(clock);
  const counting = root.querySelectorAll<HTMLElement>(".countdown");
  const now = nowThere();
  let soonest = Infinity;
  for (const element of counting) {
    const left = (Date.parse(element.dataset["until"] ?? "") - now) / 1000;
    const text = left > 0 ? countdown(left) : (element.dataset["over"] ?? "ready");
    if (element.textContent !== text) element.textContent = text;
    if (left > 0) soonest = Math.min(soonest, left % 1 || 1);
  }
  for (const element of root.querySelectorAll<HTMLElement>(".state.limited")) {
    const left = (Date.parse(element.dataset["until"] ?? "") - now) / 1000;
    if (left > 0) soonest = Math.min(soonest, left, A_DAY);
    else draw(); // it has room again
  }
  if (soonest !== Infinity && !document.hidden) clock = window.setTimeout(tick, soonest * 1000 + 5);
}

document.addEventListener("visibilitychange", tick);

// The workbench takes "select all" over and sends it back a moment later, when the letters typed meanwhile would be selected and lost.
document.addEventListener("keydown", (event) => {
  const typing = event.composedPath()[0];
  const field = typing instanceof HTMLInputElement || typing instanceof HTMLTextAreaElement;
  if (field && event.ctrlKey && !event.altKey && event.key.toLowerCase() === "a") event.stopPropagation();
});

/** In pixels: about what ten options take. */
const LIST = 240;

/** A list opens to where there is room for it. */
function makeRoom({ target }: Event): void {
  const select = (target as Element).closest<HTMLElement & { position: "above" | "below" }>("vscode-single-select");
  if (!select) return;
  const { top, bottom } = select.getBoundingClientRect();
  const below = innerHeight - bottom;
  select.position = below < LIST && top > below ? "above" : "below";
}
for (const kind of ["pointerdown", "keydown"]) root.addEventListener(kind, makeRoom, true);

paintWith(() => {
  render(whole(), root);
  tick();
  keep({ tab: ui.tab, filter: ui.filter, open: [...ui.open] });
});

holdWhilePressed(window);

function show(destination: Destination): void {
  if (destination.view === "wizard") void openWizard();
  const tab = TABS.find((one) => one === destination.view);
  if (tab) {
    abandon();
    ui.tab = tab;
    return drawAndFocus(`#tab-${tab}`);
  }
  if (destination.view !== "profile") return;
  abandon();
  ui.tab = "profiles";
  ui.filter = "";
  ui.open.add(destination.id);
  drawAndFocus(`[data-id="${CSS.escape(destination.id)}"] .disclose`);
}

hear((message: ToPanel) => {
  if (message.type === "show") return show(message.destination);
  if (message.type !== "state") return;
  ui.snapshot = message.snapshot;
  ui.backend = message.backend;
  draw();
});

const before = kept();
ui.tab = before.tab;
ui.filter = before.filter;
ui.open = new Set(before.open);
draw();
send({ type: "ready" });
