import { beforeEach, expect, test } from "vitest";
import * as vscode from "vscode";
import type { Backend } from "../../src/backend";
import { Completions, lastRequest } from "../../src/complete";
import type { Progress } from "../../src/protocol";
import { pool, profile, snapshot } from "./samples";

const { shown, settings } = vscode as unknown as { shown: string[]; settings: Record<string, unknown> };
beforeEach(() => shown.splice(0));

function backendThatSays(...values: Progress["value"][]): Backend {
  let heard: (value: Progress["value"]) => void = () => undefined;
  return {
    status: snapshot([profile("Gemini1"), profile("default")]),
    listen: async (_: string, listener: typeof heard) => ((heard = listener), { dispose: () => undefined }),
    request: async () => {
      values.forEach((value) => heard(value));
      const tried = values.filter((value) => value.kind === "attempt");
      const attempts = tried.map((value, n) => ({
        ...value,
        verdict: n === tried.length - 1 ? "ok" : "rateLimit",
        ...(n === tried.length - 1 ? {} : { detail: "Too many requests." }),
      }));
      return { requestId: "r1", profileId: tried.at(-1)?.profileId ?? "Gemini1", attempts };
    },
  } as unknown as Backend;
}

const attempt = (n: number, profileId: string, why: string) => ({
  kind: "attempt" as const,
  requestId: "r1",
  n,
  profileId,
  model: "m",
  why,
});
const run = (completions: Completions, deliver = () => undefined) =>
  completions.stream({ messages: [] }, deliver, new vscode.CancellationTokenSource().token as never);

test("who answered instead is said once, with the reason", async () => {
  const completions = new Completions(
    backendThatSays(attempt(1, "Gemini1", "first in the pool"), attempt(2, "default", "Gemini1 has reached its limit")),
  );
  await run(completions);
  await run(completions);
  expect(shown).toEqual(["default answered instead of Gemini1, which said: Too many requests."]);
  expect(lastRequest()).toBe("r1");
});

test("nothing is said where the user does not want to hear it, or where the first one answered", async () => {
  settings["rooroute.notices.fallback"] = false;
  await run(new Completions(backendThatSays(attempt(1, "Gemini1", ""), attempt(2, "default", ""))));
  delete settings["rooroute.notices.fallback"];
  await run(new Completions(backendThatSays(attempt(1, "Gemini1", ""))));
  expect(shown).toEqual([]);
});

test("a wait shows its countdown with links that act on the request", async () => {
  const now = "2026-01-31T12:00:00Z";
  await run(
    new Completions(
      backendThatSays({
        kind: "waiting",
        requestId: "r 1",
        now,
        until: "2026-01-31T12:04:32Z",
        profileIds: ["Gemini1"],
      }),
    ),
  );
  expect(shown[0]).toContain(
    "waiting for Gemini1, back in 04:32. [Retry now](command:rooroute.wait.retryNow?%5B%22r%201%22%5D)",
  );
  expect(shown[0]).toContain("[Next](command:rooroute.wait.skip?");
});

test.each([
  ["Allow Once", { method: "complete", consent: "once" }],
  ["Allow for This Session", { method: "complete", consent: "session" }],
  ["Never", { method: "pools/save", consent: "never" }],
  [undefined, undefined],
])("the last resort is asked for, and %s is obeyed", async (button, second) => {
  const asked: { method: string; consent: unknown }[] = [];
  const backend = {
    status: snapshot([profile("a"), profile("b", { name: "Dear" })], {
      pools: [pool(["a"], { saved: { id: "default", profiles: ["a"], lastResort: { profile: "b", consent: "ask" } } })],
    }),
    listen: async () => ({ dispose: () => undefined }),
    request: async (method: string, params: { consent?: string; pool?: { lastResort: { consent: string } } }) => {
      asked.push({ method, consent: params.consent ?? params.pool?.lastResort?.consent });
      if (method === "complete" && !params.consent)
        throw Object.assign(new Error("It wants your consent."), {
          data: { kind: "consentNeeded", consent: { profileId: "b", pool: "default" } },
        });
      return { requestId: "r2", profileId: "b", attempts: [] };
    },
  } as unknown as Backend;
  (vscode.window as unknown as { pressed: string | undefined }).pressed = button;
  const answer = await run(new Completions(backend)).catch((error: Error) => error.message);
  expect(shown[0]).toContain("the last resort, Dear,");
  expect(asked.slice(1)).toEqual(second ? [second] : []);
  if (second?.method !== "complete") expect(answer).toBe("It wants your consent.");
});
