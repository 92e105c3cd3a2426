--- rooroute for Neovim 0.7 and later: the same backend, the pool in your status line, answers streamed into your buffer.
---
---   local rooroute = require('rooroute')
---   rooroute.setup({ cmd = { 'python3', '-P', '-m', 'rooroute', 'serve' } })
---   vim.o.statusline = '%f %= %{v:lua.require("rooroute").statusline()}'
---
--- Copy this file to a `lua` folder on your runtimepath. Commands: :RoorouteRotate [pool], :RoorouteStatus, :RoorouteAsk {question}.
local M = { status = nil, client_id = nil }

local PROTOCOL = '1.0'
local listeners = {}
local count = 0

local function client()
  return M.client_id and vim.lsp.get_client_by_id(M.client_id) or nil
end

--- Progress of our own requests goes to whoever made them; everything else goes the editor's own way.
--- (The editor's own handler would keep every piece of an answer in memory and run an autocommand for each.)
local function progress(fallback)
  return function(err, result, context, config)
    local listener = result and listeners[result.token]
    if listener then
      return listener(result.value)
    end
    return fallback and fallback(err, result, context, config)
  end
end

local function changed(_, change)
  if not M.status then
    return
  end
  for _, kind in ipairs({ 'profiles', 'pools' }) do
    local news = {}
    for _, item in ipairs(change[kind]) do
      news[item.id] = item
    end
    local gone = {}
    for _, id in ipairs(change.removed[kind]) do
      gone[id] = true
    end
    local merged = {}
    for _, item in ipairs(M.status[kind]) do
      if not gone[item.id] then
        table.insert(merged, news[item.id] or item)
        news[item.id] = nil
      end
    end
    for _, item in ipairs(change[kind]) do
      if news[item.id] then
        table.insert(merged, item)
      end
    end
    M.status[kind] = merged
  end
  vim.cmd('redrawstatus')
end

--- Starts the backend. `options.cmd` is its command line.
function M.setup(options)
  options = options or {}
  local config = {
    name = 'rooroute',
    cmd = options.cmd or { 'python3', '-P', '-m', 'rooroute', 'serve' },
    cmd_cwd = vim.fn.stdpath('cache'),
    root_dir = vim.fn.getcwd(),
    init_options = { rooroute = { protocolVersion = PROTOCOL, client = 'neovim' } },
    handlers = {
      ['$/progress'] = progress(vim.lsp.handlers['$/progress']),
      ['rooroute/statusChanged'] = changed,
    },
    on_init = function(started)
      started.request('rooroute/status', vim.empty_dict(), function(err, status)
        if not err then
          M.status = status
        end
      end)
    end,
    on_exit = function()
      M.client_id, M.status, listeners = nil, nil, {}
    end,
  }
  M.client_id = vim.lsp.start_client(config)
  return M.client_id
end

function M.stop()
  local running = client()
  if running then
    running.stop()
  end
end

--- One line: who answers, or until when nobody does.
function M.statusline()
  if not M.status then
    return ''
  end
  local names = {}
  for _, profile in ipairs(M.status.profiles) do
    names[profile.id] = profile.name
  end
  for _, pool in ipairs(M.status.pools) do
    if pool.id == (M.status.defaultPool or 'default') then
      if pool.current then
        return names[pool.current] or pool.current
      end
      return pool['until'] and ('waiting until ' .. pool['until']) or 'nobody can answer'
    end
  end
  return ''
end

--- Moves to the next profile that can serve. `done(error, {from, to})`.
function M.rotate(pool, done)
  local running = client()
  if not running then
    return done and done({ message = 'rooroute is not running; call setup() first.' })
  end
  running.request('workspace/executeCommand', { command = 'rooroute.server.rotateNow', arguments = pool and { pool } or nil }, done or function(err, moved)
    vim.notify(err and err.message or ('The next request goes to ' .. moved.to .. '.'))
  end)
end

--- Streams one answer. `on.text(piece)`, `on.done(error, result)` and, if you like, `on.other(value)` for attempts, waits and usage.
--- Returns a function that cancels.
function M.complete(params, on)
  local running = client()
  if not running then
    on.done({ message = 'rooroute is not running; call setup() first.' })
    return function() end
  end
  count = count + 1
  local token = 'rooroute-nvim-' .. count
  listeners[token] = function(value)
    if value.kind == 'text' then
      on.text(value.text)
    elseif on.other then
      on.other(value)
    end
  end
  params = vim.tbl_extend('force', params, { partialResultToken = token })
  local ok, id = running.request('rooroute/complete', params, function(err, result)
    listeners[token] = nil
    on.done(err, result)
  end)
  return function()
    if ok then
      running.cancel_request(id)
    end
  end
end

--- Streams the answer to a question to the end of the current buffer.
function M.ask(question, done)
  local buffer = vim.api.nvim_get_current_buf()
  vim.api.nvim_buf_set_lines(buffer, -1, -1, false, { '' })
  return M.complete({ messages = { { role = 'user', content = question } } }, {
    text = function(piece)
      local lines = vim.split(piece, '\n', { plain = true })
      local last = vim.api.nvim_buf_line_count(buffer)
      local line = vim.api.nvim_buf_get_lines(buffer, last - 1, last, false)[1] or ''
      lines[1] = line .. lines[1]
      vim.api.nvim_buf_set_lines(buffer, last - 1, last, false, lines)
    end,
    done = done or function(err, result)
      vim.notify(err and err.message or (result.profileId .. ', ' .. result.model), err and vim.log.levels.ERROR or vim.log.levels.INFO)
    end,
  })
end

vim.api.nvim_create_user_command('RoorouteRotate', function(command)
  M.rotate(command.args ~= '' and command.args or nil)
end, { nargs = '?' })
vim.api.nvim_create_user_command('RoorouteStatus', function()
  for _, profile in ipairs(M.status and M.status.profiles or {}) do
    print(profile.name .. ': ' .. profile.state .. (profile.reason and (', ' .. profile.reason) or ''))
  end
end, {})
vim.api.nvim_create_user_command('RoorouteAsk', function(command)
  M.ask(command.args)
end, { nargs = '+' })

return M
