import { expect, test } from "vitest";
import type { ProviderInfo } from "../../../src/protocol";
import { type Draft, idFor, missing, valueAt, withValue } from "../../../webview/draft";

test("a value deep in a profile is set in a copy, and an emptied one goes", () => {
  const before = { id: "a", provider: "openai", options: { organization: "o" } };
  const after = withValue(before, "options.project", "p");
  expect(after).toEqual({ id: "a", provider: "openai", options: { organization: "o", project: "p" } });
  expect(before.options).toEqual({ organization: "o" });
  expect(withValue(after, "options.project", "").options).toEqual({ organization: "o" });
  expect(valueAt(after, "options.project")).toBe("p");
  expect(valueAt(after, "none.at.all")).toBeUndefined();
});

test("an id is the name without what an id must not hold, and like no other", () => {
  expect(idFor("Gemini/1", [])).toBe("Gemini 1");
  expect(idFor("Gemini", ["Gemini", "Gemini 2"])).toBe("Gemini 3");
  expect(idFor("  \u202e ", [])).toBe("profile");
  expect(idFor("x".repeat(99), [])).toHaveLength(58);
});

test("what is needed is asked for; a local server needs no key, a saved profile keeps its own", () => {
  const provider: ProviderInfo = {
    id: "openai",
    name: "OpenAI",
    fields: [{ name: "apiKey", label: "API key", kind: "secret", required: true }],
    presets: [],
  };
  const draft = {
    provider,
    preset: undefined,
    editing: undefined,
    apiKey: "",
    typed: new Map(),
    profile: { id: "", provider: "openai", name: "x" },
  } as unknown as Draft;
  expect([...missing(draft)]).toEqual([["apiKey", "API key is needed."]]);
  expect(missing({ ...draft, editing: "x" }).size).toBe(0);
  expect(
    missing({ ...draft, preset: { id: "o", name: "Ollama", baseUrl: "http://localhost:1", needsKey: false } }).size,
  ).toBe(0);
  expect([...missing({ ...draft, apiKey: "k", profile: { id: "", provider: "openai", name: " " } }).keys()]).toEqual([
    "name",
  ]);
});

test("a mapping that cannot be read is complained of where it was typed", () => {
  const provider: ProviderInfo = { id: "azure-openai", name: "Azure OpenAI", fields: [], presets: [] };
  const draft = {
    provider,
    apiKey: "",
    typed: new Map([["options.deployments", "gpt-4o"]]),
    profile: { id: "", provider: "azure-openai", name: "x" },
  } as unknown as Draft;
  expect([...missing(draft).keys()]).toEqual(["options.deployments"]);
  draft.typed.set("options.deployments", "gpt-4o = mine");
  expect(missing(draft).size).toBe(0);
});
