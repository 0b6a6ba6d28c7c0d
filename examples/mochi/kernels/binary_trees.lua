local N = tonumber(arg and arg[1]) or 14
local function bt(d) if d == 0 then return {false,false} end return {bt(d-1),bt(d-1)} end
local function check(t) if t[1] then return 1+check(t[1])+check(t[2]) end return 1 end
print(check(bt(N+1)))
local long = bt(N)
for d=4,N,2 do local it = 1<<(N-d+4) local c=0 for i=1,it do c=c+check(bt(d)) end print(it.." "..d.." "..c) end
print(check(long))
