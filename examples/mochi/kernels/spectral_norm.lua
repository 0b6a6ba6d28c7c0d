local function a(i,j) return 1.0/((i+j)*(i+j+1)//2+i+1) end
local function times(n,v,out)
 for i=0,n-1 do local sum=0.0 for j=0,n-1 do sum=sum+a(i,j)*v[j+1] end out[i+1]=sum end
end
local function transposed_times(n,v,out)
 for i=0,n-1 do local sum=0.0 for j=0,n-1 do sum=sum+a(j,i)*v[j+1] end out[i+1]=sum end
end
local n=300
local u,v,t={},{},{}
for i=1,n do u[i]=1.0 v[i]=0.0 t[i]=0.0 end
for step=1,10 do times(n,u,t) transposed_times(n,t,v) times(n,v,t) transposed_times(n,t,u) end
local uv,vv=0.0,0.0
for i=1,n do uv=uv+u[i]*v[i] vv=vv+v[i]*v[i] end
print(string.format("%.9f",math.sqrt(uv/vv)))
