import { expect, test } from "vitest";
import { whyDocument } from "../../src/why";
import { at, profile, snapshot } from "./samples";

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
        { n: 2, profileId: "b", model: "m", verdict: "ok", durationMs: 30 },
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
    "profile cooldown (rateLimit) until",
    '````\nSlow down, "```" is no fence.\n````',
    "```\ncurl https://example.org\n```",
    "### Attempt 2",
  ])
    expect(page).toContain(words);
});
