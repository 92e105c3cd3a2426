import { expect, test } from "vitest";
import { applyChange, currentOf, secondsLeft, snapshotOf } from "../../src/status";
import { stateWords } from "../../src/commands";
import { statusView } from "../../src/statusbar";
import { at, NOW, pool, profile, snapshot } from "./samples";

const clock = (seconds: number): string =>
  new Date(NOW + seconds * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
const RUNNING = { kind: "running" } as const;

test("what changed replaces what was known where it stood, what is new follows, what was removed goes", () => {
  const before = snapshot([profile("a"), profile("b"), profile("c")]);
  const change = {
    now: at(0),
    configRevision: "c2",
    stateRevision: 2,
    profiles: [profile("b", { state: "failed" as const }), profile("d")],
    pools: [],
    removed: { profiles: ["a"], pools: [] },
  };
  const after = applyChange(before, change, NOW);
  expect(after.profiles.map(({ id, state }) => `${id} ${state}`)).toEqual(["b failed", "c active", "d active"]);
  expect(after.configRevision).toBe("c2");
});

test("problems and the keys' home are replaced where they changed, and stand where nothing is said of them", () => {
  const nothing = { profiles: [], pools: [], removed: { profiles: [], pools: [] } };
  const change = { now: at(0), configRevision: "c2", stateRevision: 2, ...nothing };
  const worried = applyChange(
    snapshot([]),
    { ...change, secretStore: "session" as const, problems: [{ message: "There is no keyring." }] },
    NOW,
  );
  const later = applyChange(worried, change, NOW);
  expect([later.secretStore, later.problems.map(({ message }) => message)]).toEqual([
    "session",
    ["There is no keyring."],
  ]);
  expect(applyChange(later, { ...change, problems: [] }, NOW).problems).toEqual([]);
});

test("the keys' home and the problems change with the news, and stay where the news is silent", () => {
  const before = snapshot([], { problems: [{ message: "old" }] });
  const silent = {
    now: at(0),
    configRevision: "c1",
    stateRevision: 2,
    profiles: [],
    pools: [],
    removed: { profiles: [], pools: [] },
  };
  expect(applyChange(before, silent, NOW)).toMatchObject({ secretStore: "keyring", problems: [{ message: "old" }] });
  expect(applyChange(before, { ...silent, secretStore: "client", problems: [] }, NOW)).toMatchObject({
    secretStore: "client",
    problems: [],
  });
});

test("a countdown goes by the backend's clock, whatever ours says", () => {
  const told = snapshotOf(
    { ...snapshot([profile("a", { state: "cooldown", until: at(60) })]), now: at(0) },
    NOW + 3_600_000,
  );
  expect(secondsLeft(told.profiles[0]!, told, NOW + 3_600_000 + 20_000)).toBe(40);
});

test("the current profile is the pool's own word, else the first that can answer", () => {
  const all = snapshot([profile("a", { state: "failed" }), profile("b"), profile("c")]);
  expect(currentOf(pool(["a", "b", "c"], { current: "c" }), all)?.id).toBe("c");
  expect(currentOf(pool(["a", "b", "c"]), all)?.id).toBe("b");
});

test("all well: the one who answers, and nothing that ticks", () => {
  const view = statusView(RUNNING, snapshot([profile("Gemini1"), profile("default")]), NOW);
  expect(view).toMatchObject({ text: "$(arrow-swap) Gemini1", warning: false, ticking: false });
});

test("somebody rests: the one who answers, and when the other is back", () => {
  const view = statusView(
    RUNNING,
    snapshot([profile("Gemini1", { state: "cooldown", until: at(272) }), profile("default")]),
    NOW,
  );
  expect(view).toMatchObject({ text: "$(arrow-swap) default · Gemini1 back in 04:32", warning: false, ticking: true });
  expect(view.tooltip).toContain("Gemini1: $(clock) Cooldown 04:32");
});

test("nobody can answer now: a warning, and the soonest return", () => {
  const resting = snapshot([
    profile("a", { state: "cooldown", until: at(90) }),
    profile("b", { state: "cooldown", until: at(30) }),
  ]);
  expect(statusView(RUNNING, resting, NOW)).toMatchObject({ text: "$(warning) b back in 00:30", warning: true });
});

test("everybody has failed: a warning without a countdown", () => {
  expect(statusView(RUNNING, snapshot([profile("a", { state: "failed", reason: "bad key" })]), NOW)).toMatchObject({
    text: "$(warning) nobody can answer",
    warning: true,
    ticking: false,
  });
});

test("a cooldown that is over leaves the profile ready to be asked", () => {
  expect(statusView(RUNNING, snapshot([profile("a", { state: "cooldown", until: at(-1) })]), NOW)).toMatchObject({
    warning: false,
    ticking: false,
  });
});

const LIMITED = { reason: "It is at the limit of 50 requests per hour (0 left, room at 2026-01-31T14:00:00Z)." };

test("whoever is at a limit of the user's is told with the limit and when there is room, and is not the one who answers", () => {
  const all = snapshot([profile("a", { ...LIMITED, until: at(7200) }), profile("b")]);
  const view = statusView(RUNNING, all, NOW);
  expect(view).toMatchObject({ text: "$(arrow-swap) b", warning: false, ticking: false, roomIn: 7_200_000 });
  const words = `Active, at the limit of 50 requests per hour, room again at ${clock(7200)}`;
  expect(view.tooltip).toContain(`a: $(dashboard) ${words}`);
  expect(stateWords(all.profiles[0]!, all, NOW)).toBe(words);
  expect(stateWords(all.profiles[0]!, all, NOW + 7_200_000)).toBe("Active");
  expect(stateWords(all.profiles[1]!, all, NOW)).toBe("Active");
});

test("everybody is at a limit: a warning, and the first who has room", () => {
  const all = snapshot([profile("a", { ...LIMITED, until: at(7200) }), profile("b", { ...LIMITED, until: at(600) })]);
  expect(statusView(RUNNING, all, NOW)).toMatchObject({
    text: `$(warning) b at its limit until ${clock(600)}`,
    warning: true,
  });
});

test("whoever is merely busy is no reason for a warning", () => {
  const busy = profile("a", { reason: "It is at the limit of 1 requests at once.", until: at(1) });
  const view = statusView(RUNNING, snapshot([busy]), NOW);
  expect(view).toMatchObject({ text: "$(arrow-swap) a", warning: false });
  expect(view.tooltip).toContain("room again when one of them is done");
});

test.each([
  [
    "It is at the limit of its pool of 2 requests at once.",
    1,
    "at the limit of its pool of 2 requests at once, room again when one of them is done",
  ],
  [
    "It is at the budget of $5 per day ($0.0000 left, room at 2026-02-01T00:00:00Z).",
    3600,
    `at the budget of $5 per day, room again at ${clock(3600)}`,
  ],
])("%s", (reason, seconds, words) => {
  const all = snapshot([profile("a", { reason, until: at(seconds) })]);
  expect(stateWords(all.profiles[0]!, all, NOW)).toBe(`Active, ${words}`);
});

test("no profile yet: the click adds one", () => {
  expect(statusView(RUNNING, snapshot([]), NOW).command).toBe("rooroute.add");
});

test("a backend that gave up says so, and the click starts it", () => {
  expect(statusView({ kind: "stopped" }, undefined, NOW)).toMatchObject({
    text: "$(debug-disconnect) rooroute stopped",
    warning: true,
    command: "rooroute.restart",
  });
  expect(
    statusView({ kind: "failed", message: "No Python [x](y)", remedy: "install" }, undefined, NOW).tooltip,
  ).toContain("No Python \\[x\\]");
});

test("a profile's name cannot draw icons in the status bar", () => {
  expect(statusView(RUNNING, snapshot([profile("a", { name: "$(error) evil" })]), NOW).text).toBe(
    "$(arrow-swap) $ (error) evil",
  );
});
