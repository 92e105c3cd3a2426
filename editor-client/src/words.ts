/** How things are said. Pure: every function gets what it needs, the clock included. */

/** mm:ss, with hours and days in front when there are any; never negative. */
export function countdown(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const days = Math.floor(whole / 86_400);
  const hours = Math.floor((whole % 86_400) / 3600);
  const before = days > 0 ? `${days} ${days === 1 ? "day" : "days"} ${two(hours)}:` : hours > 0 ? `${hours}:` : "";
  return before + `${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
}

/** Seconds in words, for a sentence: "4 seconds", "3 minutes", "2 hours". */
export function duration(seconds: number): string {
  const units: [number, string][] = [
    [86400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  const [size, unit] = units.find(([size]) => seconds >= size) ?? [1, "second"];
  const n = Math.max(0, Math.round(seconds / size));
  return `${n} ${unit}${n === 1 ? "" : "s"}`;
}

/** "just now", "5 minutes ago", "never". */
export function ago(instant: string | null | undefined, nowMs: number): string {
  if (!instant) return "never";
  const seconds = (nowMs - Date.parse(instant)) / 1000;
  if (Number.isNaN(seconds)) return "never";
  return seconds < 10 ? "just now" : `${duration(seconds)} ago`;
}

/** A time of day, with the day where it is not within one; both in milliseconds. */
export function moment(at: number, now: number): string {
  const time = { hour: "2-digit", minute: "2-digit" } as const;
  return new Date(at).toLocaleString(
    "en-GB",
    Math.abs(at - now) < 86_400_000 ? time : { day: "numeric", month: "short", ...time },
  );
}

/** A rough count of tokens, without a tokenizer: four characters of Latin text, one and a half of anything else. */
export function estimateTokens(text: string): number {
  let wide = 0;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x2e7f) wide++;
  return Math.ceil((text.length - wide) / 4 + wide / 1.5);
}

/** A number a person reads: 950, 12.3k, 4.1M. */
export function compact(n: number): string {
  const [value, unit] = n >= 999_500 ? [n / 1e6, "M"] : n >= 1000 ? [n / 1000, "k"] : [n, ""];
  return (unit ? value.toFixed(value < 100 ? 1 : 0).replace(/\.0$/, "") : String(Math.round(value))) + unit;
}

/** USD. Small sums keep two significant digits. */
export function money(usd: number): string {
  return usd === 0 ? "$0" : usd < 0.01 ? `$${usd.toPrecision(2)}` : `$${usd.toFixed(2)}`;
}

/** Text from outside, made harmless for a place where `$(icon)` and line breaks mean something. */
export function plain(text: string): string {
  return text.replace(/\$\(/g, "$ (").replace(/[\u0000-\u001f\u007f\u202a-\u202e\u2066-\u2069]+/g, " ");
}

/**
 * Text from outside, made harmless inside Markdown. What means something only where a line begins, before a bracket or in an address is
 * left alone elsewhere, since the text is also read as it stands.
 */
export function inMarkdown(text: string): string {
  return plain(text).replace(/[\\`*_{}[\]()|<>&~]|!(?=\[)|:(?=\/\/)|\.(?=[^\s\d])|^\s*[#+-]|(?<=^\s*\d+)\./g, (sign) =>
    sign.replace(/\S/, "\\$&"),
  );
}
