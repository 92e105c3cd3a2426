/** A pool's rules: a row for each, edited as plain fields, and a question which of them would fire. */
import { html, nothing, type TemplateResult } from "lit";
import type { PoolStatus, Rule, Strategy } from "../src/protocol";
import { type Condition, CONDITIONS, type Row, rowsOf, whenOf } from "./conditions";
import { fieldFor, ownerOf, wrongAt } from "./fields";
import { Refused, request } from "./host";
import { group, icon, pointing } from "./parts";
import { savePool, type Store } from "./settings";
import { draw, drawAndFocus, nameOf, poolNow, saved, say, ui } from "./ui";

/** A rule on its way. */
export interface RuleDraft {
  pool: string;
  /** What it was called when it was opened, which no other rule is; undefined for a new one. */
  was: string | undefined;
  /** The rule that it is to stand before; undefined for the last place. */
  before: string | undefined;
  rule: Rule;
  rows: Row[];
  wrong: string;
  /** The field of the rule that it is about, where it names one: "region", "when.pattern". */
  wrongAt?: string;
}

const wrongHere = (draft: RuleDraft, names: readonly string[]): TemplateResult | typeof nothing =>
  draft.wrong && draft.wrongAt !== undefined && names.includes(draft.wrongAt)
    ? html`<div class="wrong" role="alert">${draft.wrong}</div>`
    : nothing;

/** What the form has a place for. */
const PLACES = ["name", "profiles", "strategy", "region", "only"];

/** `change` is given the rules that are there by then. */
type Save = (change: (rules: readonly Rule[]) => Rule[]) => Promise<void>;

const textOf = (id: string): string =>
  document.querySelector<HTMLInputElement>(`#${CSS.escape(id)}`)?.value.trim() ?? "";
const textIn = (event: Event): string => (event.target as HTMLInputElement).value;

/** A new rule is tried last, but before one without conditions: behind that it would never fire. */
export function placeOfNew(rules: readonly Rule[]): number {
  const always = rules.findIndex(({ when }) => rowsOf(when).length === 0);
  return always < 0 ? rules.length : always;
}

/** The rules with the draft in its place, whatever has become of the others since it was opened. */
export function withRule(rules: readonly Rule[], { was, before, rule, rows }: RuleDraft): Rule[] {
  const others = rules.filter(({ name }) => name !== was);
  const at = others.findIndex(({ name }) => name === before);
  return others.toSpliced(at < 0 ? others.length : at, 0, { ...rule, when: whenOf(rows) });
}

function open(pool: PoolStatus, at: number): void {
  const rules = saved(pool).rules ?? [];
  const rule = rules[at] ?? { name: "" };
  const rows = rowsOf(rule.when);
  ui.rule = {
    pool: pool.id,
    was: rules[at]?.name,
    before: (at < rules.length ? rules[at + 1] : rules[placeOfNew(rules)])?.name,
    rule,
    rows: rows.length ? rows : [{ condition: "contains", text: "" }],
    wrong: "",
  };
  drawAndFocus("#rule-name");
}

function close(): void {
  ui.rule = undefined;
  draw();
}

async function store(draft: RuleDraft, save: Save): Promise<void> {
  draft.wrong = "";
  delete draft.wrongAt;
  try {
    await save((rules) => withRule(rules, draft));
    say(`The rule ${draft.rule.name} is saved.`);
    close();
  } catch (error) {
    draft.wrong = (error as Error).message;
    const [, named] = (error instanceof Refused && /^pool\.rules\.\d+\.(.+)$/.exec(error.field ?? "")) || [];
    const places = [...PLACES, ...draft.rows.map((row) => `when.${row.condition}`)];
    const place = named && fieldFor(named, places);
    if (place) draft.wrongAt = place;
    draw();
  }
}

