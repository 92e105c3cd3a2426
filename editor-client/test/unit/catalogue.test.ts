import { expect, test } from "vitest";
import { offer } from "../../src/catalogue";
import type { ProviderInfo } from "../../src/protocol";

const BARE: ProviderInfo = { id: "x", name: "X", fields: [], presets: [] };

test("what helps to choose a provider stands in a line", () => {
  expect(
    offer({
      ...BARE,
      capabilities: ["images", "tools"],
      largestWindow: 1_050_000,
      price: { input: [0.02912, 150], output: [0.5, 0.5] },
      regions: "worldwide",
    }),
  ).toBe("images, tools · up to 1,050k tokens · $0.029 to $150 in, $0.5 out per million · worldwide");
});

test("what is not known is left out", () => {
  expect(offer(BARE)).toBe("");
  expect(offer({ ...BARE, regions: "worldwide" })).toBe("worldwide");
});
