/** What needs the user's attention, above everything else; what is only suggested can be dismissed. */
import { html, nothing, type TemplateResult } from "lit";
import type { Problem } from "../src/protocol";
import { request } from "./host";
import { icon } from "./parts";
import { act, ui } from "./ui";

export function dismissal({ dismissible }: Problem): TemplateResult | typeof nothing {
  if (!dismissible?.length) return nothing;
  const dismiss = () => void act(() => request("profiles/dismiss", { ids: dismissible }));
  return html` <vscode-button class="dismiss" secondary @click=${dismiss}>Dismiss</vscode-button>`;
}

export function problems(openFile: () => void): TemplateResult | typeof nothing {
  const found = ui.snapshot?.problems ?? [];
  if (found.length === 0) return nothing;
  return html`<section class="notice" aria-label="Needs attention">
    <ul>
      ${found.map((problem) => html`<li>${icon("warning")} ${problem.message} ${problem.remedy ?? ""}${problem.line ? html` <span class="quiet">line ${problem.line}</span>` : nothing}${dismissal(problem)}</li>`)}
    </ul>
    <vscode-button secondary @click=${openFile}>Open configuration file</vscode-button>
  </section>`;
}
