/** What the backend last said about profiles and pools, put together from `status` and what `statusChanged` brought since. */
import type { PoolStatus, ProfileStatus, Status, StatusChanged } from "./protocol";

export interface Snapshot extends Omit<Status, "now"> {
  /** The backend's clock minus ours, in milliseconds: clocks differ between hosts, and until-times are the backend's. */
  readonly clockOffset: number;
}

/** Merges by id: what changed is replaced where it stands, what is new is put at the end, what was removed goes. */
function merged<T extends { id: string }>(known: readonly T[], changed: readonly T[], removed: readonly string[]): T[] {
  const news = new Map(changed.map((item) => [item.id, item]));
  const kept = known.filter((item) => !removed.includes(item.id)).map((item) => news.get(item.id) ?? item);
  const ids = new Set(kept.map((item) => item.id));
  return [...kept, ...changed.filter((item) => !ids.has(item.id))];
}

export function snapshotOf(status: Status, localNow: number): Snapshot {
  const { now, ...rest } = status;
  return { ...rest, clockOffset: Date.parse(now) - localNow };
}

export function applyChange(known: Snapshot, change: StatusChanged, localNow: number): Snapshot {
  return {
    ...known,
    configRevision: change.configRevision,
    stateRevision: change.stateRevision,
    clockOffset: Date.parse(change.now) - localNow,
    profiles: merged(known.profiles, change.profiles, change.removed.profiles),
    pools: merged(known.pools, change.pools, change.removed.pools),
    secretStore: change.secretStore ?? known.secretStore,
    problems: change.problems ?? known.problems,
    limits: change.limits ?? known.limits,
  };
}

/** Seconds until a profile may be asked again; 0 when nothing is to be waited for. */
export function secondsLeft(profile: ProfileStatus, snapshot: Snapshot, localNow: number): number {
  if (profile.state !== "cooldown" || !profile.until) return 0;
  return Math.max(0, (Date.parse(profile.until) - localNow - snapshot.clockOffset) / 1000);
}

/** Whether one of the user's own limits keeps an active profile from being asked. */
export function isLimited(profile: ProfileStatus, snapshot: Snapshot, localNow: number): boolean {
  return profile.state === "active" && !!profile.until && untilLocal(profile, snapshot) > localNow;
}

/** Whether it is active and not at a limit; one that is merely busy with as many requests as it may be counts as able. */
export function isAble(profile: ProfileStatus, snapshot: Snapshot, localNow: number): boolean {
  const busy = / at once\.?$/.test(profile.reason ?? "");
  return profile.state === "active" && (busy || !isLimited(profile, snapshot, localNow));
}

/** When a profile has room or may be asked again, in milliseconds of our clock. */
export const untilLocal = (profile: ProfileStatus, snapshot: Snapshot): number =>
  profile.until ? Date.parse(profile.until) - snapshot.clockOffset : 0;

/** The pool that a request without a pool goes to. */
export function defaultPool(snapshot: Snapshot): PoolStatus | undefined {
  return snapshot.pools.find((pool) => pool.id === (snapshot.defaultPool ?? "default")) ?? snapshot.pools[0];
}

export function membersOf(pool: PoolStatus, snapshot: Snapshot): ProfileStatus[] {
  const byId = new Map(snapshot.profiles.map((profile) => [profile.id, profile]));
  return pool.profiles.flatMap((id) => byId.get(id) ?? []);
}

/** The profile a pool's next request goes to, as far as it is known. */
export function currentOf(pool: PoolStatus, snapshot: Snapshot, localNow = Date.now()): ProfileStatus | undefined {
  const members = membersOf(pool, snapshot);
  const able = (member: ProfileStatus) => isAble(member, snapshot, localNow);
  return members.find((member) => member.id === pool.current) ?? members.find(able);
}
