import { expect, test } from "vitest";
import { calendar, limitWords, quotaWords } from "../../src/left";
import type { LimitStatus } from "../../src/protocol";
import { statusView } from "../../src/statusbar";
import { at, NOW, profile, snapshot } from "./samples";

const limit = (more: Partial<LimitStatus> = {}): LimitStatus => ({
  holder: "profile",
  id: "a",
  measure: "requests",
  span: "day",
  most: 1500,
  used: 3,
  left: 1497,
  warning: false,
  ...more,
});

test.each([
  [limit(), "1.5k left of 1.5k requests per day"],
  [limit({ most: 5, left: 4 }), "4 left of 5 requests per day"],
  [limit({ measure: "cost", span: "month", most: 20, left: 1.5 }), "$1.50 left of $20.00 this month"],
  [limit({ span: "second", most: 2, left: 1, rate: 0.2 }), "1 left of 2 requests at once, 0.2 per second"],
  [limit({ span: "second", most: 2, left: 1, rate: 2 }), "1 left of 2 requests per second"],
  [limit({ measure: "concurrent", span: "now", most: 4, left: 2 }), "2 left of 4 requests at once"],
])("what is left of a limit is said in words: %#", (given, words) => expect(limitWords(given)).toBe(words));

test("the calendar has every return that is still to come, the soonest first", () => {
  const told = snapshot(
    [
      profile("a", { state: "cooldown", until: at(60), limits: [limit({ resetsAt: at(3600) })] }),
      profile("b", { quotas: [{ measure: "requests", remaining: 7, resetsAt: at(30) }] }),
      profile("c", { quotas: [{ measure: "tokens", remaining: 7, resetsAt: at(-30) }] }),
    ],
    { limits: [limit({ holder: "tag", id: "work", resetsAt: at(10) })] },
  );
  expect(calendar(told, NOW).map(({ who }) => who)).toEqual(["tag work", "b", "a", "a"]);
});

test("the hover tells what is left of the profile that answers, and of no other", () => {
  const told = snapshot([
    profile("a", {
      quotas: [{ measure: "requests", limit: 50, remaining: 7, resetsAt: at(30) }],
      limits: [limit({ most: 5, left: 4 })],
    }),
    profile("b", { limits: [limit({ id: "b", most: 9, left: 9 })] }),
  ]);
  const { tooltip } = statusView({ kind: "running" }, told, NOW);
  expect(tooltip).toContain("a has");
  expect(tooltip).toContain(`- ${quotaWords({ measure: "requests", limit: 50, remaining: 7 })}, until`);
  expect(tooltip).toContain("- 4 left of 5 requests per day");
  expect(tooltip).not.toContain("9 left of 9");
});
