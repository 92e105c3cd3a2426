import { beforeEach, expect, test } from "vitest";
import * as vscode from "vscode";
import { ask, Inserter } from "../../src/ask";
import type { Backend } from "../../src/backend";
import type { Completions, Delta } from "../../src/complete";
import { profile, snapshot } from "./samples";
import { shown, window } from "./vscode";

const api = vscode as unknown as { workspace: Record<string, unknown>; window: Record<string, unknown> };
const moment = () => new Promise((resolve) => setTimeout(resolve, 5));

interface Change {
  rangeOffset: number;
  rangeLength: number;
  text: string;
}

/** A document that other hands edit too. As in the editor, an edit is refused where another change came before it. */
class FakeDocument {
  edits = 0;
  isClosed = false;
  readOnly = false;
  uri = {};
  /** What a user does before the edit that is under way reaches the document, and before its sender hears of it. */
  before: () => void = () => undefined;
  after: () => void = () => undefined;
  private version = 1;
  private readonly listeners: ((event: { document: unknown; contentChanges: Change[] }) => void)[] = [];

  constructor(
    public text: string,
    readonly eol = vscode.EndOfLine.LF,
  ) {
    api.workspace["onDidChangeTextDocument"] = (heard: FakeDocument["listeners"][number]) => (
      this.listeners.push(heard),
      { dispose: () => undefined }
    );
    api.workspace["applyEdit"] = async ({ offset, text }: { offset: number; text: string }) => {
      const { version } = this;
      await moment();
      this.before();
      if (this.readOnly || this.version !== version) return false;
      this.edits++;
      this.change(offset, 0, text);
      this.after();
      await moment();
      return true;
    };
  }

  getText = () => this.text;
  positionAt = (offset: number) => offset;

  change(rangeOffset: number, rangeLength: number, written: string) {
    const text = this.eol === vscode.EndOfLine.CRLF ? written.replace(/\r?\n/g, "\r\n") : written;
    this.text = this.text.slice(0, rangeOffset) + text + this.text.slice(rangeOffset + rangeLength);
    this.version++;
    const event = { document: this, contentChanges: [{ rangeOffset, rangeLength, text }] };
    this.listeners.forEach((heard) => heard(event));
  }

  type(text: string, offset = this.text.length) {
    this.change(offset, 0, text);
  }
}

const inserterAt = (document: FakeDocument, offset: number) => new Inserter(document as never, offset);

test("thousands of deltas become a few edits, in order and whole", async () => {
  const document = new FakeDocument("before|after");
  const inserter = inserterAt(document, 7);
  const words = Array.from({ length: 20_000 }, (_, n) => `w${n} `);
  words.forEach((word) => inserter.write(word));
  await inserter.finish();
  expect(document.text).toBe(`before|${words.join("")}after`);
  expect(document.edits).toBeLessThan(10);
});

test("an answer stays together when somebody types above and below it meanwhile", async () => {
  const document = new FakeDocument("above|below");
  const inserter = inserterAt(document, 6);
  inserter.write("one ");
  await inserter.finish();
  document.type("typed ", 0);
  document.type(" typed");
  inserter.write("two");
  await inserter.finish();
  expect(document.text).toBe("typed above|one twobelow typed");
});

test.each(["before", "after"] as const)(
  "letters typed above, at and below the place %s an edit is in the document tear nothing apart",
  async (when) => {
    const document = new FakeDocument("|");
    const inserter = inserterAt(document, 1);
    for (const word of ["one ", "two ", "three "]) {
      // Once for each piece: nobody types all the time.
      document[when] = () => {
        document[when] = () => undefined;
        document.type("a", 0);
        document.type("z");
        document.type("p", document.text.indexOf("z"));
      };
      inserter.write(word);
      await inserter.finish();
    }
    expect(document.text).toBe("aaa|one two three pppzzz");
  },
);

test("in a document with CRLF the pieces follow each other, with its line ends", async () => {
  const document = new FakeDocument("above\r\n\r\nbelow", vscode.EndOfLine.CRLF);
  const inserter = inserterAt(document, 7);
  for (const piece of ["one\ntwo\n", "three\n", "four"]) {
    document.after = () => document.type("!");
    inserter.write(piece);
    await inserter.finish();
  }
  expect(document.text).toBe("above\r\none\r\ntwo\r\nthree\r\nfour\r\nbelow!!!");
});

test("after an undo, and where the place itself is removed, the rest goes to where the place was", async () => {
  const document = new FakeDocument("above|below");
  const inserter = inserterAt(document, 6);
  inserter.write("one ");
  await inserter.finish();
  document.change(6, 4, "");
  inserter.write("two ");
  await inserter.finish();
  expect(document.text).toBe("above|two below");
  document.change(5, 7, "");
  inserter.write(" three ");
  await inserter.finish();
  expect(document.text).toBe("above three low");
});

test.each([
  ["is closed", { isClosed: true }],
  ["cannot be changed", { readOnly: true }],
])("a document that %s gets nothing more, and that is told", async (_, state) => {
  const document = Object.assign(new FakeDocument("text"), state);
  const inserter = inserterAt(document, 0);
  inserter.write("one");
  expect(await inserter.finish()).toBe(false);
  expect(document.text).toBe("text");
});

beforeEach(() => {
  shown.length = 0;
  window.pressed = undefined;
});

test("an answer that could not be put into its document whole is offered in another", async () => {
  const document = new FakeDocument("");
  const opened: unknown[] = [];
  api.workspace["asRelativePath"] = () => "Untitled-1";
  api.workspace["openTextDocument"] = async ({ content }: { content: string }) => (opened.push(content), document);
  Object.assign(api.window, {
    showInputBox: async () => "What?",
    showQuickPick: async ([first]: unknown[]) => first,
    showTextDocument: async () => undefined,
  });
  const completions = {
    stream: async (_: unknown, deliver: (delta: Delta) => void) => {
      deliver({ kind: "text", text: "One " });
      await new Promise((resolve) => setTimeout(resolve, 150));
      document.isClosed = true;
      deliver({ kind: "text", text: "answer." });
      throw new Error("It broke off.");
    },
  } as unknown as Completions;
  window.pressed = "Open Answer";
  const backend = { status: snapshot([profile("a")]) } as Backend;
  await expect(ask(backend, completions)).rejects.toThrow("It broke off.");
  expect(document.text).toBe("One ");
  expect(shown.at(-1)).toBe(
    "The answer could not be put into Untitled-1 as a whole: it was closed, or it cannot be changed.",
  );
  await moment();
  expect(opened).toEqual(["", "One answer."]);
});
