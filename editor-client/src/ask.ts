/** Ask: one question, its answer streamed into a tab or to the cursor. */
import * as vscode from "vscode";
import type { Backend } from "./backend";
import type { Completions } from "./complete";
import { currentOf, defaultPool } from "./status";
import { estimateTokens, money, plain } from "./words";

/** Deltas are gathered this long before the document is touched: an edit costs far more than a delta. */
const GATHER_MS = 80;

/** Appends text at a place in a document that other edits may move. */
export class Inserter implements vscode.Disposable {
  private pending = "";
  private writing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private ours = 0;
  private readonly watch: vscode.Disposable;

  constructor(
    private readonly document: vscode.TextDocument,
    private offset: number,
  ) {
    this.watch = vscode.workspace.onDidChangeTextDocument((event) => {
      if (event.document !== document || this.ours > 0) return;
      for (const change of event.contentChanges)
        if (change.rangeOffset < this.offset) this.offset += change.text.length - change.rangeLength;
    });
  }

  write(text: string): void {
    this.pending += text;
    this.timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Everything given so far is in the document when this resolves. */
  async finish(): Promise<void> {
    clearTimeout(this.timer);
    this.flush();
    await this.writing;
  }

  private flush(): void {
    this.timer = undefined;
    this.writing = this.writing.then(async () => {
      // While an edit was being applied more may have come: it goes along.
      const text = this.pending;
      this.pending = "";
      if (!text) return;
      const edit = new vscode.WorkspaceEdit();
      edit.insert(this.document.uri, this.document.positionAt(this.offset), text);
      this.ours++;
      const before = this.document.getText().length;
      await vscode.workspace.applyEdit(edit);
      this.ours--;
      this.offset += this.document.getText().length - before;
    });
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.watch.dispose();
  }
}

interface Place {
  document: vscode.TextDocument;
  offset: number;
}

async function place(where: "tab" | "cursor"): Promise<Place> {
  const editor = vscode.window.activeTextEditor;
  if (where === "cursor" && editor)
    return { document: editor.document, offset: editor.document.offsetAt(editor.selection.end) };
  const document = await vscode.workspace.openTextDocument({ language: "markdown", content: "" });
  await vscode.window.showTextDocument(document, { preview: false });
  return { document, offset: 0 };
}

export async function ask(backend: Backend, completions: Completions): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const selected = editor && !editor.selection.isEmpty ? editor.document.getText(editor.selection) : "";
  if (!backend.status) await backend.refresh();
  const snapshot = backend.status!;
  const pool = defaultPool(snapshot);
  if (!pool || !snapshot.profiles.length) {
    const button = await vscode.window.showInformationMessage(
      "No profile is saved yet; add the first one.",
      "Add Profile…",
    );
    if (button) await vscode.commands.executeCommand("rooroute.add");
    return;
  }
  const price = currentOf(pool, snapshot)?.price;
  const cost = (text: string) => {
    const tokens = estimateTokens(text);
    return `about ${tokens} tokens in${price ? `, ${money((tokens * price.input) / 1e6)} before the answer` : ", price unknown"}`;
  };
  const question = await vscode.window.showInputBox({
    title: `Ask ${plain(pool.name ?? pool.id)}`,
    prompt: selected
      ? `The selection goes along: ${cost(selected)}.`
      : "Enter sends it; the next step says what it will cost.",
    placeHolder: selected ? "What is to be done with the selection?" : "Your question",
    ignoreFocusOut: true,
  });
  if (!question) return;
  const prompt = selected ? `${question}\n\n${selected}` : question;
  const places = [
    { label: "$(go-to-file) In a new tab", where: "tab" as const },
    ...(editor
      ? [{ label: "$(insert) At the cursor", description: "in the file you are in", where: "cursor" as const }]
      : []),
  ];
  const target = await vscode.window.showQuickPick(places, {
    title: `Where does the answer go? ${cost(prompt)}`,
    ignoreFocusOut: true,
  });
  if (!target) return;
  const { document, offset } = await place(target.where);
  await answer(completions, backend, pool.id, prompt, document, offset, target.where === "tab");
}

async function answer(
  completions: Completions,
  backend: Backend,
  pool: string,
  prompt: string,
  document: vscode.TextDocument,
  offset: number,
  attributed: boolean,
): Promise<void> {
  const inserter = new Inserter(document, offset);
  const options = { location: vscode.ProgressLocation.Notification, title: "rooroute", cancellable: true };
  try {
    await vscode.window.withProgress(options, async (progress, token) => {
      progress.report({ message: "asking…" });
      let first = true;
      const result = await completions.stream(
        { pool, messages: [{ role: "user", content: prompt }], onInterrupt: "stop" },
        (delta) => {
          if (delta.kind !== "text") return;
          if (first) progress.report({ message: "answering…" });
          first = false;
          inserter.write(delta.text);
        },
        token,
        progress,
      );
      const who = backend.status?.profiles.find((profile) => profile.id === result.profileId)?.name ?? result.profileId;
      const spent = `${result.usage.estimated ? "about " : ""}${result.usage.inputTokens} tokens in, ${result.usage.outputTokens} out`;
      const line = `${who}, ${result.model}: ${spent}${result.cost ? `, ${money(result.cost)}` : ""}`;
      if (attributed) inserter.write(`\n\n---\n*${line}*\n`);
      else vscode.window.setStatusBarMessage(`$(comment) ${plain(line)}`, 10_000);
    });
  } finally {
    await inserter.finish();
    inserter.dispose();
  }
}
