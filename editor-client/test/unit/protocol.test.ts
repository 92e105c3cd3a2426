import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { toModelError } from "../../src/model";
import type { StatusChanged } from "../../src/protocol";
import { applyChange } from "../../src/status";
import { NOW, snapshot } from "./samples";

const root = path.resolve(__dirname, "../../../protocol");
const openrpc = JSON.parse(fs.readFileSync(path.join(root, "openrpc.json"), "utf8")) as {
  methods: { name: string }[];
  info: { version: string };
};

test("the protocol's types are those of the schema", async () => {
  const { generate } = (await import("../../scripts/protocol.mjs" as string)) as {
    generate(document: unknown): string;
  };
  const source = fs.readFileSync(path.resolve(__dirname, "../../src/protocol.ts"), "utf8");
  expect(source === generate(openrpc), "src/protocol.ts is stale: run `npm run generate`").toBe(true);
});

interface Message {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: { code: number; message: string; data?: { kind?: string } };
}

/** The messages a server sends in the project's golden examples. */
function messages(file: string): { sent: Message[]; expected: Message[] } {
  const { steps } = JSON.parse(fs.readFileSync(path.join(root, "examples", file), "utf8")) as {
    steps: { send?: Message; expect?: Message }[];
  };
  const only = (key: "send" | "expect") =>
    steps
      .map((step) => step[key])
      .filter((message): message is Message => message !== null && typeof message === "object");
  return { sent: only("send"), expected: only("expect") };
}

const KINDS = ["attempt", "text", "thinking", "toolCall", "waiting", "reset", "usage", "stage"];

describe.each(fs.readdirSync(path.join(root, "examples")).filter((file) => file.endsWith(".json")))(
  "the example %s",
  (file) => {
    const { expected } = messages(file);

    test("has progress of kinds this client knows", () => {
      for (const { params } of expected.filter(({ method }) => method === "$/progress")) {
        const kind = (params?.["value"] as { kind?: string } | undefined)?.kind;
        if (kind !== undefined && !kind.startsWith("<")) expect(KINDS).toContain(kind);
      }
    });

    test("has changes of status this client can apply", () => {
      for (const { params } of expected.filter(({ method }) => method === "rooroute/statusChanged")) {
        const change = {
          profiles: [],
          pools: [],
          removed: { profiles: [], pools: [] },
          ...params,
        } as unknown as StatusChanged;
        if (Array.isArray(change.profiles) && Array.isArray(change.pools) && typeof change.removed === "object")
          expect(() => applyChange(snapshot([]), change, NOW)).not.toThrow();
      }
    });

    test("has errors whose sentence reaches the other extension", () => {
      for (const { error } of expected)
        if (error && typeof error.message === "string") expect(toModelError(error).message).toBe(error.message);
    });
  },
);
