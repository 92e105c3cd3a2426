// Tests of one workbench run one after the other: each builds on what the one before has done, as a person's session does.
import { ARTEFACTS } from "./session.mjs";

export class Suite {
  failures = [];
  passed = 0;

  constructor(name) {
    this.name = name;
  }

  /** Runs one test. `pictures` is the session whose screen is kept when it fails. */
  async test(title, session, body) {
    if (process.env.E2E_BAIL && this.failures.length) return false;
    const began = Date.now();
    try {
      await body();
      this.passed++;
      console.log(`  ✓ ${title} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
      return true;
    } catch (error) {
      this.failures.push(`${this.name}: ${title}`);
      console.log(
        `  ✗ ${title}\n      ${String(error?.stack ?? error)
          .split("\n")
          .slice(0, 16)
          .join("\n      ")}`,
      );
      const picture = await session
        ?.screenshot(`failed-${this.name}-${this.passed + this.failures.length}`)
        .catch(() => undefined);
      if (picture) console.log(`      picture: ${picture.replace(ARTEFACTS, "artefacts")}`);
      for (const line of (await session?.complaints().catch(() => undefined)) ?? [])
        console.log(`      on it: ${line}`);
      await session?.page?.keyboard.press("Escape").catch(() => undefined);
      return false;
    }
  }
}

export function equal(got, wanted, what = "value") {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: got ${a}, wanted ${b}`);
}

export function ok(value, what) {
  if (!value) throw new Error(what);
}
