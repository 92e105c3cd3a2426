/** Pools: who is in them, in which order, and how one of them is chosen. */
import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { repeat } from "lit/directives/repeat.js";
import type { Pool, PoolStatus, Revert, Strategy } from "../src/protocol";
import { idFor } from "./draft";
import { ownerOf, wrongAt } from "./fields";
import { request } from "./host";
import { dropOn, handle } from "./order";
import { icon, pointing, stateOf } from "./parts";
import { rotate } from "./profiles";
import { rulesOf } from "./rules";
import { leavingWith, poolSettings, savePool, withoutMember } from "./settings";
import { act, draw, drawAndFocus, nameOf, orderOf, saved, say, ui } from "./ui";

/** Whole by type: a strategy that the backend learns has to be named here. */
export const STRATEGIES: Record<Strategy, string> = {
  priority: "In order: the first that can",
  round_robin: "In turn: the one not used for longest",
  weighted: "By weight",
  cost: "The cheapest",
  latency: "The quickest to begin",
  least_busy: "The least busy",
  model: "By the model that is asked for",
};
const REVERTS: Record<Revert, string> = {
  session: "with the next session",
  turn: "with the next turn",
  immediate: "at once",
  never: "never by itself",
};

const store = (pool: Pool) => request("pools/save", { pool, configRevision: ui.snapshot?.configRevision });
const change = (pool: PoolStatus, what: Partial<Pool>) =>
  savePool(pool.id, Object.keys(what), (now) => ({ ...now, ...what }), store);

function choice<T extends string>(
  pool: PoolStatus,
  id: keyof Pool,
  label: string,
  value: T,
  options: Record<T, string>,
  set: (value: T) => Partial<Pool>,
): TemplateResult {
  return html`<div class="field" data-setting=${id}>
    <vscode-label for=${pointing(`${id}-${pool.id}`)}>${label}</vscode-label>
    <vscode-single-select
      id="${id}-${pool.id}"
      .value=${live(value)}
      @change=${(event: Event) => void change(pool, set((event.target as HTMLInputElement).value as T))}
    >
      ${(Object.entries(options) as [T, string][]).map(
        ([option, words]) =>
          html`<vscode-option value=${option} ?selected=${option === value}>${words}</vscode-option>`,
      )}
    </vscode-single-select>
    ${wrongAt(ownerOf(pool.id), id)}
  </div>`;
}

function seconds(pool: PoolStatus, id: "cooldown" | "maxWait", label: string, help: string): TemplateResult {
  const value = saved(pool)[id];
  const set = (event: Event) => {
    const text = (event.target as HTMLInputElement).value;
    void change(pool, { [id]: text === "" ? null : Number(text) });
  };
  return html`<div class="field" data-setting=${id}>
    <vscode-label for=${pointing(`${id}-${pool.id}`)}>${label}</vscode-label>
    <vscode-textfield
      id="${id}-${pool.id}"
      type="number"
      min="0"
      .value=${typeof value === "number" ? String(value) : ""}
      @change=${set}
    ></vscode-textfield>
    <div class="help">${help}</div>
    ${wrongAt(ownerOf(pool.id), id)}
  </div>`;
}

function members(pool: PoolStatus): TemplateResult {
  const order = orderOf(pool);
  const others = ui.snapshot!.profiles.filter((profile) => !order.includes(profile.id));
  return html`<ol class="rows members" data-setting="profiles" aria-label="Members of ${pool.name}">
      ${repeat(
        order,
        (id) => id,
        (id) => {
          const profile = ui.snapshot!.profiles.find((one) => one.id === id);
          const drop = dropOn(pool, id);
          return html`<li
            class="row"
            data-member=${id}
            @dragover=${drop.over}
            @dragleave=${drop.leave}
            @drop=${drop.drop}
          >
            <div class="head">
              ${handle(pool, id)}<span class="name">${profile?.name ?? id}</span
              >${profile ? stateOf(profile) : html`<span class="state failed">${icon("error")}There is no such profile</span>`}
              <vscode-button
                secondary
                icon="close"
                class="small"
                aria-label="Take ${profile?.name ?? id} out of ${pool.name}"
                @click=${() => void savePool(pool.id, leavingWith(id), (now) => withoutMember(now, id), store)}
              ></vscode-button>
            </div>
          </li>`;
        },
      )}
    </ol>
    ${wrongAt(ownerOf(pool.id), "profiles")}
    ${
      others.length
        ? html`<div class="field">
            <vscode-label for=${pointing(`join-${pool.id}`)}>Add a member</vscode-label>
            <div class="with-button">
              <vscode-single-select id="join-${pool.id}"
                >${others.map((profile) => html`<vscode-option value=${profile.id}>${profile.name}</vscode-option>`)}</vscode-single-select
              >
              <vscode-button
                secondary
                @click=${() => {
                  const id =
                    document.querySelector<HTMLInputElement>(`#${CSS.escape(`join-${pool.id}`)}`)?.value ||
                    others[0]!.id;
                  const join = (now: Pool) => ({ ...now, profiles: [...(now.profiles ?? []), id] });
                  void savePool(pool.id, ["profiles"], join, store);
                }}
                >Add</vscode-button
              >
            </div>
          </div>`
        : nothing
    }`;
}

