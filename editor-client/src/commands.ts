/** The commands of the palette. Each says in a sentence what came of it, with the next step as a button. */
import * as vscode from "vscode";
import { ask } from "./ask";
import type { Backend } from "./backend";
import { type Completions, lastRequest } from "./complete";
import { installBackend } from "./install";
import { activeWords } from "./left";
import { type SettingsPanel, showDocument } from "./panel";
import type { ErrorData, ProfileStatus } from "./protocol";
import { defaultPool, membersOf, secondsLeft, type Snapshot } from "./status";
import { ago, countdown, plain } from "./words";
import { whyDocument } from "./why";

interface Surroundings {
  context: vscode.ExtensionContext;
  backend: Backend;
  completions: Completions;
  panel: SettingsPanel;
}

export function stateWords(profile: ProfileStatus, snapshot: Snapshot, now: number): string {
  switch (profile.state) {
    case "active":
      return plain(activeWords(profile, snapshot, now));
    case "cooldown":
      return `Cooldown ${countdown(secondsLeft(profile, snapshot, now))}`;
    case "failed":
      return `Failed: ${plain(profile.reason ?? "for a reason nobody told")}`;
    case "disabled":
      return "Disabled";
  }
}

async function current(backend: Backend): Promise<Snapshot> {
  if (!backend.status) await backend.refresh();
  return backend.status!;
}

async function pick(
  backend: Backend,
  title: string,
  fits: (profile: ProfileStatus) => boolean,
  none: string,
): Promise<ProfileStatus | undefined> {
  const snapshot = await current(backend);
  const items = snapshot.profiles.filter(fits).map((profile) => ({
    label: plain(profile.name),
    description: [plain(profile.provider), profile.model && plain(profile.model)].filter(Boolean).join(" · "),
    detail: stateWords(profile, snapshot, Date.now()),
    profile,
  }));
  if (items.length === 0) {
    void vscode.window.showInformationMessage(none);
    return undefined;
  }
  return (await vscode.window.showQuickPick(items, { title, matchOnDescription: true, matchOnDetail: true }))?.profile;
}

async function rotate({ backend }: Surroundings, to?: string): Promise<void> {
  const moved = await backend.request("rotate", to ? { to } : {});
  const name = (id: string) => plain(backend.status?.profiles.find((profile) => profile.id === id)?.name ?? id);
  const from = moved.from && moved.from !== moved.to ? ` instead of ${name(moved.from)}` : "";
  void vscode.window.showInformationMessage(`The next request goes to ${name(moved.to)}${from}.`);
}

async function switchTo(around: Surroundings): Promise<void> {
  const snapshot = await current(around.backend);
  const pool = defaultPool(snapshot);
  const members = new Set(pool ? membersOf(pool, snapshot).map((profile) => profile.id) : []);
  const profile = await pick(
    around.backend,
    "Switch to which profile?",
    (one) => members.has(one.id),
    "No profile is in this pool yet; add one in the settings.",
  );
  if (profile) await rotate(around, profile.id);
}

async function test({ backend, panel }: Surroundings): Promise<void> {
  const profile = await pick(
    backend,
    "Test which profile's connection?",
    () => true,
    "No profile is saved yet; add the first one.",
  );
  if (!profile) return;
  const options = {
    location: vscode.ProgressLocation.Notification,
    title: `Testing ${plain(profile.name)}`,
    cancellable: true,
  };
  const result = await vscode.window.withProgress(options, (_, token) =>
    backend.request("profiles/test", { id: profile.id, level: "auth" }, token),
  );
  if (result.ok) {
    const total = Math.round(result.stages.reduce((sum, stage) => sum + stage.durationMs, 0));
    void vscode.window.showInformationMessage(
      `${plain(profile.name)} answers: ${result.stages.map((stage) => stage.name).join(", ")} in ${total} ms.`,
    );
    return;
  }
  const broken = result.stages.find((stage) => !stage.ok);
  const why = [broken?.detail, broken?.remedy].filter(Boolean).join(" ");
  const button = await vscode.window.showWarningMessage(
    `${plain(profile.name)} does not answer at the stage “${broken?.name ?? "start"}”: ${plain(why)}`,
    "Edit Profile",
  );
  if (button) panel.open({ view: "profile", id: profile.id });
}

async function reset({ backend }: Surroundings): Promise<void> {
  const marked = (profile: ProfileStatus) => profile.state === "cooldown" || profile.state === "failed";
  const profile = await pick(
    backend,
    "Reset which profile?",
    marked,
    "No profile is resting or failed; nothing needs a reset.",
  );
  if (!profile) return;
  await backend.request("profiles/reset", { id: profile.id });
  void vscode.window.showInformationMessage(`${plain(profile.name)} can be asked again.`);
}

async function toggle({ backend }: Surroundings): Promise<void> {
  const profile = await pick(
    backend,
    "Enable or disable which profile?",
    () => true,
    "No profile is saved yet; add the first one.",
  );
  if (!profile) return;
  const enabled = profile.state === "disabled";
  await backend.request("profiles/setEnabled", { id: profile.id, enabled });
  void vscode.window.showInformationMessage(`${plain(profile.name)} is ${enabled ? "enabled" : "disabled"}.`);
}

