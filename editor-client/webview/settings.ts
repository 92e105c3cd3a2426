/** A pool's settings beyond its members, in groups that open: a field for each, saved when it changes. */
import { html, nothing, type TemplateResult } from "lit";
import type { Consent, Limits, Pool, PoolStatus } from "../src/protocol";
import { read, written } from "./mapping";
import { group } from "./parts";
import { nameOf, saved, ui } from "./ui";

type Path = readonly string[];
type Value = string | number | number[] | boolean | Record<string, unknown> | undefined;

export interface Setting {
  path: Path;
  label: string;
  kind: "number" | "text" | "codes" | "switch" | "mapping" | "choice";
  help?: string;
  /** Of a switch that is not named. */
  usual?: boolean;
  /** Of a choice: value and words. */
  choices?: [string, string][];
}

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

export const tierOf = (pool: Pool, id: string): number => (pool.tiers ?? []).findIndex((tier) => tier.includes(id)) + 1;

/** Puts a profile into the tier of that number, 1 being the first; 0 takes it out of all. */
export function withTier(pool: Pool, id: string, tier: number): Pool {
  const tiers = (pool.tiers ?? []).map((one) => one.filter((other) => other !== id));
  while (tiers.length < tier) tiers.push([]);
  if (tier > 0) tiers[tier - 1]!.push(id);
  return { ...pool, tiers: tiers.filter((one) => one.length > 0) };
}

/** The pool without a member, also where its other settings name it by its id. */
export function withoutMember(pool: Pool, id: string): Pool {
  const left = { ...pool, profiles: (pool.profiles ?? []).filter((one) => one !== id) };
  return withTier(withValue(withValue(left, ["weights", id], undefined), ["split", id], undefined), id, 0);
}

const LIMITS: Record<keyof Limits, string> = {
  requestsPerSecond: "Requests per second",
  requestsPerMinute: "Requests per minute",
  requestsPerHour: "Requests per hour",
  requestsPerDay: "Requests per day",
  tokensPerSecond: "Tokens per second",
  tokensPerMinute: "Tokens per minute",
  tokensPerHour: "Tokens per hour",
  tokensPerDay: "Tokens per day",
  concurrentRequests: "Requests at once",
  burst: "Burst, with requests per second",
};
const number = (path: Path, label: string, help?: string): Setting => ({ path, label, kind: "number", help });
const onOff = (path: Path, label: string, usual: boolean, help?: string): Setting => ({
  path,
  label,
  kind: "switch",
  usual,
  help,
});

/** What a profile and a pool have in common. */
export const LIMITING: Setting[] = [
  ...Object.entries(LIMITS).map(([key, label]) => number(["limits", key], label)),
  number(["budget", "perDay"], "USD per day (UTC)"),
  number(["budget", "perMonth"], "USD per month (UTC)"),
];

const CONSENTS: Record<Consent, string> = {
  allow: "without asking",
  ask: "after asking me",
  never: "never",
};

function groups(pool: Pool): [id: string, title: string, settings: Setting[]][] {
  const members = pool.profiles ?? [];
  const everybody: [string, string][] = (ui.snapshot?.profiles ?? []).map(({ id, name }) => [id, name]);
  return [
    [
      "strategies",
      "Settings of the strategies",
      [
        ...members.map((id) => number(["weights", id], `Weight of ${nameOf(id)}`, "By weight. Empty: 1.")),
        {
          path: ["modelRoutes"],
          label: "Routes by model",
          kind: "mapping",
          help: "A line each: model = profile. * stands for anything.",
        },
        {
          path: ["defaultRoute"],
          label: "Any other model goes to",
          kind: "choice",
          choices: members.map((id) => [id, nameOf(id)]),
        },
        number(["latency", "window"], "Speed is measured over (seconds)", "Empty: 300."),
        number(["latency", "percentile"], "Percentile that is compared", "Empty: 95."),
        number(["latency", "exploreEvery"], "Measure another one every … requests", "Empty: 20. 0: never."),
        number(["latency", "tooSlow"], "Too slow, in seconds", "Goes behind the others under any strategy."),
        number(["maxPrice", "input"], "Highest price of input", "USD per million tokens."),
        number(["maxPrice", "output"], "Highest price of output", "USD per million tokens."),
        number(["maxCostPerToken"], "Highest price of any token", "USD per token."),
      ],
    ],
    ["limits", "Limits and budget", LIMITING],
    [
      "resort",
      "When nobody else can answer",
      [
        { path: ["lastResort", "profile"], label: "Last resort", kind: "choice", choices: everybody },
        ...(pool.lastResort
          ? [
              {
                path: ["lastResort", "consent"],
                label: "It is asked",
                kind: "choice" as const,
                choices: Object.entries(CONSENTS),
              },
              onOff(["lastResort", "onError"], "because of errors", true),
              onOff(["lastResort", "onRateLimit"], "because of limits", true),
            ]
          : []),
        onOff(["safetyNet"], "Ask everybody once more before giving up", false),
        onOff(["policyFallback"], "Show what a content filter refused to one other profile", false),
      ],
    ],
    [
      "failover",
      "Failing over",
      [
        onOff(["enabled"], "Rules, strategies and failover are on", true),
        onOff(["failover", "enabled"], "Go on to the next profile", true),
        onOff(["failover", "sameFirst"], "Ask the same profile again first", false),
        number(["failover", "maxRetries"], "Retries of one profile", "Within one request. Empty: once."),
        {
          path: ["failover", "retryCodes"],
          label: "HTTP statuses that also go on",
          kind: "codes",
          help: "Those that blame the provider do so anyway. Commas between several.",
        },
        number(["maxAttempts"], "Attempts of one request", "Empty: one more than there are candidates."),
        number(["circuitBreaker", "failureThreshold"], "Faults within a minute that rest a profile"),
        number(["circuitBreaker", "successThreshold"], "Good answers that clear its record"),
        number(["circuitBreaker", "timeout"], "It rests for (seconds)"),
      ],
    ],
    [
      "quotas",
      "Quotas, caches, region",
      [
        number(["leaveBelow"], "Leave a profile when this share of its quota is left", "0.05 is a twentieth."),
        onOff(["resetFirst"], "Use first what resets first", false),
        number(["maxSwitchCost"], "Stay with a warm cache if leaving costs more than (USD)"),
        { path: ["region"], label: "Region no request leaves", kind: "text" },
      ],
    ],
  ];
}

