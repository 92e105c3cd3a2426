/** Puts the parts together. Nothing here waits: the backend starts after the window is open, and everything else follows its state. */
import * as vscode from "vscode";
import { Backend } from "./backend";
import { registerCommands } from "./commands";
import { Completions } from "./complete";
import { PoolModels } from "./model";
import { SettingsPanel } from "./panel";
import { StatusBar } from "./statusbar";
import { plain } from "./words";

let backend: Backend | undefined;

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("rooroute", { log: true });
  backend = new Backend(context, log);
  const completions = new Completions(backend);
  const panel = new SettingsPanel(context.extensionUri, backend);
  context.subscriptions.push(
    log,
    backend,
    panel,
    new StatusBar(backend),
    ...registerCommands({ context, backend, completions, panel }),
  );
  // An editor of a vendor that left language models out still has everything else.
  if (typeof vscode.lm?.registerLanguageModelChatProvider === "function") {
    const models = new PoolModels(backend, completions);
    context.subscriptions.push(models, vscode.lm.registerLanguageModelChatProvider("rooroute", models));
  }
  context.subscriptions.push(
    backend.onDidChangeState((state) => void offerHelp(state)),
    backend.onDidChangeStatus((snapshot) => {
      void vscode.commands.executeCommand("setContext", "rooroute.hasProfile", snapshot.profiles.length > 0);
      void vscode.commands.executeCommand("setContext", "rooroute.hasPool", snapshot.profiles.length > 1);
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("rooroute.path") || event.affectsConfiguration("rooroute.secretStore"))
        void backend?.restart();
    }),
  );
  setImmediate(() => void backend?.start());
}

export async function deactivate(): Promise<void> {
  await backend?.stop();
}

const HELP: Record<string, [string, () => unknown]> = {
  install: ["Install", () => vscode.commands.executeCommand("rooroute.install")],
  setting: ["Open Setting", () => vscode.commands.executeCommand("workbench.action.openSettings", "rooroute.path")],
  update: ["Update", () => vscode.commands.executeCommand("rooroute.install")],
  restart: ["Restart Server", () => vscode.commands.executeCommand("rooroute.restart")],
  log: ["Show Log", () => vscode.commands.executeCommand("rooroute.log")],
};

/** A sentence and the buttons that mend it, when the backend cannot run. */
async function offerHelp(state: Backend["state"]): Promise<void> {
  if (state.kind !== "failed" && state.kind !== "stopped") return;
  const message =
    state.kind === "failed"
      ? state.message
      : `rooroute's server stopped again and again and was left alone.${state.lastWords ? ` The last it wrote: ${plain(state.lastWords)}` : ""}`;
  const offers = state.kind === "failed" ? [...new Set([state.remedy, "log"])] : ["restart", "log"];
  const buttons = offers.map((offer) => HELP[offer]!);
  const chosen = await vscode.window.showErrorMessage(message, ...buttons.map(([label]) => label));
  await buttons.find(([label]) => label === chosen)?.[1]();
}
