import { expect, test } from "vitest";
import { drawn } from "./drawn";
import { complain, ownerOf } from "../../../webview/fields";
import { STRATEGIES } from "../../../webview/pools";
import { earlier, placeOfNew, ruleForm, rulesOf, withRule } from "../../../webview/rules";
import { ui } from "../../../webview/ui";
import { pool, snapshot } from "../samples";

const LONG = { name: "long", when: { minLength: 9 } };
const REST = { name: "rest", when: { model: [], contains: [] } };
const POOL = pool([], { id: "p", saved: { id: "p", rules: [LONG, REST] } });

test("a new rule comes last, but before one that takes whatever comes", () => {
  expect(placeOfNew([])).toBe(0);
  expect(placeOfNew([LONG])).toBe(1);
  expect(placeOfNew([LONG, REST])).toBe(1);
  expect(placeOfNew([{ name: "all" }, LONG])).toBe(0);
});

test("a rule goes a place earlier among those that are there by then", () => {
  expect(earlier([LONG, REST], "rest")).toEqual([REST, LONG]);
  expect(earlier([LONG, REST], "long")).toEqual([LONG, REST]);
  expect(earlier([LONG], "gone")).toEqual([LONG]);
});

test("a rule finds its place by names, whatever has become of the others meanwhile", () => {
  const draft = { pool: "p", was: "long", before: "rest", rule: { name: "longer" }, rows: [], wrong: "" };
  const names = (rules: { name: string }[], more = {}) =>
    withRule(rules, { ...draft, ...more }).map(({ name }) => name);
  const NEW = { name: "new" };
  expect(names([LONG, REST])).toEqual(["longer", "rest"]);
  expect(names([LONG, NEW, REST])).toEqual(["new", "longer", "rest"]);
  expect(names([REST, LONG])).toEqual(["longer", "rest"]);
  expect(names([LONG, NEW])).toEqual(["new", "longer"]);
  expect(names([LONG, NEW, REST], { was: undefined, before: undefined })).toEqual(["long", "new", "rest", "longer"]);
});

test("the form of a rule offers every place among the others", () => {
  ui.snapshot = snapshot([], { pools: [POOL] });
  const draft = { pool: "p", was: "long", before: "rest", rule: LONG, rows: [], wrong: "" };
  const words = drawn(ruleForm(draft, POOL, STRATEGIES, async () => undefined));
  expect(words).toContain("before “rest”");
  expect(words).not.toContain("before “long”");
});

test("a refused order is told among the rules, where the arrow is", () => {
  ui.open.add("/rules/p");
  complain(ownerOf("p"), "rules", "long can never fire.");
  const store = async () => ({ configRevision: "c1" });
  expect(drawn(rulesOf(POOL, STRATEGIES, store))).toContain("long can never fire.");
});
