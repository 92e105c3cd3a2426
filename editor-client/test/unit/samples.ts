import type { PoolStatus, ProfileStatus } from "../../src/protocol";
import type { Snapshot } from "../../src/status";

export const NOW = Date.parse("2026-01-31T12:00:00Z");
export const at = (seconds: number): string => new Date(NOW + seconds * 1000).toISOString();

export const profile = (id: string, more: Partial<ProfileStatus> = {}): ProfileStatus => ({
  id,
  name: id,
  provider: "gemini",
  state: "active",
  secret: "keyring",
  ...more,
});
export const pool = (profiles: string[], more: Partial<PoolStatus> = {}): PoolStatus => ({
  id: "default",
  name: "default",
  strategy: "priority",
  state: "active",
  profiles,
  ...more,
});

export const snapshot = (profiles: ProfileStatus[], more: Partial<Snapshot> = {}): Snapshot => ({
  clockOffset: 0,
  configRevision: "c1",
  stateRevision: 1,
  secretStore: "keyring",
  problems: [],
  profiles,
  pools: [pool(profiles.map(({ id }) => id))],
  ...more,
});
