/** The settings panel's other half: gives it the state, carries its wishes to the backend, and keeps nothing. */
import { randomBytes, randomUUID } from "node:crypto";
import * as vscode from "vscode";
import type { Backend } from "./backend";
import { type Destination, type FromPanel, PANEL_COMMANDS, PANEL_METHODS, type ToPanel } from "./messages";

/** Of a file to be imported, in bytes. */
const LARGEST = 1_000_000;
const VIEW_TYPE = "rooroute.settings";

export class SettingsPanel implements vscode.Disposable, vscode.WebviewPanelSerializer {
  private panel: vscode.WebviewPanel | undefined;
  private ready = false;
  private destination: Destination | undefined;
  private readonly running = new Map<number, vscode.CancellationTokenSource>();
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly backend: Backend,
  ) {
    this.subscriptions = [
      backend.onDidChangeState(() => this.draw()),
      backend.onDidChangeStatus(() => this.draw()),
      vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, this),
    ];
  }

  open(destination: Destination = { view: "list" }): void {
    if (!this.panel)
      this.adopt(
        vscode.window.createWebviewPanel(VIEW_TYPE, "rooroute", vscode.ViewColumn.Active, {
          enableFindWidget: true,
          // What is half typed must outlive a look at another tab, and a key among it may be kept nowhere else.
          retainContextWhenHidden: true,
        }),
      );
    else this.panel.reveal();
    this.destination = destination;
    this.go();
  }

  async deserializeWebviewPanel(panel: vscode.WebviewPanel): Promise<void> {
    this.adopt(panel);
  }

  private adopt(panel: vscode.WebviewPanel): void {
    const media = vscode.Uri.joinPath(this.extensionUri, "dist");
    panel.webview.options = { enableScripts: true, enableForms: false, localResourceRoots: [media] };
    panel.iconPath = vscode.Uri.joinPath(this.extensionUri, "media", "icon.svg");
    this.ready = false;
    this.panel = panel;
    panel.webview.onDidReceiveMessage((message: FromPanel) => void this.heard(message));
    panel.onDidChangeViewState(() => panel.visible && this.draw());
    panel.onDidDispose(() => {
      for (const source of this.running.values()) source.cancel();
      this.running.clear();
      this.panel = undefined;
    });
    panel.webview.html = page(panel.webview, media);
  }

  private post(message: ToPanel): void {
    void this.panel?.webview.postMessage(message);
  }

  private draw(): void {
    if (!this.panel?.visible || !this.ready) return;
    const { kind, ...more } = this.backend.state;
    this.post({ type: "state", snapshot: this.backend.status, backend: { kind, ...more } });
  }

  private go(): void {
    if (!this.ready || !this.destination) return;
    this.post({ type: "show", destination: this.destination });
    this.destination = undefined;
  }

  private async heard(message: FromPanel): Promise<void> {
    switch (message.type) {
      case "ready":
        this.ready = true;
        this.draw();
        return this.go();
      case "command":
        if ((PANEL_COMMANDS as readonly string[]).includes(message.command))
          await vscode.commands.executeCommand(message.command);
        return;
      case "cancel":
        return this.running.get(message.n)?.cancel();
      case "request":
        return this.request(message);
      case "choose":
        return this.choose(message.n);
      case "document":
        return showDocument(message.content, message.language);
    }
  }

  private async request({ n, method, params }: FromPanel & { type: "request" }): Promise<void> {
    if (!(PANEL_METHODS as readonly string[]).includes(method)) return;
    const source = new vscode.CancellationTokenSource();
    this.running.set(n, source);
    const staged = method === "profiles/test" ? randomUUID() : undefined;
    const listening = staged
      ? await this.backend.listen(staged, (value) => this.post({ type: "progress", n, value }))
      : undefined;
    try {
      const whole = staged ? { ...(params as object), partialResultToken: staged } : params;
      const result = await this.backend.request(method, whole as never, source.token);
      this.post({ type: "answer", n, result });
    } catch (error) {
      const { message, data } = error as { message?: string; data?: { field?: string; kind?: string } };
      this.post({
        type: "answer",
        n,
        error: { message: message ?? String(error), field: data?.field, kind: data?.kind },
      });
    } finally {
      listening?.dispose();
      this.running.delete(n);
      source.dispose();
    }
  }

  /** The file is on the machine that the window works on, where the configuration is too. */
  private async choose(n: number): Promise<void> {
    try {
      const [file] =
        (await vscode.window.showOpenDialog({
          title: "Import which configuration?",
          openLabel: "Read",
          filters: { "Configurations": ["yaml", "yml", "json", "txt"], "All files": ["*"] },
        })) ?? [];
      if (!file) return this.post({ type: "answer", n });
      const bytes = await vscode.workspace.fs.readFile(file);
      if (bytes.byteLength > LARGEST) throw new Error("This file is larger than 1 MB; it is no configuration.");
      const result = { name: file.path.split("/").pop() ?? "", text: new TextDecoder().decode(bytes) };
      this.post({ type: "answer", n, result });
    } catch (error) {
      this.post({ type: "answer", n, error: { message: (error as Error).message } });
    }
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
    this.panel?.dispose();
  }
}

export async function showDocument(content: string, language: string): Promise<void> {
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ content, language }));
}

function page(webview: vscode.Webview, media: vscode.Uri): string {
  const nonce = randomBytes(16).toString("base64");
  const uri = (file: string) => webview.asWebviewUri(vscode.Uri.joinPath(media, file)).toString();
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src ${webview.cspSource}`,
    `font-src ${webview.cspSource}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${uri("codicon.css")}" id="vscode-codicon-stylesheet">
<link rel="stylesheet" href="${uri("panel.css")}">
<title>rooroute</title>
</head>
<body>
<main id="panel" aria-label="rooroute settings"></main>
<script type="module" nonce="${nonce}" src="${uri("panel.js")}"></script>
</body>
</html>`;
}
