/** Limits with what is left of them, and the calendar: what comes back when. */
import { html, nothing, type TemplateResult } from "lit";
import { calendar, holderName, limitsOf, limitWords, quotaWords } from "../src/left";
import type { LimitStatus } from "../src/protocol";
import { icon, meter } from "./parts";
import { ui } from "./ui";

const back = (instant: string | null | undefined) =>
  instant
    ? html`<span class="quiet">resets: <span class="countdown" data-until=${instant} data-over="now"></span></span>`
    : nothing;

function left(limit: LimitStatus, who: string): TemplateResult {
  const words = limitWords(limit);
  return html`<li class="left" data-limit="${limit.holder}/${limit.id}/${limit.measure}/${limit.span}">
    <span class="name">${who}</span> ${meter(limit.most > 0 ? Math.min(1, limit.left / limit.most) : 0, words)}
    <span>${limit.warning ? icon("warning") : nothing} ${words}${limit.warning ? ": 80 % are used" : ""}</span>
    ${back(limit.resetsAt)}
  </li>`;
}

const when = (instant: string) =>
  new Date(Date.parse(instant) - (ui.snapshot?.clockOffset ?? 0)).toLocaleString(undefined, {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });

export function limitsView(): TemplateResult {
  const snapshot = ui.snapshot!;
  const limits = limitsOf(snapshot);
  const told = snapshot.profiles.flatMap((profile) => (profile.quotas ?? []).map((quota) => ({ profile, quota })));
  const returns = calendar(snapshot, Date.now());
  return html`<h2>Your limits and budgets</h2>
    ${
      limits.length
        ? html`<ul class="lefts" aria-label="Your limits and budgets">
            ${limits.map((limit) => left(limit, holderName(limit, snapshot)))}
          </ul>`
        : html`<p>None is set. Edit a profile, or open “Limits and budget” of a pool.</p>`
    }
    <h2>Quotas the providers tell</h2>
    ${
      told.length
        ? html`<ul class="lefts" aria-label="Quotas the providers tell">
            ${told.map(
              ({ profile, quota }) =>
                html`<li class="left">
                  <span class="name">${profile.name}</span>
                  ${quota.limit ? meter(Math.min(1, quota.remaining / quota.limit), quotaWords(quota)) : nothing}
                  <span>${quotaWords(quota)}</span> ${back(quota.resetsAt)}
                </li>`,
            )}
          </ul>`
        : html`<p class="quiet">None so far: those that tell, tell with an answer.</p>`
    }
    <h2>Calendar of resets</h2>
    ${
      returns.length
        ? html`<ol class="lefts" id="calendar" aria-label="Calendar of resets">
            ${returns.map(
              (one) =>
                html`<li class="left">
                  <time datetime=${one.at}>${when(one.at)}</time> <span class="name">${one.who}</span>
                  <span>${one.what}</span> ${back(one.at)}
                </li>`,
            )}
          </ol>`
        : html`<p class="quiet">Nothing is waited for.</p>`
    }`;
}
