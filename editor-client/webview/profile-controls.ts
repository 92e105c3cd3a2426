/** Controls for what a profile holds beside text and numbers. */
import { html, type TemplateResult } from "lit";
import type { ProfileField } from "./profile-fields";

const textIn = (event: Event): string => (event.target as HTMLInputElement).value;

type Set = (value: unknown) => void;
type Control = (id: string, field: ProfileField, value: unknown, wrong: boolean, set: Set) => TemplateResult;

const line = (id: string, shown: string, wrong: boolean, placeholder: string, heard: (text: string) => void) =>
  html`<vscode-textfield
    id=${id}
    placeholder=${placeholder}
    ?invalid=${wrong}
    .value=${shown}
    @change=${(event: Event) => heard(textIn(event))}
  ></vscode-textfield>`;

const choice = (id: string, none: string, options: [string, string][], chosen: string, heard: (text: string) => void) =>
  html`<vscode-single-select id=${id} @change=${(event: Event) => heard(textIn(event))}>
    <vscode-option value="" ?selected=${!chosen}>${none}</vscode-option>
    ${options.map(([one, words]) => html`<vscode-option value=${one} ?selected=${one === chosen}>${words}</vscode-option>`)}
  </vscode-single-select>`;

/** Entries as they are; spaces at their ends may matter to a program. */
const linesOf = (text: string): string[] => text.split("\n").filter((one) => one !== "");

/** By kind; the others are those that a vendor's own fields have too. */
export const CONTROLS: Partial<Record<ProfileField["kind"], Control>> = {
  "words": (id, field, value, _, set) =>
    choice(id, field.none ?? "As usual", Object.entries(field.words ?? {}), String(value ?? ""), (text) =>
      set(text || undefined),
    ),
  "yes-no": (id, field, value, _, set) => {
    const chosen = typeof value === "boolean" ? (value ? "yes" : "no") : "";
    const options: [string, string][] = [
      ["yes", "Yes"],
      ["no", "No"],
    ];
    return choice(id, field.none ?? "As usual", options, chosen, (text) => set(text ? text === "yes" : undefined));
  },
  "codes": (id, field, value, wrong, set) =>
    line(id, Array.isArray(value) ? value.join(", ") : "", wrong, field.placeholder ?? "", (text) =>
      set(text.trim() ? text.split(",").map(Number) : undefined),
    ),
  "exact": (id, field, value, wrong, set) =>
    line(id, String(value ?? ""), wrong, field.placeholder ?? "", (text) => set(text || undefined)),
  "lines": (id, field, value, wrong, set) =>
    html`<vscode-textarea
      id=${id}
      rows="3"
      resize="vertical"
      monospace
      placeholder=${field.placeholder ?? ""}
      ?invalid=${wrong}
      .value=${Array.isArray(value) ? value.join("\n") : ""}
      @change=${(event: Event) => {
        const entries = linesOf(textIn(event));
        set(entries.length ? entries : undefined);
      }}
    ></vscode-textarea>`,
};
