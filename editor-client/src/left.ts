/** What is left of limits and quotas, in words, and when each begins anew. Pure. */
import type { LimitStatus, ProfileStatus, QuotaStatus } from "./protocol";
import { isLimited, secondsLeft, type Snapshot, untilLocal } from "./status";
import { compact, moment, money } from "./words";

const SPANS: Record<string, string> = {
  second: "per second",
  minute: "per minute",
  hour: "per hour",
  day: "per day",
  calendarDay: "today",
  month: "this month",
  now: "at once",
};

export function limitWords(limit: LimitStatus): string {
  const span = SPANS[limit.span] ?? limit.span;
  if (limit.measure === "cost") return `${money(limit.left)} left of ${money(limit.most)} ${span}`;
  if (typeof limit.rate === "number" && limit.rate !== limit.most)
    return `${compact(Math.floor(limit.left))} left of ${compact(limit.most)} requests at once, ${limit.rate} per second`;
  const what = limit.measure === "concurrent" ? "requests" : limit.measure;
  return `${compact(Math.floor(limit.left))} left of ${compact(limit.most)} ${what} ${span}`;
}

export function quotaWords(quota: QuotaStatus): string {
  const of = typeof quota.limit === "number" ? ` of ${compact(quota.limit)}` : "";
  return `${compact(quota.remaining)} left${of} ${quota.measure}, as the provider says`;
}

/** "Active", and where a limit of the user's keeps the profile from being asked, which one and when it has room again. */
export function activeWords(profile: ProfileStatus, snapshot: Snapshot, localNow: number): string {
  if (!isLimited(profile, snapshot, localNow)) return "Active";
  const limit = (profile.reason ?? "at a limit").replace(/^It is /, "").replace(/( \([^()]*\))?\.?$/, "");
  // Nobody knows when a request that is running will be done.
  const room = limit.endsWith("at once")
    ? "room again when one of them is done"
    : `room again at ${moment(untilLocal(profile, snapshot), localNow)}`;
  return `Active, ${limit}, ${room}`;
}

/** What a person calls the holder of a limit. */
export function holderName(limit: LimitStatus, snapshot: Snapshot): string {
  if (limit.holder === "tag") return `tag ${limit.id}`;
  const all: readonly { id: string; name: string }[] = limit.holder === "pool" ? snapshot.pools : snapshot.profiles;
  const name = all.find((one) => one.id === limit.id)?.name ?? limit.id;
  return limit.holder === "pool" ? `pool ${name}` : name;
}

/** Every limit there is: the profiles' own, then those of pools and tags. */
export const limitsOf = (snapshot: Snapshot): LimitStatus[] => [
  ...snapshot.profiles.flatMap((profile) => profile.limits ?? []),
  ...(snapshot.limits ?? []),
];

export interface Return {
  /** RFC 3339, by the backend's clock. */
  at: string;
  who: string;
  what: string;
}

/** What comes back when, the soonest first; `localNow` in milliseconds. */
export function calendar(snapshot: Snapshot, localNow: number): Return[] {
  const found: Return[] = [];
  const add = (at: string | null | undefined, who: string, what: string) => {
    if (at && Date.parse(at) > localNow + snapshot.clockOffset) found.push({ at, who, what });
  };
  for (const profile of snapshot.profiles) {
    if (secondsLeft(profile, snapshot, localNow) > 0) add(profile.until, profile.name, "may be asked again");
    for (const quota of profile.quotas ?? []) add(quota.resetsAt, profile.name, quotaWords(quota));
  }
  for (const limit of limitsOf(snapshot)) add(limit.resetsAt, holderName(limit, snapshot), limitWords(limit));
  return found.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
