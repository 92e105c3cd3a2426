import path from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/unit/**/*.test.ts"],
    alias: { vscode: path.resolve(import.meta.dirname, "test/unit/vscode.ts") },
  },
});
