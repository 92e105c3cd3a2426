import { expect, test } from "vitest";
import * as vscode from "vscode";
import { Inserter } from "../../src/ask";

/** A document that other hands edit too. */
class FakeDocument {
  text = "";
  edits = 0;
  uri = {};
  constructor(text: string) {
    this.text = text;
  }
  getText = () => this.text;
  positionAt = (offset: number) => offset;
  insert(offset: number, text: string) {
    this.text = this.text.slice(0, offset) + text + this.text.slice(offset);
  }
}

interface Change {
  document: unknown;
  contentChanges: { rangeOffset: number; rangeLength: number; text: string }[];
}

function editorOf(document: FakeDocument) {
  const listeners: ((event: Change) => void)[] = [];
  const api = vscode as unknown as { workspace: Record<string, unknown>; WorkspaceEdit: unknown };
  api.workspace["onDidChangeTextDocument"] = (heard: (event: Change) => void) => (
    listeners.push(heard),
    { dispose: () => undefined }
  );
  api.workspace["applyEdit"] = async ({ offset, text }: { offset: number; text: string }) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    document.edits++;
    document.insert(offset, text);
    listeners.forEach((heard) => heard({ document, contentChanges: [{ rangeOffset: offset, rangeLength: 0, text }] }));
  };
  return {
    type(offset: number, text: string) {
      document.insert(offset, text);
      listeners.forEach((heard) =>
        heard({ document, contentChanges: [{ rangeOffset: offset, rangeLength: 0, text }] }),
      );
    },
  };
}

test("thousands of deltas become a few edits, in order and whole", async () => {
  const document = new FakeDocument("before|after");
  editorOf(document);
  const inserter = new Inserter(document as never, 7);
  const words = Array.from({ length: 20_000 }, (_, n) => `w${n} `);
  words.forEach((word) => inserter.write(word));
  await inserter.finish();
  expect(document.text).toBe(`before|${words.join("")}after`);
  expect(document.edits).toBeLessThan(10);
});

test("an answer stays together when somebody types above and below it meanwhile", async () => {
  const document = new FakeDocument("above|below");
  const editor = editorOf(document);
  const inserter = new Inserter(document as never, 6);
  inserter.write("one ");
  await inserter.finish();
  editor.type(0, "typed ");
  editor.type(document.text.length, " typed");
  inserter.write("two");
  await inserter.finish();
  expect(document.text).toBe("typed above|one twobelow typed");
});
