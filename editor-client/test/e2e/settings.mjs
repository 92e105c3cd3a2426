// Every group of settings set in the panel and found in the file, what holds for all, and configurations that come, go and come back.
import fs from "node:fs";
import path from "node:path";
import { startBetween } from "./between.mjs";
import { inspect } from "./looks.mjs";
import { equal, ok, Suite } from "./runner.mjs";
import { startProvider } from "./provider.mjs";
import { Session, until } from "./session.mjs";

const KEYS = { ONE_KEY: "canary-set-one-11", TWO_KEY: "canary-set-two-22" };
const TEAM = "canary-team-secret-33";
const PRINTED = "canary-printed-token-55";
const CLIENT = "canary-client-secret-77";
const IMPORTED = "canary-imported-key-44";
/** Fields of a profile that take a line of text, and what is typed there. */
const TYPED = {
  "cooldown": "45",
  "domain": "acme",
  "region": "eu",
  "notes": "In the cellar.",
  "budget.perDay": "3",
  "budget.perMonth": "40",
  "price.input": "1.5",
  "price.output": "6",
  "price.cacheRead": "0.15",
  "price.cacheWrite": "1.9",
  "tags": "team-a, night",
  "maxRetries": "2",
  "timeouts.connect": "7",
  "timeouts.firstToken": "20",
  "timeouts.idle": "35",
  "timeouts.total": "500",
  "healthCheck.interval": "60",
  "healthCheck.timeout": "4",
  "healthCheck.failures": "2",
  "healthCheck.endpoint": "/health",
  "healthCheck.expectBody": "data",
};
const MAPPED = { modelMap: "small = scripted-model", query: "team = a", options: "outOfRange = clamp" };
/** What both a pool and a profile may be limited by. */
const LIMITS = [
  "requestsPerSecond",
  "requestsPerMinute",
  "requestsPerHour",
  "requestsPerDay",
  "tokensPerSecond",
  "tokensPerMinute",
  "tokensPerHour",
  "tokensPerDay",
  "concurrentRequests",
  "burst",
];
const answer = (text) => ({ step: "answer", text });
const LITELLM = (url) => `model_list:
  - model_name: brought
    litellm_params:
      model: openai/scripted-model
      api_base: ${url}
      api_key: ${IMPORTED}
      colour: blue
router_settings:
  routing_strategy: simple-shuffle
`;

