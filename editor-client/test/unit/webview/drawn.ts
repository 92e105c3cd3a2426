/** What the panel would draw, as text: templates are put together without a browser. */

// The panel's modules look for the editor and the page as soon as they are loaded.
Object.assign(globalThis, {
  acquireVsCodeApi: () => ({ postMessage() {}, getState() {}, setState() {} }),
  window: { addEventListener() {} },
  requestAnimationFrame() {},
  document: { activeElement: null, createTreeWalker() {} },
});

interface Template {
  strings: readonly string[];
  values: readonly unknown[];
}

export function drawn(part: unknown): string {
  if (part === null || part === undefined || typeof part === "symbol" || typeof part === "function") return "";
  if (Array.isArray(part)) return part.map(drawn).join("");
  if (typeof part !== "object") return String(part);
  if ("_$litType$" in part) {
    const { strings, values } = part as unknown as Template;
    return strings.map((text, n) => text + drawn(values[n])).join("");
  }
  if ("_$litDirective$" in part) {
    const [first, ...more] = (part as unknown as Template).values;
    const each = more.at(-1);
    // Of the directives that are used, only `repeat` has a template.
    return typeof each === "function"
      ? drawn([...(first as Iterable<unknown>)].map((one, n) => each(one, n)))
      : drawn(first);
  }
  throw new Error(`what is drawn by ${JSON.stringify(part)}?`);
}

/** The settings that have a field in it. */
export const settingsIn = (part: unknown): Set<string> =>
  new Set([...drawn(part).matchAll(/data-setting="?([^\s">]+)/g)].map(([, name]) => name!));
