//! Division and the greatest common divisor, by what defines them: products and sums.

use alloc::vec;
use alloc::vec::Vec;

use super::*;

/// Limbs that carry, borrow and estimate wrongly more often than random ones.
fn limbs(len: usize, random: &mut u64) -> Vec<u64> {
    let limb = |random: &mut u64| {
        *random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(99);
        let bits = *random ^ *random >> 33;
        match bits % 8 {
            0 => 0,
            1 => u64::MAX,
            2 => 1 << 63,
            3 => u64::MAX << 32,
            4 => (1 << 63) - 1,
            _ => bits,
        }
    };
    (0..len).map(|_| limb(random)).collect()
}

#[test]
fn a_quotient_times_the_divisor_and_the_remainder_are_the_dividend() {
    let mut random = 1;
    for round in 0..60_000_usize {
        let (len, more) = (2 + round % 4, round / 4 % 5);
        let mut divisor = limbs(len, &mut random);
        *divisor.last_mut().unwrap() |= 1 << 63;
        let mut dividend = limbs(len + more, &mut random);
        if round % 3 == 0 {
            // The highest limbs of dividend and divisor are the same.
            dividend[more..].copy_from_slice(&divisor);
            dividend[more] = divisor[0].saturating_sub(1);
        }
        dividend.push(0);
        let (mut rest, mut quotient) = (dividend.clone(), vec![0; more + 1]);
        Divisor::new(&divisor).unwrap().divide(&mut rest, &mut quotient);
        assert!(compare(trimmed(&rest), &divisor).is_lt(), "{dividend:?} {divisor:?}");
        let mut back = vec![0; len + more + 1];
        multiply(&mut back, &quotient, &divisor);
        assert!(!add(&mut back, &rest));
        assert_eq!(back, dividend, "{divisor:?}");
    }
}

#[test]
fn a_quotient_by_one_limb() {
    let mut random = 2;
    for round in 0..20_000_usize {
        let dividend = limbs(1 + round % 4, &mut random);
        let divisor = limbs(1, &mut random)[0] >> (round % 64);
        if divisor == 0 {
            continue;
        }
        let mut quotient = dividend.clone();
        let rest = divide_by_limb(&mut quotient, divisor);
        assert!(rest < divisor);
        assert_eq!(multiply_add(&mut quotient, divisor, rest), 0);
        assert_eq!(quotient, dividend);
    }
}

/// Against Euclid's algorithm, whose remainders are found bit by bit.
fn naive_gcd(mut a: Vec<u64>, mut b: Vec<u64>) -> Vec<u64> {
    let less = |a: &[u64], b: &[u64]| compare(trimmed(a), trimmed(b)).is_lt();
    while b.iter().any(|&limb| limb != 0) {
        let mut rest = vec![0; a.len() + 1];
        for bit in (0..a.len() * 64).rev() {
            shift_left(&mut rest, 1);
            rest[0] |= a[bit / 64] >> (bit % 64) & 1;
            if !less(&rest, &b) {
                let mut from = rest.clone();
                from[..b.len()].copy_from_slice(&b);
                from[b.len()..].fill(0);
                subtract_from(&mut from, &rest);
                rest = from;
            }
        }
        rest.truncate(b.len());
        (a, b) = (b, rest);
    }
    a
}

#[test]
fn greatest_common_divisors() {
    let mut random = 3;
    for round in 0..600_usize {
        let len = 1 + round % 3;
        let mut numbers = [0, 1].map(|_| {
            // With a common factor.
            let mut number = vec![0; len + 1];
            multiply(&mut number, &limbs(len, &mut random), &[3 << (round % 62)]);
            number
        });
        if round % 5 == 0 {
            numbers[1][len / 2..].fill(0);
        }
        let [mut a, mut b] = numbers;
        if compare(trimmed(&a), trimmed(&b)).is_lt() {
            core::mem::swap(&mut a, &mut b);
        }
        let naive = naive_gcd(a.clone(), b.clone());
        let mut spare = vec![0; a.len() + 1];
        assert_eq!(gcd(&mut a, &mut b, &mut spare), trimmed(&naive));
        if let (&[low, high], 1) = (&naive[..], len) {
            assert_eq!(wide(high, low), gcd_wide(wide(high, low), 0));
        }
    }
}

#[test]
fn products_of_two_limbs_carry() {
    const EDGES: [u64; 6] = [0, 1, 2, 1 << 63, u64::MAX - 1, u64::MAX];
    let numbers = || EDGES.iter().flat_map(|&low| EDGES.map(|high| [low, high]));
    for a in numbers() {
        for b in numbers() {
            let mut product = [0; 4];
            multiply(&mut product, &a, &b);
            assert_eq!(product_of_two(wide(a[1], a[0]), wide(b[1], b[0])), product);
        }
    }
}
