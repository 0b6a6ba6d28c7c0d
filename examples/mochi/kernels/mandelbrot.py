def main(n):
    inside=turns=0
    for row in range(n):
        ci=2.0*row/n-1.0
        for column in range(n):
            cr=2.0*column/n-1.5
            zr=zi=rr=ii=0.0;i=0
            while i<50 and rr+ii<=4.0:
                zi=2.0*zr*zi+ci;zr=rr-ii+cr;rr=zr*zr;ii=zi*zi;i+=1
            turns+=i
            if rr+ii<=4.0: inside+=1
    print(inside,turns)
main(200)
