-- Replays requests that were signed beforehand with wrk (https://github.com/wg/wrk), so that nothing is signed while the clock runs.
--
--   wrk -t2 -c64 -d10s -s loadtests/presigned.lua http://127.0.0.1:8080 -- requests.bin 2
--
-- Arguments after "--": the file of `LoadTests generate`, and the number of threads given as -t. Each thread sends every t-th request.
-- A thread that has sent all of its requests starts over; its repeats are duplicates for the gateway. How often that happened is printed
-- at the end: with 0 every request was new.

local threads = {}

function setup(thread)
  thread:set("index", #threads)
  table.insert(threads, thread)
end

function init(args)
  local path, count = args[1], tonumber(args[2] or "1")
  if not path then error("presigned.lua: name the request file after --") end
  local file, fault = io.open(path, "rb")
  if not file then error("presigned.lua: " .. fault) end

  requests = {}
  local number = 0
  while true do
    local length = file:read("*n")
    if not length then break end
    file:read(1)
    local request = file:read(length)
    if not request or #request ~= length then error("presigned.lua: " .. path .. " is cut off in request " .. number) end
    if number % count == index then requests[#requests + 1] = request end
    number = number + 1
  end
  file:close()
  if #requests == 0 then error("presigned.lua: no requests for thread " .. index .. " in " .. path) end

  position, rounds = 0, 0
end

function request()
  position = position + 1
  if position > #requests then
    position, rounds = 1, rounds + 1
  end
  return requests[position]
end

function done(summary, latency, _)
  local rounds = 0
  for _, thread in ipairs(threads) do rounds = rounds + thread:get("rounds") end
  io.write(string.format("requests %d\nduration %d us\nnot 2xx or 3xx %d\nsocket errors %d\nstarted over %d\np50 %d us\np99 %d us\n",
    summary.requests, summary.duration, summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    rounds, latency:percentile(50), latency:percentile(99)))
end
