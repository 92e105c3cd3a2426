/** The conditions of a rule as rows of plain text, and back. Nothing is judged here: the backend says what cannot work. */
import type { When } from "../src/protocol";
import { read } from "./mapping";

export type Condition = keyof When;
type Kind = "list" | "text" | "number" | "mapping";

/** Whole by type: a condition that the backend learns has to be named here. */
export const CONDITIONS: Record<Condition, { label: string; kind: Kind; help: string }> = {
  model: { label: "The requested model", kind: "list", help: "One of these; * stands for anything." },
  mode: { label: "The mode", kind: "list", help: "One of these." },
  task: { label: "The task", kind: "list", help: "One of these." },
  intent: { label: "The intent", kind: "list", help: "One of these, in metadata.intent of the request." },
  needs: { label: "It needs", kind: "list", help: "All of these: tools, images." },
  contains: { label: "The message contains", kind: "list", help: "One of these; case does not count." },
  pattern: { label: "The message matches", kind: "text", help: "A regular expression." },
  minLength: { label: "At least so many characters", kind: "number", help: "Of the last message." },
  maxLength: { label: "At most so many characters", kind: "number", help: "Of the last message." },
  minTokens: { label: "At least so many tokens", kind: "number", help: "Of the whole request, estimated." },
  maxTokens: { label: "At most so many tokens", kind: "number", help: "Of the whole request, estimated." },
  language: { label: "The language of the file", kind: "list", help: "One of these." },
  tags: { label: "The tags", kind: "list", help: "All of these." },
  region: { label: "The region", kind: "list", help: "One of these." },
  metadata: { label: "Metadata", kind: "mapping", help: "name = value" },
};

export interface Row {
  condition: Condition;
  text: string;
}

/** Entries between commas; as JSON where an entry has a comma or would not come back as it is. */
export function listed(entries: readonly string[]): string {
  const plain = entries.every((entry) => entry && entry === entry.trim() && !entry.includes(","));
  return plain && !entries[0]?.startsWith("[") ? entries.join(", ") : JSON.stringify(entries);
}

export function entriesOf(text: string): string[] {
  if (text.trim().startsWith("["))
    try {
      return (JSON.parse(text) as unknown[]).map(String);
    } catch {
      // A bracket of the text's own.
    }
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter(Boolean);
}

export function rowsOf(when: When | undefined): Row[] {
  return (Object.keys(CONDITIONS) as Condition[]).flatMap((condition) => {
    const value = when?.[condition];
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value.length ? [{ condition, text: listed(value) }] : [];
    if (typeof value === "object") return Object.keys(value).length ? [{ condition, text: JSON.stringify(value) }] : [];
    return [{ condition, text: String(value) }];
  });
}

/** Throws a sentence about the row that cannot be read. Empty rows are left out. */
export function whenOf(rows: readonly Row[]): When {
  const when: Record<string, unknown> = {};
  for (const { condition, text } of rows) {
    const { kind, label } = CONDITIONS[condition];
    if (!text.trim()) continue;
    if (condition in when) throw new Error(`“${label}” is there twice; put both into one row.`);
    if (kind === "list") when[condition] = entriesOf(text);
    else if (kind === "text") when[condition] = text;
    else if (kind === "number") {
      if (!Number.isFinite(Number(text))) throw new Error(`“${label}” wants a number.`);
      when[condition] = Number(text);
    } else {
      const found = read(text);
      if ("wrong" in found) throw new Error(found.wrong);
      when[condition] = found.value;
    }
  }
  return when as When;
}
