/** What a model costs and holds, in words, and who says so. Pure. */
import type { Price, ProfileStatus, Source } from "./protocol";

/** Whole by type: a source that the backend learns has to be named here. */
const SOURCES: Record<Source, string> = {
  yours: "as you typed",
  server: "from the server's list",
  table: "from the offline table",
};
/** Of a cost that was reckoned. */
const PRICED_BY: Record<Source, string> = {
  yours: "by your prices",
  server: "by the server's list",
  table: "by the offline table",
};

export const pricedBy = (source: Source | null | undefined): string => (source ? `, ${PRICED_BY[source]}` : "");
const told = (source: Source | null | undefined): string => (source ? `, ${SOURCES[source]}` : "");

const usd = (price: number): string =>
  price.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 6 });
const tokens = (count: number): string => `${count.toLocaleString("en")} tokens`;

/** Input, then output. */
export function priceWords({ price, priceSource }: ProfileStatus): string {
  return price ? `${usd(price.input)} / ${usd(price.output)} USD per million tokens${told(priceSource)}` : "";
}

export function windowWords({ contextWindow, contextWindowSource }: ProfileStatus): string {
  return contextWindow ? `${tokens(contextWindow)}${told(contextWindowSource)}` : "";
}

/** What holds for a field of the form that the user has left empty, by the field's dotted path. */
export function heldBy(profile: ProfileStatus, path: string): string {
  const [what, part] = path.split(".");
  if (what === "price" && part && profile.priceSource !== "yours") {
    const price = profile.price?.[part as keyof Price];
    if (typeof price === "number")
      return `${usd(price)} USD per million tokens${told(profile.priceSource)}; type your own to override.`;
  }
  if (path === "contextWindow" && profile.contextWindowSource !== "yours" && profile.contextWindow)
    return `${windowWords(profile)}; type your own to override.`;
  return "";
}
