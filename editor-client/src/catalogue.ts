import type { ModelInfo, PriceRange, ProviderInfo } from "./protocol";

/** What the backend's provider catalogue says of a vendor's fields and presets. */
export interface AskedField {
  /** Dotted path in the profile: "baseUrl", "options.organization"; "apiKey" is the key itself. */
  name: string;
  label: string;
  kind: "text" | "secret" | "url" | "model" | "number" | "boolean" | "file" | "object" | "choice" | "list";
  required?: boolean;
  help?: string;
  placeholder?: string;
  /** Of a choice; the first is what holds where nothing is chosen. */
  choices?: string[];
}

export interface Preset {
  id: string;
  name: string;
  baseUrl: string;
  needsKey?: boolean;
  documentation?: string;
  largestWindow?: number;
  price?: PriceRange;
}

const dollars = (price: unknown): string => `$${Number(Number(price).toPrecision(2))}`;
const range = ([from, to]: readonly unknown[]): string =>
  dollars(from) === dollars(to) ? dollars(from) : `${dollars(from)} to ${dollars(to)}`;

/** Tokens as their sellers count them: 8.19k, 1.05M. */
const tokens = (n: number): string => {
  const [size, unit] = n >= 1_000_000 ? [1_000_000, "M"] : n >= 1000 ? [1000, "k"] : [1, ""];
  return `${Number((n / size).toPrecision(3))}${unit}`;
};

/** What helps to choose a provider, a line for each: capability, window, price, region; and which of these nobody has told. */
export function offer(one: Pick<ProviderInfo, "capabilities" | "largestWindow" | "price" | "regions">): string[] {
  const { capabilities = [], largestWindow, price, regions } = one;
  const told: [string, string][] = [
    ["abilities", capabilities.join(", ")],
    ["window", largestWindow ? `window up to ${tokens(largestWindow)} tokens` : ""],
    ["prices", price ? `${range(price.input)} in, ${range(price.output)} out per million tokens` : ""],
    ["region", regions ? `region: ${regions}` : ""],
  ];
  const missing = told.filter(([, text]) => !text).map(([name]) => name);
  return [...told.map(([, text]) => text), missing.length ? `not known: ${missing.join(", ")}` : ""].filter(Boolean);
}

/** What is known of a model, in a line; what the backend has assumed comes last and is called that. */
export function described(model: ModelInfo): string {
  const { contextWindow, maxTokens, inputPrice, outputPrice } = model;
  const can = (able: boolean | null | undefined, what: string) =>
    able === true ? what : able === false ? `no ${what}` : "";
  const parts: [keyof ModelInfo, string][] = [
    ["contextWindow", contextWindow ? `window of ${tokens(contextWindow)} tokens` : ""],
    ["maxTokens", maxTokens ? `answers up to ${tokens(maxTokens)}` : ""],
    ["supportsImages", can(model.supportsImages, "images")],
    ["supportsTools", can(model.supportsTools, "tools")],
    ["supportsPromptCache", can(model.supportsPromptCache, "prompt cache")],
    ["supportsComputerUse", model.supportsComputerUse ? "computer use" : ""],
    ["inputPrice", typeof inputPrice === "number" ? `${dollars(inputPrice)} in per million tokens` : ""],
    ["outputPrice", typeof outputPrice === "number" ? `${dollars(outputPrice)} out per million tokens` : ""],
  ];
  const line = (assumed: boolean) =>
    parts
      .filter(([name, text]) => text && (model.assumed ?? []).includes(name) === assumed)
      .map(([, text]) => text)
      .join(", ");
  return [line(false), line(true) ? `assumed, since nobody tells: ${line(true)}` : ""].filter(Boolean).join(" · ");
}
