// Runs everything that needs a real workbench, or says what this machine lacks for it.
//   node test/e2e/run.mjs [rare|journey|corners|providers|routing|settings|untrusted|neovim …]
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { CACHE, CLIENT, install, missing } from "./workbench.mjs";

const lacking = missing();
if (lacking.length) {
  console.log(`not tested here: the extension in a real workbench (this machine has no ${lacking.join(", ")})`);
  process.exit(process.env.ROOROUTE_CI === "1" ? 1 : 0);
}

/** The interpreter that has the backend. */
function backend() {
  const python = process.env.ROOROUTE_PYTHON ?? path.resolve(CLIENT, "../.venv/bin/python");
  const works = spawnSync(python, ["-c", "import rooroute.compose"], { cwd: CACHE }).status === 0;
  return works ? python : undefined;
}

console.log("the workbench is being installed, once: this takes a few minutes");
install();
const built = spawnSync("npm", ["run", "-s", "package"], { cwd: CLIENT, encoding: "utf8" });
if (built.status !== 0) throw new Error(built.stdout + built.stderr);
fs.rmSync(path.join(CLIENT, "artefacts"), { recursive: true, force: true });

const python = backend();
const suites = {
  rare: async () => (await import("./rare.mjs")).rare(),
  journey: async () => (await import("./journey.mjs")).journey(python),
  corners: async () => (await import("./corners.mjs")).corners(python),
  providers: async () => (await import("./providers.mjs")).providers(python),
  routing: async () => (await import("./routing.mjs")).routing(python),
  settings: async () => (await import("./settings.mjs")).settings(python),
  untrusted: async () => (await import("./untrusted.mjs")).untrusted(python),
  neovim: async () => (await import("./neovim.mjs")).neovim(python),
};
const wanted = process.argv.slice(2);
const began = Date.now();
const failures = [];
for (const [name, run] of Object.entries(suites)) {
  if (wanted.length && !wanted.includes(name)) continue;
  if (name !== "rare" && !python) {
    console.log(`not tested here: ${name} (no Python with rooroute; ROOROUTE_PYTHON names one)`);
    if (process.env.ROOROUTE_CI === "1") failures.push(`${name}: no backend`);
    continue;
  }
  console.log(name);
  try {
    const suite = await run();
    failures.push(...suite.failures);
  } catch (error) {
    failures.push(`${name}: ${error.message}`);
    console.log(error);
  }
}
console.log(
  failures.length
    ? `\n${failures.length} failed:\n- ${failures.join("\n- ")}`
    : `\nall passed in ${Math.round((Date.now() - began) / 1000)} s`,
);
process.exit(failures.length ? 1 : 0);
