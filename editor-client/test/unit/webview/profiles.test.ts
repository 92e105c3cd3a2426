import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { drawn } from "./drawn";
import { at, NOW, pool, profile, snapshot } from "../samples";

const { blank } = await import("../../../webview/draft");
const { form } = await import("../../../webview/form");
const { poolsView } = await import("../../../webview/pools");
const { profilesView } = await import("../../../webview/profiles");
const { ui } = await import("../../../webview/ui");

beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

test("a card tells in words of which limit its active profile has no room, and until when", () => {
  const reason = "It is at the limit of 50 requests per hour (0 left, room at 2026-01-31T14:00:00Z).";
  ui.snapshot = snapshot([profile("a", { reason, until: at(7200) }), profile("b")]);
  const cards = drawn(profilesView());
  expect(cards).toMatch(/Active, at the limit of 50 requests per hour, room again at \d\d:\d\d/);
  vi.setSystemTime(NOW + 7_200_000);
  expect(drawn(profilesView())).not.toContain("at the limit");
});

const TABLED = profile("a", {
  model: "m",
  price: { input: 3, output: 15, cacheRead: 0.075 },
  priceSource: "table",
  contextWindow: 200_000,
  contextWindowSource: "server",
});

test("an open card tells what the model costs and holds, and who says so", () => {
  ui.snapshot = snapshot([TABLED, profile("b", { price: { input: 0, output: 1.5 }, priceSource: "yours" })]);
  ui.open = new Set(["a", "b"]);
  const cards = drawn(profilesView());
  expect(cards).toContain("3.00 / 15.00 USD per million tokens, from the offline table");
  expect(cards).toContain("200,000 tokens, from the server's list");
  expect(cards).toContain("0.00 / 1.50 USD per million tokens, as you typed");
});

test("beside a price and a window stands what holds while nothing is typed; not of another model, nor of what was typed", () => {
  const draft = {
    ...blank(),
    editing: "a",
    provider: { id: "gemini", name: "Gemini", fields: [], presets: [] },
    profile: { id: "a", provider: "gemini", model: "m" },
  };
  ui.open = new Set(["/limits/form", "/models/form"]);
  const beside = (more: object = {}, model = "m") => {
    ui.snapshot = snapshot([{ ...TABLED, ...more }]);
    return drawn(form({ ...draft, profile: { ...draft.profile, model } }));
  };
  expect(beside()).toContain("3.00 USD per million tokens, from the offline table; type your own to override.");
  expect(beside()).toContain("0.075 USD per million tokens, from the offline table");
  expect(beside()).toContain("200,000 tokens, from the server's list; type your own to override.");
  expect(beside({ priceSource: "yours", contextWindowSource: "yours" })).not.toContain("override");
  expect(beside({}, "another")).not.toContain("override");
});

test("a pool tells whose prices it goes by", () => {
  const prices = "Prices: a by the offline table.";
  ui.snapshot = snapshot([TABLED], { pools: [pool(["a"], { strategy: "cost", prices })] });
  expect(drawn(poolsView())).toContain(prices);
});
