// Rules, limits with what is left, the calendar of resets, why a request went where it went, and consent: as a person meets them.
import fs from "node:fs";
import path from "node:path";
import { inspect } from "./looks.mjs";
import { equal, ok, Suite } from "./runner.mjs";
import { startProvider } from "./provider.mjs";
import { Session, until } from "./session.mjs";

const KEYS = {
  ONE_KEY: "canary-route-one-11",
  TWO_KEY: "canary-route-two-22",
  THREE_KEY: "canary-route-three-33",
  FOUR_KEY: "canary-route-four-44",
};
const answer = (text) => ({ step: "answer", text });
const limit = { step: "fail", kind: "rate-limit", retryDelay: 600, lasts: 600 };

export async function routing(python) {
  const suite = new Suite("routing");
  const session = await Session.start({ python, env: KEYS, keyring: false });
  const provider = await startProvider(python, session.home);
  const script = (two) =>
    provider.script({
      [KEYS.ONE_KEY]: [answer("One answers.")],
      [KEYS.TWO_KEY]: two,
      [KEYS.THREE_KEY]: [limit],
      [KEYS.FOUR_KEY]: [answer("Four answers.")],
    });
  await script([answer("Two answers.")]);
  const { page } = session;
  const test = (title, body) => suite.test(title, session, body);
  const config = path.join(session.home, "xdg/config/rooroute/config.yaml");
  const profile = (name) => `
  - id: ${name.toLowerCase()}
    name: ${name}
    provider: openai-compatible
    baseUrl: ${provider.urls.openai}
    model: scripted-model
    apiKey: \${${name.toUpperCase()}_KEY}`;
  const openTab = async (tab) => {
    await session.command("rooroute: Open Settings");
    const frame = await session.panel();
    await frame.locator(`#tab-${tab}`).waitFor({ timeout: 30_000 });
    await frame.locator(`#tab-${tab}`).click();
    return frame;
  };
  const unfold = async (group) => {
    if ((await group.getAttribute("open")) === null) await group.locator("summary").click();
    await until("the group is open", async () => (await group.locator(":scope > *").count()) > 1);
  };
  const ask = async (question) => {
    await session.command("rooroute: Ask…");
    await session.answer(question);
    await session.answer("In a new tab");
  };
  const answered = (text) => until(`a page with “${text}”`, async () => (await session.text()).includes(text), 60);
  try {
    await test("profiles written by hand are there", async () => {
      fs.mkdirSync(path.dirname(config), { recursive: true, mode: 0o700 });
      fs.writeFileSync(
        config,
        `profiles:${["One", "Two", "Three", "Four"].map(profile).join("")}
pools:
  - id: main
    profiles: [one, two]
defaults:
  pool: main
`,
        { mode: 0o600 },
      );
      await session.statusBar("One", undefined, 60);
    });

    await test("a limit is set in the profile's form", async () => {
      const frame = await openTab("profiles");
      const row = frame.locator('[data-id="one"]');
      await row.locator(".disclose").click();
      await row.getByText("Edit", { exact: true }).click();
      await unfold(frame.locator('details[data-group="limits"]'));
      await frame.locator('[id="field-limits.requestsPerDay"] input').fill("1");
      await frame.locator("#save").click();
      await frame.locator('[data-id="one"]').waitFor({ timeout: 60_000 });
      await until("the limit in the file", () => /requestsPerDay: 1\b/.test(fs.readFileSync(config, "utf8")));
      await frame.locator("#tab-limits").click();
      const left = frame.locator('[data-limit="profile/one/requests/day"]');
      await until("what is left", async () => /1 left of 1 requests per day/.test(await left.innerText()));
    });

    await test("the status bar's hover tells what is left of the profile that answers", async () => {
      await page.locator('.statusbar-item[id^="rooroute.rooroute"] a').first().hover();
      await until("the hover", async () =>
        /1 left of 1 requests per day/.test(await page.locator(".monaco-hover").last().innerText({ timeout: 1000 })),
      );
      await session.screenshot("quota-hover");
      await page.mouse.move(400, 300);
    });

    await test("after a request its limit shows what is left, and the calendar when all of it is back", async () => {
      await session.closeEditors();
      await ask("Hello?");
      await answered("One answers.");
      await session.closeEditors();
      const frame = await openTab("limits");
      const left = frame.locator('[data-limit="profile/one/requests/day"]');
      await until("what is left", async () => /0 left of 1 requests per day/.test(await left.innerText()), 60);
      const entry = frame.locator("#calendar li", { hasText: "0 left of 1 requests per day" });
      await until("the reset", async () => /One[^]*resets: (1 day )?\d+:\d\d/.test(await entry.innerText()), 60);
    });

    await test("a rule is made in the panel, and a dry run says that it fires", async () => {
      const frame = await openTab("pools");
      const rules = frame.locator('[data-pool="main"] details[data-group="rules"]');
      await unfold(rules);
      await rules.locator(".new-rule").click();
      await rules.locator("#rule-name input").fill("long");
      await rules.locator("#rule-value-0 input").fill("summarize, shorten");
      await rules.locator("#rule-join").click();
      await rules.locator("#rule-join .option", { hasText: "Three" }).click();
      await rules.locator("#rule-add-profile").click();
      await rules.locator("#rule-save").click();
      await rules.locator('[data-rule="long"]').waitFor({ timeout: 30_000 });
      await until("the rule in the file", () => /summarize[^]*shorten/.test(fs.readFileSync(config, "utf8")));
      await rules.locator("#rehearse-main input").fill("Please shorten this.");
      await rules.locator(".rehearse").click();
      await until("the dry run", async () =>
        /The rule “long” fires\. Three would answer/.test(await rules.innerText({ timeout: 1000 })),
      );
    });

    await test("a new rule stands before one that takes everything, is moved, and is refused behind it", async () => {
      const frame = await openTab("pools");
      const rules = frame.locator('[data-pool="main"] details[data-group="rules"]');
      const names = () => rules.locator("[data-rule]").evaluateAll((all) => all.map((one) => one.dataset.rule));
      const order = (...wanted) => until(`the order ${wanted}`, async () => `${await names()}` === `${wanted}`);
      const fill = async (name, words) => {
        await rules.locator(".new-rule").click();
        await rules.locator("#rule-name input").fill(name);
        if (words) await rules.locator("#rule-value-0 input").fill(words);
        await rules.locator("#rule-add-profile").click();
      };
      const remove = (name) => rules.getByLabel(`Remove the rule ${name}`).click();
      await fill("rest");
      await rules.locator("#rule-save").click();
      await order("long", "rest");
      await fill("late", "night");
      await rules.locator("#rule-place").click();
      await rules.locator("#rule-place .option", { hasText: "last" }).click();
      await rules.locator("#rule-save").click();
      await rules
        .locator('.form .wrong[role="alert"]', {
          hasText: "whatever meets it meets rest first. Put it before that rule",
        })
        .waitFor({ timeout: 20_000 });
      equal(await names(), ["long", "rest"]);
      await rules.locator(".form").getByText("Cancel", { exact: true }).click();
      await fill("late", "night");
      await rules.locator("#rule-save").click();
      await order("long", "late", "rest");
      await rules.getByLabel("Try the rule late earlier").click();
      await order("late", "long", "rest");
      await until("the order in the file", () =>
        /name: late[^]*name: long[^]*name: rest/.test(fs.readFileSync(config, "utf8")),
      );
      for (const name of ["rest", "late"]) await remove(name);
      await order("long");
    });

    await test("what a rule lacks is said beside it", async () => {
      const frame = await openTab("pools");
      const rules = frame.locator('[data-pool="main"] details[data-group="rules"]');
      await rules.locator(".new-rule").click();
      await rules.locator("#rule-name input").fill("broken");
      await rules.locator("#rule-save").click();
      await rules.locator('.form .wrong[role="alert"]', { hasText: "leads nowhere" }).waitFor({ timeout: 20_000 });
    });

    await test("rules, limits and every setting look right at both widths, and axe finds nothing", async () => {
      const frame = await openTab("pools");
      await session.command("View: Close Primary Side Bar").catch(() => page.keyboard.press("Control+B"));
      for (const group of await frame.locator('[data-pool="main"] details.group').all()) await unfold(group);
      equal(await inspect(session, "rules", { themes: ["dark", "light"] }), []);
      await frame.getByText("Cancel", { exact: true }).click();
      await frame.locator("#tab-limits").click();
      equal(await inspect(session, "limits", { themes: ["dark", "light"] }), []);
      await page.setViewportSize({ width: 1200, height: 800 });
    });

    await test("a request is explained: rule, candidates, what went wrong in the provider's words, and the request itself", async () => {
      await session.closeEditors();
      await ask("Please summarize this.");
      await answered("Two answers.");
      await session.clearNotifications();
      await session.closeEditors();
      await session.command("rooroute: Explain Last Request");
      await answered("Why this profile answered");
      const text = await session.text();
      for (const words of ["Rule: long", "Could have been asked", "HTTP 429", "own words", "What it taught", "curl "])
        ok(text.includes(words), `“${words}” is not in\n${text}`);
      for (const key of Object.values(KEYS)) ok(!text.includes(key), "a key is shown");
      await session.closeEditors();
    });

    await test("the last resort is asked only after a yes", async () => {
      const frame = await openTab("pools");
      const group = frame.locator('[data-pool="main"] details[data-group="resort"]');
      await unfold(group);
      const choose = async (id, words) => {
        await group.locator(`#${id}`).click();
        await group.locator(`#${id} .option`, { hasText: words }).click();
      };
      await choose("set-main-lastResort-profile", "Four");
      await group.locator("#set-main-lastResort-consent").waitFor({ timeout: 30_000 });
      await choose("set-main-lastResort-consent", "after asking me");
      await until("the consent in the file", () => /consent: ask/.test(fs.readFileSync(config, "utf8")));
      await script([limit]);
      await session.closeEditors();
      await ask("Hello?");
      const dialog = page.locator(".monaco-dialog-box");
      await dialog.waitFor({ timeout: 60_000 });
      ok(/last resort, Four/.test(await dialog.innerText()), await dialog.innerText());
      await session.screenshot("consent");
      await dialog.getByText("Allow Once", { exact: true }).click();
      await answered("Four answers.");
    });
  } finally {
    provider.stop();
    await session.close();
  }
  return suite;
}
