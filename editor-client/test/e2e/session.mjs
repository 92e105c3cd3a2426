// One running workbench with its own home, driven through a browser as a person would.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { browser, CACHE, CLIENT, install } from "./workbench.mjs";

export const ARTEFACTS = path.join(CLIENT, "artefacts");
const onPath = (name) =>
  (process.env.PATH ?? "").split(path.delimiter).some((dir) => fs.existsSync(path.join(dir, name)));
export const hasKeyring = onPath("gnome-keyring-daemon") && onPath("dbus-run-session");
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `look` gives something truthy, and says what it waited for when that never comes. */
export async function until(what, look, seconds = 30) {
  let last;
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(150)) {
    try {
      last = await look();
      if (last) return last;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(
    `${what}: not within ${seconds} s${last instanceof Error ? ` (${last.message.split("\n")[0]})` : ""}`,
  );
}

const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export class Session {
  /**
   * @param {{python?: string, command?: string, trust?: boolean, env?: object, settings?: object, extensions?: string[], workspace?: object, folder?: boolean}} options
   * python: interpreter with the backend; command: an executable instead; workspace: the folder's own .vscode/settings.json
   */
  static async start(options) {
    const session = new Session();
    await session.#launch(options);
    return session;
  }

  async #launch({
    python,
    command,
    trust = false,
    env = {},
    settings = {},
    extensions = [],
    workspace,
    folder = true,
    keyring = hasKeyring,
    machine = {},
  }) {
    const place = install();
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), "rooroute-e2e-"));
    const dir = (...names) => {
      const made = path.join(this.home, ...names);
      fs.mkdirSync(made, { recursive: true, mode: 0o700 });
      return made;
    };
    this.folder = dir("work");
    if (workspace) fs.writeFileSync(path.join(dir("work", ".vscode"), "settings.json"), JSON.stringify(workspace));
    fs.writeFileSync(path.join(this.folder, "notes.md"), "# Notes\n");
    const backend = python ?? command;
    this.machineSettings = path.join(dir("user", "Machine"), "settings.json");
    this.machine = machine;
    this.runs(backend);
    this.userSettings = path.join(dir("user", "User"), "settings.json");
    this.base = {
      "workbench.startupEditor": "none",
      "workbench.secondarySideBar.defaultVisibility": "hidden",
      "workbench.colorTheme": "Dark Modern",
      "window.autoDetectColorScheme": false,
      "window.autoDetectHighContrast": false,
      "security.workspace.trust.startupPrompt": "never",
      "telemetry.telemetryLevel": "off",
      "update.mode": "none",
      "extensions.autoCheckUpdates": false,
      "extensions.autoUpdate": false,
      "extensions.ignoreRecommendations": true,
      "editor.accessibilitySupport": "off",
      ...settings,
    };
    this.configure({});
    const flags = [
      "--user-data-dir",
      dir("user"),
      "--extensions-dir",
      dir("extensions"),
      "--config",
      path.join(this.home, "config.yaml"),
    ];
    const surroundings = {
      ...process.env,
      ...env,
      HOME: dir("home"),
      XDG_CONFIG_HOME: dir("xdg", "config"),
      XDG_STATE_HOME: dir("xdg", "state"),
      XDG_DATA_HOME: dir("xdg", "data"),
      XDG_CACHE_HOME: dir("xdg", "cache"),
      XDG_RUNTIME_DIR: dir("xdg", "run"),
      // No gallery of extensions: nothing leaves the machine.
      EXTENSIONS_GALLERY: JSON.stringify({
        serviceUrl: "http://127.0.0.1:9/",
        itemUrl: "http://127.0.0.1:9/",
        resourceUrlTemplate: "http://127.0.0.1:9/",
      }),
      PATH: `${path.join(CACHE, "bin")}:${process.env.PATH}`,
    };
    for (const gone of ["VSCODE_IPC_HOOK_CLI", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY"])
      delete surroundings[gone];
    for (const extension of [path.join(CLIENT, "rooroute.vsix"), ...extensions]) {
      const done = spawnSync(place.node, [place.entry, ...flags, "--install-extension", extension], {
        env: surroundings,
        encoding: "utf8",
        timeout: 120_000,
      });
      if (done.status !== 0) throw new Error(`${extension} could not be installed: ${done.stderr || done.stdout}`);
    }
    this.port = await freePort();
    const serve = [
      place.entry,
      ...flags,
      "--bind-addr",
      `127.0.0.1:${this.port}`,
      "--auth",
      "none",
      "--disable-telemetry",
      "--disable-update-check",
    ];
    serve.push(
      "--disable-getting-started-override",
      "--reconnection-grace-time",
      "5",
      ...(trust ? [] : ["--disable-workspace-trust"]),
    );
    if (folder) serve.push(this.folder);
    this.log = path.join(this.home, "server.log");
    const out = fs.openSync(this.log, "a");
    // The unlock text needs at least one byte: with none no collection is made and every call fails.
    const unlock = 'printf "\\n" | gnome-keyring-daemon --unlock --components=secrets >/dev/null; exec "$@"';
    const [program, args] = keyring
      ? ["dbus-run-session", ["--", "bash", "-c", unlock, "keyring", place.node, ...serve]]
      : [place.node, serve];
    this.server = spawn(program, args, { env: surroundings, stdio: ["ignore", out, out], detached: true });
    fs.closeSync(out);
    await until("the workbench answers", async () => (await fetch(`http://127.0.0.1:${this.port}/healthz`)).ok, 60);
    const { chromium } = await import(pathToFileURL(path.join(place.modules, "playwright-core", "index.mjs")).href);
    this.context = await chromium.launchPersistentContext(dir("browser"), {
      executablePath: browser(),
      headless: true,
      viewport: { width: 1200, height: 800 },
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
      permissions: ["clipboard-read", "clipboard-write"],
    });
    this.page = this.context.pages()[0] ?? (await this.context.newPage());
    this.errors = [];
    this.page.on("console", (message) => message.type() === "error" && this.errors.push(message.text()));
    // Nothing leaves the machine: the workbench asks for an extension gallery, which is not needed.
    await this.context.route(
      (url) => url.protocol.startsWith("http") && url.hostname !== "127.0.0.1" && !url.hostname.endsWith(".localhost"),
      (route) => route.abort(),
    );
    await this.open();
  }

  async open() {
    await this.page.goto(`http://127.0.0.1:${this.port}/`);
    await this.page.waitForSelector(".monaco-workbench .statusbar-item", { timeout: 90_000 });
  }

  async reload() {
    await this.page.reload();
    await this.page.waitForSelector(".monaco-workbench .statusbar-item", { timeout: 90_000 });
  }

  /** Which backend runs: an interpreter or an executable. The workbench watches the file. */
  runs(backend, more = {}) {
    const settings = { ...this.machine, ...more, ...(backend ? { "rooroute.path": backend } : {}) };
    fs.writeFileSync(this.machineSettings, JSON.stringify(settings));
  }

  /** User settings are watched by the workbench. */
  configure(more) {
    this.base = { ...this.base, ...more };
    fs.writeFileSync(this.userSettings, JSON.stringify(this.base, null, 1));
  }

  /** Runs a command by its title. An open palette does not grow when an extension registers commands: it is opened again until it has it. */
  async command(title, seconds = 45) {
    const input = this.page.locator(".quick-input-widget input").first();
    const row = this.page.locator(".quick-input-list .monaco-list-row.focused");
    for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
      // Whatever takes the focus closes the palette: then it is opened again.
      await this.page.keyboard.press("F1");
      const found = await input
        .fill(`>${title}`, { timeout: 3000 })
        .then(() =>
          until(
            "the command",
            async () => ((await row.getAttribute("aria-label", { timeout: 500 })) ?? "").startsWith(title),
            3,
          ),
        )
        .catch(() => false);
      if (found) return this.page.keyboard.press("Enter");
      await this.page.keyboard.press("Escape");
    }
    throw new Error(`no command “${title}” in the palette`);
  }

  /** Closes every editor and throws away what is not saved. */
  async closeEditors() {
    const tabs = this.page.locator(".tab");
    const discard = this.page.locator(".monaco-dialog-box").getByText("Don't Save", { exact: true });
    const closed = async () => {
      if (await discard.count()) await discard.first().click({ timeout: 1000 });
      return (await tabs.count()) === 0;
    };
    for (let round = 0; round < 4; round++) {
      await this.command("View: Close All Editors");
      if (await until("all editors are closed", closed, 6).catch(() => false)) return;
    }
    throw new Error("the editors stay open");
  }

  /** Types into the quick input that is open and accepts it. */
  async answer(text) {
    const input = this.page.locator(".quick-input-widget input").first();
    await input.waitFor({ state: "visible", timeout: 20_000 });
    if (text !== undefined) await input.fill(text);
    await sleep(400);
    await this.page.keyboard.press("Enter");
  }

  /** Opens a file of the folder by its name. */
  async openFile(name) {
    await this.page.keyboard.press("Control+P");
    const input = this.page.locator(".quick-input-widget input").first();
    await input.waitFor({ state: "visible", timeout: 10_000 });
    await input.fill(name);
    await this.page
      .locator(".quick-input-list .monaco-list-row.focused", { hasText: name })
      .waitFor({ timeout: 20_000 });
    await this.page.keyboard.press("Enter");
    await this.page.locator(".tab.active", { hasText: name }).waitFor({ timeout: 20_000 });
    await this.page.locator(".editor-group-container.active .monaco-editor").first().click();
  }

  /** The whole text of the editor in front, by way of the clipboard. */
  async text() {
    await this.page
      .locator(".editor-group-container.active .monaco-editor .view-lines")
      .first()
      .click({ timeout: 3000 });
    await this.page.keyboard.press("Control+A");
    await this.page.keyboard.press("Control+C");
    await sleep(100);
    return this.page.evaluate(() => navigator.clipboard.readText());
  }

  async statusText() {
    const item = this.page.locator('.statusbar-item[id^="rooroute.rooroute"]').first();
    return ((await item.textContent({ timeout: 2000 })) ?? "").replace(/\s+/g, " ").trim();
  }

  statusBar(fits, what = `the status bar shows ${fits}`, seconds = 45) {
    return until(
      what,
      async () =>
        fits instanceof RegExp ? fits.test(await this.statusText()) : (await this.statusText()).includes(fits),
      seconds,
    ).catch(async (error) => {
      throw new Error(`${error.message}; it shows “${await this.statusText().catch(() => "nothing")}”`);
    });
  }

  notification(fits, seconds = 45) {
    const toasts = this.page.locator(".notification-toast .notification-list-item");
    return until(
      `a notification like ${fits}`,
      async () => {
        for (const toast of await toasts.all()) {
          const text = (await toast.innerText({ timeout: 500 }).catch(() => "")).replace(/\s+/g, " ");
          if (fits instanceof RegExp ? fits.test(text) : text.includes(fits)) return toast;
        }
        return undefined;
      },
      seconds,
    );
  }

  async clearNotifications() {
    await this.command("Notifications: Clear All Notifications");
    await sleep(300);
  }

  /** The panel's own document, inside its two frames. */
  async panel(seconds = 45) {
    return until(
      "the settings panel",
      async () => {
        for (const frame of this.page.frames())
          if (
            await frame
              .locator("main#panel")
              .count()
              .catch(() => 0)
          )
            return frame;
        return undefined;
      },
      seconds,
    );
  }

  /** What the window says is wrong: its notifications, and the panel's alerts. */
  async complaints() {
    const places = [[this.page, ".notification-list-item-message"]];
    for (const frame of this.page.frames())
      places.push([frame, 'main#panel [role="alert"], main#panel [role="alertdialog"]']);
    const texts = await Promise.all(places.map(([where, what]) => where.locator(what).allInnerTexts()));
    return texts.flat().map((text) => text.replace(/\s+/g, " ").trim());
  }

  async screenshot(name) {
    fs.mkdirSync(ARTEFACTS, { recursive: true });
    const file = path.join(ARTEFACTS, `${name}.png`);
    await this.page.screenshot({ path: file });
    return file;
  }

  /** Processes below this session whose command line has all of these words. */
  processes(...words) {
    const group = this.server.pid;
    return fs
      .readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          const line = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ");
          const home = fs.readFileSync(`/proc/${pid}/environ`, "utf8").includes(this.home);
          return words.every((word) => line.includes(word)) && home && Number(pid) !== group ? [Number(pid)] : [];
        } catch {
          // Gone meanwhile, or a process that does not let anybody look at its environment: then its parent tells whose it is.
          return this.#ours(pid) && words.every((word) => commandLine(pid).includes(word)) ? [Number(pid)] : [];
        }
      });
  }

  #ours(pid) {
    for (let at = pid; at && at !== "1"; at = parentOf(at)) if (Number(at) === this.server.pid) return true;
    return false;
  }

  async close() {
    await this.context?.close().catch(() => undefined);
    const signal = (name) => {
      try {
        return process.kill(-this.server.pid, name);
      } catch {
        return false; // all of the group are gone
      }
    };
    signal("SIGTERM");
    await until("the workbench and all that it started end", () => !signal(0), 10).catch(() => signal("SIGKILL"));
    fs.rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

function parentOf(pid) {
  try {
    return /\) \S (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
  } catch {
    return undefined;
  }
}

function commandLine(pid) {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").join(" ");
  } catch {
    return "";
  }
}
