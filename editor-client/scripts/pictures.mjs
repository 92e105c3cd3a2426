// Copies the pictures of the README from what the last end-to-end run has left.
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
const PICTURES = { countdown: "countdown", wizard: "wizard-tested", waiting: "waiting", narrow: "profiles-light-300" };
fs.mkdirSync(path.join(root, "docs"), { recursive: true });
for (const [name, artefact] of Object.entries(PICTURES))
  fs.copyFileSync(path.join(root, "artefacts", `${artefact}.png`), path.join(root, "docs", `${name}.png`));
