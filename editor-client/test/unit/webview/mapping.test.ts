import { expect, test } from "vitest";
import { read, written } from "../../../webview/mapping";

test.each([
  ["", undefined],
  ["  \n ", undefined],
  ["gpt-4o = my-gpt-4o\n\n llama3:8b=small ", { "gpt-4o": "my-gpt-4o", "llama3:8b": "small" }],
  ["a = b = c", { a: "b = c" }],
  ['{"order": ["anthropic"], "zdr": true}', { order: ["anthropic"], zdr: true }],
  ["__proto__ = x", Object.fromEntries([["__proto__", "x"]])],
])("%j is read", (text, value) => {
  expect(read(text)).toEqual({ value });
});

test.each([
  ["gpt-4o", "“gpt-4o” is no line"],
  ["= x", "“= x” is no line"],
  ["a =", "“a =” is no line"],
  ["a = b\na = c", "a is there twice"],
  ["{a: 1", "not JSON"],
])("%j is refused with what to do", (text, words) => {
  expect((read(text) as { wrong: string }).wrong).toContain(words);
});

test.each([
  [{ "gpt-4o": "my-gpt-4o", "b": "c" }],
  [{ order: ["anthropic"], zdr: true }],
  [{ "a=b": "c" }],
  [{ " a": "b " }],
  [{ "{x": "y" }],
  [{ a: "" }],
])("%j is shown so that it is read as it was", (value) => {
  expect(read(written(value))).toEqual({ value });
});

test("what is no mapping shows as nothing", () => {
  expect([written(undefined), written(null), written("text")]).toEqual(["", "", ""]);
});
