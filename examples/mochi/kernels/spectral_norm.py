from math import sqrt
def a(i,j): return 1.0/((i+j)*(i+j+1)//2+i+1)
def times(n,v,out):
    for i in range(n):
        s=0.0
        for j in range(n): s+=a(i,j)*v[j]
        out[i]=s
def transposed_times(n,v,out):
    for i in range(n):
        s=0.0
        for j in range(n): s+=a(j,i)*v[j]
        out[i]=s
def main(n):
    u=[1.0]*n;v=[0.0]*n;t=[0.0]*n
    for step in range(10):
        times(n,u,t);transposed_times(n,t,v);times(n,v,t);transposed_times(n,t,u)
    uv=vv=0.0
    for i in range(n): uv+=u[i]*v[i];vv+=v[i]*v[i]
    print("%.9f"%sqrt(uv/vv))
main(300)
