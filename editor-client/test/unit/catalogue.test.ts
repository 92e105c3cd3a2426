import { expect, test } from "vitest";
import { described, offer } from "../../src/catalogue";
import type { ProviderInfo } from "../../src/protocol";

const BARE: ProviderInfo = { id: "x", name: "X", fields: [], presets: [] };

test("what helps to choose a provider stands in a line each", () => {
  expect(
    offer({
      ...BARE,
      capabilities: ["images", "tools"],
      largestWindow: 1_050_000,
      price: { input: [0.02912, 150], output: [0.5, 0.5] },
      regions: "worldwide",
    }),
  ).toEqual([
    "images, tools",
    "window up to 1.05M tokens",
    "$0.029 to $150 in, $0.5 out per million tokens",
    "region: worldwide",
  ]);
});

test("what nobody has told of a provider is named as not known", () => {
  expect(offer(BARE)).toEqual(["not known: abilities, window, prices, region"]);
  expect(offer({ ...BARE, capabilities: ["tools"], regions: "worldwide" })).toEqual([
    "tools",
    "region: worldwide",
    "not known: window, prices",
  ]);
});

test("what is known of a model stands in a line, and what is assumed is called that", () => {
  const known = { id: "m", contextWindow: 128_000, supportsTools: true, supportsImages: false, inputPrice: 0.15 };
  expect(described({ ...known, outputPrice: 0 })).toBe(
    "window of 128k tokens, no images, tools, $0.15 in per million tokens, $0 out per million tokens",
  );
  expect(described({ ...known, maxTokens: 8192, outputPrice: 15, assumed: ["maxTokens", "outputPrice"] })).toBe(
    "window of 128k tokens, no images, tools, $0.15 in per million tokens · assumed, since nobody tells: answers up to 8.19k, $15 out per million tokens",
  );
  expect(described({ id: "m" })).toBe("");
});
