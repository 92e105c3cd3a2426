/** What holds where neither profile nor pool says otherwise. Each field is saved when it changes. */
import { html, type TemplateResult } from "lit";
import type { Defaults } from "../src/protocol";
import { field, inTurn, keepChange, number, type Setting, type Value, withValue, wrongAt } from "./fields";
import { request } from "./host";
import { COOLDOWN_MODES } from "./settings";
import { act, draw, drawAndFocus, say, ui } from "./ui";

const OWNER = "general";

/** The revision that is being read, so that it is read once. */
let reading: string | undefined;
/** Tags that were added and have no budget yet. */
const tags = new Set<string>();

function read(): void {
  const revision = ui.snapshot?.configRevision;
  if (revision === undefined || ui.settings?.configRevision === revision || reading === revision) return;
  reading = revision;
  void act(async () => {
    ui.settings = await request("settings/get", {});
  });
}

const fields = (defaults: Defaults): Setting[] => [
  {
    path: ["pool"],
    label: "Pool of a request that names none",
    kind: "choice",
    choices: (ui.snapshot?.pools ?? []).filter(({ saved }) => saved).map(({ id, name }) => [id, name]),
    none: "“default”, else the first",
  },
  number(["maxWait"], "Longest wait in seconds", "How long a request may wait for somebody's return. Empty: 60."),
  number(["cooldown"], "Cooldown in seconds", "Where the provider names no time. Empty: by the kind of error."),
  {
    path: ["cooldownMode"],
    label: "A profile rests",
    kind: "choice",
    choices: Object.entries(COOLDOWN_MODES),
    none: `As usual: ${COOLDOWN_MODES.hint_first}`,
  },
  number(
    ["retriesPerMinute"],
    "Retries per minute",
    "How often this machine, all windows together, asks again who has just failed. Empty: 60. 0: never.",
  ),
  number(["ledgerDays"], "Days that requests are remembered", "For “why” and for the statistics. Empty: 90."),
  number(["keyDays"], "Tell me of a key older than (days)", "Empty: never."),
  number(
    ["alerts", "errorRate"],
    "Tell me when so much of a profile's attempts fail",
    "A share: 0.5 is every second one. Empty: 0.5. 0: never.",
  ),
  number(["alerts", "firstToken"], "Tell me when first words take (seconds)", "The median. Empty: never."),
  number(["alerts", "window"], "Both are counted over (seconds)", "Empty: 900."),
  number(["alerts", "attempts"], "Both need so many attempts", "Empty: 10."),
  ...tagsOf(defaults).flatMap((tag) => [
    number(
      ["budgets", tag, "perDay"],
      `USD per day (UTC) of the tag ${tag}`,
      "At it, requests with this tag wait or fail.",
    ),
    number(["budgets", tag, "perMonth"], `USD per month (UTC) of the tag ${tag}`),
  ]),
];

const tagsOf = (defaults: Defaults): string[] => [...new Set([...Object.keys(defaults.budgets ?? {}), ...tags])].sort();

function save(changed: readonly string[], change: (defaults: Defaults) => Defaults): Promise<boolean> {
  return inTurn(OWNER, async () => {
    if (!ui.settings) return false;
    const { defaults, configRevision } = ui.settings;
    const names = fields(defaults).map(({ path }) => path.join("."));
    const store = async () => {
      ui.settings = await request("settings/save", { defaults: change(defaults), configRevision });
      say("Saved.");
    };
    return keepChange(OWNER, "defaults", [...names, "budgets"], store, changed);
  });
}

function addTag(): void {
  const box = document.querySelector<HTMLInputElement>("#new-tag");
  const tag = box?.value.trim();
  if (!box || !tag) return;
  box.value = "";
  tags.add(tag);
  drawAndFocus(`#${CSS.escape(`${OWNER}-budgets-${tag}-perDay`)}`);
}

function removeTag(defaults: Defaults, tag: string): void {
  tags.delete(tag);
  draw();
  if (defaults.budgets?.[tag])
    void save([`budgets.${tag}.perDay`, `budgets.${tag}.perMonth`], (now) =>
      withValue(now, ["budgets", tag], undefined),
    );
}

const one = (defaults: Defaults, setting: Setting) =>
  field(
    OWNER,
    defaults,
    setting,
    (value: Value) => void save([setting.path.join(".")], (now) => withValue(now, setting.path, value)),
  );

export function generalView(): TemplateResult {
  read();
  const defaults = ui.settings?.defaults;
  if (!defaults) return html`<p class="empty"><vscode-progress-ring></vscode-progress-ring> Reading the settings…</p>`;
  const all = fields(defaults);
  const ofTag = (tag: string) => all.filter(({ path }) => path[0] === "budgets" && path[1] === tag);
  return html`<h2>For every pool and profile</h2>
    <p class="help">What a pool or a profile says itself goes before it.</p>
    <div class="columns" id="general">
      ${all.filter(({ path }) => path[0] !== "budgets").map((setting) => one(defaults, setting))}
    </div>
    <h2>Budgets of tags</h2>
    <p class="help">A tag is a word of profiles or of requests; what is spent under it stays within its budget.</p>
    <div data-setting="budgets">
      ${tagsOf(defaults).map(
        (tag) =>
          html`<section class="tag" aria-label="Budget of the tag ${tag}" data-tag=${tag}>
            <div class="columns">${ofTag(tag).map((setting) => one(defaults, setting))}</div>
            <div class="buttons">
              <vscode-button
                secondary
                aria-label="Remove the budget of the tag ${tag}"
                @click=${() => removeTag(defaults, tag)}
                >Remove</vscode-button
              >
            </div>
          </section>`,
      )}
      <div class="field">
        <vscode-label for="new-tag">Tag</vscode-label>
        <div class="with-button">
          <vscode-textfield
            id="new-tag"
            @keydown=${(event: KeyboardEvent) => event.key === "Enter" && addTag()}
          ></vscode-textfield>
          <vscode-button secondary id="add-tag" @click=${addTag}>Give it a budget</vscode-button>
        </div>
        ${wrongAt(OWNER, "budgets")}
      </div>
    </div>`;
}
