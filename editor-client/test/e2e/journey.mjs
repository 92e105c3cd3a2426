// A person's first hours with the extension, in one workbench, with a real backend and a provider that answers as it is told.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { equal, ok, Suite } from "./runner.mjs";
import { hasKeyring, Session, sleep, until } from "./session.mjs";
import { startProvider } from "./provider.mjs";
import { packaged } from "./workbench.mjs";

const KEYS = {
  one: "canary-gemini-one-7f3a",
  two: "canary-default-two-91bc",
  bad: "canary-rejected-55de",
  mended: "canary-mended-08aa",
};
const hello = (text, more = {}) => ({ step: "answer", text, ...more });
const limit = (seconds) => ({ step: "fail", kind: "rate-limit", retryDelay: seconds, lasts: seconds });

export async function journey(python) {
  const suite = new Suite("journey");
  const out = path.join(fs.mkdtempSync("/tmp/rooroute-asker-"), "out.jsonl");
  fs.writeFileSync(out, "");
  const session = await Session.start({ python, env: { ASKER_OUT: out }, extensions: [packaged("asker")] });
  const provider = await startProvider(python, session.home);
  await provider.script({
    [KEYS.one]: [hello("One answers.")],
    [KEYS.two]: [hello("Two answers.")],
    [KEYS.mended]: [hello("Mended answers.")],
    [KEYS.bad]: [{ step: "fail", kind: "invalid-key" }],
    "*": [{ step: "fail", kind: "invalid-key" }],
  });
  const { page } = session;
  const test = (title, body) => suite.test(title, session, body);
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  const openPanel = async () => {
    await session.command("rooroute: Open Settings");
    const frame = await session.panel();
    await frame.locator("#tab-profiles").waitFor({ timeout: 20_000 });
    await frame.locator("#tab-profiles").click();
    return frame;
  };
  const open = async (frame, id) => {
    const disclose = frame.locator(`[data-id="${id}"] .disclose`);
    if ((await disclose.getAttribute("aria-expanded")) !== "true") await disclose.click();
    return frame.locator(`[data-id="${id}"]`);
  };
  const ask = async (question, where = "In a new tab") => {
    await session.command("rooroute: Ask…");
    await session.answer(question);
    await session.answer(where);
  };
  const answered = (text, seconds = 45) =>
    until(`an answer with “${text}”`, async () => (await session.text()).includes(text), seconds);
  const run = async (name) => {
    const before = fs.readFileSync(out, "utf8").split("\n").length;
    await session.command(`Asker: ${name}`);
    return until("the other extension is done", () => {
      const lines = fs.readFileSync(out, "utf8").split("\n");
      return lines.length > before && JSON.parse(lines.at(-2));
    });
  };
  const state = async (frame, id) =>
    ((await frame.locator(`[data-id="${id}"] .head .state`).innerText()) ?? "").replace(/\s+/g, " ").trim();

  try {
    await test("the backend starts with the window, and the first profile is what the status bar asks for", async () => {
      await until("the empty status bar", async () => {
        const item = page.locator('.statusbar-item[id^="rooroute.rooroute"]').first();
        return (
          ((await item.locator("a").getAttribute("aria-label")) ?? "").includes("rooroute") &&
          (await item.locator(".codicon-add").count()) === 1
        );
      });
    });

    await test("the first profile is saved through the wizard by keyboard alone", async () => {
      await session.command("rooroute: Add Profile…");
      const frame = await session.panel();
      await until("the focus in the search field", () =>
        frame.evaluate(() => document.activeElement?.id === "catalogue-filter"),
      );
      await page.keyboard.type("gemini");
      await until("one provider", async () => (await frame.locator(".choice").count()) === 1);
      await press("Tab", "Enter");
      await until("the focus in the name", () => frame.evaluate(() => document.activeElement?.id === "field-name"));
      await press("Control+A");
      await page.keyboard.type("Gemini1");
      const at = (id) => frame.evaluate((wanted) => document.activeElement?.id === wanted, id);
      const tabTo = async (id) => {
        for (let n = 0; n < 25; n++) {
          if (await at(id)) return;
          await press("Tab");
        }
        throw new Error(`Tab does not reach ${id}`);
      };
      await tabTo("field-baseUrl");
      await page.keyboard.type(provider.urls.gemini);
      await frame.locator("#field-name").focus();
      await tabTo("field-apiKey");
      await page.keyboard.type(KEYS.one);
      await press("Tab");
      await until("the models", async () => /\d+ models/.test(await frame.locator(".help[role=status]").innerText()));
      await session.screenshot("wizard-keyboard");
      await until(
        "the focus in the model",
        async () => (await at("field-model")) || (await press("Shift+Tab"), false),
        10,
      );
      await page.keyboard.type("scripted-model");
      await press("ArrowDown", "Enter");
      await tabTo("save");
      await press("Enter");
      await frame.locator('[data-id="Gemini1"]').waitFor({ timeout: 30_000 });
      equal(await state(frame, "Gemini1"), "Active");
      await session.statusBar(/Gemini1$/);
      await session.screenshot("first-profile");
    });

    await test("a second profile joins behind it, tested in stages before it is saved", async () => {
      const frame = await openPanel();
      await frame.locator("#add").click();
      await frame.locator('[data-provider="openai-compatible"]').click();
      await frame.locator("#field-name input").fill("default");
      await frame.locator("#field-baseUrl input").fill(provider.urls.openai);
      await frame.locator("#field-apiKey input").fill(KEYS.two);
      await frame.locator("#field-model").locator("input").first().fill("scripted-model");
      await frame.locator("#test").click();
      await frame.locator(".stages", { hasText: "The connection works." }).waitFor({ timeout: 30_000 });
      await until("the result is in sight", () =>
        frame.evaluate(() => document.querySelector(".stages").getBoundingClientRect().bottom <= innerHeight),
      );
      await session.screenshot("wizard-tested");
      await frame.locator("#save").click();
      await frame.locator('[data-id="default"]').waitFor({ timeout: 30_000 });
      equal(await state(frame, "default"), "Active");
    });

    await test("a profile can be saved without being activated", async () => {
      const frame = await openPanel();
      await frame.locator("#add").click();
      await frame.locator('[data-provider="anthropic"]').click();
      await frame.locator("#field-name input").fill("spare");
      await frame.locator("#field-apiKey input").fill("canary-spare-key");
      await frame.locator("#save-inactive").click();
      await frame.locator('[data-id="spare"]').waitFor({ timeout: 30_000 });
      equal(await state(frame, "spare"), "Disabled");
    });

    await test("an answer goes to the cursor of the file one is in, and stands there whole", async () => {
      await session.closeEditors();
      await session.openFile("notes.md");
      await press("Control+End");
      await page.keyboard.type("before  after");
      for (let n = 0; n < 6; n++) await press("ArrowLeft");
      await ask("Hello?", "At the cursor");
      await answered("before One answers. after");
    });

    await test("an answer stays whole while one goes on typing above and below it", async () => {
      const words = Array.from({ length: 250 }, (_, n) => `w${n}`).join(" ");
      await provider.script({ [KEYS.one]: [hello(words, { delay: 0.05 })] });
      await session.closeEditors();
      await session.openFile("notes.md");
      await press("Control+A");
      await page.keyboard.type("# Typing\nbefore  after");
      for (let n = 0; n < 6; n++) await press("ArrowLeft");
      await ask("Hello?", "At the cursor");
      const seen = (text) => page.locator(".monaco-editor .view-lines", { hasText: text }).waitFor({ timeout: 45_000 });
      await seen("w1 ");
      await press("Control+Home");
      await page.keyboard.type("a".repeat(60), { delay: 10 });
      await press("Control+End");
      await page.keyboard.type("z".repeat(60), { delay: 10 });
      ok(
        (await page.locator(".view-lines", { hasText: "w249" }).count()) === 0,
        "all was typed before the answer's end",
      );
      await seen("w249");
      await sleep(500);
      equal(await session.text(), `${"a".repeat(60)}# Typing\nbefore ${words} after${"z".repeat(60)}`);
    });

    await test("an answer streams through a failover, says who gave it and why, and the first one's return counts down", async () => {
      await provider.script({ [KEYS.one]: [limit(40), hello("One is back.")] });
      await session.closeEditors();
      await ask("Who are you?");
      await answered("Two answers.");
      await answered("default, scripted-model");
      await session.notification(/default answered instead of Gemini1/);
      await session.statusBar(/default · Gemini1 back in 00:\d\d/);
      const frame = await openPanel();
      await until("the countdown in the panel", async () => /^Cooldown 00:\d\d$/.test(await state(frame, "Gemini1")));
      const first = await state(frame, "Gemini1");
      await until("a later countdown", async () => (await state(frame, "Gemini1")) !== first, 5);
      await open(frame, "Gemini1");
      await session.screenshot("countdown");
      await session.clearNotifications();
    });

    await test("the request is explained", async () => {
      await session.command("rooroute: Explain Last Request");
      await answered("Why this profile answered");
      const text = await session.text();
      ok(text.includes("Gemini1") && text.includes("default"), text);
      await session.closeEditors();
    });

    await test("an extension that knows nothing of rooroute finds the pool and streams through the failover", async () => {
      const frame = await openPanel();
      await (await open(frame, "Gemini1")).getByText("Reset", { exact: true }).click();
      await session.statusBar(/Gemini1$/);
      const { models } = await run("List Models");
      ok(
        models.some((model) => model.vendor === "rooroute" && model.family === "default"),
        JSON.stringify(models),
      );
      await provider.script({
        [KEYS.one]: [{ step: "fail", kind: "rate-limit", retryDelay: 600 }, hello("One is back.")],
      });
      const got = await run("Stream");
      equal([got.text, got.calls, got.family], ["Two answers.", [], "default"]);
      ok(got.tokens > 0 && got.chunks >= 1, JSON.stringify(got));
    });

    await test("one tool-calling round trip", async () => {
      await provider.script({
        [KEYS.two]: [
          {
            step: "answer",
            text: "",
            toolCalls: [{ name: "weather", arguments: '{"town":"Bern"}', id: "call_7" }],
            finish: "toolCalls",
          },
          hello("It rains in Bern."),
        ],
      });
      await session.command("rooroute: Switch To Profile…");
      await session.answer("default");
      await session.statusBar(/^default/);
      await provider.forget();
      const got = await run("Use Tool");
      equal(got, { command: "tool", call: { name: "weather", input: { town: "Bern" } }, text: "It rains in Bern." });
      const sent = JSON.stringify(await provider.requests());
      ok(
        sent.includes("12 degrees, rain") && sent.includes("2020-12/schema"),
        "the tool's result and its whole schema reach the provider",
      );
    });

    await test("an answer that is no longer wanted is cancelled at the provider's too", async () => {
      await provider.script({
        [KEYS.two]: [hello("on and on and on and on and on and on and on and on", { delay: 1 })],
      });
      const got = await run("Cancel In The Middle");
      ok(got.cancelled && got.text.length < 20, JSON.stringify(got));
      await provider.script({ [KEYS.two]: [hello("Two answers.")] });
    });

    await test("the key is rotated from the palette", async () => {
      const frame = await openPanel();
      const row = await open(frame, "Gemini1");
      await row.getByText("Reset", { exact: true }).click();
      await until("Gemini1 can answer", async () => (await state(frame, "Gemini1")) === "Active");
      await session.statusBar(/^default/);
      await session.command("rooroute: Rotate Key Now");
      await session.notification(/The next request goes to Gemini1 instead of default/);
      await session.statusBar(/^Gemini1$/);
      await session.clearNotifications();
    });

    await test("a rejected key is shown as failed with its remedy, and a new key mends it", async () => {
      await provider.script({ [KEYS.one]: [{ step: "fail", kind: "invalid-key" }] });
      await session.closeEditors();
      await ask("Still there?");
      await answered("Two answers.");
      const frame = await openPanel();
      await until("Failed", async () => (await state(frame, "Gemini1")).startsWith("Failed"));
      const remedy = await frame.locator('[data-id="Gemini1"] .remedy-line').innerText();
      ok(/key/i.test(remedy), remedy);
      const row = await open(frame, "Gemini1");
      await session.screenshot("failed");
      await row.getByText("Replace key", { exact: true }).click();
      await frame.locator("vscode-textfield#key-Gemini1 input").fill(KEYS.mended);
      await row.locator(".save-key").click();
      await until("Active again", async () => (await state(frame, "Gemini1")) === "Active");
      await row.getByText("Test connection", { exact: true }).click();
      await row.locator(".stages", { hasText: "The connection works." }).waitFor({ timeout: 30_000 });
      await session.clearNotifications();
    });

    await test("while everybody rests, a wait counts down in a notification and can be cut short", async () => {
      await provider.script({
        [KEYS.mended]: [limit(50), hello("Mended is back.")],
        [KEYS.two]: [limit(45), hello("Two is back.")],
      });
      await session.closeEditors();
      await ask("Is anybody there?");
      const toast = await session.notification(/waiting for .*back in 00:\d\d/, 60);
      await session.screenshot("waiting");
      await provider.script({ [KEYS.mended]: [hello("Mended again.")], [KEYS.two]: [hello("Two again.")] });
      await toast.getByText("Retry now").click();
      await answered("again.");
      await session.clearNotifications();
    });

    await test("pools are made, changed, removed and brought back in the panel", async () => {
      const frame = await openPanel();
      await frame.locator("#tab-pools").click();
      await frame.locator("#new-pool").click();
      await frame.locator("#new-pool-name input").fill("night");
      await frame.locator("#create-pool").click();
      const card = frame.locator('[data-pool="night"]');
      await card.waitFor({ timeout: 20_000 });
      await card.locator("vscode-textfield#name-night input").fill("Night shift");
      await card.locator("vscode-textfield#name-night input").press("Enter");
      await card.locator("h2", { hasText: "Night shift" }).waitFor({ timeout: 20_000 });
      await card.getByText("Add", { exact: true }).click();
      await until("two members", async () => (await card.locator(".members .row").count()) === 2);
      await card.locator("vscode-textfield#cooldown-night input").fill("120");
      await card.locator("vscode-textfield#cooldown-night input").press("Enter");
      const config = path.join(session.home, "xdg/config/rooroute/config.yaml");
      await until("the cooldown in the file", () => /cooldown: 120/.test(fs.readFileSync(config, "utf8")));
      await session.screenshot("pools-real");
      await card.getByText("Remove pool").click();
      await card.locator(".yes").click();
      await until("the pool is gone", async () => (await card.count()) === 0);
      await frame.locator("#undo").click();
      await card.waitFor({ timeout: 20_000 });
      await card.getByText("Remove pool").click();
      await card.locator(".yes").click();
      await until("the pool is gone", async () => (await card.count()) === 0);
    });

    await test("a profile is duplicated, and removed with undo; before that the pools that use it are named", async () => {
      const frame = await openPanel();
      await (await open(frame, "spare")).getByText("Duplicate", { exact: true }).click();
      await until("four profiles", async () => (await frame.locator("#view .row").count()) === 4);
      const copy = await frame
        .locator("#view .row")
        .evaluateAll((rows) =>
          rows.map((row) => row.dataset.id).find((id) => !["Gemini1", "default", "spare"].includes(id)),
        );
      const row = await open(frame, copy);
      await row.getByText("Remove", { exact: true }).click();
      ok(/last used never/.test(await row.locator(".notice").innerText()), "the removal says when it was last used");
      await row.locator(".yes").click();
      await until("three profiles", async () => (await frame.locator("#view .row").count()) === 3);
      await session.screenshot("undo");
      await frame.locator("#undo").click();
      await until("four profiles again", async () => (await frame.locator("#view .row").count()) === 4);
    });

    await test("an edit by hand in the configuration file is in the panel without a restart", async () => {
      const frame = await openPanel();
      const config = path.join(session.home, "xdg/config/rooroute/config.yaml");
      const text = fs.readFileSync(config, "utf8");
      ok(!Object.values(KEYS).some((key) => text.includes(key)), "no key is in the file");
      fs.writeFileSync(config, text.replace(/name: spare\b/, "name: Spare wheel"));
      await frame.locator(".name", { hasText: "Spare wheel" }).first().waitFor({ timeout: 20_000 });
    });

    await test("the server is killed, and is back by itself", async () => {
      const pids = () => session.processes("-m rooroute serve");
      const [before] = await until("the server's process", () => pids().length && pids());
      process.kill(before, "SIGKILL");
      await until("another server", () => pids().length === 1 && pids()[0] !== before);
      await session.statusBar(/Gemini1|default/);
      await session.closeEditors();
      await ask("And now?");
      await answered("again.");
    });

    await test("after a reload of the window everything is still there", async () => {
      await openPanel();
      // The workbench writes down every few seconds, when it has nothing else to do, which editors are open.
      await sleep(15_000);
      await session.reload();
      await session.statusBar(/Gemini1|default/);
      const frame = await session.panel();
      await until("the profiles", async () => (await frame.locator("#view .row").count()) === 4);
      if (!hasKeyring) return console.log("      not tested here: the key outlives the server (no gnome-keyring)");
      await session.closeEditors();
      await ask("Once more?");
      await answered("again.");
    });

    await test("no key is anywhere but in the keyring", async () => {
      const control = path.join(session.home, "control.txt");
      fs.writeFileSync(control, KEYS.one);
      const found = spawnSync(
        "grep",
        ["-rlaE", Object.values(KEYS).join("|"), session.home, "--exclude-dir=keyrings", "--exclude-dir=browser"],
        { encoding: "utf8" },
      ).stdout.trim();
      equal(found, control, "files that hold a key, beside the one that shows that they would be found");
    });
  } finally {
    provider.stop();
    await session.close();
  }
  return suite;
}
