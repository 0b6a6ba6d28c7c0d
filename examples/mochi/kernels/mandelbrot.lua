local n=200
local inside,turns=0,0
for row=0,n-1 do
 local ci=2.0*row/n-1.0
 for column=0,n-1 do
  local cr=2.0*column/n-1.5
  local zr,zi,rr,ii,i=0.0,0.0,0.0,0.0,0
  while i<50 and rr+ii<=4.0 do
   zi=2.0*zr*zi+ci zr=rr-ii+cr rr=zr*zr ii=zi*zi i=i+1
  end
  turns=turns+i
  if rr+ii<=4.0 then inside=inside+1 end
 end
end
print(inside.." "..turns)
