/** Configurations that come and go: import with an account of every key, export, backup, and what was changed when. */
import { html, nothing, type TemplateResult } from "lit";
import type { Export, HistoryEntry, Imported, ImportedProfile, Restored } from "../src/protocol";
import { keepChange, wrongAt } from "./fields";
import { chooseFile, request, send } from "./host";
import { icon } from "./parts";
import { act, draw, drawAndFocus, nameOf, say, ui } from "./ui";

const OWNER = "moving";
const FIELDS = ["text", "pool"];

/** A text on its way in. It may hold keys: it lives here until it is imported or left, and is kept nowhere. */
interface Coming {
  text: string;
  /** The file it was read from. */
  file: string;
  pool: string;
  approved: boolean;
  /** What would be done, or was. */
  account?: Imported;
  done: boolean;
  /** What would change if the text became the whole configuration. */
  whole?: Restored;
}
const nothingYet = (): Coming => ({ text: "", file: "", pool: "", approved: false, done: false });
let coming = nothingYet();

let entries: HistoryEntry[] | undefined;
/** The revision whose history is being read, or was. */
let reading: string | undefined;
/** A former configuration that waits for a yes, and what it would change. */
let returning: (HistoryEntry & { told: Restored }) | undefined;
let form: NonNullable<Export["format"]> = "yaml";
let leftOut: string[] = [];

const textIn = (event: Event): string => (event.target as HTMLInputElement).value;
const listOf = (label: string, lines: readonly (string | TemplateResult)[]) =>
  html`<ul class="account" aria-label=${label}>
    ${lines.map((line) => html`<li>${line}</li>`)}
  </ul>`;

// --- in

/** What was said of another text does not hold any more. */
function changed(what: Partial<Coming>): void {
  coming = { ...coming, account: undefined, whole: undefined, done: false, ...what };
  ui.wrong.delete(`${OWNER}/text`);
  draw();
}

async function choose(): Promise<void> {
  await act(async () => {
    const file = await chooseFile();
    if (!file) return;
    changed({ text: file.text, file: file.name });
    say(`${file.name} is read; see what it would do.`);
    drawAndFocus("#import-preview");
  });
}

const wish = () => ({
  text: coming.text,
  ...(coming.pool ? { pool: coming.pool } : {}),
  ...(coming.approved ? { approveOrigin: true } : {}),
});

const attempt = (what: () => Promise<unknown>) => keepChange(OWNER, "params", FIELDS, what);

async function preview(): Promise<void> {
  await attempt(async () => {
    const account = await request("import", { ...wish(), dryRun: true });
    coming = { ...coming, account, whole: undefined, done: false };
    drawAndFocus("#import-account");
  });
}

async function apply(): Promise<void> {
  await attempt(async () => {
    const account = await request("import", { ...wish(), configRevision: coming.account?.configRevision });
    coming = { ...nothingYet(), account, done: true };
    ui.undo = { done: "The configuration is imported.", act: () => takeBack(account.configRevision) };
    say("Imported.");
    drawAndFocus("#import-account");
  });
}

async function previewWhole(): Promise<void> {
  await attempt(async () => {
    const whole = await request("restore", { text: coming.text, dryRun: true });
    coming = { ...coming, whole, account: undefined };
    drawAndFocus("#restore-apply");
  });
}

async function applyWhole(): Promise<void> {
  await attempt(async () => {
    const { configRevision } = await request("restore", {
      text: coming.text,
      configRevision: coming.whole?.configRevision,
    });
    coming = nothingYet();
    ui.undo = { done: "The backup is the configuration now.", act: () => takeBack(configRevision) };
    say("Put back.");
  });
}

/** Undoes the change that made this revision. */
async function takeBack(configRevision: string): Promise<void> {
  await request("undo", { configRevision });
  coming = nothingYet();
  say("It is as it was before.");
}

const FORMS: Record<Imported["form"], string> = {
  loom: "Loom's gateway",
  litellm: "LiteLLM's proxy",
  roocode: "the simple guide",
  rooroute: "rooroute",
};
const KEYS: Record<ImportedProfile["key"], string> = {
  keyring: "its key goes to the operating system's keyring",
  session: "its key lasts for this session only",
  client: "its key goes to the editor's secret storage",
  environment: "its key is read from an environment variable",
  none: "without a key",
  notKept: "its key has no place to be kept: enter it again",
};

