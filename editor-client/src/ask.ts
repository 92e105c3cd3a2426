/** Ask: one question, its answer streamed into a tab or to the cursor. */
import * as vscode from "vscode";
import type { Backend } from "./backend";
import type { Completions } from "./complete";
import { showDocument } from "./panel";
import { currentOf, defaultPool } from "./status";
import { estimateTokens, money, plain } from "./words";

/** Deltas are gathered this long before the document is touched: an edit costs far more than a delta. */
const GATHER_MS = 80;

/** An edit that a keystroke came before is refused: how often it is tried at once before it waits for more text. */
const TRIES = 10;

/** Appends text at a place in a document that other edits may move. */
export class Inserter implements vscode.Disposable {
  private pending = "";
  private underway = "";
  private writing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private readonly watch: vscode.Disposable;

  constructor(
    private readonly document: vscode.TextDocument,
    private offset: number,
  ) {
    this.watch = vscode.workspace.onDidChangeTextDocument((event) => {
      if (event.document === document) event.contentChanges.forEach((change) => this.follow(change));
    });
  }

  /** What others write at the place itself stays below it: the answer is not torn apart. */
  private follow({ rangeOffset, rangeLength, text }: vscode.TextDocumentContentChangeEvent): void {
    const ours = text === this.underway && rangeOffset === this.offset && rangeLength === 0;
    if (ours) this.underway = "";
    // Where the place itself was replaced, it is behind what is there now.
    if (ours || rangeOffset < this.offset)
      this.offset = Math.max(rangeOffset + text.length, this.offset + text.length - rangeLength);
  }

  write(text: string): void {
    this.pending += text;
    this.timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Whether everything given so far is in the document. */
  async finish(): Promise<boolean> {
    clearTimeout(this.timer);
    this.flush();
    await this.writing;
    return !this.pending;
  }

  private flush(): void {
    this.timer = undefined;
    this.writing = this.writing.then(async () => {
      for (let n = 0; n < TRIES; n++) if (await this.put()) return;
    });
  }

  /** False: the document has changed meanwhile, or cannot be changed. */
  private async put(): Promise<boolean> {
    // While an edit was being applied more may have come: it goes along.
    const text = this.pending;
    if (!text) return true;
    // The editor would open it again, with other text at the place.
    if (this.document.isClosed) return false;
    // With the document's own line ends, as the editor writes them: our change is known by its text.
    this.underway = text.replace(/\r\n|\r|\n/g, this.document.eol === vscode.EndOfLine.CRLF ? "\r\n" : "\n");
    const edit = new vscode.WorkspaceEdit();
    edit.insert(this.document.uri, this.document.positionAt(this.offset), this.underway);
    const applied = await vscode.workspace.applyEdit(edit);
    this.underway = "";
    if (applied) this.pending = this.pending.slice(text.length);
    return applied;
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
  let given = "";
  const give = (text: string) => {
    given += text;
    inserter.write(text);
  };
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
          give(delta.text);
        },
        token,
        progress,
      );
      const who = backend.status?.profiles.find((profile) => profile.id === result.profileId)?.name ?? result.profileId;
      const spent = `${result.usage.estimated ? "about " : ""}${result.usage.inputTokens} tokens in, ${result.usage.outputTokens} out`;
      const line = `${who}, ${result.model}: ${spent}${result.cost ? `, ${money(result.cost)}` : ""}`;
      if (attributed) give(`\n\n---\n*${line}*\n`);
      else vscode.window.setStatusBarMessage(`$(comment) ${plain(line)}`, 10_000);
    });
  } finally {
    const whole = await inserter.finish();
    inserter.dispose();
    if (!whole) void offerElsewhere(document, given);
  }
}

async function offerElsewhere(document: vscode.TextDocument, text: string): Promise<void> {
  const name = plain(vscode.workspace.asRelativePath(document.uri));
  const button = await vscode.window.showWarningMessage(
    `The answer could not be put into ${name} as a whole: it was closed, or it cannot be changed.`,
    "Open Answer",
  );
  if (button) await showDocument(text, "markdown");
}
