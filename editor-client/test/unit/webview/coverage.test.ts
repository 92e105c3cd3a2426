import { beforeEach, describe, expect, test } from "vitest";
import { drawn, settingsIn } from "./drawn";
import schema from "../../../../protocol/schemas/config.json";
import type { AuthKind, Pool, Profile, ProviderInfo } from "../../../src/protocol";
import { pool as poolStatus, profile as profileStatus, snapshot } from "../samples";

const { form } = await import("../../../webview/form");
const { blank } = await import("../../../webview/draft");
const { generalView } = await import("../../../webview/general");
const { poolsView, STRATEGIES } = await import("../../../webview/pools");
const { ruleForm } = await import("../../../webview/rules");
const { ui } = await import("../../../webview/ui");

interface Shape {
  $ref?: string;
  anyOf?: Shape[];
  properties?: Record<string, Shape>;
  additionalProperties?: Shape | boolean;
}

/** What is deliberately not edited in the panel, and why. */
const ELSEWHERE: Record<string, Record<string, string>> = {
  Profile: {
    id: "made from the first name; rules, pools and the key's place hang on it",
    provider: "chosen in the wizard's first step; for another vendor another profile is made",
    enabled: "switched by Enable and Disable beside the profile, and by the palette",
    keySavedAt: "written by the server whenever a key is saved",
  },
  Pool: { id: "made from the first name; the settings of other programs hang on it" },
  Rule: {},
  Defaults: {},
};

const definitions = schema.$defs as unknown as Record<string, Shape>;

/** The object a property holds, if it holds one whose keys are known. */
function objectIn({ $ref, anyOf, properties }: Shape): Shape | undefined {
  if (properties) return { properties };
  if ($ref) return objectIn(definitions[$ref.split("/").pop()!]!);
  return anyOf?.map(objectIn).find(Boolean);
}

/** Dotted paths of everything that can be set; `*` is any name. */
function keysOf({ properties = {} }: Shape): string[] {
  return Object.entries(properties).flatMap(([name, shape]) => {
    const inner = objectIn(shape);
    const each = typeof shape.additionalProperties === "object" && objectIn(shape.additionalProperties);
    if (each) return keysOf(each).map((key) => `${name}.*.${key}`);
    return inner ? keysOf(inner).map((key) => `${name}.${key}`) : [name];
  });
}

/** Keys that have no field. One whose names are the user's own has its field if one of the names has. */
const without = (kind: string, fields: Set<string>): string[] =>
  keysOf(definitions[kind]!).filter(
    (key) => !(key in ELSEWHERE[kind]!) && ![...fields].some((name) => isAt(name, key)),
  );

/** Whether a field is a key's, or of something within it. */
function isAt(name: string, key: string): boolean {
  const steps = name.split(".");
  return key.split(".").every((step, n) => step === steps[n] || (step === "*" && steps[n]));
}

const KINDS = (schema.$defs.AuthKind as { enum: AuthKind[] }).enum;
const PROVIDER: ProviderInfo = {
  id: "x",
  name: "X",
  fields: [
    { name: "apiKey", label: "API key", kind: "secret", required: true },
    { name: "model", label: "Model", kind: "model" },
  ],
  presets: [],
};
const GROUPS = ["limits", "models", "checks", "connection", "auth"].map((id) => `/${id}/form`);
const POOL_GROUPS = ["shares", "rules", "strategies", "limits", "resort", "failover", "quotas"];

beforeEach(() => {
  const pool: Pool = { id: "p", name: "P", profiles: ["a"], lastResort: { profile: "a" } };
  ui.snapshot = snapshot([profileStatus("a")], { pools: [poolStatus(["a"], { id: "p", saved: pool })] });
  ui.settings = { configRevision: "c1", defaults: { budgets: { "*": { perDay: 1 } } } };
  ui.open = new Set([...GROUPS, ...POOL_GROUPS.map((id) => `/${id}/p`)]);
});

const profileForm = (profile: Partial<Profile>) =>
  form({ ...blank(), provider: PROVIDER, profile: { id: "", provider: "x", ...profile } });

describe("every key of the configuration has its field in the panel", () => {
  test("profile", () => {
    const printed = { secretCommands: { team: { command: ["vault"] } } };
    const fields = new Set(KINDS.flatMap((kind) => [...settingsIn(profileForm({ auth: { kind }, ...printed }))]));
    expect(without("Profile", fields)).toEqual([]);
  });

  test("pool", () => expect(without("Pool", settingsIn(poolsView()))).toEqual([]));

  test("rule", () => {
    const rows = [{ condition: "mode" as const, text: "" }];
    const draft = { pool: "p", was: "", before: undefined, rule: { name: "" }, rows, wrong: "" };
    const form = ruleForm(draft, ui.snapshot!.pools[0]!, STRATEGIES, async () => undefined);
    expect(without("Rule", settingsIn(form))).toEqual([]);
  });

  test("what holds for all", () => expect(without("Defaults", settingsIn(generalView()))).toEqual([]));

  test("nothing is said to be elsewhere that is not there", () => {
    for (const [kind, keys] of Object.entries(ELSEWHERE)) {
      expect(keysOf(definitions[kind]!).length).toBeGreaterThan(5);
      for (const key of Object.keys(keys)) expect(keysOf(definitions[kind]!)).toContain(key);
    }
  });

  test("a key without a field is noticed", () =>
    expect(without("Rule", new Set(["name"]))).toEqual(expect.arrayContaining(["only", "when.pattern"])));
});

test("a field is asked for only where it means something", () => {
  expect(settingsIn(profileForm({}))).not.toContain("auth.username");
  expect(settingsIn(profileForm({ auth: { kind: "basic" } }))).toContain("auth.username");
  expect(settingsIn(profileForm({ headers: { "X-Team": "Token ${secret:team}" } }))).toContain("secrets.team");
  const timeout = "secretCommands.team.timeout";
  expect(settingsIn(profileForm({ headers: { "X-Team": "${secret:team}" } }))).not.toContain(timeout);
  expect(settingsIn(profileForm({ secretCommands: { team: { command: ["vault"] } } }))).toContain(timeout);
  const token = profileForm({ auth: { kind: "token-command" } });
  expect(settingsIn(token)).not.toContain("secretCommands.apiKey.command");
  const signed = profileForm({ auth: { kind: "signature-command", lifetime: 300, timeout: 10 } });
  expect(settingsIn(signed)).not.toContain("auth.lifetime");
  expect(settingsIn(profileForm({ auth: { kind: "basic", lifetime: 60 } }))).toContain("auth.lifetime");
});

test("what a health check costs is named where it is chosen", () => {
  const asked = drawn(profileForm({ healthCheck: { sends: "completion", interval: 30 } }));
  expect(asked).toContain("Costs money: up to 2,880 answers a day");
});

test("a refusal stands beside the field that it names", () => {
  ui.wrong.set("set-p/failover.retryCodes", "A retry code is no HTTP status.");
  const [, field] =
    /data-setting=failover\.retryCodes>([^]*?)data-setting=/.exec(drawn(poolsView()).replaceAll('"', "")) ?? [];
  ui.wrong.clear();
  expect(field).toContain("A retry code is no HTTP status.");
});
