/** Installs the backend into a virtual environment of the extension's own. */
import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import * as vscode from "vscode";

export function environmentPython(storage: string): string {
  const bin = process.platform === "win32" ? ["Scripts", "python.exe"] : ["bin", "python"];
  return path.join(storage, "environment", ...bin);
}

function run(
  command: string,
  args: string[],
  cwd: string,
  token: vscode.CancellationToken,
  log: vscode.LogOutputChannel,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      args,
      { cwd, timeout: 15 * 60_000, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => {
        cancelled.dispose();
        if (stdout) log.info(stdout.trimEnd());
        if (!error) return resolve();
        log.error(stderr.trimEnd() || error.message);
        reject(
          token.isCancellationRequested
            ? new vscode.CancellationError()
            : new Error(stderr.trim().split("\n").at(-1) || error.message),
        );
      },
    );
    const cancelled = token.onCancellationRequested(() => child.kill());
  });
}

/** Makes the environment and installs the package; true when it is there at the end. Failure is told with the log at hand. */
export async function installBackend(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): Promise<boolean> {
  const storage = context.globalStorageUri.fsPath;
  const wanted = vscode.workspace.getConfiguration("rooroute").get<string>("package", "");
  try {
    await vscode.window.withProgress(
      { location: vscode.ProgressLocation.Notification, title: "Installing rooroute", cancellable: true },
      async (progress, token) => {
        fs.mkdirSync(storage, { recursive: true });
        progress.report({ message: "making a Python environment…" });
        await run(
          process.platform === "win32" ? "python" : "python3",
          ["-m", "venv", "--clear", path.join(storage, "environment")],
          storage,
          token,
          log,
        );
        progress.report({ message: `installing ${wanted}…` });
        await run(
          environmentPython(storage),
          ["-m", "pip", "install", "--disable-pip-version-check", "--upgrade", wanted],
          storage,
          token,
          log,
        );
      },
    );
    return true;
  } catch (error) {
    if (error instanceof vscode.CancellationError) return false;
    const why = error instanceof Error ? error.message : String(error);
    const answer = await vscode.window.showErrorMessage(
      `rooroute could not be installed: ${why}. Python 3.11 or newer with venv and pip is needed.`,
      "Show Log",
    );
    if (answer) log.show();
    return false;
  }
}
