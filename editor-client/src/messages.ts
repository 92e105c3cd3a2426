/** What the panel and the extension say to each other. The panel draws the state it is given and posts what the user wants. */
import type { Methods } from "./protocol";
import type { Snapshot } from "./status";

/** What the panel may ask the backend; everything else is refused. */
export const PANEL_METHODS = [
  "providers",
  "profiles/get",
  "profiles/save",
  "profiles/duplicate",
  "profiles/delete",
  "profiles/restore",
  "profiles/setEnabled",
  "profiles/reset",
  "profiles/dismiss",
  "profiles/test",
  "profiles/models",
  "pools/save",
  "pools/delete",
  "rotate",
  "dryRun",
  "settings/get",
  "settings/save",
  "import",
  "export",
  "history",
  "undo",
  "backup",
  "restore",
] as const satisfies readonly (keyof Methods)[];
export type PanelMethod = (typeof PANEL_METHODS)[number];

export const PANEL_COMMANDS = [
  "rooroute.config",
  "rooroute.explain",
  "rooroute.log",
  "rooroute.restart",
  "rooroute.install",
  "rooroute.keepKeysInEditor",
] as const;
export type PanelCommand = (typeof PANEL_COMMANDS)[number];

export const TABS = ["profiles", "pools", "limits", "general", "moving"] as const;
export type Tab = (typeof TABS)[number];

/** Where the panel opens: at the list, in the wizard, at one profile, or at one tab. */
export type Destination = { view: "list" } | { view: "wizard" } | { view: "profile"; id: string } | { view: Tab };

export type ToPanel =
  | { type: "state"; snapshot: Snapshot | undefined; backend: { kind: string; message?: string; remedy?: string } }
  | { type: "show"; destination: Destination }
  | { type: "answer"; n: number; result?: unknown; error?: { message: string; field?: string; kind?: string } }
  /** What a request that is under way tells: stages of a connection test, one by one. */
  | { type: "progress"; n: number; value: unknown };

export type FromPanel =
  | { type: "ready" }
  | { type: "request"; n: number; method: PanelMethod; params: unknown }
  | { type: "cancel"; n: number }
  /** A text file that the user chooses; answered with its name and text, or with nothing. */
  | { type: "choose"; n: number }
  /** Opens a text as a new document. */
  | { type: "document"; language: "yaml" | "json"; content: string }
  | { type: "command"; command: PanelCommand };

export type PanelRequest = <M extends PanelMethod>(
  method: M,
  params: Methods[M]["params"],
) => Promise<Methods[M]["result"]>;