function account(found: Imported): TemplateResult {
  const { profiles, pools, taken, leftOut: left, remarks } = found;
  const change = (one: { change: "new" | "changed" }) => (one.change === "new" ? "new" : "changed");
  return html`<section class="notice form" id="import-account" tabindex="-1" aria-labelledby="import-title">
    <h3 id="import-title">${coming.done ? "Imported" : "This would be done; nothing is written yet"}</h3>
    <p>A configuration of ${FORMS[found.form]}.</p>
    ${listOf("Profiles and pools", [
      ...profiles.map((one) => html`Profile <strong>${one.id}</strong>, ${change(one)}: ${KEYS[one.key]}.`),
      ...pools.map((one) => html`Pool <strong>${one.id}</strong>, ${change(one)}.`),
    ])}
    ${profiles.length + pools.length ? nothing : html`<p>No profile and no pool is in it.</p>`}
    <h4>Not taken, and why (${left.length})</h4>
    ${listOf(
      "Not taken, and why",
      left.map(({ key, reason }) => html`<code>${key}</code> <span class="quiet">${reason}</span>`),
    )}
    <h4>Taken, and where it acts (${taken.length})</h4>
    ${listOf(
      "Taken, and where it acts",
      taken.map(({ key, where }) => html`<code>${key}</code> <span class="quiet">${where}</span>`),
    )}
    ${remarks.length ? listOf("Remarks", remarks) : nothing}
    ${
      coming.done
        ? nothing
        : html`<vscode-checkbox
              id="import-approve"
              label="The addresses in it are right, also new or unencrypted ones: keys may go there"
              ?checked=${coming.approved}
              @change=${(event: Event) => {
                coming.approved = (event.target as HTMLInputElement).checked;
                void preview();
              }}
            ></vscode-checkbox>
            <div class="buttons">
              <vscode-button id="import-apply" @click=${() => void apply()}>Import</vscode-button>
              <vscode-button secondary @click=${() => changed(nothingYet())}>Cancel</vscode-button>
            </div>`
    }
  </section>`;
}

/** What becomes of the configuration when a former one takes its place. */
const told = ({ changes, gone }: Restored) =>
  html`${listOf("What changes", changes)}${
    gone.length ? html`<p>${icon("warning")} These profiles go: ${gone.map(nameOf).join(", ")}.</p>` : nothing
  }`;

function bringing(): TemplateResult {
  const pools = (ui.snapshot?.pools ?? []).filter(({ saved }) => saved);
  return html`<h2>Import</h2>
    <p class="help">
      A configuration of rooroute's own, of Loom's gateway, of LiteLLM's proxy or of the simple guide. Keys in it go to
      the store of keys. Nothing is written before you have seen what would be done.
    </p>
    <div class="buttons">
      <vscode-button secondary icon="go-to-file" id="import-file" @click=${() => void choose()}
        >Choose a file…</vscode-button
      >
    </div>
    <div class="field">
      <vscode-label for="import-text">${coming.file ? `The text of ${coming.file}` : "Or paste its text"}</vscode-label>
      <vscode-textarea
        id="import-text"
        rows="8"
        resize="vertical"
        monospace
        ?invalid=${ui.wrong.has(`${OWNER}/text`)}
        .value=${coming.text}
        @input=${(event: Event) => changed({ text: textIn(event) })}
      ></vscode-textarea>
      ${wrongAt(OWNER, "text")}
    </div>
    <div class="field">
      <vscode-label for="import-pool">Its routing goes to the pool</vscode-label>
      <vscode-single-select id="import-pool" @change=${(event: Event) => changed({ pool: textIn(event) })}>
        <vscode-option value="" ?selected=${!coming.pool}>As the text says</vscode-option>
        ${pools.map(({ id, name }) => html`<vscode-option value=${id} ?selected=${id === coming.pool}>${name}</vscode-option>`)}
      </vscode-single-select>
      ${wrongAt(OWNER, "pool")}
    </div>
    <div class="buttons">
      <vscode-button id="import-preview" ?disabled=${!coming.text.trim()} @click=${() => void preview()}
        >See what it would do</vscode-button
      >
      <vscode-button id="restore-preview" secondary ?disabled=${!coming.text.trim()} @click=${() => void previewWhole()}
        >Put back as a backup</vscode-button
      >
    </div>
    ${coming.account ? account(coming.account) : nothing}
    ${
      coming.whole
        ? html`<div class="notice" role="alertdialog" aria-label="Make this text the whole configuration?">
            <p>${icon("warning")} This text becomes the whole configuration. What changes:</p>
            ${told(coming.whole)}
            <vscode-button id="restore-apply" @click=${() => void applyWhole()}>Put back</vscode-button>
            <vscode-button secondary @click=${() => changed({})}>Keep what is there</vscode-button>
          </div>`
        : nothing
    }`;
}

