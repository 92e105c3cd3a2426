/** A profile on its way: what the wizard and the editing of a profile hold until it is saved. */
import type { AskedField, Preset } from "../src/catalogue";
import type { AuthKind, ModelInfo, Profile, ProviderInfo } from "../src/protocol";
import { read } from "./mapping";
import type { TestRun } from "./trial";

export interface Draft {
  /** Undefined in the wizard. */
  editing: string | undefined;
  configRevision: string | undefined;
  /** Undefined while the provider is being chosen. */
  provider: ProviderInfo | undefined;
  preset: Preset | undefined;
  profile: Profile;
  /** Lives here until it has been sent, and nowhere else. */
  apiKey: string;
  /** By slot, further secrets; they live as the key does. */
  secrets: Map<string, string>;
  /** Pools a new profile joins. */
  pools: Set<string>;
  models: ModelInfo[] | undefined;
  modelsNote: string;
  test: TestRun | undefined;
  /** By field, the backend's sentence. */
  wrong: Map<string, string>;
  /** By field, what was typed for a mapping; the profile holds it once it can be read. */
  typed: Map<string, string>;
  /** By field, any other text as it stands there: the profile holds what it comes to. */
  texts: Map<string, string>;
  /** A refusal that a second, deliberate yes can overrule. */
  ask: { message: string; yes: string; act: () => void } | undefined;
  busy: boolean;
  filter: string;
}

export const blank = (): Draft => ({
  editing: undefined,
  configRevision: undefined,
  provider: undefined,
  preset: undefined,
  profile: { id: "", provider: "" },
  apiKey: "",
  secrets: new Map(),
  pools: new Set(),
  models: undefined,
  modelsNote: "",
  test: undefined,
  wrong: new Map(),
  typed: new Map(),
  texts: new Map(),
  ask: undefined,
  busy: false,
  filter: "",
});

export const fieldsOf = (provider: ProviderInfo): AskedField[] => provider.fields as unknown as AskedField[];
export const presetsOf = (provider: ProviderInfo): Preset[] => provider.presets as unknown as Preset[];

/** The value at a dotted path; the key itself is not in the profile. */
export function valueAt(profile: Profile, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], profile);
}

/** A copy with the value at a dotted path set; an empty one is taken out. */
export function withValue(profile: Profile, path: string, value: unknown): Profile {
  const [head = "", ...rest] = path.split(".");
  const copy: Record<string, unknown> = { ...profile };
  const next = rest.length ? withValue((copy[head] ?? {}) as Profile, rest.join("."), value) : value;
  const emptied = rest.length > 0 && typeof next === "object" && Object.keys(next as object).length === 0;
  if (next === undefined || next === "" || next === null || emptied) delete copy[head];
  else copy[head] = next;
  return copy as unknown as Profile;
}

/** An id that may stand in the configuration: the name without what an id must not hold, and like no other. */
export function idFor(name: string, taken: readonly string[]): string {
  const base =
    name
      .replace(/[/\\\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, " ")
      .trim()
      .slice(0, 58)
      .trim() || "profile";
  let id = base;
  for (let n = 2; taken.includes(id); n++) id = `${base} ${n}`;
  return id;
}

/** Kinds of authentication that need no key beside them. */
const KEYLESS: readonly (AuthKind | undefined)[] = [
  "token-command",
  "oauth-client-credentials",
  "mtls",
  "signature-command",
];

/** Whether it goes without a key of its own: it proves itself otherwise, or a program prints the key. */
export const needsNoKey = (profile: Profile): boolean =>
  KEYLESS.includes(profile.auth?.kind) || profile.secretCommands?.apiKey !== undefined;

/** What the user still has to fill in, by field. */
export function missing(draft: Draft): Map<string, string> {
  const wrong = new Map<string, string>();
  if (!draft.profile.name?.trim()) wrong.set("name", "Give the profile a name.");
  for (const field of draft.provider ? fieldsOf(draft.provider) : []) {
    const given =
      field.name === "apiKey"
        ? draft.apiKey || (draft.editing !== undefined ? "kept" : "")
        : valueAt(draft.profile, field.name);
    const keyless = draft.preset?.needsKey === false || needsNoKey(draft.profile);
    const optional = field.name === "apiKey" && keyless;
    if (field.required && !optional && (given === undefined || given === ""))
      wrong.set(field.name, `${field.label} is needed.`);
  }
  for (const [name, text] of draft.typed) {
    const found = read(text);
    if ("wrong" in found) wrong.set(name, found.wrong);
  }
  return wrong;
}
