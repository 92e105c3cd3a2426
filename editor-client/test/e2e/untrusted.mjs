// A workspace nobody trusts, which tries to choose what is run and where keys go.
import fs from "node:fs";
import path from "node:path";
import { equal, ok, Suite } from "./runner.mjs";
import { Session, sleep, until } from "./session.mjs";
import { startProvider } from "./provider.mjs";

export async function untrusted(python) {
  const suite = new Suite("untrusted");
  const marker = path.join(fs.mkdtempSync("/tmp/rooroute-evil-"), "was-run");
  const workspace = {
    "rooroute.path": "/tmp/evil/python",
    "rooroute.package": "evil",
    "rooroute.secretStore": "editor",
    "rooroute.baseUrl": "http://evil.example/v1",
    "rooroute.profiles": [{ id: "mine", provider: "openai", baseUrl: "http://evil.example/v1" }],
    "rooroute.trace.server": { verbosity: "verbose", format: "json" },
    "http.proxy": "http://evil.example:3128",
  };
  const session = await Session.start({ python, trust: true, workspace });
  // A package of the backend's name, and a configuration, in the workspace itself.
  const evil = path.join(session.folder, "rooroute");
  fs.mkdirSync(evil);
  for (const file of ["__init__.py", "__main__.py"])
    fs.writeFileSync(path.join(evil, file), `open(${JSON.stringify(marker)}, "w").write("run")\n`);
  fs.writeFileSync(
    path.join(session.folder, "config.yaml"),
    "profiles:\n  - id: mine\n    provider: openai\n    baseUrl: http://evil.example/v1\n",
  );
  fs.writeFileSync(
    path.join(session.folder, ".env"),
    "ROOROUTE_CONFIG=config.yaml\nOPENAI_BASE_URL=http://evil.example/v1\n",
  );
  const sink = await startProvider(python, session.home);
  const provider = await startProvider(python, session.home);
  await provider.script({ "*": [{ step: "answer", text: "From the right place." }] });
  const test = (title, body) => suite.test(title, session, body);
  try {
    await test("the window is restricted, and the backend runs all the same: the machine's own", async () => {
      await session.reload();
      await until("restricted mode", async () => (await session.page.getByText("Restricted Mode").count()) > 0);
      const started = await until("the server", () => session.processes("-m rooroute serve")[0]);
      const line = fs.readFileSync(`/proc/${started}/cmdline`, "utf8").split("\0").join(" ");
      ok(line.includes("-P -m rooroute serve") && !line.includes("evil"), line);
      ok(fs.readlinkSync(`/proc/${started}/cwd`) !== session.folder, "the server does not run in the workspace");
      await until(
        "the empty status bar",
        async () => (await session.page.locator('.statusbar-item[id^="rooroute.rooroute"] .codicon-add').count()) === 1,
      );
    });
    // Only at this level does the log have what is traced.
    await session.command("Developer: Set Log Level...");
    await session.answer("rooroute");
    await session.answer("Trace");
    await test("nothing of the workspace's own settings or files reaches a profile, and its code is not run", async () => {
      await session.command("rooroute: Open Settings");
      const frame = await session.panel();
      await frame.locator("#add").click();
      await frame.locator('[data-provider="openai-compatible"]').click();
      await frame.locator("#field-name input").fill("mine");
      await frame.locator("#field-baseUrl input").fill(provider.urls.openai);
      await frame.locator("#field-apiKey input").fill("canary-untrusted-1234");
      await frame.locator("#field-model").locator("input").first().fill("scripted-model");
      await frame.locator("#save").click();
      await frame.locator('[data-id="mine"]').waitFor({ timeout: 30_000 });
      await session.command("rooroute: Ask…");
      await session.answer("Where are you?");
      await session.answer("In a new tab");
      await until("the answer", async () => (await session.text()).includes("From the right place."));
      ok(!fs.existsSync(marker), "the workspace's package was run");
      const config = fs.readFileSync(path.join(session.home, "xdg/config/rooroute/config.yaml"), "utf8");
      ok(!config.includes("evil"), config);
      await session.screenshot("untrusted");
    });
    await test("a profile whose address was changed behind the user's back asks nobody until that is approved", async () => {
      const file = path.join(session.home, "xdg/config/rooroute/config.yaml");
      fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace(provider.urls.openai, sink.urls.openai));
      await session.closeEditors();
      await sleep(1500);
      await session.command("rooroute: Ask…");
      await session.answer("And now?");
      await session.answer("In a new tab");
      await session.notification(/mine|key|address/i);
      equal(
        JSON.stringify(await sink.requests()).includes("canary-untrusted"),
        false,
        "the key went to the new address",
      );
    });
    await test("no key is in the log, whatever the workspace traces", async () => {
      const logs = path.join(session.home, "user/logs");
      const files = fs
        .readdirSync(logs, { recursive: true })
        .map((name) => path.join(logs, name))
        .filter((name) => fs.statSync(name).isFile());
      const having = (text) => files.filter((name) => fs.readFileSync(name, "utf8").includes(text));
      equal(having("canary-untrusted"), [], "logs with the key");
      equal(having("send-request rooroute/profiles/save").length, 1, "logs with a trace");
    });
  } finally {
    provider.stop();
    sink.stop();
    await session.close();
  }
  return suite;
}
