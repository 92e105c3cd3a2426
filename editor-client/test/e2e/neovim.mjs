// Neovim as a second client of the same server, with the module that is shipped for it.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { equal, ok, Suite } from "./runner.mjs";
import { startProvider } from "./provider.mjs";
import { CLIENT } from "./workbench.mjs";

const SCRIPT = `
local out = {}
local function say(name, value) out[name] = value end
local function wait(what, look) say(what, vim.wait(20000, look, 20)) end
vim.opt.runtimepath:append(os.getenv('CLIENT'))
package.path = os.getenv('CLIENT') .. '/lua/?.lua;' .. package.path
local rooroute = require('rooroute')
rooroute.setup({ cmd = { os.getenv('PY'), '-P', '-m', 'rooroute', 'serve' } })
wait('started', function() return rooroute.status ~= nil end)
local client = vim.lsp.get_client_by_id(rooroute.client_id)
for _, profile in ipairs(vim.json.decode(os.getenv('PROFILES'))) do
  local key = profile.key
  profile.key = nil
  client.request_sync('rooroute/profiles/save', { profile = profile, apiKey = key }, 10000, 0)
end
wait('two profiles', function() return #rooroute.status.profiles == 2 end)
say('first', rooroute.statusline())
local moved
rooroute.rotate(nil, function(err, result) moved = err or result end)
wait('rotated', function() return moved ~= nil end)
say('moved', moved)
wait('status follows', function() return rooroute.statusline() == moved.to end)
rooroute.rotate(nil, function(err, result) moved = err or result end)
wait('back', function() return rooroute.statusline() == out.first end)
local seen, answer = {}, nil
rooroute.complete({ messages = { { role = 'user', content = 'hello' } } }, {
  text = function(piece) table.insert(seen, piece) end,
  other = function(value) if value.kind == 'attempt' then say('attempt' .. value.n, value.profileId) end end,
  done = function(err, result) answer = err or result end,
})
wait('answered', function() return answer ~= nil end)
say('text', table.concat(seen))
say('by', answer.profileId)
local done
rooroute.ask('again', function(err) done = true; say('asked', err == nil) end)
wait('asked in time', function() return done end)
say('buffer', table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n'))
rooroute.stop()
wait('stopped', function() return client.is_stopped() end)
io.open(os.getenv('OUT'), 'w'):write(vim.json.encode(out))
vim.cmd('qa!')
`;

export async function neovim(python) {
  const suite = new Suite("neovim");
  if (spawnSync("nvim", ["--version"]).status !== 0) {
    console.log("not tested here: neovim (this machine has none)");
    if (process.env.ROOROUTE_CI === "1") suite.failures.push("neovim: there is none");
    return suite;
  }
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "rooroute-nvim-"));
  const provider = await startProvider(python, home);
  try {
    await provider.script({
      "key-one": [{ step: "fail", kind: "rate-limit", retryDelay: 30 }],
      "key-two": [{ step: "answer", text: "Two answers in a line\nand another." }],
    });
    await suite.test(
      "status, rotation by executeCommand, and an answer streamed through a failover",
      undefined,
      async () => {
        const profiles = ["one", "two"].map((name) => ({
          id: name,
          provider: "openai-compatible",
          model: "scripted-model",
          baseUrl: provider.urls.openai,
          key: `key-${name}`,
        }));
        const script = path.join(home, "drive.lua");
        const out = path.join(home, "out.json");
        fs.writeFileSync(script, SCRIPT);
        const env = {
          ...process.env,
          HOME: home,
          XDG_CONFIG_HOME: `${home}/config`,
          XDG_STATE_HOME: `${home}/state`,
          XDG_DATA_HOME: `${home}/data`,
          XDG_CACHE_HOME: `${home}/cache`,
          XDG_RUNTIME_DIR: home,
        };
        fs.mkdirSync(`${home}/cache/nvim`, { recursive: true });
        Object.assign(env, {
          CLIENT,
          PY: python,
          OUT: out,
          PROFILES: JSON.stringify(profiles),
          ROOROUTE_SECRET_STORE: "session",
        });
        const run = spawnSync("nvim", ["--clean", "--headless", "-S", script], {
          env,
          encoding: "utf8",
          timeout: 90_000,
          cwd: home,
        });
        ok(fs.existsSync(out), `nvim: ${run.stdout}${run.stderr}`);
        const seen = JSON.parse(fs.readFileSync(out, "utf8"));
        const waits = Object.entries(seen).filter(([, value]) => value === false);
        equal(waits, [], "what did not happen in time");
        equal([seen.first, seen.moved.to, seen.by], ["one", "two", "two"]);
        equal([seen.attempt1, seen.attempt2], ["one", "two"]);
        equal(seen.text, "Two answers in a line\nand another.");
        ok(seen.buffer.endsWith("Two answers in a line\nand another."), seen.buffer);
      },
    );
  } finally {
    provider.stop();
    fs.rmSync(home, { recursive: true, force: true });
  }
  return suite;
}