function conditions(draft: RuleDraft): TemplateResult {
  return html`${draft.rows.map((row, n) => {
      const { kind, help } = CONDITIONS[row.condition];
      return html`<div class="condition" data-setting="when">
        <div class="field">
          <vscode-label for="rule-condition-${n}">Condition ${n + 1}</vscode-label>
          <vscode-single-select
            id="rule-condition-${n}"
            @change=${(event: Event) => ((row.condition = textIn(event) as Condition), draw())}
          >
            ${(Object.keys(CONDITIONS) as Condition[]).map((one) => html`<vscode-option value=${one} data-setting=${`when.${one}`} ?selected=${one === row.condition}>${CONDITIONS[one].label}</vscode-option>`)}
          </vscode-single-select>
        </div>
        <div class="field">
          <vscode-label for="rule-value-${n}">Value of condition ${n + 1}</vscode-label>
          <vscode-textfield
            id="rule-value-${n}"
            .value=${row.text}
            @input=${(event: Event) => (row.text = textIn(event))}
          ></vscode-textfield>
          <div class="help">${help}${kind === "list" ? " Commas between several." : ""}</div>
          ${wrongHere(draft, [`when.${row.condition}`])}
        </div>
      </div>`;
    })}
    <div class="buttons">
      <vscode-button
        secondary
        icon="add"
        @click=${() => {
          draft.rows.push({ condition: "mode", text: "" });
          drawAndFocus(`#rule-condition-${draft.rows.length - 1}`);
        }}
        >Another condition</vscode-button
      >
    </div>
    <p class="help">All of them must be met. One without a value is left out.</p>`;
}

function targets(draft: RuleDraft): TemplateResult {
  const chosen = draft.rule.profiles ?? [];
  const others = (ui.snapshot?.profiles ?? []).filter((profile) => !chosen.includes(profile.id));
  const set = (profiles: string[]) => {
    draft.rule = { ...draft.rule, profiles };
    draw();
  };
  return html`<ol class="rows" data-setting="profiles" aria-label="Profiles of the rule">
      ${chosen.map(
        (id) =>
          html`<li class="row">
            <div class="head">
              <span class="name">${nameOf(id)}</span>
              <vscode-button
                secondary
                icon="close"
                class="small"
                aria-label="Take ${nameOf(id)} out of the rule"
                @click=${() => set(chosen.filter((one) => one !== id))}
              ></vscode-button>
            </div>
          </li>`,
      )}
    </ol>
    ${
      others.length
        ? html`<div class="field">
            <vscode-label for="rule-join">Goes to</vscode-label>
            <div class="with-button">
              <vscode-single-select id="rule-join"
                >${others.map((profile) => html`<vscode-option value=${profile.id}>${profile.name}</vscode-option>`)}</vscode-single-select
              >
              <vscode-button
                secondary
                id="rule-add-profile"
                @click=${() => {
                  const id = textOf("rule-join");
                  set([...chosen, others.some((one) => one.id === id) ? id : others[0]!.id]);
                }}
                >Add</vscode-button
              >
            </div>
          </div>`
        : nothing
    }
    ${wrongHere(draft, ["profiles"])}`;
}

export function ruleForm(
  draft: RuleDraft,
  pool: PoolStatus,
  strategies: Record<Strategy, string>,
  save: Save,
): TemplateResult {
  const set = (what: Partial<Rule>) => void (draft.rule = { ...draft.rule, ...what });
  const others = (saved(pool).rules ?? []).map(({ name }) => name).filter((name) => name !== draft.was);
  const place =
    draft.before !== undefined && others.includes(draft.before) ? others.indexOf(draft.before) : others.length;
  return html`<section class="notice form" aria-label="Rule">
    <div class="field" data-setting="name">
      <vscode-label for="rule-name">Name of the rule</vscode-label>
      <vscode-textfield
        id="rule-name"
        .value=${draft.rule.name}
        @input=${(event: Event) => set({ name: textIn(event).trim() })}
      ></vscode-textfield>
      ${wrongHere(draft, ["name"])}
    </div>
    ${conditions(draft)} ${targets(draft)}
    <div class="columns">
      <div class="field" data-setting="strategy">
        <vscode-label for="rule-strategy">Who of them is asked</vscode-label>
        <vscode-single-select
          id="rule-strategy"
          @change=${(event: Event) => set({ strategy: (textIn(event) || null) as Strategy | null })}
        >
          <vscode-option value="" ?selected=${!draft.rule.strategy}>As in the pool</vscode-option>
          ${(Object.entries(strategies) as [Strategy, string][]).map(([one, words]) => html`<vscode-option value=${one} ?selected=${one === draft.rule.strategy}>${words}</vscode-option>`)}
        </vscode-single-select>
      </div>
      <div class="field" data-setting="region">
        <vscode-label for="rule-region">Region it never leaves</vscode-label>
        <vscode-textfield
          id="rule-region"
          .value=${draft.rule.region ?? ""}
          @input=${(event: Event) => set({ region: textIn(event).trim() || null })}
        ></vscode-textfield>
        ${wrongHere(draft, ["region"])}
      </div>
      ${
        others.length
          ? html`<div class="field">
              <vscode-label for="rule-place">It is tried</vscode-label>
              <vscode-single-select
                id="rule-place"
                @change=${(event: Event) => void (draft.before = others[Number(textIn(event))])}
              >
                ${[...others.map((name) => `before “${name}”`), "last"].map((words, n) => html`<vscode-option value=${n} ?selected=${n === place}>${words}</vscode-option>`)}
              </vscode-single-select>
            </div>`
          : nothing
      }
      <div class="field" data-setting="only">
        <vscode-checkbox
          id="rule-only"
          label="Nobody but these"
          ?checked=${draft.rule.only === true}
          @change=${(event: Event) => set({ only: (event.target as HTMLInputElement).checked })}
        ></vscode-checkbox>
      </div>
    </div>
    ${draft.wrong && draft.wrongAt === undefined ? html`<p class="bad" role="alert">${icon("error")} ${draft.wrong}</p>` : nothing}
    <div class="buttons">
      <vscode-button id="rule-save" @click=${() => void store(draft, save)}>Save rule</vscode-button>
      <vscode-button secondary @click=${close}>Cancel</vscode-button>
    </div>
  </section>`;
}

const inWords = (rule: Rule): string => {
  const when = rowsOf(rule.when).map(({ condition, text }) => `${CONDITIONS[condition].label.toLowerCase()}: ${text}`);
  const who = (rule.profiles ?? []).map(nameOf).join(", ") || "whoever the pool says";
  return `${when.join("; ") || "always"} → ${who}${rule.only ? " and nobody else" : ""}`;
};

/** Asks the backend who would answer; nothing is sent to a provider. */
async function rehearse(pool: PoolStatus): Promise<void> {
  const content = textOf(`rehearse-${pool.id}`);
  if (!content) return;
  const tell = (text: string) => {
    ui.rehearsed = { pool: pool.id, text };
    draw();
  };
  try {
    const found = await request("dryRun", { pool: pool.id, messages: [{ role: "user", content }] });
    const rule = found.rule ? `The rule “${found.rule}” fires.` : "No rule fires.";
    const who = found.profileId ? ` ${nameOf(found.profileId)} would answer.` : " Nobody could answer now.";
    const unmet = found.rules
      .filter((one) => !one.fires && one.unmet)
      .map((one) => ` “${one.name}” lacks ${one.unmet}.`)
      .join("");
    tell(rule + who + unmet);
  } catch (error) {
    tell((error as Error).message);
  }
}

/** The rules with the one of that name a place earlier. */
export function earlier(rules: readonly Rule[], name: string): Rule[] {
  const at = rules.findIndex((rule) => rule.name === name);
  const moved = [...rules];
  if (at > 0) moved.splice(at - 1, 2, rules[at]!, rules[at - 1]!);
  return moved;
}

export function rulesOf(pool: PoolStatus, strategies: Record<Strategy, string>, save: Store): TemplateResult {
  const rules = saved(pool).rules ?? [];
  const draft = ui.rule?.pool === pool.id ? ui.rule : undefined;
  const keep: Save = async (change) => {
    const whole = poolNow(pool.id) ?? saved(pool);
    await save({ ...whole, rules: change(whole.rules ?? []) });
  };
  const owner = ownerOf(pool.id);
  const now = (how: (rules: Rule[]) => Rule[]) =>
    void savePool(pool.id, ["rules"], (whole) => ({ ...whole, rules: how(whole.rules ?? []) }), save);
  const content = () =>
    html`<p class="help">The first one whose conditions are all met leads the request; else the pool does.</p>
      <ol class="rows" data-setting="rules" aria-label="Rules of ${pool.name}">
        ${rules.map(
          (rule, n) =>
            html`<li class="row" data-rule=${rule.name}>
              <div class="head">
                <span class="name">${n + 1}. ${rule.name}</span>
                <span class="what quiet">${inWords(rule)}</span>
              </div>
              <div class="buttons">
                <vscode-button secondary aria-label="Edit the rule ${rule.name}" @click=${() => open(pool, n)}
                  >Edit</vscode-button
                >
                ${
                  n > 0
                    ? html`<vscode-button
                        secondary
                        icon="arrow-up"
                        aria-label="Try the rule ${rule.name} earlier"
                        @click=${() => now((known) => earlier(known, rule.name))}
                      ></vscode-button>`
                    : nothing
                }
                <vscode-button
                  secondary
                  aria-label="Remove the rule ${rule.name}"
                  @click=${() => now((known) => known.filter(({ name }) => name !== rule.name))}
                  >Remove</vscode-button
                >
              </div>
            </li>`,
        )}
      </ol>
      ${wrongAt(owner, "rules")}
      ${
        draft
          ? ruleForm(draft, pool, strategies, keep)
          : html`<div class="buttons">
              <vscode-button secondary icon="add" class="new-rule" @click=${() => open(pool, rules.length)}
                >New rule</vscode-button
              >
            </div>`
      }
      <div class="field">
        <vscode-label for=${pointing(`rehearse-${pool.id}`)}>Which rule would fire for this message?</vscode-label>
        <div class="with-button">
          <vscode-textfield id="rehearse-${pool.id}"></vscode-textfield>
          <vscode-button secondary class="rehearse" @click=${() => void rehearse(pool)}>Try</vscode-button>
        </div>
        <div class="help" role="status">${ui.rehearsed?.pool === pool.id ? ui.rehearsed.text : ""}</div>
      </div>`;
  return group("rules", pool.id, `Rules (${rules.length})`, content);
}
