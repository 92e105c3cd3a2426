/** The wizard for a new profile, and the same form for one that is there. */
import { html, noChange, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { described, offer, type Preset } from "../src/catalogue";
import { heldBy } from "../src/known";
import type { ProviderInfo } from "../src/protocol";
import { ago } from "../src/words";
import { entriesOf, listed } from "./conditions";
import { blank, type Draft, fieldsOf, idFor, missing, needsNoKey, presetsOf, valueAt, withValue } from "./draft";
import { fieldFor } from "./fields";
import { Refused, request } from "./host";
import { read, written } from "./mapping";
import { group, icon, pointing } from "./parts";
import { CONTROLS } from "./profile-controls";
import { groupsOf, MORE, type ProfileField } from "./profile-fields";
import { begin, stagesOf } from "./trial";
import { act, defaultPoolOf, draw, drawAndFocus, nowThere, saved, say, ui } from "./ui";

async function providers(): Promise<ProviderInfo[]> {
  ui.providers ??= (await request("providers", {})).providers;
  return ui.providers;
}

/** What runs for the draft that is shown is not waited for any more: nothing of it is saved afterwards. */
export function abandon(): void {
  const draft = ui.draft;
  ui.draft = undefined;
  draft?.test?.cancel();
  if (draft) draft.test = undefined;
}

export async function openWizard(): Promise<void> {
  await act(async () => {
    await providers();
    abandon();
    ui.draft = blank();
    say("Choose a provider.");
    drawAndFocus("#catalogue-filter");
  });
}

export async function openEditor(id: string): Promise<void> {
  await act(async () => {
    const [all, { profile, configRevision }] = await Promise.all([providers(), request("profiles/get", { id })]);
    const provider = all.find((one) => one.id === profile.provider);
    if (!provider)
      throw new Error(
        `${profile.name ?? id} names a provider that is not in the catalogue; mend it in the configuration file.`,
      );
    abandon();
    ui.draft = { ...blank(), editing: id, configRevision, provider, profile: { ...profile, name: profile.name ?? id } };
    drawAndFocus("#field-name");
  });
}

function leave(): void {
  const back = ui.draft?.editing;
  abandon();
  draw();
  if (document.hasFocus()) drawAndFocus(back ? `[data-id="${CSS.escape(back)}"] .disclose` : "#add");
}

function choose(draft: Draft, provider: ProviderInfo, preset: Preset | undefined): void {
  const taken = ui.snapshot?.profiles.flatMap((profile) => [profile.id, profile.name]) ?? [];
  const pool = ui.snapshot && defaultPoolOf(ui.snapshot);
  draft.provider = provider;
  draft.preset = preset;
  draft.profile = {
    id: "",
    provider: provider.id,
    name: idFor(preset?.name ?? provider.name, taken),
    ...(preset ? { baseUrl: preset.baseUrl } : {}),
  };
  draft.pools = new Set(pool?.saved ? [pool.id] : []);
  draw();
  drawAndFocus("#field-name");
}

function chosenPools(draft: Draft): TemplateResult | typeof nothing {
  const pools = ui.snapshot?.pools.filter((pool) => pool.saved) ?? [];
  if (draft.editing !== undefined || pools.length === 0) return nothing;
  return html`<fieldset>
    <legend>Pools it joins, at the end</legend>
    ${pools.map(
      (pool) =>
        html`<vscode-checkbox
          label=${pool.name}
          ?checked=${draft.pools.has(pool.id)}
          @change=${(event: Event) => ((event.target as HTMLInputElement).checked ? draft.pools.add(pool.id) : draft.pools.delete(pool.id))}
        ></vscode-checkbox>`,
    )}
  </fieldset>`;
}

const offerOf = (provider: ProviderInfo, preset: Preset | undefined): string[] =>
  !preset ? offer(provider) : preset.needsKey === false ? ["local, no key"] : [provider.name, ...offer(preset)];

/** The first step: who is asked. */
function catalogue(draft: Draft): TemplateResult {
  const rows = (ui.providers ?? []).flatMap((provider) => [
    { provider, preset: undefined as Preset | undefined, name: provider.name, note: offer(provider) },
    ...presetsOf(provider).map((preset) => ({
      provider,
      preset: preset as Preset | undefined,
      name: preset.name,
      note: offerOf(provider, preset),
    })),
  ]);
  const wanted = draft.filter.toLowerCase();
  const shown = rows.filter((row) => [row.name, ...row.note].join(" ").toLowerCase().includes(wanted));
  return html`<section class="form" aria-labelledby="form-title">
    <h1 id="form-title">Add a profile</h1>
    <p>Who answers? <span class="quiet">Step 1 of 2</span></p>
    <div class="field">
      <vscode-label for="catalogue-filter">Find a provider</vscode-label>
      <vscode-textfield
        id="catalogue-filter"
        .value=${draft.filter}
        @input=${(event: Event) => ((draft.filter = (event.target as HTMLInputElement).value), draw())}
      ></vscode-textfield>
    </div>
    <ul class="catalogue" aria-label="Providers">
      ${repeat(
        shown,
        (row) => `${row.provider.id}/${row.preset?.id ?? ""}`,
        (row) =>
          html`<li>
            <button
              class="choice"
              data-provider="${row.provider.id}${row.preset ? `/${row.preset.id}` : ""}"
              @click=${() => choose(draft, row.provider, row.preset)}
            >
              <span>${row.name}</span>${row.note.map((line) => html` <span class="quiet">${line}</span>`)}
            </button>
          </li>`,
      )}
    </ul>
    ${shown.length ? nothing : html`<p>No provider of that name; “OpenAI-compatible server” takes any address.</p>`}
    <div class="buttons"><vscode-button secondary @click=${leave}>Cancel</vscode-button></div>
  </section>`;
}

function set(draft: Draft, path: string, value: unknown): void {
  draft.profile = withValue(draft.profile, path, value);
  for (const kept of [draft.typed, draft.texts])
    for (const other of [...kept.keys()])
      if (other.startsWith(`${path}.`) || path.startsWith(`${other}.`)) kept.delete(other);
  stale(draft, path);
}

function setSecret(draft: Draft, name: string, value: string): void {
  const secret = value.trim();
  if (name === "apiKey") draft.apiKey = secret;
  else if (secret) draft.secrets.set(slotIn(name), secret);
  else draft.secrets.delete(slotIn(name));
  stale(draft, name);
}

const slotIn = (name: string): string => name.slice("secrets.".length);

/** A change on which it depends which fields there are, and what they say. */
function setAndDraw(draft: Draft, field: ProfileField, value: unknown): void {
  if (field.name === "auth.kind" && value === undefined) set(draft, "auth", undefined);
  else if (value === undefined && /^secretCommands\..*\.command$/.test(field.name))
    set(draft, field.name.slice(0, -".command".length), undefined);
  else {
    set(draft, field.name, value);
    const [, slot] = /^secretCommands\.(.*)\.command$/.exec(field.name) ?? [];
    // Instead of the environment variable that it was read from.
    if (slot) set(draft, slot === "apiKey" ? slot : `secrets.${slot}`, undefined);
  }
  draw();
}

/** What was said of the draft before this change does not hold any more. */
function stale(draft: Draft, path: string): void {
  const said = draft.wrong.delete(path) || draft.test || draft.ask;
  draft.test?.cancel();
  draft.test = undefined;
  draft.ask = undefined;
  if (said) draw();
}

/** The text stays as it is being typed, whatever it comes to: drawing must not take away a space or a nought that has more behind it. */
function setTyped(draft: Draft, field: ProfileField, text: string): void {
  (field.kind === "object" ? draft.typed : draft.texts).set(field.name, text);
  const trimmed = text.trim();
  const found =
    field.kind === "object" ? read(text) : { value: field.kind === "number" && trimmed ? Number(trimmed) : trimmed };
  if ("value" in found) set(draft, field.name, found.value);
}

const textIn = (event: Event): string => (event.target as HTMLInputElement).value;

function control(draft: Draft, field: ProfileField): TemplateResult {
  const id = `field-${field.name}`;
  const value = valueAt(draft.profile, field.name);
  const wrong = draft.wrong.has(field.name);
  const own = CONTROLS[field.kind];
  if (own) return own(id, field, value, wrong, (next) => setAndDraw(draft, field, next));
  switch (field.kind) {
    case "secret":
      return html`<vscode-textfield
        id=${id}
        type="password"
        autocomplete="off"
        placeholder=${draft.editing !== undefined ? "unchanged" : (field.placeholder ?? "")}
        ?required=${field.required && draft.editing === undefined && draft.preset?.needsKey !== false && !needsNoKey(draft.profile)}
        ?invalid=${wrong}
        .value=${field.name === "apiKey" ? draft.apiKey : (draft.secrets.get(slotIn(field.name)) ?? "")}
        @input=${(event: Event) => setSecret(draft, field.name, textIn(event))}
        @change=${() => field.name === "apiKey" && void fetchModels(draft, false)}
      ></vscode-textfield>`;
    case "boolean":
      return html`<vscode-checkbox
        id=${id}
        label=${field.label}
        ?checked=${value === true}
        @change=${(event: Event) => set(draft, field.name, (event.target as HTMLInputElement).checked || undefined)}
      ></vscode-checkbox>`;
    case "model":
      return model(draft, field);
    case "choice":
      return html`<vscode-single-select
        id=${id}
        .value=${String(value ?? field.choices?.[0] ?? "")}
        @change=${(event: Event) => set(draft, field.name, textIn(event))}
      >
        ${(field.choices ?? []).map((one, n) => html`<vscode-option value=${one} ?selected=${one === value || (n === 0 && !value)}>${one}</vscode-option>`)}
      </vscode-single-select>`;
    case "object":
      return html`<vscode-textarea
        id=${id}
        rows="3"
        resize="vertical"
        monospace
        placeholder=${exampleOf(field)}
        ?invalid=${wrong}
        .value=${draft.typed.get(field.name) ?? written(value)}
        @input=${(event: Event) => setTyped(draft, field, textIn(event))}
      ></vscode-textarea>`;
    case "list":
      return html`<vscode-textfield
        id=${id}
        placeholder=${field.placeholder ?? ""}
        ?invalid=${wrong}
        .value=${listed((value ?? []) as string[])}
        @change=${(event: Event) => {
          const entries = entriesOf(textIn(event));
          set(draft, field.name, entries.length ? entries : undefined);
        }}
      ></vscode-textfield>`;
    default:
      return html`<vscode-textfield
        id=${id}
        .step=${"any"}
        type=${field.kind === "number" ? "number" : field.kind === "url" ? "url" : "text"}
        placeholder=${field.placeholder ?? ""}
        ?required=${field.required}
        ?invalid=${wrong}
        .value=${draft.texts.get(field.name) ?? String(value ?? "")}
        @input=${(event: Event) => setTyped(draft, field, textIn(event))}
      ></vscode-textfield>`;
  }
}

/** The vendor's example of a mapping, spelled as it would be shown. */
function exampleOf(field: ProfileField): string {
  const found = read(field.placeholder ?? "");
  return "value" in found ? written(found.value) : "";
}

/**
 * The model's name, and below it what the provider offers that fits what was typed. What is typed is the model at once: the list itself
 * knows only what is picked from it, and forgets what was typed as soon as it is left.
 */
function model(draft: Draft, field: ProfileField): TemplateResult {
  const id = `field-${field.name}`;
  const value = String(valueAt(draft.profile, field.name) ?? "");
  const chosen = draft.models?.find((one) => one.id === value);
  const typing = document.activeElement?.id === id && draft.texts.has(field.name);
  const unlessTyping = <T>(shown: T) => (typing ? noChange : shown);
  const type = (event: Event) => {
    const input = event.composedPath()[0];
    if (!(input instanceof HTMLInputElement)) return; // the list's own event, of what was picked
    draft.texts.set(field.name, input.value);
    set(draft, field.name, input.value.trim());
  };
  const settle = () => {
    draft.texts.delete(field.name);
    draw();
  };
  const pick = (event: Event) => {
    const picked = textIn(event); // none where Enter was pressed on no name: then it is what was typed
    if (picked) set(draft, field.name, picked);
    settle();
  };
  return html`<div class="with-button">
      ${
        draft.models?.length
          ? html`<vscode-single-select
              id=${id}
              label=${field.label}
              combobox
              creatable
              filter="contains"
              position="below"
              .value=${unlessTyping(value)}
              @input=${type}
              @change=${pick}
              @keydown=${(event: KeyboardEvent) => event.key === "Enter" && settle()}
              @focusout=${settle}
            >
              ${unlessTyping(value && !chosen ? html`<vscode-option value=${value} selected>${value}</vscode-option>` : nothing)}
              ${repeat(
                draft.models,
                (one) => one.id,
                (one) =>
                  html`<vscode-option
                    value=${one.id}
                    ?selected=${unlessTyping(one.id === value)}
                    description=${[one.name === one.id ? "" : one.name, described(one)].filter(Boolean).join(": ")}
                    >${one.id}</vscode-option
                  >`,
              )}
            </vscode-single-select>`
          : html`<vscode-textfield
              id=${id}
              placeholder=${field.placeholder ?? ""}
              .value=${unlessTyping(value)}
              @input=${type}
              @focusout=${settle}
            ></vscode-textfield>`
      }
      <vscode-button
        secondary
        icon="refresh"
        id="models-refresh"
        title="Fetch the models this key may use"
        aria-label="Fetch the models"
        @click=${() => void fetchModels(draft, true)}
      ></vscode-button>
    </div>
    ${chosen ? html`<div class="help" id="model-known">${chosen.id}: ${described(chosen)}.</div>` : nothing}
    <div class="help" role="status">${draft.modelsNote}</div>`;
}

function target(draft: Draft) {
  const unchanged = draft.editing !== undefined && !draft.apiKey;
  const profile = { ...draft.profile, id: draft.editing ?? (draft.profile.id || idFor(draft.profile.name ?? "", [])) };
  return { profile, ...(unchanged || !draft.apiKey ? {} : { apiKey: draft.apiKey }), ...secretsOf(draft) };
}

function secretsOf(draft: Draft): { secrets?: Record<string, string> } {
  return draft.secrets.size ? { secrets: Object.fromEntries(draft.secrets) } : {};
}

async function fetchModels(draft: Draft, asked: boolean): Promise<void> {
  const lacks = missing(draft);
  lacks.delete("name");
  lacks.delete("model");
  if (lacks.size) {
    if (asked) draft.modelsNote = [...lacks.values()].join(" ");
    return draw();
  }
  draft.modelsNote = "Fetching the models…";
  draw();
  try {
    const { models, fetchedAt, stale, problem } = await request("profiles/models", {
      ...target(draft),
      refresh: asked,
    });
    draft.models = models;
    const listed = `${models.length} ${models.length === 1 ? "model" : "models"}${stale ? `, as they were ${ago(fetchedAt, nowThere())}` : ""}.`;
    draft.modelsNote = [fetchedAt ? listed : "", problem?.message, problem?.remedy].filter(Boolean).join(" ");
  } catch (error) {
    draft.modelsNote = `The models could not be fetched: ${(error as Error).message} Type the model's name.`;
  }
  // The list takes the place of the field: whoever is in there stays there.
  if (document.activeElement?.id === "field-model") drawAndFocus("#field-model");
  else draw();
}

/** Whether the connection works. A draft that is changed meanwhile has not been tested. */
async function test(draft: Draft, level: "auth" | "completion" = "auth"): Promise<boolean> {
  const { run, done } = begin({ ...target(draft), level });
  if (level === "auth") run.deeper = () => void test(draft, "completion");
  draft.test = run;
  draw();
  const error = await done;
  if (draft.test !== run) return false;
  if (error) refused(draft, error);
  const wrong = run.stages.find((stage) => !stage.ok && stage.field);
  if (wrong) beside(draft, wrong.field!, [wrong.detail, wrong.remedy].filter(Boolean).join(" "));
  setTimeout(() => document.querySelector(".stages")?.scrollIntoView({ block: "nearest" }), 60);
  return run.ok === true;
}

/** Puts the backend's sentence beside the field it is about, if it is about one of ours. */
function refused(draft: Draft, error: unknown): boolean {
  if (!(error instanceof Refused) || !error.field) return false;
  return beside(draft, error.field.replace(/^profile\./, ""), error.message);
}

function beside(draft: Draft, named: string, sentence: string): boolean {
  const groups = draft.provider ? advancedOf(draft, draft.provider) : [];
  const asked = draft.provider ? askedOf(draft.provider) : [];
  const path = fieldFor(
    named,
    [...asked, ...groups.flatMap((one) => one.fields)].map(({ name }) => name),
  );
  if (path === undefined) return false;
  draft.wrong.set(path, sentence);
  reveal(draft, path);
  return true;
}

/** The focus in a field, whose group is open then. */
function reveal(draft: Draft, path: string): void {
  const groups = draft.provider ? advancedOf(draft, draft.provider) : [];
  const group = groups.find(({ fields }) => fields.some(({ name }) => name === path));
  if (group) ui.open.add(`/${group.id}/${FORM}`);
  drawAndFocus(`#${CSS.escape(`field-${path}`)}`);
}

function complain(draft: Draft): boolean {
  draft.wrong = missing(draft);
  const [first] = draft.wrong.keys();
  if (first === undefined) return false;
  say([...draft.wrong.values()].join(" "));
  reveal(draft, first);
  return true;
}

async function save(draft: Draft, options: { enabled: boolean; tested: boolean; approved?: boolean }): Promise<void> {
  if (draft.busy || complain(draft)) return draw();
  draft.busy = true;
  draft.ask = undefined;
  draw();
  try {
    if (options.tested && draft.test?.ok !== true && !(await test(draft))) {
      if (draft.wrong.size === 0 && draft.test)
        draft.ask = {
          message: "The connection does not work yet.",
          yes: "Save anyway",
          act: () => void save(draft, { ...options, tested: false }),
        };
      return;
    }
    await commit(draft, options);
  } finally {
    draft.busy = false;
    draw();
  }
}

async function commit(draft: Draft, options: { enabled: boolean; tested: boolean; approved?: boolean }): Promise<void> {
  const taken = ui.snapshot?.profiles.map((profile) => profile.id) ?? [];
  const id = draft.editing ?? idFor(draft.profile.name ?? "", taken);
  try {
    await request("profiles/save", {
      profile: { ...draft.profile, id, enabled: options.enabled },
      ...(draft.apiKey ? { apiKey: draft.apiKey } : {}),
      ...secretsOf(draft),
      ...(draft.configRevision ? { configRevision: draft.configRevision } : {}),
      ...(options.approved ? { approveOrigin: true } : {}),
    });
  } catch (error) {
    return overrule(draft, options, error);
  }
  draft.apiKey = "";
  draft.secrets.clear();
  for (const pool of ui.snapshot?.pools.filter((one) => draft.pools.has(one.id) && one.saved) ?? [])
    await act(() =>
      request("pools/save", {
        pool: { ...saved(pool), profiles: [...pool.profiles.filter((member) => member !== id), id] },
      }),
    );
  say(`${draft.profile.name} is saved${options.enabled ? "" : ", and stays disabled until you enable it"}.`);
  ui.open.add(id);
  if (ui.draft === draft) leave();
}

function overrule(draft: Draft, options: { enabled: boolean; tested: boolean }, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const placed = refused(draft, error);
  const kind = error instanceof Refused ? error.kind : undefined;
  if (kind === "originNotApproved")
    draft.ask = {
      message,
      yes: "Send the key there",
      act: () => void save(draft, { ...options, tested: false, approved: true }),
    };
  else if (kind === "conflict")
    draft.ask = {
      message,
      yes: "Save over it",
      act: () => {
        draft.configRevision = undefined;
        void save(draft, { ...options, tested: false });
      },
    };
  else if (!placed) ui.trouble = message;
}

/** What the groups of this form belong to. */
const FORM = "form";

/** What the vendor asks for, and what every profile has. */
const askedOf = (provider: ProviderInfo): ProfileField[] => {
  const own = fieldsOf(provider);
  return [
    { name: "name", label: "Name", kind: "text", required: true },
    ...own,
    ...MORE.filter(({ name }) => !own.some((one) => one.name === name)),
  ];
};

/** Behind headings that open, since few need them. */
const advancedOf = (draft: Draft, provider: ProviderInfo) =>
  groupsOf(
    draft.profile,
    askedOf(provider).map(({ name }) => name),
  );

/** What holds where nothing is typed; of the model that is saved, as long as no other is chosen. */
function held(draft: Draft, path: string): string {
  const known = ui.snapshot?.profiles.find(({ id }) => id === draft.editing);
  return known && (known.model ?? "") === (draft.profile.model ?? "") ? heldBy(known, path) : "";
}

function field(draft: Draft, asked: ProfileField): TemplateResult {
  const wrong = draft.wrong.get(asked.name);
  const now = held(draft, asked.name);
  return html`<div class="field" data-setting=${asked.name}>
    ${asked.kind === "boolean" ? nothing : html`<vscode-label for=${pointing(`field-${asked.name}`)} ?required=${asked.required}>${asked.label}</vscode-label>`}
    ${control(draft, asked)} ${asked.help ? html`<div class="help">${asked.help}</div>` : nothing}
    ${now ? html`<div class="help" data-held=${asked.name}>${now}</div>` : nothing}
    ${wrong ? html`<div class="wrong" role="alert">${wrong}</div>` : nothing}
  </div>`;
}

function buttons(draft: Draft): TemplateResult {
  const enabled = draft.profile.enabled !== false;
  return html`<div class="buttons">
    <vscode-button
      id="save"
      ?disabled=${draft.busy}
      @click=${() => void save(draft, { enabled: draft.editing === undefined || enabled, tested: true })}
      >${draft.editing === undefined ? "Test and save" : "Save"}</vscode-button
    >
    ${draft.editing === undefined ? html`<vscode-button id="save-inactive" secondary ?disabled=${draft.busy} @click=${() => void save(draft, { enabled: false, tested: false })}>Save without activating</vscode-button>` : nothing}
    <vscode-button id="test" secondary ?disabled=${draft.busy} @click=${() => complain(draft) || void test(draft)}
      >Test connection</vscode-button
    >
    <vscode-button secondary @click=${leave}>Cancel</vscode-button>
  </div>`;
}

export function form(draft: Draft): TemplateResult {
  const provider = draft.provider;
  if (!provider) return catalogue(draft);
  const asked = askedOf(provider);
  const page = draft.preset?.documentation ?? provider.documentation;
  return html`<section class="form" aria-labelledby="form-title">
    <h1 id="form-title">
      ${draft.editing === undefined ? `Add a profile: ${draft.preset?.name ?? provider.name}` : `Edit ${draft.profile.name}`}
    </h1>
    ${draft.editing === undefined ? html`<p class="quiet">Step 2 of 2</p>` : nothing}
    <p class="quiet" id="offer">${offerOf(provider, draft.preset).join(" · ")}</p>
    <p class="links">
      ${page ? html`<a href=${page}>${draft.preset?.name ?? provider.name}'s documentation</a>` : nothing}
      ${provider.keyPage ? html`<a href=${provider.keyPage}>Where its keys are made</a>` : nothing}
    </p>
    ${repeat(
      asked,
      (one) => one.name,
      (one) => field(draft, one),
    )}
    <h2>Advanced</h2>
    ${advancedOf(draft, provider).map(({ id, title, help, fields }) =>
      group(
        id,
        FORM,
        title,
        () =>
          html`${help ? html`<p class="help">${help}</p>` : nothing}
            <div class="columns" data-setting=${id === "auth" ? "secrets" : nothing}>
              ${repeat(
                fields,
                (one) => one.name,
                (one) => field(draft, one),
              )}
            </div>`,
      ),
    )}
    ${chosenPools(draft)} ${draft.test ? stagesOf(draft.test) : nothing}
    ${
      draft.ask
        ? html`<div class="notice" role="alertdialog" aria-label=${draft.ask.message}>
            <p>${icon("warning")} ${draft.ask.message}</p>
            <vscode-button id="overrule" @click=${draft.ask.act}>${draft.ask.yes}</vscode-button>
          </div>`
        : nothing
    }
    ${buttons(draft)}
  </section>`;
}
