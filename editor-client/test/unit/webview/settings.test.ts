import { expect, test } from "vitest";
import { drawn } from "./drawn";
import type { Pool } from "../../../src/protocol";
import { field, fieldFor, number, withValue } from "../../../webview/fields";
import { savePool, tierOf, withoutMember, withTier } from "../../../webview/settings";
import { poolNow, ui } from "../../../webview/ui";
import { pool, snapshot } from "../samples";

const POOL: Pool = { id: "p", profiles: ["a.b", "c"], weights: { "a.b": 2, "c": 1 }, tiers: [["a.b"], ["c"]] };

test("what is being typed is not overwritten by what the backend fills in meanwhile", () => {
  const drawnField = () => drawn(field("o", { limit: 5 }, number(["limit"], "Limit"), () => undefined));
  expect(drawnField()).toContain(".value=5");
  Object.assign(globalThis.document, { activeElement: { id: "o-limit" } });
  expect(drawnField()).not.toContain(".value=5");
  Object.assign(globalThis.document, { activeElement: null });
});

test("a setting is put where it belongs, and what it leaves empty goes", () => {
  const set = withValue(POOL, ["weights", "a.b"], 3);
  expect(set.weights).toEqual({ "a.b": 3, "c": 1 });
  expect(withValue({ id: "p", limits: { requestsPerDay: 5 } }, ["limits", "requestsPerDay"], undefined)).toEqual({
    id: "p",
  });
  expect(POOL.weights).toEqual({ "a.b": 2, "c": 1 });
});

test("a profile moves between tiers, and no tier stays empty", () => {
  expect(withTier(POOL, "c", 1).tiers).toEqual([["a.b", "c"]]);
  expect(tierOf(withTier(POOL, "c", 0), "c")).toBe(0);
});

test("a member that leaves is named by no share of the pool any more", () => {
  expect(withoutMember({ ...POOL, split: { c: 5 } }, "c")).toEqual({
    id: "p",
    profiles: ["a.b"],
    weights: { "a.b": 2 },
    tiers: [["a.b"]],
  });
});

test.each([
  ["limits.requestsPerDay", "limits.requestsPerDay"],
  ["failover.retryCodes.0", "failover.retryCodes"],
  ["weights", "weights.a.b"],
  ["rules.0.when.pattern", "rules"],
  ["nothing.of.ours", undefined],
])("a refusal that names %s is shown at %s", (named, shown) => {
  expect(fieldFor(named, ["limits", "limits.requestsPerDay", "failover.retryCodes", "weights.a.b", "rules"])).toBe(
    shown,
  );
});

test("what is typed quickly one after the other is all kept, a refusal in between aside", async () => {
  ui.snapshot = snapshot([], { configRevision: "0", pools: [pool([], { id: "p", saved: { id: "p" } })] });
  let revision = 0;
  const store = async (changed: Pool) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (changed.maxAttempts === 0) throw new Error("maxAttempts is at least 1.");
    const configRevision = `${++revision}`;
    setTimeout(
      () => (ui.snapshot = snapshot([], { configRevision, pools: [pool([], { id: "p", saved: changed })] })),
      30,
    );
    return { configRevision };
  };
  const done = await Promise.all([
    savePool("p", ["maxWait"], (now) => ({ ...now, maxWait: 5 }), store),
    savePool("p", ["maxAttempts"], (now) => ({ ...now, maxAttempts: 0 }), store),
    savePool("p", ["maxElapsed"], (now) => ({ ...now, maxElapsed: 7 }), store),
  ]);
  expect(done).toEqual([true, false, true]);
  expect(poolNow("p")).toEqual({ id: "p", maxWait: 5, maxElapsed: 7 });
});

test("what was said of a field stays, as the refused text in it, until that field changes or is accepted", async () => {
  const { Refused } = await import("../../../webview/host");
  ui.snapshot = snapshot([], { configRevision: "0", pools: [pool([], { id: "p", saved: { id: "p" } })] });
  ui.wrong.clear();
  const store = async (changed: Pool) => {
    if (changed.maxAttempts === 0) throw new Refused("At least 1.", "pool.maxAttempts", undefined);
    if (changed.split) throw new Refused("More than 100 %.", "pool.split", undefined);
    return { configRevision: "0" };
  };
  const set = (path: string[], value: unknown) =>
    savePool("p", [path.join(".")], (now) => withValue(now, path, value), store);
  const said = () => [...ui.wrong].map(([name, sentence]) => `${name}: ${sentence}`);

  await set(["maxAttempts"], 0);
  await set(["maxWait"], 5);
  expect(said()).toEqual(["set-p/maxAttempts: At least 1."]);
  await set(["split", "a"], 120);
  await set(["maxElapsed"], 7);
  expect(said()).toEqual(["set-p/maxAttempts: At least 1.", "set-p/split: More than 100 %."]);
  await set(["maxAttempts"], 2);
  expect(said()).toEqual(["set-p/split: More than 100 %."]);
  await set(["split", "a"], undefined);
  expect(said()).toEqual([]);
});
