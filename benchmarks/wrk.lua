-- The load: one kind of request, with a counter in its path and body; wrk calls these functions.
-- Arguments: METHOD STATUS PATH BODY FIRST CYCLE [HEADER VALUE]...
-- {n} becomes the counter, {n10} the same with ten digits; it turns after CYCLE steps, if not 0.
-- {any} becomes a number at random.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  method, expected, path, body = args[1], tonumber(args[2]), args[3], args[4]
  first, cycle, counter, unexpected = tonumber(args[5]), tonumber(args[6]), 0, 0
  headers = {}
  for i = 7, #args, 2 do headers[args[i]] = args[i + 1] end
  if body == "" then body = nil end
  math.randomseed(os.time())
  if not (path .. (body or "")):find("{[na]") then fixed = wrk.format(method, path, headers, body) end
end

local function numbered(text, n)
  text = text and text:gsub("{any}", function() return tostring(math.random(999999999)) end)
  return text and text:gsub("{n10}", string.format("%010d", n)):gsub("{n}", string.format("%d", n))
end

function request()
  if fixed then return fixed end
  local n = first + counter
  counter = counter + 1
  if cycle > 0 then counter = counter % cycle end
  return wrk.format(method, (numbered(path, n)), headers, (numbered(body, n)))
end

function response(status)
  if status ~= expected then
    unexpected = unexpected + 1
    last = status
  end
end

function done(summary, latency, requests)
  local unexpected, last = 0, 0
  for _, thread in ipairs(threads) do
    unexpected = unexpected + (thread:get("unexpected") or 0)
    last = thread:get("last") or last
  end
  local e = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, ' ..
    '"unexpected": %d, "last_unexpected": %d, "socket_errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, unexpected, last, e.connect + e.read + e.write + e.timeout))
end
