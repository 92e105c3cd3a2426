/** "Explain Last Request": the backend's reasons as a page a person reads. */
import type { AttemptExplained, MarkStatus, Why } from "./protocol";
import { pricedBy } from "./known";
import type { Snapshot } from "./status";
import { inMarkdown, moment, money } from "./words";

type Named = (id: string) => string;

/** Text from outside as it is, behind a fence that it cannot close. */
function block(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text.replace(/\s+$/, "")}\n${fence}`;
}

function lesson(mark: MarkStatus, snapshot: Snapshot): string {
  const until = mark.until ? ` until ${moment(Date.parse(mark.until) - snapshot.clockOffset, 0)}` : "";
  const reason = mark.reason ? `: ${inMarkdown(mark.reason)}` : "";
  return `${inMarkdown(mark.scope)} ${inMarkdown(mark.state)} (${inMarkdown(mark.fault)})${until}${reason}`;
}

function attempted(attempt: AttemptExplained, name: Named, snapshot: Snapshot): string {
  const facts = [
    `**${name(attempt.profileId)}** (${inMarkdown(attempt.model)}): ${inMarkdown(attempt.verdict)}`,
    attempt.httpStatus ? `HTTP ${attempt.httpStatus}` : "",
    attempt.firstTokenMs ? `first token after ${Math.round(attempt.firstTokenMs)} ms` : "",
    `${Math.round(attempt.durationMs)} ms`,
    typeof attempt.cost === "number" ? `cost ${inMarkdown(money(attempt.cost))}${pricedBy(attempt.priceSource)}` : "",
  ];
  const parts = [`### Attempt ${attempt.n}`, facts.filter(Boolean).join(", ")];
  if (attempt.detail) parts.push(inMarkdown(attempt.detail));
  if (attempt.notice) parts.push(`Beside the answer: ${inMarkdown(attempt.notice)}`);
  if (attempt.taught?.length)
    parts.push("What it taught:\n\n" + attempt.taught.map((mark) => `- ${lesson(mark, snapshot)}`).join("\n"));
  if (attempt.rawError) parts.push("The provider's own words:", block(attempt.rawError));
  if (attempt.curl) parts.push("The request as it was sent, without its key:", block(attempt.curl));
  return parts.join("\n\n");
}

/** Why somebody was left out. When a limit has room again is told by our clock, with the day, since the page may be read later. */
function leftOut(reason: string, snapshot: Snapshot): string {
  const [, limit, left, at] = /^(.*) \((.* left), room at (\S+)\)$/s.exec(reason) ?? [];
  const room = at ? Date.parse(at) - snapshot.clockOffset : NaN;
  return inMarkdown(Number.isNaN(room) ? reason : `${limit}: ${left}, room again at ${moment(room, 0)}`);
}

function decision(why: Why): string {
  const lines = [
    `- Rule: ${why.rule ? inMarkdown(why.rule) : "none fired"}`,
    `- Strategy: ${inMarkdown(why.strategy)}`,
    why.because ? `- Chosen because: ${inMarkdown(why.because)}` : "",
    why.region ? `- Bound to the region ${inMarkdown(why.region)}` : "",
    typeof why.switchCost === "number"
      ? `- Leaving the warm prompt cache ${why.because?.startsWith("holds the warm prompt cache") ? "would have cost" : "cost"} about ${money(why.switchCost)}`
      : "",
  ];
  return lines.filter(Boolean).join("\n");
}

export function whyDocument(why: Why, snapshot: Snapshot): string {
  const name: Named = (id) => inMarkdown(snapshot.profiles.find((profile) => profile.id === id)?.name ?? id);
  const chosen = why.candidates.filter((candidate) => !candidate.excludedBy);
  const excluded = why.candidates.filter((candidate) => candidate.excludedBy);
  const more = why.moreCandidates ? `\n- and ${why.moreCandidates} more` : "";
  const sections = [
    "# Why this profile answered",
    decision(why),
    "## Could have been asked, in this order\n\n" +
      (chosen.map((candidate) => `- ${name(candidate.profileId)}`).join("\n") || "Nobody.") +
      more,
  ];
  if (excluded.length)
    sections.push(
      "## Left out\n\n" +
        excluded
          .map((candidate) => `- ${name(candidate.profileId)}: ${leftOut(candidate.excludedBy!, snapshot)}`)
          .join("\n"),
    );
  sections.push(
    "## Attempts",
    why.attempts.map((attempt) => attempted(attempt, name, snapshot)).join("\n\n") || "None was made.",
  );
  return sections.join("\n\n") + "\n";
}
