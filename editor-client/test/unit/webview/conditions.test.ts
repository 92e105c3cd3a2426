import { expect, test } from "vitest";
import { entriesOf, listed, rowsOf, whenOf } from "../../../webview/conditions";

test("conditions come back from their rows as they were", () => {
  const when = {
    model: ["gpt-*", "o3"],
    contains: ["first, second", "third"],
    pattern: "a, b",
    minLength: 1000,
    metadata: { team: "x" },
  };
  expect(whenOf(rowsOf(when))).toEqual(when);
});

test.each([[["a", "b"]], [["a, b"]], [["[x"]], [[" a"]]])("%j is written so that it is read again", (entries) =>
  expect(entriesOf(listed(entries))).toEqual(entries),
);

test("an empty row is no condition, and what cannot be read is said", () => {
  expect(whenOf([{ condition: "mode", text: " " }])).toEqual({});
  expect(() => whenOf([{ condition: "minLength", text: "many" }])).toThrow("wants a number");
  expect(() =>
    whenOf([
      { condition: "mode", text: "a" },
      { condition: "mode", text: "b" },
    ]),
  ).toThrow("there twice");
});
