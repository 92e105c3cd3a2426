import { expect, test } from "vitest";
import * as vscode from "vscode";
import type { Backend } from "../../src/backend";
import type { Completions, Delta } from "../../src/complete";
import { offers, PoolModels, toMessages, toModelError } from "../../src/model";
import type { Complete, Completed } from "../../src/protocol";
import { pool, profile, snapshot } from "./samples";

const user = (...content: unknown[]) => ({ role: vscode.LanguageModelChatMessageRole.User, content, name: undefined });
const assistant = (...content: unknown[]) => ({
  role: vscode.LanguageModelChatMessageRole.Assistant,
  content,
  name: undefined,
});
const text = (value: string) => new vscode.LanguageModelTextPart(value);

test("a pool offers what all of its members can, under a family of its own", () => {
  const small = profile("small", { contextWindow: 32_000, maxTokens: 4_000, supportsImages: false });
  const [offer] = offers(snapshot([profile("big", { contextWindow: 1_000_000, maxTokens: 64_000 }), small]), false);
  expect(offer).toMatchObject({
    id: "default",
    family: "default",
    maxInputTokens: 28_000,
    maxOutputTokens: 4_000,
    capabilities: { imageInput: false, toolCalling: true },
    target: { pool: "default" },
  });
});

test("a disabled member has no say, an empty pool is not offered, profiles are offered where the user wants it", () => {
  const all = snapshot([profile("on"), profile("off", { state: "disabled", contextWindow: 10 })], {
    pools: [pool(["on", "off"]), pool(["off"], { id: "other" })],
  });
  expect(offers(all, false).map(({ id }) => id)).toEqual(["default"]);
  expect(offers(all, false)[0]!.maxInputTokens).toBeGreaterThan(10);
  expect(offers(all, true).map(({ id }) => id)).toEqual(["default", "profile/on"]);
});

test("a conversation with a tool call goes over turn by turn, the tool's result as a message of its own", () => {
  const image = { data: new Uint8Array([1, 2]), mimeType: "image/png" };
  const messages = toMessages([
    user(text("what is "), text("this?"), image),
    assistant(text("I look."), new vscode.LanguageModelToolCallPart("c1", "look", { deep: true })),
    user(new vscode.LanguageModelToolResultPart("c1", [text("a cat")])),
  ]);
  expect(messages).toEqual([
    {
      role: "user",
      content: [
        { type: "text", text: "what is " },
        { type: "text", text: "this?" },
        { type: "image", mimeType: "image/png", data: "AQI=" },
      ],
    },
    { role: "assistant", content: "I look.", toolCalls: [{ id: "c1", name: "look", arguments: '{"deep":true}' }] },
    { role: "tool", toolCallId: "c1", content: "a cat" },
  ]);
});

test.each([
  ["noProfiles", "NotFound"],
  ["allFailed", "NoPermissions"],
  ["allCoolingDown", "Blocked"],
  ["contentFiltered", "Blocked"],
])("%s reaches the other extension as %s, in the backend's own sentence", (kind, code) => {
  expect(toModelError({ message: "Gemini1 rests.", data: { kind } })).toMatchObject({
    code,
    message: "Gemini1 rests.",
  });
});

/** What reaches an extension that asks with `options`, of an answer that came in these deltas. */
async function answered(deltas: Delta[], finishReason: Completed["finishReason"], options: object = {}) {
  let asked: Complete | undefined;
  const completions = {
    stream: async (params: Complete, deliver: (delta: Delta) => void) => {
      asked = params;
      deltas.forEach(deliver);
      return { finishReason };
    },
  } as unknown as Completions;
  const status = snapshot([profile("a")]);
  const backend = { status, onDidChangeStatus: () => ({ dispose: () => undefined }) } as unknown as Backend;
  const models = new PoolModels(backend, completions);
  const [model] = await models.provideLanguageModelChatInformation();
  const reported: unknown[] = [];
  const error = await models
    .provideLanguageModelChatResponse(
      model!,
      [user(text("hi"))],
      options as never,
      { report: (part) => void reported.push(part) },
      new vscode.CancellationTokenSource().token as never,
    )
    .catch((thrown: unknown) => thrown);
  return { asked, reported, error };
}

