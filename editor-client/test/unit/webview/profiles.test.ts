import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { drawn } from "./drawn";
import { profilesView } from "../../../webview/profiles";
import { ui } from "../../../webview/ui";
import { at, NOW, profile, snapshot } from "../samples";

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
