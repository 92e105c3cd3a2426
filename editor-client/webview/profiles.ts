/** The list of profiles: the default pool in the order it is asked, then the rest. */
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { priceWords, windowWords } from "../src/known";
import type { PoolStatus, ProfileStatus } from "../src/protocol";
import { ago } from "../src/words";
import { openEditor, openWizard } from "./form";
import { request } from "./host";
import { dropOn, handle } from "./order";
import { age, figures, icon, meter, pointing, secretHome, stateOf } from "./parts";
import { begin, stagesOf } from "./trial";
import { act, defaultPoolOf, draw, drawAndFocus, nameOf, nowThere, orderOf, say, ui } from "./ui";

function toggle(id: string): void {
  if (!ui.open.delete(id)) ui.open.add(id);
  draw();
}

function test(profile: ProfileStatus, level: "auth" | "completion" = "auth"): void {
  const { run } = begin({ id: profile.id, level });
  if (level === "auth") run.deeper = () => test(profile, "completion");
  ui.tests.set(profile.id, run);
  draw();
}

async function replaceKey(profile: ProfileStatus, key: string): Promise<void> {
  if (!key) return;
  const done = await act(async () => {
    const { profile: whole, configRevision } = await request("profiles/get", { id: profile.id });
    await request("profiles/save", { profile: whole, apiKey: key, configRevision });
  });
  if (!done) return;
  ui.replacing = undefined;
  say(`${profile.name} has its new key.`);
}

async function remove(profile: ProfileStatus): Promise<void> {
  ui.removing = undefined;
  const done = await act(() => request("profiles/delete", { id: profile.id }));
  if (!done) return;
  ui.undo = { done: `${profile.name} is removed.`, act: () => request("profiles/restore", { id: profile.id }) };
  say(`${profile.name} is removed; it can be brought back for ten minutes.`);
}

function removal(profile: ProfileStatus): TemplateResult {
  const pools =
    ui.snapshot?.pools.filter((pool) => pool.saved && pool.profiles.includes(profile.id)).map((pool) => pool.name) ??
    [];
  const uses = pools.length
    ? `The ${pools.length === 1 ? "pool" : "pools"} ${pools.join(", ")} ${pools.length === 1 ? "uses" : "use"} it.`
    : "No pool of yours names it.";
  return html`<div class="notice" role="alertdialog" aria-label="Remove ${profile.name}?">
    <p>${icon("warning")} Remove ${profile.name}? ${uses} It was last used ${ago(profile.lastUsed, nowThere())}.</p>
    <vscode-button class="yes" @click=${() => void remove(profile)}>Remove</vscode-button>
    <vscode-button secondary @click=${() => ((ui.removing = undefined), draw())}>Keep</vscode-button>
  </div>`;
}

function newKey(profile: ProfileStatus): TemplateResult {
  const id = `key-${profile.id}`;
  const value = () => document.querySelector<HTMLInputElement>(`#${CSS.escape(id)}`)?.value.trim() ?? "";
  return html`<div class="field">
    <vscode-label for=${pointing(id)}>New key of ${profile.name}</vscode-label>
    <div class="with-button">
      <vscode-textfield
        id=${id}
        type="password"
        autocomplete="off"
        @keydown=${(event: KeyboardEvent) => event.key === "Enter" && void replaceKey(profile, value())}
      ></vscode-textfield>
      <vscode-button class="save-key" @click=${() => void replaceKey(profile, value())}>Save key</vscode-button>
    </div>
  </div>`;
}

