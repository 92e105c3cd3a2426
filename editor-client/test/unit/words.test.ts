import { describe, expect, test } from "vitest";
import { ago, compact, countdown, duration, estimateTokens, inMarkdown, money, plain } from "../../src/words";

describe("a countdown", () => {
  test.each([
    [272, "04:32"],
    [0.2, "00:01"],
    [0, "00:00"],
    [-5, "00:00"],
    [3600, "1:00:00"],
    [86399, "23:59:59"],
    [86400 + 3 * 60, "1 day 00:03:00"],
    [35 * 86400, "35 days 00:00:00"],
  ])("of %s seconds reads %s", (seconds, text) => expect(countdown(seconds)).toBe(text));
});

test("time passed is said in the largest unit that fits", () => {
  const now = Date.parse("2026-01-31T12:00:00Z");
  expect(ago("2026-01-31T11:55:00Z", now)).toBe("5 minutes ago");
  expect(ago("2026-01-31T11:59:55Z", now)).toBe("just now");
  expect(ago(null, now)).toBe("never");
  expect(ago("nonsense", now)).toBe("never");
  expect(duration(86400)).toBe("1 day");
});

test("tokens are estimated by kind of script, and nothing costs nothing", () => {
  expect(estimateTokens("")).toBe(0);
  expect(estimateTokens("abcdefgh")).toBe(2);
  expect(estimateTokens("日本語")).toBe(2);
});

test("numbers and sums are short", () => {
  expect([950, 1000, 12_345, 999_600, 4_100_000].map(compact)).toEqual(["950", "1k", "12.3k", "1M", "4.1M"]);
  expect([0, 0.00123, 1.5].map(money)).toEqual(["$0", "$0.0012", "$1.50"]);
});

test("what comes from outside can neither draw an icon, nor turn the text around, nor become a link", () => {
  expect(plain("$(error) a\u202eb\r\nc")).toBe("$ (error) a b c");
  expect(inMarkdown("[x](command:y) <img> `z`")).toBe("\\[x\\]\\(command:y\\) \\<img\\> \\`z\\`");
  expect(inMarkdown("http://127.0.0.1 www.evil.example ![y]")).toBe(
    "http\\://127.0.0.1 www\\.evil\\.example \\!\\[y\\]",
  );
  expect(["# a", " - b", "+ c", "1. d"].map(inMarkdown)).toEqual(["\\# a", " \\- b", "\\+ c", "1\\. d"]);
});

test("what means nothing inside a line stands in it as it came", () => {
  for (const text of ["gpt-4.1-mini costs $0.10.", "Wait! It is 5 + 3 #2: 10:30.", "2026-11-21 at 08:12"])
    expect(inMarkdown(text)).toBe(text);
});
