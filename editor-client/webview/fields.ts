/** One field for one setting: a label, a control, a sentence of help, and beside them what the backend said is wrong with it. */
import { html, noChange, nothing, type TemplateResult } from "lit";
import { Refused } from "./host";
import { read, written } from "./mapping";
import { pointing } from "./parts";
import { draw, ui } from "./ui";

export type Path = readonly string[];
export type Value = string | number | number[] | boolean | Record<string, unknown> | undefined;

export interface Setting {
  path: Path;
  label: string;
  kind: "number" | "text" | "codes" | "switch" | "mapping" | "choice";
  help?: string;
  /** Of a switch that is not named. */
  usual?: boolean;
  /** Of a choice: value and words. */
  choices?: [string, string][];
  /** Of a choice: what none of them is called. */
  none?: string;
}

export const number = (path: Path, label: string, help?: string): Setting => ({ path, label, kind: "number", help });
export const onOff = (path: Path, label: string, usual: boolean, help?: string): Setting => ({
  path,
  label,
  kind: "switch",
  usual,
  help,
});

export function valueAt(whole: object, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined | null)?.[key], whole);
}

/** A copy with the value at a path set; an empty one is taken out, and what is empty without it too. */
export function withValue<T extends object>(whole: T, [head = "", ...rest]: Path, value: unknown): T {
  const copy = { ...whole } as Record<string, unknown>;
  const below = rest.length ? withValue((copy[head] ?? {}) as object, rest, value) : value;
  const empty = typeof below === "object" && below !== null && Object.keys(below).length === 0;
  if (below === undefined || empty) delete copy[head];
  else copy[head] = below;
  return copy as T;
}

/** Which of the fields a refusal is about: the one it names, the one that holds what it names, or the first one inside. */
export function fieldFor(named: string, fields: readonly string[]): string | undefined {
  const holds = (outer: string, inner: string) => inner === outer || inner.startsWith(`${outer}.`);
  const around = fields.filter((one) => holds(one, named)).sort((a, b) => b.length - a.length);
  return around[0] ?? fields.find((one) => holds(named, one));
}

/** What holds the messages about a pool's fields. */
export const ownerOf = (pool: string): string => `set-${pool}`;

const place = (owner: string, name: string) => `${owner}/${name}`;

/** The backend's sentence about a field, beside it. */
export function wrongAt(owner: string, name: string): TemplateResult | typeof nothing {
  const wrong = ui.wrong.get(place(owner, name));
  return wrong ? html`<div class="wrong" role="alert" data-at=${place(owner, name)}>${wrong}</div>` : nothing;
}

/** Of a message by its place, the fields that hold what was refused: it stays until one of them changes. */
const refusedIn = new Map<string, readonly string[]>();

function refuse(owner: string, name: string, sentence: string, changed: readonly string[]): void {
  ui.wrong.set(place(owner, name), sentence);
  refusedIn.set(place(owner, name), changed);
  const inSight = () =>
    document.querySelector(`.wrong[data-at="${CSS.escape(place(owner, name))}"]`)?.scrollIntoView({ block: "nearest" });
  // Drawn with the next frame; there with the one after it.
  requestAnimationFrame(() => requestAnimationFrame(inSight));
}

/** Takes away what was said of fields that are changed now; without names, all that was said of the owner. */
function forget(owner: string, changed: readonly string[] | undefined): void {
  for (const key of [...ui.wrong.keys()].filter((one) => one.startsWith(`${owner}/`))) {
    const about = [key.slice(owner.length + 1), ...(refusedIn.get(key) ?? [])];
    if (changed && !about.some((name) => changed.includes(name))) continue;
    ui.wrong.delete(key);
    refusedIn.delete(key);
  }
}

export function complain(owner: string, name: string, sentence: string): void {
  refuse(owner, name, sentence, [name]);
  draw();
}

/**
 * Saves one change of `owner`, whose fields are named; a refusal is put beside its field, or above everything where it is about none.
 * `prefix` is what the backend calls the owner in the names of fields. `changed` are the fields whose values are new: what was said of
 * others stays, as what was refused stays in them.
 */
