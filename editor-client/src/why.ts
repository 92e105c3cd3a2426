/** "Explain Last Request": the backend's reasons as a page a person reads. */
import type { Why } from "./protocol";
import type { Snapshot } from "./status";
import { inMarkdown } from "./words";

export function whyDocument(why: Why, snapshot: Snapshot): string {
  const name = (id: string) => inMarkdown(snapshot.profiles.find((profile) => profile.id === id)?.name ?? id);
  const chosen = why.candidates.filter((candidate) => !candidate.excludedBy);
  const excluded = why.candidates.filter((candidate) => candidate.excludedBy);
  const attempts = why.attempts.map((attempt) => {
    const http = attempt.httpStatus ? `, HTTP ${attempt.httpStatus}` : "";
    const first = attempt.firstTokenMs ? `, first token after ${Math.round(attempt.firstTokenMs)} ms` : "";
    const detail = attempt.detail ? `\n   ${inMarkdown(attempt.detail)}` : "";
    return `${attempt.n}. **${name(attempt.profileId)}** (${inMarkdown(attempt.model)}): ${inMarkdown(attempt.verdict)}${http}${first}, ${Math.round(attempt.durationMs)} ms${detail}`;
  });
  const sections = [
    "# Why this profile answered",
    `Strategy: ${inMarkdown(why.strategy)}${why.rule ? `; rule: ${inMarkdown(why.rule)}` : ""}`,
    "## Attempts\n\n" + (attempts.join("\n") || "None was made."),
    "## Could have been asked, in this order\n\n" +
      (chosen.map((candidate) => `- ${name(candidate.profileId)}`).join("\n") || "Nobody."),
  ];
  if (excluded.length)
    sections.push(
      "## Left out\n\n" +
        excluded.map((candidate) => `- ${name(candidate.profileId)}: ${inMarkdown(candidate.excludedBy!)}`).join("\n"),
    );
  return sections.join("\n\n") + "\n";
}