async function showStatus({ backend, panel }: Surroundings): Promise<void> {
  const snapshot = await current(backend);
  const now = Date.now();
  const pool = defaultPool(snapshot);
  const items = snapshot.profiles.map((profile) => ({
    label: `${profile.id === pool?.current ? "$(arrow-right) " : ""}${plain(profile.name)}`,
    description: stateWords(profile, snapshot, now),
    detail: [
      profile.provider,
      profile.model,
      `used ${ago(profile.lastUsed, now + snapshot.clockOffset)}`,
      profile.remedy,
    ]
      .filter(Boolean)
      .map((text) => plain(text!))
      .join(" · "),
    profile,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    title: "rooroute",
    placeHolder: items.length ? "Choose a profile to see all of it" : "No profile is saved yet",
  });
  if (chosen) panel.open({ view: "profile", id: chosen.profile.id });
}

async function explain({ backend }: Surroundings, request?: string): Promise<void> {
  const requestId = request ?? lastRequest() ?? "latest";
  const [why, snapshot] = [await backend.request("why", { requestId }), await current(backend)];
  const document = await vscode.workspace.openTextDocument({
    language: "markdown",
    content: whyDocument(why, snapshot),
  });
  await vscode.window.showTextDocument(document, { preview: true });
}

/** The configuration without secrets, in a new document. */
async function takeOut({ backend }: Surroundings): Promise<void> {
  const { text, leftOut } = await backend.request("export", {});
  await showDocument(text, "yaml");
  if (leftOut.length) void vscode.window.showInformationMessage(plain(leftOut.join(" ")));
}

async function openConfig({ backend }: Surroundings): Promise<void> {
  const { configPath } = await current(backend);
  if (!configPath)
    throw new Error("The server did not say where the configuration file lies; `rooroute doctor` names it.");
  const uri = vscode.Uri.file(configPath);
  const there = await vscode.workspace.fs.stat(uri).then(
    () => true,
    () => false,
  );
  if (there) return void (await vscode.window.showTextDocument(uri));
  const button = await vscode.window.showInformationMessage(
    `There is no configuration file yet; saving the first profile writes ${configPath}.`,
    "Add Profile…",
  );
  if (button) await vscode.commands.executeCommand("rooroute.add");
}

/** What went wrong, in the backend's own sentence, with the button that helps most. */
async function tell(error: unknown, { backend }: Surroundings): Promise<void> {
  if (error instanceof vscode.CancellationError || (error as { code?: number }).code === -32800) return;
  const { message, data } = error as { message?: string; data?: ErrorData };
  const failed = data?.profiles?.find((profile) => profile.state === "failed");
  const buttons = failed
    ? ["Edit Profile", "Open Settings"]
    : data?.kind === "noProfiles"
      ? ["Add Profile…"]
      : ["Show Log"];
  backend.log.error(message ?? String(error));
  const button = await vscode.window.showErrorMessage(plain(message ?? String(error)), ...buttons);
  if (button === "Edit Profile" && failed) await vscode.commands.executeCommand("rooroute.profile", failed.id);
  else if (button === "Open Settings") await vscode.commands.executeCommand("rooroute.settings");
  else if (button === "Add Profile…") await vscode.commands.executeCommand("rooroute.add");
  else if (button === "Show Log") backend.log.show();
}

async function install(around: Surroundings): Promise<void> {
  if (await installBackend(around.context, around.backend.log)) await around.backend.restart();
}

export function registerCommands(around: Surroundings): vscode.Disposable[] {
  const { backend, panel } = around;
  const commands: Record<string, (argument?: unknown) => unknown> = {
    "rooroute.rotate": () => rotate(around),
    "rooroute.switch": () => switchTo(around),
    "rooroute.add": () => panel.open({ view: "wizard" }),
    "rooroute.test": () => test(around),
    "rooroute.reset": () => reset(around),
    "rooroute.toggle": () => toggle(around),
    "rooroute.status": () => showStatus(around),
    "rooroute.explain": (id) => explain(around, typeof id === "string" ? id : undefined),
    "rooroute.ask": () => ask(backend, around.completions),
    "rooroute.settings": () => panel.open(),
    "rooroute.config": () => openConfig(around),
    "rooroute.import": () => panel.open({ view: "moving" }),
    "rooroute.export": () => takeOut(around),
    "rooroute.history": () => panel.open({ view: "moving" }),
    "rooroute.log": () => backend.log.show(),
    "rooroute.restart": () => backend.restart(),
    // Not in the palette: what buttons, links and the panel call.
    "rooroute.profile": (id) => panel.open({ view: "profile", id: String(id) }),
    "rooroute.install": () => install(around),
    // The backend starts again with the editor's store, since the setting has changed.
    "rooroute.keepKeysInEditor": () =>
      vscode.workspace.getConfiguration("rooroute").update("secretStore", "editor", vscode.ConfigurationTarget.Global),
    "rooroute.wait.retryNow": (id) => backend.request("requests/retryNow", { requestId: String(id) }),
    "rooroute.wait.skip": (id) => backend.request("requests/skip", { requestId: String(id) }),
  };
  return Object.entries(commands).map(([id, run]) =>
    vscode.commands.registerCommand(id, async (argument?: unknown) => {
      try {
        await run(argument);
      } catch (error) {
        await tell(error, around);
      }
    }),
  );
}
