import type { ProviderInfo } from "./protocol";

/** What the backend's provider catalogue says of a vendor's fields and presets. */
export interface AskedField {
  /** Dotted path in the profile: "baseUrl", "options.organization"; "apiKey" is the key itself. */
  name: string;
  label: string;
  kind: "text" | "secret" | "url" | "model" | "number" | "boolean" | "file" | "object" | "choice" | "list";
  required?: boolean;
  help?: string;
  placeholder?: string;
  /** Of a choice. */
  choices?: string[];
}

export interface Preset {
  id: string;
  name: string;
  baseUrl: string;
  needsKey?: boolean;
  documentation?: string;
}

const dollars = (range: readonly unknown[]): string => {
  const [from, to] = range.map((price) => Number(Number(price).toPrecision(2)));
  return from === to ? `$${from}` : `$${from} to $${to}`;
};

/** What helps to choose a provider, in a line: capability, price, window, region. */
export function offer(provider: ProviderInfo): string {
  const { capabilities = [], largestWindow, price, regions } = provider;
  return [
    capabilities.join(", "),
    largestWindow ? `up to ${Math.round(largestWindow / 1000).toLocaleString("en")}k tokens` : "",
    price ? `${dollars(price.input)} in, ${dollars(price.output)} out per million` : "",
    regions ?? "",
  ]
    .filter(Boolean)
    .join(" · ");
}
