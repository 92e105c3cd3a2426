#!/usr/bin/env node
// A backend that shows what a real one shows rarely: two hundred profiles of all states, another protocol, a burst of deltas.
// It is started as an executable called rooroute; ROOROUTE_STUB names a file that holds the scenario's name.
import fs from "node:fs";
import process from "node:process";

const scenario = fs.readFileSync(process.env.ROOROUTE_STUB, "utf8").trim();
if (scenario === "does not begin") {
  process.stderr.write("Error: no such command serve\n");
  process.exit(2);
}
const PROTOCOL = scenario === "other-protocol" ? "9.0" : "1.0";
const instant = (seconds) => new Date(Date.now() + seconds * 1000).toISOString();

const STATES = ["active", "cooldown", "active", "failed", "active", "disabled"];
const profile = (n) => {
  const state = scenario === "burst" ? "active" : STATES[n % STATES.length];
  return {
    id: `p${n}`,
    name: n === 7 ? "A profile whose name is rather longer than anybody would expect a name to be" : `Profile ${n}`,
    provider: ["openai", "anthropic", "gemini"][n % 3],
    model: ["gpt-5-mini", "claude-sonnet-4-5-20250929", "gemini-2.5-flash-preview-09-2025"][n % 3],
    state,
    ...(state === "cooldown"
      ? {
          until: instant(600 + n),
          reason: "Its rate limit is reached.",
          lastError: "Rate limit reached for requests per minute.",
        }
      : {}),
    ...(state === "failed"
      ? { reason: "The provider says that the key is not valid.", remedy: "Paste a new key." }
      : {}),
    secret: "keyring",
    lastUsed: instant(-60 * n - 30),
    keySavedAt: instant(-86400 * (n + 1)),
    stats: {
      requests: n * 13,
      successRate: n ? 1 - (n % 7) / 20 : null,
      medianFirstTokenMs: 300 + n * 11,
      p95FirstTokenMs: 900 + n * 40,
      inputTokens: n * 12345,
      outputTokens: n * 2345,
    },
  };
};
const count = scenario === "burst" ? 1 : 200;
const profiles = Array.from({ length: count }, (_, n) => profile(n));
const pool = {
  id: "default",
  name: "default",
  strategy: "priority",
  profiles: profiles.map(({ id }) => id),
  state: "active",
  current: "p0",
  saved: { id: "default", profiles: profiles.map(({ id }) => id) },
};
const status = () => ({
  now: instant(0),
  configRevision: "1",
  stateRevision: 1,
  secretStore: "keyring",
  profiles,
  pools: [pool],
  problems: [],
  defaultPool: "default",
});

const KEY = { name: "apiKey", label: "API key", kind: "secret", required: true };
const MODEL = { name: "model", label: "Model", kind: "model", help: "Used where a request names no model." };
const URL_FIELD = {
  name: "baseUrl",
  label: "Base URL",
  kind: "url",
  required: true,
  help: "Up to the version: what stands before /chat/completions.",
  placeholder: "http://localhost:8000/v1",
};
const PROVIDERS = [
  {
    id: "openai",
    name: "OpenAI",
    fields: [KEY, MODEL, { name: "options.organization", label: "Organization", kind: "text", placeholder: "org-…" }],
    presets: [],
    documentation: "https://platform.openai.com/docs",
  },
  {
    id: "openai-compatible",
    name: "OpenAI-compatible server",
    fields: [URL_FIELD, KEY, MODEL],
    presets: [{ id: "ollama", name: "Ollama", baseUrl: "http://localhost:11434/v1", needsKey: false }],
  },
  {
    id: "anthropic",
    name: "Anthropic",
    fields: [
      KEY,
      MODEL,
      {
        name: "options.promptCache",
        label: "Prompt cache",
        kind: "boolean",
        help: "Marks system prompt, tools and history as cacheable.",
      },
    ],
    presets: [],
  },
];

function send(message) {
  const body = JSON.stringify({ jsonrpc: "2.0", ...message });
  process.stdout.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

function complete(id, { partialResultToken: token }) {
  const progress = (value) => send({ method: "$/progress", params: { token, value } });
  progress({ kind: "attempt", requestId: "r1", n: 1, profileId: "p0", model: "gpt-5-mini", why: "first in the pool" });
  let sent = 0;
  const more = () => {
    for (let i = 0; i < 250 && sent < 20_000; i++) progress({ kind: "text", text: `w${sent++} ` });
    if (sent < 20_000) return void setTimeout(more, 20);
    const usage = { inputTokens: 5, outputTokens: sent, estimated: false };
    send({
      id,
      result: {
        requestId: "r1",
        profileId: "p0",
        model: "gpt-5-mini",
        finishReason: "stop",
        message: { role: "assistant", content: "" },
        usage,
        attempts: [],
      },
    });
  };
  more();
}

function answer({ id, method, params }) {
  if (scenario === "does not answer") return;
  if (method === "initialize")
    return send({
      id,
      result: {
        capabilities: { experimental: { rooroute: { protocolVersion: PROTOCOL } } },
        serverInfo: { name: "rooroute", version: "9.9.9" },
      },
    });
  if (method === "initialized" && scenario === "crashes") process.exit(3);
  if (method === "initialized" && scenario === "closes its ears and crashes") {
    fs.closeSync(0);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100); // long enough to be written to in vain
    process.exit(3);
  }
  if (method === "shutdown") return send({ id, result: null });
  if (method === "exit") process.exit(0);
  if (method === "rooroute/status") return send({ id, result: status() });
  if (method === "rooroute/providers") return send({ id, result: { providers: PROVIDERS } });
  if (method === "rooroute/profiles/get")
    return send({
      id,
      result: { profile: { id: params.id, provider: "openai", name: params.id }, configRevision: "1" },
    });
  if (method === "rooroute/complete") return complete(id, params);
  if (method === "rooroute/pools/save") {
    Object.assign(pool, { profiles: params.pool.profiles, saved: params.pool });
    send({ id, result: { pool, configRevision: "2" } });
    return send({
      method: "rooroute/statusChanged",
      params: {
        now: instant(0),
        configRevision: "2",
        stateRevision: 1,
        profiles: [],
        pools: [pool],
        removed: { profiles: [], pools: [] },
      },
    });
  }
  if (id !== undefined && method) send({ id, error: { code: -32601, message: `The stub does not know ${method}.` } });
}

let buffer = Buffer.alloc(0);
process.stdin.on("data", (data) => {
  buffer = Buffer.concat([buffer, data]);
  for (;;) {
    const end = buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const length = Number(/content-length: *(\d+)/i.exec(buffer.toString("latin1", 0, end))?.[1]);
    if (buffer.length < end + 4 + length) return;
    const message = JSON.parse(buffer.toString("utf8", end + 4, end + 4 + length));
    buffer = buffer.subarray(end + 4 + length);
    answer(message);
  }
});
process.stdin.on("end", () => process.exit(0));
