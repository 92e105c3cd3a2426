/** What the panel shows at the moment. The backend's state is replaced whole; the rest is where the user is. */
import type { Tab, ToPanel } from "../src/messages";
import type { Pool, PoolStatus, ProviderInfo, Settings } from "../src/protocol";
import type { Snapshot } from "../src/status";
import type { Draft } from "./draft";
import type { RuleDraft } from "./rules";
import type { TestRun } from "./trial";

export interface Ui {
  snapshot: Snapshot | undefined;
  backend: (ToPanel & { type: "state" })["backend"];
  tab: Tab;
  filter: string;
  /** Profiles whose details are shown, and groups of settings by `/` and what they belong to, which no id holds. */
  open: Set<string>;
  /** The wizard, or a profile being edited. */
  draft: Draft | undefined;
  /** The profile or pool whose removal waits for a yes. */
  removing: string | undefined;
  /** The profile whose key is being replaced. */
  replacing: string | undefined;
  /** What was done, in a sentence, and how to take it back. */
  undo: { done: string; act: () => Promise<unknown> } | undefined;
  trouble: string | undefined;
  /** What the backend said about a field, by its owner and name. */
  wrong: Map<string, string>;
  /** Read out by screen readers. */
  said: string;
  tests: Map<string, TestRun>;
  /** An order the user has just made and the backend has not confirmed yet, by pool. */
  order: Map<string, string[]>;
  providers: ProviderInfo[] | undefined;
  newPool: boolean;
  /** What holds for all pools and profiles, as it was read last. */
  settings: Settings | undefined;
  /** The rule being edited. */
  rule: RuleDraft | undefined;
  /** What a dry run said, in words. */
  rehearsed: { pool: string; text: string } | undefined;
}

export const ui: Ui = {
  snapshot: undefined,
  backend: { kind: "idle" },
  tab: "profiles",
  filter: "",
  open: new Set(),
  draft: undefined,
  removing: undefined,
  replacing: undefined,
  undo: undefined,
  trouble: undefined,
  wrong: new Map(),
  said: "",
  tests: new Map(),
  order: new Map(),
  providers: undefined,
  newPool: false,
  settings: undefined,
  rule: undefined,
  rehearsed: undefined,
};

let drawing = false;
let pressed = false;
let painter: () => void = () => undefined;
let wanted: { selector: string; inside: boolean } | undefined;
export const paintWith = (paint: () => void): void => void (painter = paint);

/** Draws once before the next frame, however often it is called; while the pointer is pressed, once it is let go. */
export function draw(): void {
  if (drawing) return;
  drawing = true;
  if (!pressed) requestAnimationFrame(paint);
}

function paint(): void {
  if (pressed) return; // since draw() was called
  drawing = false;
  painter();
  const focus = wanted;
  wanted = undefined;
  // Whoever has gone elsewhere in the editor meanwhile is not called back: a list that is open there would close.
  if (focus && (document.hasFocus() || !focus.inside)) void giveFocus(focus.selector);
}

/** What moves away from under a pressed pointer is not clicked: nothing moves until `window`'s pointer is let go. */
export function holdWhilePressed(window: Window): void {
  const release = () => {
    if (!pressed) return;
    pressed = false;
    if (drawing) requestAnimationFrame(paint);
  };
  window.addEventListener("pointerdown", ({ button }) => (pressed ||= button === 0), true);
  // The click comes after this event.
  window.addEventListener("pointerup", () => window.setTimeout(release), true);
  // Dragging takes the pointer away; and it may have been let go where nobody here is told.
  window.addEventListener("pointercancel", release, true);
  window.addEventListener("blur", release);
  window.addEventListener("pointermove", ({ buttons }) => buttons === 0 && release(), true);
}

/** Draws, and then gives the focus to what is there by then: not later, when the user may have gone elsewhere. */
export function drawAndFocus(selector: string): void {
  wanted = { selector, inside: document.hasFocus() };
  draw();
}

async function giveFocus(selector: string): Promise<void> {
  const element = document.querySelector<HTMLElement & { updateComplete?: Promise<unknown> }>(selector);
  await element?.updateComplete;
  element?.focus();
}

export function say(text: string): void {
  ui.said = text;
  draw();
}

/** Runs what a button asked for; a refusal is shown in the backend's own sentence. */
export async function act(what: () => Promise<unknown>): Promise<boolean> {
  ui.trouble = undefined;
  try {
    await what();
    return true;
  } catch (error) {
    ui.trouble = error instanceof Error ? error.message : String(error);
    return false;
  } finally {
    draw();
  }
}

export const defaultPoolOf = (snapshot: Snapshot): PoolStatus | undefined =>
  snapshot.pools.find((pool) => pool.id === (snapshot.defaultPool ?? "default")) ?? snapshot.pools[0];

/** A pool as it can be saved. One that exists only because nothing was saved becomes a real one by its first change. */
export const saved = (pool: PoolStatus): Pool =>
  pool.saved ?? { id: pool.id, name: pool.name, profiles: pool.profiles, strategy: pool.strategy };
/** The pool as it is known now, whenever it was drawn. */
export const poolNow = (id: string): Pool | undefined => {
  const found = ui.snapshot?.pools.find((pool) => pool.id === id);
  return found && saved(found);
};

/** Until what is shown is of that revision; not for long, since somebody else may have changed it again. */
export async function shown(revision: string): Promise<void> {
  for (const end = Date.now() + 2000; ui.snapshot?.configRevision !== revision && Date.now() < end;)
    await new Promise((resolve) => setTimeout(resolve, 20));
}
export const orderOf = (pool: PoolStatus): string[] => ui.order.get(pool.id) ?? pool.profiles;
export const nameOf = (id: string): string => ui.snapshot?.profiles.find((profile) => profile.id === id)?.name ?? id;
export const nowThere = (): number => Date.now() + (ui.snapshot?.clockOffset ?? 0);
