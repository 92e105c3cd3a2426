// Bundles three things: what is loaded when the window opens, the language client that is loaded after it, and the panel.
import * as esbuild from "esbuild";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const dist = path.join(root, "dist");
fs.rmSync(dist, { recursive: true, force: true });

const shared = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  legalComments: "none",
  logLevel: "warning",
  outdir: "dist",
};
await esbuild.build({
  ...shared,
  entryPoints: ["src/extension.ts", "src/connection.ts"],
  platform: "node",
  target: "node20",
  format: "cjs",
  // The language client stays a file of its own: it is most of the weight and nothing needs it while the window opens.
  external: ["vscode", "./connection.js"],
});
await esbuild.build({
  ...shared,
  entryPoints: { panel: "webview/main.ts" },
  platform: "browser",
  target: "es2022",
  format: "esm",
});
fs.copyFileSync(path.join(root, "webview/panel.css"), path.join(dist, "panel.css"));
for (const file of ["codicon.css", "codicon.ttf"])
  fs.copyFileSync(path.join(root, "node_modules/@vscode/codicons/dist", file), path.join(dist, file));