async function remove(pool: PoolStatus): Promise<void> {
  ui.removing = undefined;
  const before = saved(pool);
  if (!(await act(() => request("pools/delete", { id: pool.id })))) return;
  ui.undo = { done: `${pool.name} is removed.`, act: () => request("pools/save", { pool: before }) };
  say(`The pool ${pool.name} is removed; its profiles stay.`);
}

function card(pool: PoolStatus): TemplateResult {
  const settings = saved(pool);
  const asking = ui.removing === `pool:${pool.id}`;
  return html`<section class="pool" data-pool=${pool.id} aria-label="Pool ${pool.name}">
    <h2>${pool.name}</h2>
    <p class="quiet">
      ${pool.current ? `The next request goes to ${nameOf(pool.current)}.` : (pool.reason ?? "Nobody in it can answer now.")}
    </p>
    ${pool.probes ? html`<p class="quiet">${icon("dashboard")} ${pool.probes}</p>` : nothing}
    ${pool.prices ? html`<p class="quiet" data-prices>${icon("tag")} ${pool.prices}</p>` : nothing} ${members(pool)}
    <div class="columns">
      <div class="field" data-setting="name">
        <vscode-label for=${pointing(`name-${pool.id}`)}>Name</vscode-label>
        <vscode-textfield
          id="name-${pool.id}"
          .value=${pool.name}
          @change=${(event: Event) => void change(pool, { name: (event.target as HTMLInputElement).value.trim() || pool.id })}
        ></vscode-textfield>
        ${wrongAt(ownerOf(pool.id), "name")}
      </div>
      ${choice(pool, "strategy", "Who is asked", settings.strategy ?? "priority", STRATEGIES, (strategy) => ({ strategy }))}
      ${choice(pool, "revert", "Back to a better profile", settings.revert ?? "session", REVERTS, (revert) => ({ revert }))}
      ${seconds(pool, "cooldown", "Cooldown in seconds", "Where the provider names no time. Empty: by the kind of error.")}
      ${seconds(pool, "maxWait", "Longest wait in seconds", "How long a request may wait for somebody's return. Empty: 60.")}
    </div>
    ${rulesOf(pool, STRATEGIES, store)}
    ${poolSettings(pool, (changed, how) => void savePool(pool.id, changed, how, store))}
    ${
      asking
        ? html`<div class="notice" role="alertdialog" aria-label="Remove the pool ${pool.name}?">
            <p>${icon("warning")} Remove the pool ${pool.name}? Its profiles stay.</p>
            <vscode-button class="yes" @click=${() => void remove(pool)}>Remove</vscode-button>
            <vscode-button secondary @click=${() => ((ui.removing = undefined), draw())}>Keep</vscode-button>
          </div>`
        : nothing
    }
    <div class="buttons">
      <vscode-button secondary icon="sync" @click=${() => void rotate(pool.id)}>Rotate key now</vscode-button>
      ${pool.saved ? html`<vscode-button secondary @click=${() => ((ui.removing = `pool:${pool.id}`), draw())}>Remove pool</vscode-button>` : nothing}
    </div>
  </section>`;
}

async function create(): Promise<void> {
  const read = (id: string) => document.querySelector<HTMLInputElement>(`#${id}`)?.value.trim() ?? "";
  const name = read("new-pool-name");
  if (!name) return say("Give the pool a name.");
  const id = idFor(name, ui.snapshot?.pools.map((pool) => pool.id) ?? []);
  const first = read("new-pool-first") || ui.snapshot?.profiles[0]?.id;
  if (await act(() => request("pools/save", { pool: { id, name, profiles: first ? [first] : [] } }))) {
    ui.newPool = false;
    say(`The pool ${name} is there.`);
  }
}

function creation(): TemplateResult {
  if (!ui.newPool)
    return html`<vscode-button
      id="new-pool"
      icon="add"
      @click=${() => {
        ui.newPool = true;
        drawAndFocus("#new-pool-name");
      }}
      >New pool</vscode-button
    >`;
  return html`<section class="form" aria-label="New pool">
    <div class="field">
      <vscode-label for="new-pool-name">Name of the pool</vscode-label
      ><vscode-textfield id="new-pool-name"></vscode-textfield>
    </div>
    <div class="field">
      <vscode-label for="new-pool-first">First member</vscode-label>
      <vscode-single-select id="new-pool-first"
        >${ui.snapshot!.profiles.map((profile) => html`<vscode-option value=${profile.id}>${profile.name}</vscode-option>`)}</vscode-single-select
      >
    </div>
    <div class="buttons">
      <vscode-button id="create-pool" @click=${() => void create()}>Create</vscode-button>
      <vscode-button secondary @click=${() => ((ui.newPool = false), draw())}>Cancel</vscode-button>
    </div>
  </section>`;
}

export function poolsView(): TemplateResult {
  const { pools, profiles } = ui.snapshot!;
  if (profiles.length === 0)
    return html`<p class="empty">A pool is made of profiles; add the first one on the other tab.</p>`;
  return html`${repeat(
    pools,
    (pool) => pool.id,
    (pool) => card(pool),
  )}${creation()}`;
}
