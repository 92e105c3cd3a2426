// An empty window on a machine without a keyring: keys kept by the editor, the palette's commands, and an installation from nothing.
import fs from "node:fs";
import path from "node:path";
import { ok, Suite } from "./runner.mjs";
import { startProvider } from "./provider.mjs";
import { Session, until } from "./session.mjs";
import { CLIENT } from "./workbench.mjs";

const KEY = "canary-editor-store-77ab";
const answer = (text) => ({ step: "answer", text });

export async function corners(python) {
  const suite = new Suite("corners");
  const session = await Session.start({
    python,
    folder: false,
    keyring: false,
  });
  const provider = await startProvider(python, session.home);
  await provider.script({ [KEY]: [answer("Kept by the editor.")] });
  const { page } = session;
  const test = (title, body) => suite.test(title, session, body);
  const config = path.join(session.home, "xdg/config/rooroute/config.yaml");
  const pick = async (command, row) => {
    await session.command(command);
    await session.answer(row);
  };
  const ask = async () => {
    await session.command("rooroute: Ask…");
    await session.answer("Hello?");
    await session.answer("In a new tab");
  };
  const answered = (text) => until(`an answer with “${text}”`, async () => (await session.text()).includes(text));
  try {
    await test("in an empty window the backend starts without any command", async () => {
      await until("the server", () => session.processes("-m rooroute serve")[0]);
      await until(
        "the empty status bar",
        async () => (await page.locator('.statusbar-item[id^="rooroute.rooroute"] .codicon-add').count()) === 1,
      );
    });

    await test("where there is no keyring, the editor's own secret storage is offered with one button", async () => {
      await session.command("rooroute: Open Settings");
      const frame = await session.panel();
      await frame.locator("#keep-in-editor").waitFor({ timeout: 20_000 });
      ok(/for this session only/.test(await frame.locator("footer").innerText()), "the footer says how long keys last");
      await frame.locator("#keep-in-editor").click();
      await until(
        "the editor keeps keys",
        async () => /editor's secret storage/.test(await frame.locator("footer").innerText()),
        60,
      );
      await session.closeEditors();
    });

    await test("the walkthrough leads to the first profile", async () => {
      await session.command("Welcome: Open Walkthrough");
      await session.answer("Get answers from whichever key can give them");
      await page.getByText("Save your first profile").first().waitFor({ timeout: 20_000 });
      await session.screenshot("walkthrough");
      await page.getByText("Save your first profile").first().click();
      await page.getByText("Add a profile", { exact: true }).first().click();
      const frame = await session.panel();
      await frame.locator('[data-provider="openai-compatible"]').click();
      await frame.locator("#field-name input").fill("local");
      await frame.locator("#field-baseUrl input").fill(provider.urls.openai);
      await frame.locator("#field-apiKey input").fill(KEY);
      await frame.locator("#field-model").locator("input").first().fill("scripted-model");
      await frame.locator("#save").click();
      await frame.locator('[data-id="local"]').waitFor({ timeout: 30_000 });
      ok(
        /editor's secret storage/.test(await frame.locator("footer").innerText()),
        await frame.locator("footer").innerText(),
      );
    });

    await test("the key is kept by the editor: it outlives the server and the window, and no file of the backend holds it", async () => {
      await session.command("rooroute: Restart Server");
      await session.statusBar("local");
      await session.reload();
      await session.statusBar("local");
      await session.closeEditors();
      await ask();
      await answered("Kept by the editor.");
      // A journal of the state's database may be gone again by then.
      const text = (file) => {
        try {
          return fs.readFileSync(path.join(file.parentPath ?? file.path, file.name), "latin1");
        } catch (error) {
          if (error.code === "ENOENT") return "";
          throw error;
        }
      };
      for (const folder of ["xdg/config", "xdg/state"]) {
        const files = fs
          .readdirSync(path.join(session.home, folder), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile());
        for (const file of files) ok(!text(file).includes(KEY), `${file.name} holds the key`);
      }
    });

    await test("test, disable, enable, status and the configuration file, from the palette", async () => {
      await pick("rooroute: Test Connection…", "local");
      await session.notification(/local answers: .*auth/);
      await session.clearNotifications();
      await pick("rooroute: Enable/Disable…", "local");
      await session.notification("local is disabled.");
      await session.statusBar("nobody can answer");
      await pick("rooroute: Enable/Disable…", "local");
      await session.notification("local is enabled.");
      await session.statusBar("local");
      await session.clearNotifications();
      await session.command("rooroute: Reset Cooldown…");
      await session.notification("nothing needs a reset");
      await session.clearNotifications();
      await pick("rooroute: Show Status", "local");
      const frame = await session.panel();
      await until(
        "the profile is open",
        async () => (await frame.locator('[data-id="local"] .disclose').getAttribute("aria-expanded")) === "true",
      );
      await session.closeEditors();
      await session.command("rooroute: Open Configuration File");
      await page.locator(".tab.active", { hasText: "config.yaml" }).waitFor({ timeout: 20_000 });
      await session.closeEditors();
      await session.command("rooroute: Show Log");
      await page.locator(".panel", { hasText: "starting" }).first().waitFor({ timeout: 20_000 });
      await page.keyboard.press("Control+J");
    });

    await test("a profile is edited in the panel, and keeps its key", async () => {
      await session.command("rooroute: Open Settings");
      const frame = await session.panel();
      const row = frame.locator('[data-id="local"]');
      await row.waitFor();
      if ((await row.locator(".disclose").getAttribute("aria-expanded")) !== "true")
        await row.locator(".disclose").click();
      await row.getByText("Edit", { exact: true }).click();
      await frame.locator("#field-name input").fill("Local server");
      await frame.locator("#field-notes input").fill("In the cellar.");
      await frame.locator("#save").click();
      await frame.locator(".name", { hasText: "Local server" }).waitFor({ timeout: 30_000 });
      ok(/In the cellar/.test(await frame.locator('[data-id="local"] .details').innerText()), "the notes are there");
      ok(/notes: In the cellar/.test(fs.readFileSync(config, "utf8")), "the notes are in the file");
      await session.closeEditors();
      await ask();
      await answered("Kept by the editor.");
    });

    await test("what is wrong is said beside its field", async () => {
      await session.command("rooroute: Add Profile…");
      const frame = await session.panel();
      await frame.locator('[data-provider="openai-compatible"]').click();
      await frame.locator("#field-name input").fill("");
      await frame.locator("#save").click();
      await until("two complaints", async () => (await frame.locator(".wrong").count()) === 2);
      await frame.locator("#field-name input").fill("wrong");
      await frame.locator("#field-baseUrl input").fill("http://user:secret@127.0.0.1:1/v1");
      await frame.locator("#save-inactive").click();
      const complaint = frame.locator(".wrong, .notice.bad").first();
      await until("the complaint", async () => /holds credentials/.test(await complaint.innerText({ timeout: 1000 })));
      await session.screenshot("wrong-field");
      await frame.getByText("Cancel", { exact: true }).click();
    });

    await test("another window knows at once what one window has learnt", async () => {
      const second = await session.context.newPage();
      await second.goto(page.url());
      const item = second.locator('.statusbar-item[id^="rooroute.rooroute"]').first();
      await until(
        "the status of the second window",
        async () => ((await item.textContent()) ?? "").includes("Local server"),
        60,
      );
      await provider.script({ [KEY]: [{ step: "fail", kind: "rate-limit", retryDelay: 90 }, answer("later")] });
      await page.bringToFront();
      await session.closeEditors();
      await ask();
      await until(
        "the second window counts down too",
        async () => /back in 0\d:\d\d/.test((await item.textContent()) ?? ""),
        45,
      );
      await second.close();
      await session.clearNotifications();
    });

    await test("on a machine without the backend it is installed with one button, with progress", async () => {
      session.runs(undefined, { "rooroute.package": path.resolve(CLIENT, ".."), "rooroute.secretStore": "editor" });
      const toast = await session.notification(/has no rooroute package|backend was not found/);
      await toast.getByText("Install", { exact: true }).click();
      await session.notification(/Installing rooroute/, 20).catch(() => undefined);
      await session.screenshot("installing");
      await until(
        "the installed server",
        () => session.processes("environment/bin/python", "-m rooroute serve")[0],
        240,
      );
      await session.statusBar("Local server", "the status bar shows the profile again", 60);
    });
  } finally {
    provider.stop();
    await session.close();
  }
  return suite;
}
