/** A pool's settings beyond its members, in groups that open: a field for each, saved when it changes. */
import { html, type TemplateResult } from "lit";
import type { Consent, CooldownMode, Limits, OnInterrupt, Pool, PoolStatus } from "../src/protocol";
import {
  field,
  inTurn,
  keepChange,
  number,
  onOff,
  ownerOf,
  type Setting,
  type Value,
  withValue,
  wrongAt,
} from "./fields";
import { group } from "./parts";
import { nameOf, poolNow, saved, shown, ui } from "./ui";

export const tierOf = (pool: Pool, id: string): number => (pool.tiers ?? []).findIndex((tier) => tier.includes(id)) + 1;

/** Puts a profile into the tier of that number, 1 being the first; 0 takes it out of all. */
export function withTier(pool: Pool, id: string, tier: number): Pool {
  const tiers = (pool.tiers ?? []).map((one) => one.filter((other) => other !== id));
  while (tiers.length < tier) tiers.push([]);
  if (tier > 0) tiers[tier - 1]!.push(id);
  return { ...pool, tiers: tiers.filter((one) => one.length > 0) };
}

/** The fields that change with a member's leaving. */
export const leavingWith = (id: string): string[] => ["profiles", `tier.${id}`, `split.${id}`, `weights.${id}`];

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

/** What a profile and a pool have in common. */
export const LIMITING: Setting[] = [
  ...Object.entries(LIMITS).map(([key, label]) => number(["limits", key], label)),
  number(["budget", "perDay"], "USD per day (UTC)", "At it, requests go to the next profile."),
  number(["budget", "perMonth"], "USD per month (UTC)"),
];

