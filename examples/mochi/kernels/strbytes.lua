local total,len=0,0
local parts={}
for i=1,200000 do
  local s="item-"..i
  local b={string.byte(s,1,-1)}
  for j=1,#b do local x=b[j]; x = (x%2==0) and x+1 or x-1; b[j]=x; total=total+x end
  local t=string.char(table.unpack(b))
  parts[#parts+1]=t
  len=len+#t
end
local big=table.concat(parts)
print(total.." "..len.." "..#big)