test("an answer is streamed as it comes, and a tool call is handed on whole", async () => {
  const { asked, reported, error } = await answered(
    [
      { kind: "text", text: "a" },
      { kind: "thinking", text: "hm" },
      { kind: "text", text: "b" },
      { kind: "toolCall", index: 0, id: "c1", name: "look", argumentsDelta: '{"x"' },
      { kind: "toolCall", index: 0, argumentsDelta: ":1}" },
      { kind: "toolCall", index: 1, id: "c2", name: "stay" },
    ],
    "toolCalls",
    {
      tools: [{ name: "look", description: "looks", inputSchema: { $schema: "x", type: "object" } }],
      toolMode: vscode.LanguageModelChatToolMode.Required,
      modelOptions: { temperature: 0 },
    },
  );
  expect(error).toBeUndefined();
  expect(reported).toEqual([
    text("a"),
    text("b"),
    new vscode.LanguageModelToolCallPart("c1", "look", { x: 1 }),
    new vscode.LanguageModelToolCallPart("c2", "stay", {}),
  ]);
  expect(asked).toMatchObject({
    pool: "default",
    toolChoice: "required",
    temperature: 0,
    onInterrupt: "stop",
    tools: [{ name: "look", parameters: { $schema: "x", type: "object" } }],
  });
});

const look = (argumentsDelta: string): Delta => ({
  kind: "toolCall",
  index: 0,
  id: "c1",
  name: "look",
  argumentsDelta,
});
const write = (argumentsDelta?: string): Delta => ({
  kind: "toolCall",
  index: 1,
  id: "c2",
  name: "write",
  ...(argumentsDelta === undefined ? {} : { argumentsDelta }),
});

test.each([
  ["within its arguments", write('{"file": "a')],
  ["right behind its name", write()],
])("a call that the length limit cut %s is told, and no tool is run", async (_, cut) => {
  const { reported, error } = await answered([look('{"x":1}'), cut], "length");
  expect(reported).toEqual([]);
  expect(error).toMatchObject({
    message: "The answer reached its length limit within a call of write; raise the limit or ask for less.",
  });
});

test("calls that were whole when the length limit was reached are handed on", async () => {
  const { reported, error } = await answered([look(""), write('{"file":"a"}')], "length");
  expect(error).toBeUndefined();
  expect(reported).toEqual([
    new vscode.LanguageModelToolCallPart("c1", "look", {}),
    new vscode.LanguageModelToolCallPart("c2", "write", { file: "a" }),
  ]);
});

test("arguments that are not JSON are told in a sentence, and no tool is run", async () => {
  const { reported, error } = await answered([look('{"x":1}'), write("file=a")], "toolCalls");
  expect(reported).toEqual([]);
  expect(error).toMatchObject({
    message: "The model called write with arguments that are not JSON; ask again, or ask another model.",
  });
});

test("the editor is told of a change only when what is offered has changed", () => {
  const listeners: (() => void)[] = [];
  const backend = {
    status: snapshot([profile("a")]),
    onDidChangeStatus: (heard: () => void) => (listeners.push(heard), { dispose: () => undefined }),
  };
  const models = new PoolModels(backend as unknown as Backend, {} as Completions);
  let told = 0;
  models.onDidChangeLanguageModelChatInformation(() => told++);
  listeners.forEach((heard) => heard());
  backend.status = snapshot([profile("a", { lastUsed: "2026-01-31T12:00:00Z" })]);
  listeners.forEach((heard) => heard());
  expect(told).toBe(1);
  backend.status = snapshot([profile("a", { contextWindow: 9_000 })]);
  listeners.forEach((heard) => heard());
  expect(told).toBe(2);
});
