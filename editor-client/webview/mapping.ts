/** A field that holds names and their values, as a person types it: a line for each, or JSON. */

export type Read = { value: Record<string, unknown> | undefined } | { wrong: string };

/** What to show of a value: `name = value` lines where all values are words, else JSON. */
export function written(value: unknown): string {
  if (typeof value !== "object" || value === null) return "";
  const entries = Object.entries(value);
  const plain = entries.every(
    ([name, each]) =>
      typeof each === "string" && each && name && !/[=\n]|^\{|^\s|\s$/.test(name) && !/\n|^\s|\s$/.test(each),
  );
  return plain ? entries.map(([name, each]) => `${name} = ${each}`).join("\n") : JSON.stringify(value, null, 2);
}

/** The value of what was typed; undefined for nothing. */
export function read(text: string): Read {
  const trimmed = text.trim();
  if (!trimmed) return { value: undefined };
  return trimmed.startsWith("{") ? document(trimmed) : lines(trimmed);
}

function document(text: string): Read {
  try {
    return { value: JSON.parse(text) as Record<string, unknown> };
  } catch {
    return { wrong: "This is not JSON; check its braces, quotes and commas, or write a line “name = value” for each." };
  }
}

function lines(text: string): Read {
  const found = new Map<string, string>();
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (!line) continue;
    const at = line.indexOf("=");
    const name = line.slice(0, at).trim();
    const value = line.slice(at + 1).trim();
    if (at < 0 || !name || !value) return { wrong: `“${line}” is no line of the form “name = value”.` };
    if (found.has(name)) return { wrong: `${name} is there twice; keep one of its lines.` };
    found.set(name, value);
  }
  return { value: Object.fromEntries(found) };
}
