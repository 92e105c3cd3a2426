import { expect, test, vi } from "vitest";
import { drawn } from "./drawn";
import { profile, snapshot } from "../samples";

const sent: unknown[] = [];
vi.mock("../../../webview/host", () => ({
  send: () => undefined,
  request: (...asked: unknown[]) => {
    sent.push(asked);
    return Promise.resolve({});
  },
}));
const { dismissal, problems } = await import("../../../webview/problems");
const { ui } = await import("../../../webview/ui");

test("a suggestion can be dismissed for the profiles it names, and nothing else can", () => {
  const suggestion = { message: "a and b share a quota.", dismissible: ["a", "b"] };
  ui.snapshot = snapshot([profile("a"), profile("b")], { problems: [suggestion, { message: "A key is old." }] });
  expect(drawn(problems(() => undefined)).match(/>Dismiss</g)).toHaveLength(1);
  const button = dismissal(suggestion) as unknown as { values: (() => void)[] };
  button.values[0]!();
  expect(sent).toEqual([["profiles/dismiss", { ids: ["a", "b"] }]]);
});