/** Whole by type, as the next two: a value that the backend learns has to be named here. */
export const COOLDOWN_MODES: Record<CooldownMode, string> = {
  hint_first: "as long as the provider says, else as configured",
  max: "as long as the provider says, never shorter than configured",
  fixed: "exactly as configured",
};
const INTERRUPTIONS: Record<OnInterrupt, string> = {
  stop: "end with what has come",
  restart: "begin anew with another profile",
  continue: "let another profile go on where it broke off",
};
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
          help: "Under “By the model”. A line each: model = profile. * stands for anything.",
        },
        {
          path: ["defaultRoute"],
          label: "Any other model goes to",
          kind: "choice",
          choices: members.map((id) => [id, nameOf(id)]),
        },
        number(["latency", "window"], "Speed is measured over (seconds)", "Empty: 300."),
        number(["latency", "percentile"], "Percentile that is compared", "Empty: 95."),
        number(
          ["latency", "exploreEvery"],
          "Measure another one every … requests",
          "Empty: 20. 0: never. That request costs what the other one costs.",
        ),
        number(
          ["latency", "probeEvery"],
          "Ask whoever nobody asked for (seconds), only to measure",
          "Empty: never. Each such question is paid for; what it costs is told when the pool is saved.",
        ),
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
        {
          path: ["lastResort", "profile"],
          label: "Last resort",
          kind: "choice",
          choices: everybody,
          none: "Nobody",
          help: "What it charges is spent when no other can answer.",
        },
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
        onOff(
          ["safetyNet"],
          "Ask everybody once more before giving up",
          false,
          "Also those that rest or have failed; each attempt that is answered is paid for.",
        ),
        onOff(
          ["policyFallback"],
          "Show what a content filter refused to one other profile",
          false,
          "Once, at that one's price; the text goes to its provider too.",
        ),
      ],
    ],
    [
      "failover",
      "Failing over, cooldowns, interruptions",
      [
        onOff(["enabled"], "Rules, strategies and failover are on", true),
        onOff(["failover", "enabled"], "Go on to the next profile", true),
        onOff(["failover", "sameFirst"], "Ask the same profile again first", false),
        number(
          ["failover", "maxRetries"],
          "Retries of one profile",
          "Within one request; each may be charged. Empty: once.",
        ),
        {
          path: ["failover", "retryCodes"],
          label: "HTTP statuses that also go on",
          kind: "codes",
          help: "Those that blame the provider do so anyway. Commas between several.",
        },
        number(["maxAttempts"], "Attempts of one request", "Empty: one more than there are candidates."),
        number(["maxElapsed"], "No new attempt after (seconds)", "Counted from the request's beginning. Empty: 60."),
        {
          path: ["cooldownMode"],
          label: "A profile rests",
          kind: "choice",
          choices: Object.entries(COOLDOWN_MODES),
          none: "As under General",
          help: "Whether the provider's word or the cooldown above counts.",
        },
        {
          path: ["onInterrupt"],
          label: "When an answer breaks off",
          kind: "choice",
          choices: Object.entries(INTERRUPTIONS),
          none: "As usual: end with what has come",
          help: "What has come is paid for; another profile's part is paid for as well.",
        },
        number(["circuitBreaker", "failureThreshold"], "Faults within a minute that rest a profile", "Empty: 5."),
        number(["circuitBreaker", "successThreshold"], "Good answers that clear its record", "Empty: 1."),
        number(["circuitBreaker", "timeout"], "It rests for (seconds)", "Empty: 60."),
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

/** Tiers and splits: two numbers for each member. */
function shares(owner: string, pool: Pool, save: Save): TemplateResult {
  const tier = (id: string) => number(["tier", id], `Tier of ${nameOf(id)}`);
  return html`<p class="help">
      Tier 1 is asked first, whatever the strategy; empty comes last. A share is the percentage of sessions that go
      there first, at that profile's price.
    </p>
    <div class="columns" data-setting="tiers">
      ${(pool.profiles ?? []).map(
        (id) =>
          html`${field(owner, { tier: { [id]: tierOf(pool, id) || undefined } }, tier(id), (value) =>
            save([`tier.${id}`], (now) => withTier(now, id, Math.max(0, Math.floor(Number(value ?? 0))))),
          )}${field(owner, pool, number(["split", id], `Share of ${nameOf(id)} in percent`), (value) =>
            save([`split.${id}`], (now) => withValue(now, ["split", id], value)),
          )}`,
      )}
    </div>
    ${wrongAt(owner, "tiers")}${wrongAt(owner, "split")}`;
}

const HEAD = ["name", "profiles", "strategy", "revert", "cooldown", "maxWait", "rules", "tiers", "split"];

export type Store = (pool: Pool) => Promise<{ configRevision: string }>;

/** Changes the named fields of a pool; a refusal is shown beside the field it names, in a group that is open then. */
export function savePool(
  id: string,
  changed: readonly string[],
  change: (pool: Pool) => Pool,
  store: Store,
): Promise<boolean> {
  const owner = ownerOf(id);
  return inTurn(owner, async () => {
    const pool = poolNow(id);
    if (!pool) return false;
    const places = groups(pool).flatMap(([name, , settings]) =>
      settings.map(({ path }): [string, string] => [path.join("."), name]),
    );
    const save = async () => shown((await store(change(pool))).configRevision);
    const done = await keepChange(owner, "pool", [...HEAD, ...places.map(([path]) => path)], save, changed);
    if (done) return true;
    for (const [path, name] of [...places, ["rules", "rules"], ["tiers", "shares"], ["split", "shares"]] as const)
      if (ui.wrong.has(`${owner}/${path}`)) ui.open.add(`/${name}/${id}`);
    return false;
  });
}

type Save = (changed: readonly string[], change: (pool: Pool) => Pool) => void;

export function poolSettings(pool: PoolStatus, save: Save): TemplateResult {
  const whole = saved(pool);
  const owner = ownerOf(pool.id);
  const set = (setting: Setting) => (value: Value) => {
    const last = setting.path.join() === "lastResort,profile" && value === undefined;
    save([setting.path.join(".")], (now) => withValue(now, last ? ["lastResort"] : setting.path, value));
  };
  return html`${group("shares", pool.id, "Tiers and traffic split", () => shares(owner, whole, save))}
  ${groups(whole).map(([id, title, settings]) =>
    group(
      id,
      pool.id,
      title,
      () => html`<div class="columns">${settings.map((setting) => field(owner, whole, setting, set(setting)))}</div>`,
    ),
  )}`;
}
