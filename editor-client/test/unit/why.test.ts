import { expect, test } from "vitest";
import { whyDocument } from "../../src/why";
import { at, NOW, profile, snapshot } from "./samples";

const local = (ms: number) =>
  new Date(ms).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

test("a request is explained whole: rule, reason, candidates, attempts, lessons, raw error and the request as it was sent", () => {
  const page = whyDocument(
    {
      request: {},
      rule: "long summaries",
      strategy: "cost",
      because: "cheapest for this request",
      region: "eu",
      switchCost: 0.02,
      candidates: [{ profileId: "a" }, { profileId: "b" }, { profileId: "c", excludedBy: "at a limit" }],
      moreCandidates: 3,
      attempts: [
        {
          n: 1,
          profileId: "a",
          model: "m",
          verdict: "rateLimit",
          httpStatus: 429,
          durationMs: 12,
          rawError: 'Slow down, "```" is no fence.',
          curl: "curl https://example.org",
          taught: [{ scope: "profile", state: "cooldown", fault: "rateLimit", until: at(60) }],
        },
        { n: 2, profileId: "b", model: "m", verdict: "ok", durationMs: 30, cost: 0.0042, priceSource: "table" },
      ],
    },
    snapshot([profile("a", { name: "Ann" }), profile("b", { name: "Bob" }), profile("c", { name: "Cy" })]),
  );
  for (const words of [
    "Rule: long summaries",
    "Chosen because: cheapest for this request",
    "region eu",
    "$0.02",
    "- Ann\n- Bob\n- and 3 more",
    "- Cy: at a limit",
    "HTTP 429",
    `profile cooldown (rateLimit) until ${local(NOW + 60_000)}`,
    '````\nSlow down, "```" is no fence.\n````',
    "```\ncurl https://example.org\n```",
    "### Attempt 2",
    "30 ms, cost $0.0042, by the offline table",
  ])
    expect(page).toContain(words);
});

test("a limit that kept a profile away is told with when it has room, by the clock here", () => {
  const excludedBy = "is at the limit of 50 requests per hour (0 left, room at 2026-01-31T14:00:00Z)";
  const page = (clockOffset: number) =>
    whyDocument(
      { request: {}, strategy: "priority", candidates: [{ profileId: "a", excludedBy }], attempts: [] },
      snapshot([profile("a")], { clockOffset }),
    );
  expect(page(0)).toContain(
    `- a: is at the limit of 50 requests per hour: 0 left, room again at ${local(NOW + 7_200_000)}`,
  );
  expect(page(3_600_000)).toContain(`room again at ${local(NOW + 3_600_000)}`);
  expect(page(0)).not.toContain("2026");
});

test("a budget with too little left for a request is told with both sums", () => {
  const sums = "about $4.0000 wanted, $1.2500 left";
  const excludedBy = `is too near the budget of $5 per day (${sums}, room at 2026-01-31T14:00:00Z)`;
  const page = whyDocument(
    { request: {}, strategy: "priority", candidates: [{ profileId: "a", excludedBy }], attempts: [] },
    snapshot([profile("a")]),
  );
  expect(page).toContain(`is too near the budget of $5 per day: ${sums}, room again at`);
});

test("a session that stays for its warm cache is told what leaving would have cost", () => {
  const because = "holds the warm prompt cache; switching would cost $0.0900";
  const page = whyDocument(
    { request: {}, strategy: "priority", because, switchCost: 0.09, candidates: [], attempts: [] },
    snapshot([profile("a")]),
  );
  expect(page).toContain("Leaving the warm prompt cache would have cost about $0.09");
});

test("an attempt that nobody can price tells no cost, and one without a source only the sum", () => {
  const attempt = { n: 1, profileId: "a", model: "m", verdict: "ok", durationMs: 30 };
  const page = (more: object) =>
    whyDocument(
      { request: {}, strategy: "priority", candidates: [], attempts: [{ ...attempt, ...more }] },
      snapshot([profile("a")]),
    );
  expect(page({})).not.toContain("cost");
  expect(page({ cost: 1.5 })).toContain("30 ms, cost $1.50\n");
  expect(page({ cost: 0, priceSource: "yours" })).toContain("cost $0, by your prices");
});
