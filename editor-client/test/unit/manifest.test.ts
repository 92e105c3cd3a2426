import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.resolve(__dirname, "../..");
const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as {
  contributes: {
    commands: { command: string; category: string }[];
    configuration: {
      properties: Record<string, { scope: string; description?: string; markdownDescription?: string }>;
    };
    walkthroughs: { steps: { media: { markdown: string } }[] }[];
  };
  capabilities: { untrustedWorkspaces: { restrictedConfigurations: string[] } };
  activationEvents: string[];
};

test("what chooses an executable or where keys lie belongs to the machine and is restricted in untrusted workspaces", () => {
  const settings = manifest.contributes.configuration.properties;
  for (const name of manifest.capabilities.untrustedWorkspaces.restrictedConfigurations)
    expect(settings[name]?.scope).toBe("machine");
  expect(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations).toEqual(
    Object.keys(settings).filter((name) => settings[name]?.scope === "machine"),
  );
});

test("every command of the palette is of our category, and each is registered", () => {
  const source = fs.readFileSync(path.join(root, "src/commands.ts"), "utf8");
  for (const { command, category } of manifest.contributes.commands) {
    expect(category).toBe("rooroute");
    expect(source).toContain(`"${command}"`);
  }
});

test("it starts with the window, and the walkthrough's pages are there", () => {
  expect(manifest.activationEvents).toContain("onStartupFinished");
  for (const step of manifest.contributes.walkthroughs[0]!.steps)
    expect(fs.existsSync(path.join(root, step.media.markdown))).toBe(true);
});

test("the lock file names no registry, so that it holds wherever it is installed", () => {
  expect(fs.readFileSync(path.join(root, "package-lock.json"), "utf8")).not.toContain('"resolved"');
});