export async function keepChange(
  owner: string,
  prefix: string,
  fields: readonly string[],
  what: () => Promise<unknown>,
  changed?: readonly string[],
): Promise<boolean> {
  forget(owner, changed);
  ui.trouble = undefined;
  try {
    await what();
    return true;
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error);
    const named = error instanceof Refused && error.field?.replace(new RegExp(`^${prefix}\\.`), "");
    const found = named && fieldFor(named, fields);
    if (found) refuse(owner, found, sentence, changed ?? []);
    else ui.trouble = sentence;
    return false;
  } finally {
    draw();
  }
}

const turns = new Map<string, Promise<unknown>>();

/** One change of an owner after the other, each made of what the one before has left: nothing that is typed quickly gets lost. */
export function inTurn<T>(owner: string, what: () => Promise<T>): Promise<T> {
  const turn = (turns.get(owner) ?? Promise.resolve()).then(what, what);
  turns.set(
    owner,
    turn.catch(() => undefined),
  );
  return turn;
}

const READ: Partial<Record<Setting["kind"], (text: string) => Value>> = {
  number: Number,
  codes: (text) => text.split(",").map(Number),
};
/** What a control is to show; the one the user is in is left alone, whatever the backend says meanwhile. */
const unlessTyping = (id: string, text: string): string | typeof noChange =>
  document.activeElement?.id === id ? noChange : text;

const textIn = (event: Event): string => (event.target as HTMLInputElement).value;

function control(id: string, owner: string, setting: Setting, value: unknown, set: (value: Value) => void) {
  const name = setting.path.join(".");
  const wrong = ui.wrong.has(place(owner, name));
  switch (setting.kind) {
    case "switch":
      return html`<vscode-checkbox
        id=${id}
        label=${setting.label}
        ?checked=${(value ?? setting.usual) === true}
        @change=${(event: Event) => set((event.target as HTMLInputElement).checked)}
      ></vscode-checkbox>`;
    case "choice":
      return html`<vscode-single-select id=${id} @change=${(event: Event) => set(textIn(event) || undefined)}>
        <vscode-option value="" ?selected=${!value}>${setting.none ?? "As usual"}</vscode-option>
        ${setting.choices?.map(([one, words]) => html`<vscode-option value=${one} ?selected=${one === value}>${words}</vscode-option>`)}
      </vscode-single-select>`;
    case "mapping":
      return html`<vscode-textarea
        id=${id}
        rows="3"
        resize="vertical"
        monospace
        ?invalid=${wrong}
        .value=${unlessTyping(id, written(value))}
        @change=${(event: Event) => {
          const found = read(textIn(event));
          if ("value" in found) set(found.value);
          else complain(owner, name, found.wrong);
        }}
      ></vscode-textarea>`;
    default:
      return html`<vscode-textfield
        id=${id}
        type=${setting.kind === "number" ? "number" : "text"}
        .step=${"any"}
        ?invalid=${wrong}
        .value=${unlessTyping(id, Array.isArray(value) ? value.join(", ") : String(value ?? ""))}
        @change=${(event: Event) => {
          const text = textIn(event).trim();
          set(text === "" ? undefined : (READ[setting.kind]?.(text) ?? text));
        }}
      ></vscode-textfield>`;
  }
}

/** `set` is given the new value as soon as the user is done with it; undefined for none. */
export function field(owner: string, whole: object, setting: Setting, set: (value: Value) => void): TemplateResult {
  const id = `${owner}-${setting.path.join("-")}`;
  const name = setting.path.join(".");
  const label = html`<vscode-label for=${pointing(id)}>${setting.label}</vscode-label>`;
  return html`<div class="field" data-setting=${name}>
    ${setting.kind === "switch" ? nothing : label} ${control(id, owner, setting, valueAt(whole, setting.path), set)}
    ${setting.help ? html`<div class="help">${setting.help}</div>` : nothing} ${wrongAt(owner, name)}
  </div>`;
}
