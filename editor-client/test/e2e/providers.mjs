// Choosing a provider, its own fields, its test and its models, as a person meets them in the wizard; and what the provider is then asked.
import fs from "node:fs";
import path from "node:path";
import { inspect } from "./looks.mjs";
import { startProvider } from "./provider.mjs";
import { equal, ok, Suite } from "./runner.mjs";
import { Session, sleep, until } from "./session.mjs";

const KEYS = {
  azure: "canary-azure-61d0",
  responses: "canary-responses-7b1e",
  bad: "canary-refused-90aa",
  proxy: "canary-proxy-2c4f",
};
const answer = (text, more = {}) => ({ step: "answer", text, ...more });
const spaces = (text) => text.replace(/\s+/g, " ").trim();

export async function providers(python) {
  const suite = new Suite("providers");
  const session = await Session.start({ python });
  const provider = await startProvider(python, session.home);
  await provider.script({
    [KEYS.azure]: [answer("Azure answers.")],
    [KEYS.responses]: [answer("Responses answer.")],
    [KEYS.proxy]: [answer("The proxy answers.")],
    [KEYS.bad]: [{ step: "fail", kind: "invalid-key" }],
  });
  const { page } = session;
  const test = (title, body) => suite.test(title, session, body);
  const config = path.join(session.home, "xdg/config/rooroute/config.yaml");
  const saved = () => fs.readFileSync(config, "utf8");
  const openPanel = async () => {
    await session.command("rooroute: Open Settings");
    const frame = await session.panel();
    const cancel = frame.locator(".form").getByText("Cancel", { exact: true });
    await frame.locator("#tab-profiles, .form").first().waitFor({ timeout: 30_000 });
    if (await cancel.count()) await cancel.first().click();
    await frame.locator("#tab-profiles").click();
    return frame;
  };
  /** The wizard's second step. */
  const choose = async (id) => {
    const frame = await openPanel();
    await frame.locator("#add").click();
    await frame.locator(`[data-provider="${id}"]`).click();
    await frame.locator("#field-name").waitFor();
    return frame;
  };
  const field = (frame, name) => frame.locator(`[id="field-${name}"]`);
  const fill = (frame, name, text) => field(frame, name).locator("input, textarea").first().fill(text);
  const shown = (frame, name) => field(frame, name).locator("input, textarea").first().inputValue();
  const help = (frame) => frame.locator(".help[role=status]").innerText();
  const pick = async (frame, name, option) => {
    await field(frame, name).click();
    await field(frame, name).locator("li", { hasText: option }).first().click();
  };
  const save = (frame) => frame.locator("#save-inactive").click();
  const stages = async (frame) => {
    const over = frame.locator(".stages", { hasText: /The connection (works|does not work)/ });
    await over.waitFor({ timeout: 30_000 });
    const rows = await frame.locator(".stages li").all();
    return Promise.all(
      rows.map(async (row) => ({
        name: await row.getAttribute("data-stage"),
        good: (await row.getAttribute("class")) === "good",
        text: spaces(await row.innerText()),
      })),
    );
  };
  const curl = async (frame) => {
    await frame.locator(".curl summary").click();
    return frame.locator(".curl pre").innerText();
  };
  const edit = async (name) => {
    const frame = await openPanel();
    const row = frame.locator(`[data-id="${name}"]`);
    const disclose = row.locator(".disclose");
    if ((await disclose.getAttribute("aria-expanded")) !== "true") await disclose.click();
    await row.getByText("Edit", { exact: true }).click();
    await frame.locator("#field-name").waitFor();
    return frame;
  };
  const ask = async (question) => {
    await session.closeEditors();
    await session.command("rooroute: Ask…");
    await session.answer(question);
    await session.answer("In a new tab");
  };
  const answered = (text) => until(`an answer with “${text}”`, async () => (await session.text()).includes(text), 60);
  const posts = async () => (await provider.requests()).filter((request) => request.method === "POST");
  const isFocused = (frame, id) => frame.evaluate((wanted) => document.activeElement?.id === wanted, id);

  /** Lets the server stand still until what is returned is called. */
  const pause = () => {
    const [server] = session.processes("-m rooroute serve");
    process.kill(server, "SIGSTOP");
    return () => process.kill(server, "SIGCONT");
  };

  try {
    await session.command("View: Close Primary Side Bar").catch(() => page.keyboard.press("Control+B"));

    await test("the catalogue says of each provider what it can do, holds and costs, and where it runs", async () => {
      const frame = await openPanel();
      await frame.locator("#add, #add-first").first().click();
      await frame.locator(".choice").first().waitFor();
      const line = async (id) => spaces(await frame.locator(`[data-provider="${id}"]`).innerText());
      const openai = await line("openai");
      for (const part of [
        /images, tools, thinking, prompt cache/,
        /window up to [\d.]+M tokens/,
        /\$[\d.]+ to \$[\d.]+ in, \$[\d.]+ to \$[\d.]+ out per million tokens/,
        /region: United States/,
      ])
        ok(part.test(openai), `OpenAI: ${openai}`);
      const said = {
        "azure-openai": ["region: the resource's region or data zone", "not known: window, prices"],
        "vertex": ["region: the location you choose, or global"],
        "mistral": ["region: European Union"],
        "cohere": ["not known: region"],
        "openai-compatible/groq": ["OpenAI-compatible server", "per million tokens", "not known: abilities, region"],
        "openai-compatible/ollama": ["local, no key"],
        "xroute": ["not known: abilities, window, prices, region"],
      };
      for (const [id, parts] of Object.entries(said))
        for (const part of parts) ok((await line(id)).includes(part), `${part} of ${id}: ${await line(id)}`);
      for (const choice of await frame.locator(".choice").all())
        ok(
          spaces(await choice.locator(".quiet").first().innerText()),
          `nothing is said of ${await choice.innerText()}`,
        );
      equal(await inspect(session, "catalogue", { themes: ["dark", "high-contrast"] }), []);
    });

    await test("what was said of the chosen provider stays in sight, with where to get a key", async () => {
      const frame = await choose("vertex");
      ok((await frame.locator("#offer").innerText()).includes("the location you choose, or global"), "no region");
      const links = await frame.locator(".links a").evaluateAll((all) => all.map((one) => one.href));
      ok(
        links.includes("https://console.cloud.google.com/iam-admin/serviceaccounts") && links.length === 2,
        links.join(" "),
      );
      equal(await inspect(session, "vertex", { themes: ["dark"] }), []);
    });

    await test("every field has its label's name, and a label leads to its field", async () => {
      const frame = await choose("azure-openai");
      for (const group of await frame.locator("details.group").all()) await group.locator("summary").first().click();
      const nameless = () =>
        frame
          .locator(".form :is(vscode-textfield, vscode-textarea, vscode-single-select)")
          .evaluateAll((all) => all.filter((one) => !one.label).map((one) => one.id));
      await until("names", async () => (await nameless()).length === 0, 5).catch(() => undefined);
      equal(await nameless(), []);
      await frame.locator("vscode-label", { hasText: "API version" }).click();
      await until("the focus in the version", () => isFocused(frame, "field-options.apiVersion"), 5);
      for (const group of await frame.locator("details.group").all()) await group.locator("summary").first().click();
    });

    await test("Azure: what is missing is named with its remedy before anything is asked", async () => {
      const frame = await choose("azure-openai");
      await provider.forget();
      await fill(frame, "name", "Azure");
      await fill(frame, "baseUrl", provider.root);
      await fill(frame, "apiKey", KEYS.azure);
      await fill(frame, "options.deployments", "scripted-model");
      await frame.locator("#test").click();
      await frame.locator(".wrong", { hasText: "“scripted-model” is no line of the form" }).waitFor();
      await fill(frame, "options.deployments", "scripted-model = gpt-in-bern");
      await frame.locator("#test").click();
      const [only, ...rest] = await stages(frame);
      equal([only.name, only.good, rest.length], ["settings", false, 0]);
      ok(/needs an API version.*Set options\.apiVersion, for example to 2024-10-21/.test(only.text), only.text);
      equal(await provider.requests(), [], "requests");
    });

    await test("Azure: deployments and version are typed in, the models are those of the resource, and it is tested", async () => {
      const frame = await session.panel();
      await fill(frame, "options.apiVersion", "2024-10-21");
      await fill(frame, "options.deployments", "scripted-model = gpt-in-bern\nscripted-large = large one");
      await frame.locator("#models-refresh").click();
      await until("the models", async () => (await help(frame)).startsWith("2 models."));
      const [asked] = (await provider.requests()).slice(-1);
      equal(
        [asked.path, asked.query, asked.headers["api-key"], asked.headers.authorization],
        ["/openai/models", "api-version=2024-10-21", KEYS.azure, undefined],
      );
      await pick(frame, "model", "scripted-model");
      await frame.locator("#test").click();
      const done = await stages(frame);
      equal(
        done.map(({ name, good }) => [name, good]),
        ["address", "tcp", "auth", "listing"].map((name) => [name, true]),
      );
      equal(await inspect(session, "azure-tested", { themes: ["dark"] }), []);
      await frame.locator("#save").click();
      await frame.locator('[data-id="Azure"]').waitFor({ timeout: 30_000 });
      ok(/deployments:\s+scripted-model: gpt-in-bern\s+scripted-large: large one/.test(saved()), saved());
    });

    await test("Azure: a request through the pool asks for the mapped deployment, and a changed mapping for another", async () => {
      const one = async (deployment) => {
        await provider.forget();
        await ask("Which deployment?");
        await answered("Azure answers.");
        const [asked] = await posts();
        equal(
          [
            asked.path,
            asked.query,
            asked.headers["api-key"],
            asked.headers.authorization,
            JSON.parse(asked.body).model,
          ],
          [
            `/openai/deployments/${encodeURIComponent(deployment)}/chat/completions`,
            "api-version=2024-10-21",
            KEYS.azure,
            undefined,
            deployment,
          ],
        );
      };
      await one("gpt-in-bern");
      const frame = await edit("Azure");
      equal(await shown(frame, "options.deployments"), "scripted-model = gpt-in-bern\nscripted-large = large one");
      equal(await shown(frame, "options.apiVersion"), "2024-10-21");
      await fill(frame, "options.deployments", "scripted-model = moved to basel\nscripted-large = large one");
      await frame.locator("#save").click();
      await frame.locator('[data-id="Azure"]').waitFor({ timeout: 30_000 });
      await one("moved to basel");
    });

    await test("Responses are chosen, tested with a real answer, saved and shown again", async () => {
      const frame = await choose("openai");
      await fill(frame, "name", "Thinker");
      await fill(frame, "baseUrl", provider.urls.openai);
      await pick(frame, "options.api", "responses");
      await field(frame, "apiKey").locator("input").focus();
      await page.keyboard.type(KEYS.responses);
      await page.keyboard.press("Tab");
      await until("the models", async () => (await help(frame)).startsWith("2 models."));
      await until("the focus stays in the model's field", () => isFocused(frame, "field-model"), 10);
      await page.keyboard.type("scripted-model");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("Enter");
      await frame.locator("#test").click();
      await stages(frame);
      await provider.forget();
      await frame.locator(".stages .deeper").click();
      await until("a test of its own", async () => (await frame.locator(".stages .deeper").count()) === 0);
      const done = await stages(frame);
      equal([done.at(-1).name, done.at(-1).good], ["completion", true]);
      ok(/A real answer \d+ ms scripted-model answered after \d+ ms/.test(done.at(-1).text), done.at(-1).text);
      equal(
        (await posts()).map((request) => request.path),
        ["/v1/responses"],
      );
      await frame.locator("#save").click();
      await frame.locator('[data-id="Thinker"]').waitFor({ timeout: 30_000 });
      ok(/api: responses/.test(saved()), saved());
      await edit("Thinker");
      equal(await field(frame, "options.api").evaluate((select) => select.value), "responses");
      await frame.locator(".form").getByText("Cancel", { exact: true }).click();
    });

    await test("a request travels to Responses, and its text streams in", async () => {
      const words = Array.from({ length: 30 }, (_, n) => `w${n}`).join(" ");
      await provider.script({ [KEYS.responses]: [answer(words, { delay: 0.4 })] });
      await session.command("rooroute: Switch To Profile…");
      await session.answer("Thinker");
      await session.statusBar(/^Thinker/);
      await provider.forget();
      await ask("Think aloud");
      await until("a part of the answer", async () => {
        const text = await session.text();
        return text.includes("w3") && !text.includes("w29");
      });
      await answered(words);
      await answered("Thinker, scripted-model");
      const [asked] = await posts();
      const body = JSON.parse(asked.body);
      equal([asked.path, asked.headers.authorization], ["/v1/responses", `Bearer ${KEYS.responses}`]);
      equal([body.stream, body.model, "messages" in body], [true, "scripted-model", false]);
      ok(JSON.stringify(body.input).includes("Think aloud"), asked.body);
    });

    await test("of a model it says what its server tells, and calls assumed what nobody does", async () => {
      const frame = await choose("litellm");
      await fill(frame, "name", "Proxy");
      await fill(frame, "baseUrl", provider.root);
      await fill(frame, "apiKey", KEYS.proxy);
      await frame.locator("#models-refresh").click();
      await until("the models", async () => (await help(frame)).startsWith("2 models."));
      await pick(frame, "model", "scripted-model");
      const known = frame.locator("#model-known");
      await known.waitFor();
      equal(
        await known.innerText(),
        "scripted-model: window of 32.8k tokens, answers up to 4.1k, no images, tools, no prompt cache, $1 in per million tokens, $4 out per million tokens.",
      );
      await pick(frame, "model", "scripted-large");
      await until("the other model", async () => (await known.innerText()).startsWith("scripted-large"));
      ok(
        (await known.innerText()).endsWith(
          "assumed, since nobody tells: window of 200k tokens, answers up to 8.19k, images, prompt cache, $3 in per million tokens, $15 out per million tokens.",
        ),
        await known.innerText(),
      );
      await field(frame, "model").locator("input").first().click();
      await session.screenshot("models-open");
      await page.keyboard.press("Escape");
      equal(await inspect(session, "model-known", { themes: ["dark"] }), []);
    });

    await test("a model's name that is typed is the model, whether it is in the list or not, and however the field is left", async () => {
      const offered = "scripted-model";
      for (const [name, typed, leave] of [
        ["Tabbed", offered, (frame) => page.keyboard.press("Tab").then(() => save(frame))],
        [
          "Entered",
          "one of my own",
          async (frame) => {
            await page.keyboard.press("Enter");
            await until("what was entered stands there", async () => (await shown(frame, "model")) === "one of my own");
            await save(frame);
          },
        ],
        ["Clicked", "another of my own", (frame) => save(frame)],
      ]) {
        const frame = await choose("litellm");
        await fill(frame, "name", name);
        await fill(frame, "baseUrl", provider.root);
        await fill(frame, "apiKey", KEYS.proxy);
        await frame.locator("#models-refresh").click();
        await until("the models", async () => (await help(frame)).startsWith("2 models."));
        await field(frame, "model").locator("input").first().focus();
        await page.keyboard.type(typed);
        await leave(frame);
        await frame.locator(`[data-id="${name}"]`).waitFor({ timeout: 10_000 });
        ok(new RegExp(`name: ${name}\n(?: +.*\n)*? +model: ${typed}\n`).test(saved()), `${name}: ${saved()}`);
        await edit(name);
        equal(await shown(frame, "model"), typed);
        await frame.locator(".form").getByText("Cancel", { exact: true }).click();
      }
    });

    await test("a list of models that comes while a name is being typed leaves it alone", async () => {
      const frame = await choose("litellm");
      await fill(frame, "name", "Slow");
      await fill(frame, "baseUrl", provider.root);
      await fill(frame, "apiKey", KEYS.proxy);
      const goOn = pause();
      await field(frame, "model").locator("input").first().focus();
      await page.keyboard.type("scripted-");
      goOn();
      await until("what is told of the list", async () => (await help(frame)).startsWith("2 models."));
      ok(await isFocused(frame, "field-model"), "the focus is elsewhere");
      await page.keyboard.type("model");
      equal(await shown(frame, "model"), "scripted-model");
      await page.keyboard.press("Tab");
      await frame.locator("#model-known").waitFor({ timeout: 10_000 });
      ok(await isFocused(frame, "models-refresh"), "Tab leads to the next field");
      equal(await shown(frame, "model"), "scripted-model");
    });

    await test("what a click begins on stays under the pointer until it ends", async () => {
      const frame = await choose("openai-compatible");
      await fill(frame, "name", "Pressed");
      await fill(frame, "baseUrl", provider.urls.openai);
      await fill(frame, "model", "scripted-model");
      await field(frame, "apiKey").locator("input").focus();
      await page.keyboard.type(KEYS.proxy);
      const button = frame.locator("#save-inactive");
      await button.scrollIntoViewIfNeeded();
      const { x, y, width, height } = await button.boundingBox();
      await page.mouse.move(x + width / 2, y + height - 2);
      await page.mouse.down();
      // Leaving the key's field has the models fetched, which is told in a line above the button.
      await sleep(400);
      await page.mouse.up();
      await frame.locator('[data-id="Pressed"]').waitFor({ timeout: 10_000 });
    });

    await test("what is half typed is there again after a look at another file", async () => {
      const frame = await choose("openai-compatible");
      await fill(frame, "name", "Half");
      await fill(frame, "apiKey", KEYS.proxy);
      await session.openFile("notes.md");
      await session.command("rooroute: Open Settings");
      await field(await session.panel(), "name").waitFor({ timeout: 20_000 });
      equal(await shown(await session.panel(), "name"), "Half");
      equal(await shown(await session.panel(), "apiKey"), KEYS.proxy);
      await session.closeEditors();
    });

    await test("what is left while it is being tested is not saved, and takes no other draft away", async () => {
      const frame = await choose("openai-compatible");
      await fill(frame, "name", "Regretted");
      await fill(frame, "baseUrl", provider.urls.openai);
      await fill(frame, "apiKey", KEYS.proxy);
      await fill(frame, "model", "scripted-model");
      const goOn = pause();
      await frame.locator("#save").click();
      await frame.locator(".stages", { hasText: "Testing" }).waitFor();
      await frame.locator(".form").getByText("Cancel", { exact: true }).click();
      await frame.locator("#add").click();
      await frame.locator('[data-provider="openai"]').click();
      await fill(frame, "name", "Next");
      goOn();
      await sleep(1500);
      equal(await shown(frame, "name"), "Next");
      ok(!saved().includes("Regretted"), saved());
    });

    await test("profiles are put in order at any pace", async () => {
      const frame = await openPanel();
      const handles = frame.locator(".row .handle");
      const names = () => frame.locator(".row .name").allTextContents();
      const before = await names();
      await handles.first().focus();
      const goOn = pause();
      await page.keyboard.press("ArrowDown");
      await sleep(500); // the first step is on its way by then
      await page.keyboard.press("ArrowDown");
      await sleep(500);
      goOn();
      const ids = [before[1], before[2], before[0], ...before.slice(3)];
      await until("both steps are saved", () =>
        new RegExp(`profiles:\\s+${ids.map((id) => `- ${id}`).join("\\s+")}`).test(saved()),
      );
      equal(await frame.locator(".notice.bad").count(), 0, "complaints");
      equal(await names(), ids);
    });

    await test("who has gone on to the palette is not called back by a panel that draws late", async () => {
      const frame = await choose("openai");
      await frame.evaluate(() => {
        const real = window.requestAnimationFrame.bind(window);
        window.requestAnimationFrame = (paint) => setTimeout(() => real(paint), 1500);
      });
      await frame.locator(".form").getByText("Cancel", { exact: true }).click();
      await page.keyboard.press("F1");
      const palette = page.locator(".quick-input-widget input").first();
      await palette.waitFor({ state: "visible" });
      await frame.locator("#add").waitFor({ timeout: 10_000 }); // drawn by then
      await sleep(300);
      ok(await palette.isVisible(), "the palette was closed");
      await page.keyboard.press("Escape");
      await session.closeEditors();
    });

    await test("a failing stage says when, why and what to do, with the request and the provider's status page", async () => {
      const frame = await choose("openai");
      await fill(frame, "name", "Refused");
      await fill(frame, "baseUrl", provider.urls.openai);
      await fill(frame, "apiKey", KEYS.bad);
      await frame.locator("#test").click();
      const done = await stages(frame);
      equal(
        done.map(({ name, good }) => [name, good]),
        [
          ["address", true],
          ["tcp", true],
          ["auth", false],
        ],
      );
      for (const { text } of done) ok(/ (under 1|\d+) ms /.test(text), text);
      ok(
        /Key \d+ ms OpenAI answered: .*Enter a valid key.*platform\.openai\.com\/api-keys/.test(done[2].text),
        done[2].text,
      );
      ok(!/rooroute profiles/.test(done[2].text), `a command for a profile that is not there: ${done[2].text}`);
      equal(await frame.locator(".status-page").getAttribute("href"), "https://status.openai.com");
      const command = await curl(frame);
      ok(/^curl .*\/v1\/models/.test(command) && command.includes("$API_KEY"), command);
      ok(!(await frame.locator("#panel").innerText()).includes(KEYS.bad), "the key is shown");
      equal(await inspect(session, "test-failed", { themes: ["dark", "light", "high-contrast"] }), []);
    });

    await test("a wrong path gets the right one as its remedy, and a dead address its cause", async () => {
      const frame = await session.panel();
      await provider.script({ [KEYS.bad]: [answer("Good after all.")] });
      const gone = () =>
        until("what was said before is gone", async () => (await frame.locator(".stages").count()) === 0);
      await fill(frame, "baseUrl", `${provider.root}/v2`);
      await gone();
      await frame.locator("#test").click();
      const wrong = (await stages(frame)).at(-1);
      ok(wrong.text.includes(`Set baseUrl to ${provider.urls.openai}`), wrong.text);
      await fill(frame, "baseUrl", "http://127.0.0.1:9/v1");
      await gone();
      await frame.locator("#test").click();
      const dead = (await stages(frame)).at(-1);
      equal([dead.name, dead.good], ["tcp", false]);
      ok(/Connection .*127\.0\.0\.1:9/.test(dead.text), dead.text);
    });

    await test("what is being typed stays as it is when the panel is drawn anew meanwhile", async () => {
      const frame = await session.panel();
      await frame.evaluate(() => {
        window.states = 0;
        window.addEventListener("message", ({ data }) => (window.states += data.type === "state"));
      });
      await fill(frame, "name", "");
      await field(frame, "name").locator("input").focus();
      await page.keyboard.type("Two ");
      const before = await frame.evaluate(() => window.states);
      fs.writeFileSync(config, saved().replace("name: Azure", "name: Azure renamed"));
      await until("a new state", () => frame.evaluate((count) => window.states > count, before));
      await frame.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
      await page.keyboard.type("words");
      equal(await shown(frame, "name"), "Two words");
    });

    await test("select all acts at once, and not again when letters have been typed", async () => {
      const frame = await session.panel();
      await frame.evaluate(() => {
        window.selected = 0;
        const real = document.execCommand.bind(document);
        document.execCommand = (name, ...rest) => ((window.selected += name === "selectAll"), real(name, ...rest));
      });
      await field(frame, "name").locator("input").focus();
      await page.keyboard.press("Control+A");
      await page.keyboard.type("Other");
      equal(await shown(frame, "name"), "Other");
      // Outside a field it is the workbench's, and comes back. Whatever was sent before the palette has come back when that is there.
      await frame.locator("#test").focus();
      await page.keyboard.press("Control+A");
      await until("the workbench's own", () => frame.evaluate(() => window.selected > 0));
      await page.keyboard.press("F1");
      await page.locator(".quick-input-widget input").first().waitFor({ state: "visible" });
      await page.keyboard.press("Escape");
      equal(await frame.evaluate(() => window.selected), 1);
    });

    await test("no key is in the configuration file", async () => {
      for (const key of Object.values(KEYS)) ok(!saved().includes(key), `the file has ${key}`);
    });
  } finally {
    provider.stop();
    await session.close();
  }
  return suite;
}