// --- out

const OUT: Record<NonNullable<Export["format"]>, string> = {
  yaml: "rooroute's own, as YAML",
  json: "rooroute's own, as JSON",
  litellm: "LiteLLM's proxy",
};

async function takeOut(): Promise<void> {
  await act(async () => {
    const found = await request("export", { format: form });
    leftOut = found.leftOut;
    send({ type: "document", language: form === "json" ? "json" : "yaml", content: found.text });
    say("The configuration is in a new document.");
  });
}

const backUp = () =>
  act(async () => {
    const { text } = await request("backup", {});
    send({ type: "document", language: "yaml", content: text });
    say("The backup is in a new document; save it where you like.");
  });

function taking(): TemplateResult {
  return html`<h2>Export</h2>
    <p class="help">Opens in a new document. No key is in it.</p>
    <div class="field">
      <vscode-label for="export-form">In the form of</vscode-label>
      <vscode-single-select id="export-form" @change=${(event: Event) => (form = textIn(event) as typeof form)}
        >${(Object.entries(OUT) as [typeof form, string][]).map(([one, words]) => html`<vscode-option value=${one} ?selected=${one === form}>${words}</vscode-option>`)}</vscode-single-select
      >
    </div>
    <div class="buttons">
      <vscode-button id="export" @click=${() => void takeOut()}>Export</vscode-button>
      <vscode-button id="backup" secondary @click=${() => void backUp()}>Back up the file as it stands</vscode-button>
    </div>
    ${
      leftOut.length
        ? html`<p>Left out:</p>
            ${listOf("Left out of the export", leftOut)}`
        : nothing
    }`;
}

// --- back

function readHistory(): void {
  const revision = ui.snapshot?.configRevision;
  if (revision === undefined || reading === revision) return;
  reading = revision;
  returning = undefined;
  void act(async () => {
    ({ entries } = await request("history", { limit: 50 }));
  });
}

const when = (instant: string) =>
  new Date(Date.parse(instant) - (ui.snapshot?.clockOffset ?? 0)).toLocaleString(undefined, {
    dateStyle: "medium",
    timeStyle: "medium",
  });

const ask = (entry: HistoryEntry) =>
  act(async () => {
    const told = await request("undo", { revision: entry.revision, dryRun: true });
    returning = { ...entry, told };
    drawAndFocus("#put-back");
  });

async function putBack(entry: HistoryEntry & { told: Restored }): Promise<void> {
  const done = await act(async () => {
    const { configRevision } = await request("undo", {
      revision: entry.revision,
      configRevision: entry.told.configRevision,
    });
    ui.undo = {
      done: `The configuration of ${when(entry.at)} is back.`,
      act: () => request("undo", { revision: entry.told.configRevision, configRevision }),
    };
    say("It is back.");
  });
  if (done) returning = undefined;
  draw();
}

function lookingBack(): TemplateResult {
  return html`<h2>History</h2>
    ${
      entries?.length
        ? html`<ol class="rows" id="history" aria-label="History of the configuration">
            ${entries.map(
              (entry) =>
                html`<li class="row" data-revision=${entry.revision}>
                  <div class="head">
                    <time class="name" datetime=${entry.at}>${when(entry.at)}</time>
                    ${
                      entry.current
                        ? html`<span class="quiet">as it is now</span>`
                        : html`<vscode-button
                            secondary
                            aria-label="Put back the configuration of ${when(entry.at)}"
                            @click=${() => void ask(entry)}
                            >Put back…</vscode-button
                          >`
                    }
                  </div>
                  ${listOf(`What changed at ${when(entry.at)}`, entry.changes)}
                  ${
                    returning?.revision === entry.revision
                      ? html`<div class="notice" role="alertdialog" aria-label="Put this configuration back?">
                          <p>${icon("warning")} Put it back? Of what is there now this changes:</p>
                          ${told(returning.told)}
                          <vscode-button id="put-back" @click=${() => returning && void putBack(returning)}
                            >Put back</vscode-button
                          >
                          <vscode-button secondary @click=${() => ((returning = undefined), draw())}
                            >Keep what is there</vscode-button
                          >
                        </div>`
                      : nothing
                  }
                </li>`,
            )}
          </ol>`
        : html`<p class="quiet">Nothing has been changed yet.</p>`
    }`;
}

export function movingView(): TemplateResult {
  readHistory();
  return html`${bringing()}${taking()}${lookingBack()}`;
}