const READ: Partial<Record<Setting["kind"], (text: string) => Value>> = {
  number: Number,
  codes: (text) => text.split(",").map(Number),
};
const textIn = (event: Event): string => (event.target as HTMLInputElement).value;

function field(prefix: string, whole: object, setting: Setting, set: (value: Value) => void): TemplateResult {
  const id = `${prefix}-${setting.path.join("-")}`;
  const value = valueAt(whole, setting.path);
  const label = html`<vscode-label for=${id}>${setting.label}</vscode-label>`;
  const help = setting.help ? html`<div class="help">${setting.help}</div>` : nothing;
  switch (setting.kind) {
    case "switch":
      return html`<div class="field">
        <vscode-checkbox
          id=${id}
          label=${setting.label}
          ?checked=${(value ?? setting.usual) === true}
          @change=${(event: Event) => set((event.target as HTMLInputElement).checked)}
        ></vscode-checkbox>
        ${help}
      </div>`;
    case "choice":
      return html`<div class="field">
        ${label}
        <vscode-single-select id=${id} @change=${(event: Event) => set(textIn(event) || undefined)}>
          <vscode-option value="" ?selected=${!value}>As usual</vscode-option>
          ${setting.choices?.map(([one, words]) => html`<vscode-option value=${one} ?selected=${one === value}>${words}</vscode-option>`)}
        </vscode-single-select>
        ${help}
      </div>`;
    case "mapping":
      return html`<div class="field">
        ${label}
        <vscode-textarea
          id=${id}
          rows="3"
          resize="vertical"
          monospace
          .value=${written(value)}
          @change=${(event: Event) => {
            const found = read(textIn(event));
            if ("value" in found) set(found.value);
            else ui.trouble = found.wrong;
          }}
        ></vscode-textarea>
        ${help}
      </div>`;
    default:
      return html`<div class="field">
        ${label}
        <vscode-textfield
          id=${id}
          type=${setting.kind === "number" ? "number" : "text"}
          step="any"
          .value=${Array.isArray(value) ? value.join(", ") : String(value ?? "")}
          @change=${(event: Event) => {
            const text = textIn(event).trim();
            set(text === "" ? undefined : (READ[setting.kind]?.(text) ?? text));
          }}
        ></vscode-textfield>
        ${help}
      </div>`;
  }
}

/** Tiers and splits: two numbers for each member. */
function shares(pool: PoolStatus, whole: Pool, save: (pool: Pool) => void): TemplateResult {
  const tier = (id: string) => ({ path: ["tier", id], label: `Tier of ${nameOf(id)}`, kind: "number" as const });
  const content = () =>
    html`<p class="help">
        Tier 1 is asked first, whatever the strategy; empty comes last. A share is the percentage of sessions that go
        there first.
      </p>
      <div class="columns">
        ${(whole.profiles ?? []).map(
          (id) =>
            html`${field(`set-${pool.id}`, { tier: { [id]: tierOf(whole, id) || undefined } }, tier(id), (value) =>
              save(withTier(whole, id, Math.max(0, Math.floor(Number(value ?? 0))))),
            )}${field(`set-${pool.id}`, whole, number(["split", id], `Share of ${nameOf(id)} in percent`), (value) =>
              save(withValue(whole, ["split", id], value)),
            )}`,
        )}
      </div>`;
  return group("shares", pool.id, "Tiers and traffic split", content);
}

export function poolSettings(pool: PoolStatus, save: (pool: Pool) => void): TemplateResult {
  const whole = saved(pool);
  const set = (setting: Setting) => (value: Value) =>
    save(
      setting.path.join() === "lastResort,profile" && value === undefined
        ? withValue(whole, ["lastResort"], undefined)
        : withValue(whole, setting.path, value),
    );
  return html`${shares(pool, whole, save)}
  ${groups(whole).map(([id, title, settings]) =>
    group(
      id,
      pool.id,
      title,
      () =>
        html`<div class="columns">
          ${settings.map((setting) => field(`set-${pool.id}`, whole, setting, set(setting)))}
        </div>`,
    ),
  )}`;
}