export async function settings(python) {
  const suite = new Suite("settings");
  const session = await Session.start({ python, env: KEYS, keyring: false });
  const provider = await startProvider(python, session.home);
  const between = await startBetween();
  await provider.script({ [KEYS.ONE_KEY]: [answer("One answers.")], [KEYS.TWO_KEY]: [answer("Two answers.")] });
  const { page } = session;
  const test = (title, body) => suite.test(title, session, body);
  const config = path.join(session.home, "xdg/config/rooroute/config.yaml");
  const written = () => fs.readFileSync(config, "utf8");
  const inFile = (fits) => until(`${fits} in the file`, () => fits.test(written()));
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
  const named = (frame, id) => frame.locator(`[id="${id}"]`);
  const type = async (frame, id, text) => {
    await named(frame, id).locator("input").fill(text);
    await named(frame, id).locator("input").press("Tab");
  };
  const write = (frame, id, text) =>
    named(frame, id)
      .locator("input, textarea")
      .fill(text)
      .then(() => page.keyboard.press("Tab"));
  const choose = async (frame, id, words) => {
    await named(frame, id).click();
    await named(frame, id).locator(".option", { hasText: words }).click();
  };
  const edit = async (name) => {
    const frame = await openTab("profiles");
    const row = frame.locator(`[data-id="${name}"]`);
    if ((await row.locator(".details").count()) === 0) await row.locator(".disclose").click();
    await row.getByText("Edit", { exact: true }).click();
    await frame.locator("#save").waitFor({ timeout: 30_000 });
    for (const group of await frame.locator("details.group").all()) await unfold(group);
    return frame;
  };
  const saved = async (frame) => {
    await frame.locator("#save").click();
    await frame.locator('[data-id="one"]').waitFor({ timeout: 60_000 });
  };
  const valueOf = (frame, id) => named(frame, id).evaluate((element) => element.value);
  const documentText = (words) =>
    until(
      `a page with “${words}”`,
      async () => {
        const text = await session.text();
        return text.includes(words) && text;
      },
      60,
    );

  try {
    await test("two profiles and a pool written by hand are there", async () => {
      fs.mkdirSync(path.dirname(config), { recursive: true, mode: 0o700 });
      fs.writeFileSync(
        config,
        `profiles:${["One", "Two"].map(profile).join("")}
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

    await test("each setting of a profile is set in its form, and some of them are seen again", async () => {
      const frame = await edit("one");
      await type(frame, "field-contextWindow", "32000");
      await type(frame, "field-models", "scripted-model, other-model");
      await choose(frame, "field-supportsImages", /^\s*No\s*$/);
      await choose(frame, "field-supportsTools", /^\s*Yes\s*$/);
      for (const [n, key] of LIMITS.entries()) await type(frame, `field-limits.${key}`, String(800_000 + n));
      for (const [field, text] of Object.entries(TYPED)) await type(frame, `field-${field}`, text);
      for (const [field, text] of Object.entries(MAPPED))
        await named(frame, `field-${field}`).locator("textarea").fill(text);
      await named(frame, "field-headers").locator("textarea").fill("X-Team = Token ${secret:team}");
      await frame.locator("#field-name input").click();
      await choose(frame, "field-auth.kind", "the key as a bearer token");
      await named(frame, "field-secrets.team").locator("input").fill(TEAM);
      await type(frame, "field-healthCheck.expectStatus", "200, 204");
      await choose(frame, "field-healthCheck.sends", "a short question");
      await until("the cost of the checks", async () =>
        /Costs money: up to 1,440 answers a day/.test(
          await frame.locator('[data-setting="healthCheck.sends"]').innerText(),
        ),
      );
      await frame.locator("#save").click();
      const wrong = frame.locator('[data-setting="healthCheck.sends"] .wrong[role="alert"]');
      await wrong.waitFor({ timeout: 60_000 });
      ok(/no endpoint, status or body of its own/.test(await wrong.innerText()), await wrong.innerText());
      ok(!/expectStatus/.test(written()), "what was refused is written");
      await until("the end of the attempt", () =>
        frame
          .locator("#save")
          .evaluate((button) => !button.disabled && document.activeElement?.id === "field-healthCheck.sends"),
      );
      await choose(frame, "field-healthCheck.sends", /^\s*the list of models: costs no tokens/);
      await saved(frame);
      for (const fits of [
        /contextWindow: 32000/,
        /other-model/,
        /supportsImages: false/,
        /supportsTools: true/,
        /cooldown: 45/,
        /domain: acme/,
        /region: eu/,
        /notes: In the cellar\./,
        /perDay: 3\b/,
        /perMonth: 40/,
        /input: 1\.5/,
        /output: 6/,
        /cacheRead: 0\.15/,
        /cacheWrite: 1\.9/,
        /night/,
        /maxRetries: 2/,
        /connect: 7/,
        /firstToken: 20/,
        /idle: 35/,
        /total: 500/,
        /timeout: 4/,
        /failures: 2/,
        /expectBody: data/,
        /endpoint: \/health/,
        /small: scripted-model/,
        /team: a\b/,
        /outOfRange: clamp/,
        ...LIMITS.map((key, n) => new RegExp(`${key}: ${800_000 + n}`)),
        /\$\{secret:team\}/,
        /kind: bearer/,
        /expectStatus: *(\[200, 204\]|\n\s*- 200\n\s*- 204)/,
      ])
        await inFile(fits);
      ok(!written().includes(TEAM), "a secret is in the file");
      const again = await edit("one");
      equal(await valueOf(again, "field-contextWindow"), "32000");
      equal(await valueOf(again, "field-supportsImages"), "no");
      equal(await valueOf(again, "field-healthCheck.expectStatus"), "200, 204");
      equal(await valueOf(again, "field-headers"), "X-Team = Token ${secret:team}");
      equal(await valueOf(again, "field-secrets.team"), "");
    });

    await test("the form with every group open looks right at both widths in three themes, and axe finds nothing", async () => {
      await session.command("View: Close Primary Side Bar").catch(() => page.keyboard.press("Control+B"));
      equal(await inspect(session, "profile-settings"), []);
      await page.setViewportSize({ width: 1200, height: 800 });
      const frame = await session.panel();
      await frame.getByText("Cancel", { exact: true }).click();
    });

    const ofPool = async (group) => {
      const frame = await session.panel();
      await frame.locator("#tab-pools").click();
      const found = frame.locator(`[data-pool="main"] details[data-group="${group}"]`);
      await unfold(found);
      return found;
    };
    await test("each setting of a pool is written as it is changed", async () => {
      const frame = await openTab("pools");
      await type(frame, "cooldown-main", "90");
      await inFile(/cooldown: 90/);
      await type(frame, "maxWait-main", "15");
      await inFile(/maxWait: 15/);
      await choose(frame, "strategy-main", "By weight");
      await inFile(/strategy: weighted/);
      await choose(frame, "revert-main", "at once");
      await inFile(/revert: immediate/);
      await type(await ofPool("shares"), "set-main-tier-one", "2");
      await inFile(/tiers:/);
      await type(frame, "set-main-split-two", "5");
      await inFile(/split:\s+two: 5/);
      await ofPool("strategies");
      for (const [id, text, fits] of [
        ["weights-one", "3", /weights:\s+one: 3/],
        ["latency-window", "120", /window: 120/],
        ["latency-percentile", "90", /percentile: 90/],
        ["latency-exploreEvery", "40", /exploreEvery: 40/],
        ["latency-probeEvery", "3600", /probeEvery: 3600/],
        ["latency-tooSlow", "12.5", /tooSlow: 12\.5/],
        ["maxPrice-input", "7", /maxPrice:\s+input: 7/],
        ["maxPrice-output", "21", /output: 21/],
        ["maxCostPerToken", "0.5", /maxCostPerToken: 0\.5/],
      ]) {
        await type(frame, `set-main-${id}`, text);
        await inFile(fits);
      }
      await named(frame, "set-main-modelRoutes").locator("textarea").fill("gpt-* = one");
      await named(frame, "set-main-modelRoutes").locator("textarea").press("Tab");
      await inFile(/modelRoutes:\s+['"]?gpt-\*['"]?: one/);
      await choose(frame, "set-main-defaultRoute", "Two");
      await inFile(/defaultRoute: two/);
      equal(
        await frame
          .locator(".field vscode-textfield")
          .evaluateAll((all) => all.filter((one) => !one.checkValidity()).map((one) => one.id)),
        [],
        "fields marked as wrong",
      );
      await ofPool("limits");
      for (const [n, key] of LIMITS.entries()) {
        await type(frame, `set-main-limits-${key}`, String(900_000 + n));
        await inFile(new RegExp(`${key}: ${900_000 + n}`));
      }
      for (const [id, text, fits] of [
        ["budget-perDay", "2.5", /budget:\s+perDay: 2\.5/],
        ["budget-perMonth", "60", /perMonth: 60/],
      ]) {
        await type(frame, `set-main-${id}`, text);
        await inFile(fits);
      }
      await ofPool("resort");
      await choose(frame, "set-main-lastResort-profile", "One");
      await inFile(/lastResort:\s+profile: one/);
      await frame.locator("#set-main-lastResort-onError").click();
      await inFile(/onError: false/);
      await frame.locator("#set-main-lastResort-onRateLimit").click();
      const neither = frame.locator('[data-setting="lastResort.profile"] .wrong[role="alert"]');
      await neither.waitFor({ timeout: 30_000 });
      ok(!/onRateLimit: false/.test(written()), "a last resort for nothing is written");
      await frame.locator("#set-main-lastResort-onRateLimit").click();
      await neither.waitFor({ state: "detached", timeout: 30_000 });
      await frame.locator("#set-main-lastResort-onError").click();
      await until("asked because of errors again", () => !/onError: false/.test(written()));
      await frame.locator("#set-main-lastResort-onRateLimit").click();
      await inFile(/onRateLimit: false/);
      await choose(frame, "set-main-lastResort-consent", "never");
      await inFile(/consent: never/);
      await frame.locator("#set-main-safetyNet").click();
      await inFile(/safetyNet: true/);
      await frame.locator("#set-main-policyFallback").click();
      await inFile(/policyFallback: true/);
      const failover = await ofPool("failover");
      await frame.locator("#set-main-failover-sameFirst").click();
      await inFile(/sameFirst: true/);
      await choose(failover, "set-main-cooldownMode", "never shorter than configured");
      await inFile(/cooldownMode: max/);
      await choose(failover, "set-main-onInterrupt", "begin anew");
      await inFile(/onInterrupt: restart/);
      for (const [id, text, fits] of [
        ["failover-maxRetries", "2", /maxRetries: 2/],
        ["maxAttempts", "4", /maxAttempts: 4/],
        ["maxElapsed", "45", /maxElapsed: 45/],
        ["circuitBreaker-failureThreshold", "6", /failureThreshold: 6/],
        ["circuitBreaker-successThreshold", "2", /successThreshold: 2/],
        ["circuitBreaker-timeout", "75", /timeout: 75/],
      ]) {
        await type(frame, `set-main-${id}`, text);
        await inFile(fits);
      }
      await frame.locator("#set-main-failover-enabled").click();
      await inFile(/failover:\s[^]*?enabled: false/);
      await frame.locator("#set-main-failover-enabled").click();
      await until("failover is on again", () => !/enabled: false/.test(written()));
      await frame.locator("#set-main-enabled").click();
      await inFile(/enabled: false/);
      await frame.locator("#set-main-enabled").click();
      await until("all of it is on again", () => !/enabled: false/.test(written()));
      await type(await ofPool("quotas"), "set-main-leaveBelow", "0.1");
      await inFile(/leaveBelow: 0\.1/);
      await type(frame, "set-main-maxSwitchCost", "0.25");
      await inFile(/maxSwitchCost: 0\.25/);
      await frame.locator("#set-main-resetFirst").click();
      await inFile(/resetFirst: true/);
      await type(frame, "set-main-region", "eu");
      await inFile(/profiles: *\[one, two\][^]*region: eu/);
      equal(await valueOf(failover, "set-main-maxElapsed"), "45");
    });

    await test("what cannot be is refused beside its field, and the file stays as it is", async () => {
      const failover = await ofPool("failover");
      const before = written();
      await type(failover, "set-main-failover-retryCodes", "99");
      const wrong = failover.locator('[data-setting="failover.retryCodes"] .wrong[role="alert"]');
      await wrong.waitFor({ timeout: 30_000 });
      equal(written(), before, "the file");
      await type(failover, "set-main-failover-retryCodes", "409");
      await wrong.waitFor({ state: "detached", timeout: 30_000 });
      await inFile(/409/);
    });

    const carried = async () => (await provider.requests()).filter(({ method }) => method === "GET").at(-1);
    await test("each way to prove who asks is set in the form, and the provider is asked in that way", async () => {
      const token = path.join(session.home, "token.txt");
      fs.writeFileSync(token, PRINTED);
      const signer = path.join(session.home, "sign.mjs");
      fs.writeFileSync(
        signer,
        `process.stdin.on("end", () => console.log('{"headers":{"X-Signed":"yes"}}')).resume();`,
      );
      await provider.script({ "*": [answer("Whoever asks.")] });
      const ways = [
        {
          kind: "key-header",
          words: "the key in a header",
          fields: { "auth.name": "X-Team-Key", "auth.prefix": "Token " },
          file: [/name: X-Team-Key/, /prefix: ['"]Token ['"]/],
          sent: ({ headers }) => headers["x-team-key"] === `Token ${KEYS.TWO_KEY}` && !headers.authorization,
        },
        {
          kind: "key-query",
          words: "the key as a query parameter",
          fields: { "auth.name": "team_key" },
          file: [/name: team_key/],
          sent: ({ query, headers }) => query === `team_key=${KEYS.TWO_KEY}` && !headers.authorization,
        },
        {
          kind: "basic",
          words: "user name and password",
          fields: { "auth.username": "ada" },
          file: [/username: ada/],
          sent: ({ headers }) => headers.authorization === `Basic ${btoa(`ada:${KEYS.TWO_KEY}`)}`,
        },
        {
          kind: "token-command",
          words: "a token that a program prints",
          fields: { "auth.command": `cat\n${token}`, "auth.timeout": "8", "auth.lifetime": "120" },
          file: [/timeout: 8/, /lifetime: 120/, /cat\W/],
          sent: ({ headers }) => headers.authorization === `Bearer ${PRINTED}`,
        },
        {
          kind: "oauth-client-credentials",
          words: "OAuth client credentials",
          fields: {
            "auth.tokenUrl": `${between.url}/token`,
            "auth.clientId": "acme",
            "auth.scope": "models.read",
            "auth.audience": "models",
            "secrets.clientSecret": CLIENT,
          },
          choices: { "auth.tokenEndpointAuthMethod": "in the form" },
          file: [/clientId: acme/, /client_secret_post/, /scope: models\.read/, /audience: models/],
          sent: ({ headers }) =>
            headers.authorization === "Bearer canary-granted-66" && between.bodies.at(-1).includes(CLIENT),
        },
        {
          kind: "signature-command",
          words: "a program that signs each request",
          fields: { "auth.command": `${process.execPath}\n${signer}`, "auth.timeout": "8" },
          file: [/sign\.mjs/],
          sent: ({ headers }) => headers["x-signed"] === "yes",
        },
      ];
      for (const { kind, words, fields, choices = {}, file, sent } of ways) {
        let frame = await edit("two");
        await choose(frame, "field-auth.kind", "As usual for the vendor");
        await choose(frame, "field-auth.kind", words);
        for (const [name, text] of Object.entries(fields)) await write(frame, `field-${name}`, text);
        for (const [name, choice] of Object.entries(choices)) await choose(frame, `field-${name}`, choice);
        await provider.forget();
        await saved(frame);
        await inFile(new RegExp(`kind: ${kind}`));
        for (const fits of file) await inFile(fits);
        const asked = await carried();
        ok(asked && sent(asked), `${kind}: asked with ${JSON.stringify(asked)}`);
        frame = await edit("two");
        equal(await valueOf(frame, "field-auth.kind"), kind, "the kind that is shown");
        for (const [name, text] of Object.entries(fields))
          equal(await valueOf(frame, `field-${name}`), name.startsWith("secrets.") ? "" : text, name);
        await frame.getByText("Cancel", { exact: true }).click();
      }
      for (const secret of [PRINTED, CLIENT]) ok(!written().includes(secret), "a secret is in the file");
    });

    await test("a client certificate that is not there is told with its remedy, and nothing is saved", async () => {
      const frame = await edit("two");
      await choose(frame, "field-auth.kind", "As usual for the vendor");
      await choose(frame, "field-auth.kind", "a client certificate");
      await write(frame, "field-auth.certificate", "/nowhere/client.pem");
      await write(frame, "field-auth.certificateKey", "/nowhere/client.key");
      await frame.locator("#save").click();
      const failed = frame.locator(".stages", { hasText: "The connection does not work." });
      await failed.waitFor({ timeout: 30_000 });
      const told = await failed.innerText();
      ok(/\/nowhere\/client\.pem cannot be used[^]*Correct auth\.certificate/.test(told), told);
      await frame.locator("#overrule").waitFor();
      ok(!/kind: mtls/.test(written()), "the certificate is written");
      await choose(frame, "field-auth.kind", "As usual for the vendor");
      await saved(frame);
    });

    await test("requests go through the profile's proxy, with secrets that programs print", async () => {
      let frame = await edit("two");
      await write(frame, "field-proxy", between.url);
      await write(frame, "field-headers", "X-Team = ${secret:team}");
      await write(frame, "field-secretCommands.apiKey.command", `cat\n${path.join(session.home, "token.txt")}`);
      await write(frame, "field-secretCommands.apiKey.timeout", "6");
      await write(frame, "field-secretCommands.apiKey.lifetime", "240");
      await write(frame, "field-secretCommands.team.command", "echo\nred");
      await provider.forget();
      await saved(frame);
      for (const fits of [
        /proxy: http:\/\/127\.0\.0\.1:\d+/,
        /secretCommands:[^]*apiKey:[^]*timeout: 6[^]*lifetime: 240/,
        /team:\s+command:/,
      ])
        await inFile(fits);
      const { headers } = await carried();
      equal([headers.authorization, headers["x-team"]], [`Bearer ${PRINTED}`, "red"]);
      ok(between.passed.at(-1).startsWith(provider.urls.openai), `through the proxy went ${between.passed}`);
      await session.reload();
      frame = await edit("two");
      equal(await valueOf(frame, "field-proxy"), between.url);
      equal(await valueOf(frame, "field-secretCommands.team.command"), "echo\nred");
      equal(await valueOf(frame, "field-secretCommands.apiKey.lifetime"), "240");
      equal(await inspect(session, "authentication", { themes: ["dark"] }), []);
      await page.setViewportSize({ width: 1200, height: 800 });
      await frame.getByText("Cancel", { exact: true }).click();
    });

    await test("after a reload the pool's settings are in the panel as they are in the file", async () => {
      const frame = await openTab("pools");
      for (const group of ["limits", "resort"]) await ofPool(group);
      equal(await valueOf(frame, "set-main-budget-perDay"), "2.5");
      equal(await valueOf(frame, "set-main-budget-perMonth"), "60");
      equal(await valueOf(frame, "set-main-lastResort-profile"), "one");
      equal(await valueOf(frame, "set-main-lastResort-consent"), "never");
      const isOn = (id) => frame.locator(`#set-main-${id}`).evaluate((box) => box.checked);
      equal([await isOn("lastResort-onError"), await isOn("lastResort-onRateLimit")], [true, false]);
    });

    await test("what holds for all is set by keyboard, with a tag's budget", async () => {
      const frame = await openTab("limits");
      await frame.locator("#tab-limits").focus();
      await page.keyboard.press("ArrowRight");
      await named(frame, "general-retriesPerMinute").waitFor({ timeout: 30_000 });
      equal(await frame.evaluate(() => document.activeElement?.id), "tab-general");
      await choose(frame, "general-pool", "“default”, else the first");
      await until("no pool for requests that name none", () => !/\n {2}pool: main/.test(written()));
      await choose(frame, "general-pool", "main");
      await inFile(/\n {2}pool: main/);
      equal(await valueOf(frame, "general-pool"), "main");
      await type(frame, "general-retriesPerMinute", "5");
      await inFile(/retriesPerMinute: 5\b/);
      await choose(frame, "general-cooldownMode", "exactly as configured");
      await inFile(/cooldownMode: fixed/);
      for (const [id, text, fits] of [
        ["maxWait", "50", /maxWait: 50/],
        ["cooldown", "33", /cooldown: 33/],
        ["keyDays", "200", /keyDays: 200/],
        ["alerts-errorRate", "0.4", /errorRate: 0\.4/],
        ["alerts-firstToken", "9", /firstToken: 9\b/],
        ["alerts-window", "600", /window: 600/],
        ["alerts-attempts", "12", /attempts: 12/],
      ]) {
        await type(frame, `general-${id}`, text);
        await inFile(fits);
      }
      await frame.locator("#new-tag input").fill("team-a");
      await frame.locator("#new-tag input").press("Enter");
      await until("the focus in the new budget", () =>
        frame.evaluate(() => document.activeElement?.id === "general-budgets-team-a-perDay"),
      );
      await type(frame, "general-budgets-team-a-perDay", "2.5");
      await inFile(/team-a:\s+perDay: 2\.5/);
      await type(frame, "general-ledgerDays", "0");
      await frame.locator('[data-setting="ledgerDays"] .wrong[role="alert"]').waitFor({ timeout: 30_000 });
      await type(frame, "general-ledgerDays", "30");
      await inFile(/ledgerDays: 30/);
      equal(await inspect(session, "general"), []);
      await page.setViewportSize({ width: 1200, height: 800 });
    });

    await test("a LiteLLM configuration is chosen as a file, looked at before anything is written, imported and undone", async () => {
      const file = path.join(session.home, "litellm.yaml");
      fs.writeFileSync(file, LITELLM(provider.urls.openai));
      const before = written();
      await session.command("rooroute: Import Configuration…");
      const frame = await session.panel();
      await frame.locator("#import-file").click();
      const dialog = page.locator(".quick-input-widget input").first();
      await until("the dialog to show a folder", async () =>
        (await dialog.inputValue({ timeout: 1000 })).endsWith("/"),
      );
      await session.answer(file);
      await until("the file's text", async () => /scripted-model/.test(await valueOf(frame, "import-text")));
      await frame.locator("#import-preview").click();
      const account = frame.locator("#import-account");
      await account.waitFor({ timeout: 60_000 });
      const told = await account.innerText();
      for (const fits of [
        /nothing is written yet/,
        /LiteLLM/,
        /Profile \S+, new/,
        /colour/,
        /Not taken, and why \([1-9]/,
        /api_key/,
      ])
        ok(fits.test(told), `${fits} is not in\n${told}`);
      equal(written(), before, "the file");
      equal(await inspect(session, "import"), []);
      await page.setViewportSize({ width: 1200, height: 800 });
      await frame.locator("#import-approve").click();
      await until("the account again", async () => (await frame.locator("#import-apply").count()) === 1);
      await frame.locator("#import-apply").click();
      await until("it is imported", async () => /^Imported/.test(await account.innerText()), 60);
      await inFile(/brought|scripted-model-?/);
      ok(written() !== before, "nothing was imported");
      ok(!written().includes(IMPORTED), "an imported key is in the file");
      await frame.locator("#tab-profiles").click();
      await until("three profiles", async () => /\(3\)/.test(await frame.locator("#tab-profiles").innerText()));
      await frame.locator("#undo").click();
      await until("two profiles", async () => /\(2\)/.test(await frame.locator("#tab-profiles").innerText()));
      await until("the file as before", () => written() === before);
    });

    await test("a text that is no configuration is refused beside it", async () => {
      const frame = await openTab("moving");
      await frame.locator("#import-text textarea").fill("model_list: [");
      await frame.locator("#import-preview").click();
      await frame.locator('#import-text ~ .wrong[role="alert"]').waitFor({ timeout: 30_000 });
      await frame.locator("#import-text textarea").fill("");
    });

    await test("the configuration is exported into a new document, without a key", async () => {
      const frame = await openTab("moving");
      await frame.locator("#export").click();
      const text = await documentText("retriesPerMinute");
      for (const words of ["id: one", "team-a", "main"]) ok(text.includes(words), `“${words}” is not in\n${text}`);
      for (const secret of [...Object.values(KEYS), TEAM, IMPORTED, PRINTED, CLIENT])
        ok(!text.includes(secret), "a key is in it");
      await session.closeEditors();
      await session.command("rooroute: Export Configuration");
      await documentText("retriesPerMinute");
      await session.closeEditors();
    });

    await test("a former configuration is put back after a yes, and that is undone", async () => {
      await session.command("rooroute: Show Configuration History");
      const frame = await session.panel();
      const entries = frame.locator("#history > li");
      await until("the history", async () => (await entries.count()) > 5, 60);
      ok(/as it is now/.test(await entries.first().innerText()), "the first entry is not the current one");
      const entry = entries.filter({ hasText: "retriesPerMinute" }).last();
      ok(/retriesPerMinute/.test(await entry.innerText()), "no entry tells of the retries");
      const before = written();
      await entry.getByText("Put back…", { exact: true }).click();
      const dialog = frame.locator('[role="alertdialog"]');
      await dialog.waitFor({ timeout: 30_000 });
      ok(/ledgerDays/.test(await dialog.innerText()), await dialog.innerText());
      equal(written(), before, "the file before the yes");
      equal(await inspect(session, "history"), []);
      await page.setViewportSize({ width: 1200, height: 800 });
      await frame.locator("#put-back").click();
      await until("the former text", () => !/ledgerDays/.test(written()), 30);
      await frame.locator("#undo").click();
      await until("the file as before", () => written() === before);
    });

    await test("a backup is put back as a whole, after what it changes was shown", async () => {
      const frame = await openTab("moving");
      const before = written();
      await frame.locator("#backup").click();
      const backup = await documentText("retriesPerMinute: 5");
      await session.closeEditors();
      const panel = await openTab("general");
      await type(panel, "general-retriesPerMinute", "7");
      await inFile(/retriesPerMinute: 7/);
      await panel.locator("#tab-moving").click();
      await panel.locator("#import-text textarea").fill(backup);
      await panel.locator("#restore-preview").click();
      const dialog = panel.locator('[role="alertdialog"]');
      await dialog.waitFor({ timeout: 30_000 });
      ok(/retriesPerMinute/.test(await dialog.innerText()), await dialog.innerText());
      await panel.locator("#restore-apply").click();
      await until("the file as backed up", () => written() === before);
    });
  } finally {
    provider.stop();
    between.stop();
    await session.close();
  }
  return suite;
}
