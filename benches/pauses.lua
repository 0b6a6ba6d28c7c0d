-- The work of `benches/subjects/pauses` in Lua 5.4:
--
--   lua5.4 benches/pauses.lua incremental|generational LIVE ALLOCATIONS
--
-- Lua collects while it allocates, so each batch of 64 allocations is timed, by the CPU
-- time of the process. Prints the sum of the numbers of the live pairs, the longest batch
-- and the time of all of them, in nanoseconds.
local mode, live, allocations = arg[1], tonumber(arg[2]), tonumber(arg[3])
local BATCH <const> = 64
local clock = os.clock

collectgarbage(mode)

local state = 1
local function below(n)
  state = state * 0x5851F42D4C957F2D + 0x14057B7EF767814F
  return (state >> 32) * n >> 32
end

local lists = {}
for list = 0, live // BATCH - 1 do
  local pairs = {}
  for n = 1, BATCH do
    pairs[n] = {list * BATCH + n - 1, false}
  end
  lists[list + 1] = pairs
end
collectgarbage()

local registers = {false, false, false, false, false, false, false, false}
local longest = 0
local start = clock()
local last = start
for batch = 0, allocations // BATCH - 1 do
  local number = batch * BATCH
  for n = 0, BATCH - 1 do
    local register = n % 8 + 1
    local pair = {number + n, registers[register]}
    registers[register] = n % 16 >= 8 and pair
    if n == 8 then
      local list = lists[below(#lists) + 1]
      list[below(BATCH) + 1] = pair
    end
  end
  local now = clock()
  if now - last > longest then
    longest = now - last
  end
  last = now
end
local cost = last - start

local total = 0
for _, list in ipairs(lists) do
  for _, pair in ipairs(list) do
    total = total + pair[1]
  end
end
print(string.format("%d %d %d", total, longest * 1e9 // 1, cost * 1e9 // 1))