function details(profile: ProfileStatus): TemplateResult {
  const now = nowThere();
  const run = ui.tests.get(profile.id);
  const marked = profile.state === "cooldown" || profile.state === "failed";
  const button = (label: string, click: () => unknown) =>
    html`<vscode-button secondary @click=${click}>${label}</vscode-button>`;
  const fact = (name: string, value: string | null | undefined) =>
    value
      ? html`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`
      : nothing;
  return html`<div class="details" id="details-${profile.id}">
    ${figures(profile)}
    <dl>
      ${fact("Last used", ago(profile.lastUsed, now))} ${fact("Last error", profile.lastError)}
      ${fact("Key", secretHome(profile))} ${fact("Key's age", age(profile.keySavedAt, now))}
      ${fact("Price, in / out", priceWords(profile))} ${fact("Window", windowWords(profile))}
      ${fact("Notes", profile.notes)}
    </dl>
    ${ui.replacing === profile.id ? newKey(profile) : nothing}
    ${ui.removing === profile.id ? removal(profile) : nothing}
    <div class="buttons">
      ${button("Edit", () => void openEditor(profile.id))} ${button("Test connection", () => test(profile))}
      ${button("Replace key", () => {
        ui.replacing = ui.replacing === profile.id ? undefined : profile.id;
        drawAndFocus(`#${CSS.escape(`key-${profile.id}`)}`);
      })}
      ${
        profile.state === "disabled"
          ? button("Enable", () => void act(() => request("profiles/setEnabled", { id: profile.id, enabled: true })))
          : button("Disable", () => void act(() => request("profiles/setEnabled", { id: profile.id, enabled: false })))
      }
      ${marked ? button("Reset", () => void act(() => request("profiles/reset", { id: profile.id }))) : nothing}
      ${button("Duplicate", () => void act(() => request("profiles/duplicate", { id: profile.id })))}
      ${button("Remove", () => {
        ui.removing = profile.id;
        draw();
      })}
    </div>
    ${run ? stagesOf(run) : nothing}
  </div>`;
}

/** Up and down move between rows, as in every list. */
function walk(event: KeyboardEvent): void {
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step === undefined) return;
  const all = [...document.querySelectorAll<HTMLElement>(".disclose")];
  const next = all[all.indexOf(event.currentTarget as HTMLElement) + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function row(profile: ProfileStatus, pool: PoolStatus | undefined): TemplateResult {
  const open = ui.open.has(profile.id);
  const current = pool?.current === profile.id && profile.state === "active";
  const drop = dropOn(pool, profile.id);
  const stats = profile.stats;
  return html`<li class="row" data-id=${profile.id} @dragover=${drop.over} @dragleave=${drop.leave} @drop=${drop.drop}>
    <div class="head">
      ${pool ? handle(pool, profile.id) : nothing}
      <button
        class="disclose"
        aria-expanded=${open ? "true" : "false"}
        @click=${() => toggle(profile.id)}
        @keydown=${walk}
      >
        ${icon(open ? "chevron-down" : "chevron-right")}<span class="name">${profile.name}</span>
      </button>
      ${current ? html`<vscode-badge title="The next request goes here">next</vscode-badge>` : nothing}
      ${stateOf(profile)}
      <span class="what quiet">${[profile.provider, profile.model].filter(Boolean).join(" · ")}</span>
      ${stats && stats.requests > 0 && typeof stats.successRate === "number" ? meter(stats.successRate, `${Math.round(stats.successRate * 100)} % succeeded`) : nothing}
    </div>
    ${profile.state === "failed" ? html`<div class="remedy-line">${icon("error")} <span>${[profile.reason, profile.remedy].filter(Boolean).join(" ")}</span></div>` : nothing}
    ${open ? details(profile) : nothing}
  </li>`;
}

function list(title: string, profiles: ProfileStatus[], pool: PoolStatus | undefined): TemplateResult | typeof nothing {
  if (profiles.length === 0) return nothing;
  return html`<h2>${title}</h2>
    <ul class="rows" aria-label=${title}>
      ${repeat(
        profiles,
        (profile) => profile.id,
        (profile) => row(profile, pool),
      )}
    </ul>`;
}

export function profilesView(): TemplateResult {
  const snapshot = ui.snapshot!;
  const pool = defaultPoolOf(snapshot);
  const order = pool ? orderOf(pool) : [];
  const wanted = ui.filter.toLowerCase();
  const fits = (profile: ProfileStatus) =>
    !wanted ||
    [profile.name, profile.provider, profile.model, profile.state].some((text) => text?.toLowerCase().includes(wanted));
  const byId = new Map(snapshot.profiles.map((profile) => [profile.id, profile]));
  const inside = order.flatMap((id) => byId.get(id) ?? []).filter(fits);
  const outside = snapshot.profiles.filter((profile) => !order.includes(profile.id) && fits(profile));
  if (snapshot.profiles.length === 0)
    return html`<div class="empty">
      <p>
        No profile is saved yet. A profile is a provider, a key and a model; several of them make a pool, and whoever
        can answer does.
      </p>
      <vscode-button id="add-first" @click=${() => void openWizard()}>Add the first profile</vscode-button>
    </div>`;
  return html`${
    snapshot.profiles.length > 6
      ? html`<div class="field filter">
          <vscode-label for="filter">Find</vscode-label>
          <vscode-textfield
            id="filter"
            .value=${ui.filter}
            @input=${(event: Event) => ((ui.filter = (event.target as HTMLInputElement).value), draw())}
          ></vscode-textfield>
        </div>`
      : nothing
  }
  ${list(pool ? `Asked in this order (${pool.name})` : "Profiles", inside, pool)}
  ${list("Not in this pool", outside, undefined)}
  ${inside.length + outside.length === 0 ? html`<p>No profile fits “${ui.filter}”.</p>` : nothing}`;
}

export async function rotate(pool: string | undefined): Promise<void> {
  await act(async () => {
    const moved = await request("rotate", pool ? { pool } : {});
    say(`The next request goes to ${nameOf(moved.to)}.`);
  });
}
