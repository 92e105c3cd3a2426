/** Small things drawn in several places. */
import { html, nothing, svg, type TemplateResult } from "lit";
import { activeWords } from "../src/left";
import type { ProfileStatus } from "../src/protocol";
import { isLimited } from "../src/status";
import { compact, duration } from "../src/words";
import { draw, ui } from "./ui";

export const icon = (name: string): TemplateResult =>
  html`<span class="codicon codicon-${name}" aria-hidden="true"></span>`;

/** What a label is for. It looks for its field with this as a selector, in which dots and spaces of an id would mean something. */
export const pointing = (id: string): string => id.replace(/[^\w-]/g, "\\$&");

const STATES = {
  active: ["pass", "Active"],
  cooldown: ["clock", "Cooldown"],
  failed: ["error", "Failed"],
  disabled: ["circle-slash", "Disabled"],
} as const;

/** The countdown's text is filled in by the clock, so that a tick touches nothing else. */
export function stateOf(profile: ProfileStatus): TemplateResult {
  const [glyph, word] = STATES[profile.state];
  const localNow = Date.now();
  if (ui.snapshot && isLimited(profile, ui.snapshot, localNow))
    return html`<span class="state limited" data-until=${profile.until}>
      ${icon("dashboard")}<span>${activeWords(profile, ui.snapshot, localNow)}</span>
    </span>`;
  const probing = profile.state === "cooldown" && profile.probing;
  return html`<span class="state ${profile.state}">
    ${icon(glyph)}${probing ? "Trying again" : word}
    ${profile.state === "cooldown" && profile.until && !probing ? html`<span class="countdown" data-until=${profile.until}></span>` : nothing}
  </span>`;
}

/** A share as a bar. */
export function meter(share: number, label: string): TemplateResult {
  const width = Math.round(share * 40);
  return html`<svg class="picture" role="img" aria-label=${label} viewBox="0 0 40 8" width="40" height="8">
    <title>${label}</title>
    ${svg`<rect class="rest" width="40" height="8" rx="2" /><rect class="part" width=${width} height="8" rx="2" />`}
  </svg>`;
}

/** Median and 95th percentile of the time to the first token on a logarithmic scale from 0.1 to 30 seconds. */
function range(median: number, p95: number, label: string): TemplateResult {
  const at = (ms: number) => (Math.min(1, Math.max(0, Math.log10(ms / 100) / Math.log10(300))) * 76 + 2).toFixed(1);
  return html`<svg class="picture" role="img" aria-label=${label} viewBox="0 0 80 10" width="80" height="10">
    <title>${label}</title>
    ${svg`<line class="rest" x1="2" x2="78" y1="5" y2="5" /><line class="part" x1=${at(median)} x2=${at(p95)} y1="5" y2="5" /><circle class="part" cx=${at(median)} cy="5" r="4" />`}
  </svg>`;
}

export function figures(profile: ProfileStatus): TemplateResult | typeof nothing {
  const stats = profile.stats;
  if (!stats || stats.requests === 0) return nothing;
  const seconds = (ms: number) => `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 0)} s`;
  const share = stats.successRate ?? 0;
  const rate = `${Math.round(share * 100)} % of ${compact(stats.requests)} ${stats.requests === 1 ? "attempt" : "attempts"} succeeded`;
  const first =
    typeof stats.medianFirstTokenMs === "number" && typeof stats.p95FirstTokenMs === "number"
      ? `First token after ${seconds(stats.medianFirstTokenMs)} in the middle, ${seconds(stats.p95FirstTokenMs)} at the 95th percentile`
      : "";
  const tokens = stats.inputTokens + stats.outputTokens;
  const tokenWords = `${compact(stats.inputTokens)} tokens in, ${compact(stats.outputTokens)} out`;
  return html`<ul class="figures" aria-label="Figures">
    <li>
      ${meter(share, rate)}
      <span aria-hidden="true">${Math.round(share * 100)} % of ${compact(stats.requests)} succeeded</span>
    </li>
    ${first ? html`<li>${range(stats.medianFirstTokenMs!, stats.p95FirstTokenMs!, first)} <span aria-hidden="true">${seconds(stats.medianFirstTokenMs!)} – ${seconds(stats.p95FirstTokenMs!)} to the first token</span></li>` : nothing}
    ${tokens ? html`<li>${meter(stats.outputTokens / tokens, tokenWords)} <span aria-hidden="true">${compact(stats.inputTokens)} in, ${compact(stats.outputTokens)} tokens out</span></li>` : nothing}
  </ul>`;
}

const HOMES: Record<ProfileStatus["secret"], string> = {
  keyring: "in the operating system's keyring",
  environment: "read from an environment variable",
  session: "in memory, for this session only: this machine has no keyring",
  client: "in the editor's secret storage",
  command: "printed by a program when it is needed",
  missing: "missing: enter it again",
  notNeeded: "not needed",
  unchecked: "kept where the operating system keeps keys, which has not answered yet",
};

export const secretHome = (profile: ProfileStatus): string => HOMES[profile.secret];

/** A heading that opens. What is behind it is made then only: a closed choice could not read the words of its options. */
export function group(name: string, owner: string, title: string, content: () => TemplateResult): TemplateResult {
  const key = `/${name}/${owner}`;
  const toggle = (event: Event) => {
    if ((event.currentTarget as HTMLDetailsElement).open) ui.open.add(key);
    else ui.open.delete(key);
    draw();
  };
  return html`<details class="group" data-group=${name} .open=${ui.open.has(key)} @toggle=${toggle}>
    <summary>${title}</summary>
    ${ui.open.has(key) ? content() : nothing}
  </details>`;
}

export const age = (instant: string | null | undefined, now: number): string =>
  instant ? duration(Math.max(1, (now - Date.parse(instant)) / 1000)) : "";
