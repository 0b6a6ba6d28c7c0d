//! Integers as digits of 32 bits, by the methods of school: the model of operations that the
//! crate may leave to `num-bigint`.

use std::cmp::Ordering;

/// A magnitude: digits, the least significant first, the last one not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Natural(Vec<u32>);

impl Natural {
    pub fn of_limbs(limbs: &[u64]) -> Natural {
        let halves = limbs.iter().flat_map(|&limb| [limb as u32, (limb >> 32) as u32]);
        Natural(halves.collect()).trimmed()
    }

    pub fn limbs(&self) -> Vec<u64> {
        let both =
            |pair: &[u32]| u64::from(pair[0]) | pair.get(1).map_or(0, |&d| u64::from(d) << 32);
        self.0.chunks(2).map(both).collect()
    }

    fn trimmed(mut self) -> Natural {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    pub fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    pub fn compare(&self, other: &Natural) -> Ordering {
        let lens = self.0.len().cmp(&other.0.len());
        lens.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }

    pub fn plus(&self, other: &Natural) -> Natural {
        let mut carry = 0;
        let digits = (0..=self.0.len().max(other.0.len())).map(|n| {
            let digit = |natural: &Natural| natural.0.get(n).map_or(0, |&digit| u64::from(digit));
            let sum = digit(self) + digit(other) + carry;
            carry = sum >> 32;
            sum as u32
        });
        Natural(digits.collect()).trimmed()
    }

    /// The difference from a number that is not greater.
    pub fn minus(&self, other: &Natural) -> Natural {
        let mut borrow = 0;
        let digits = (0..self.0.len()).map(|n| {
            let digit = |natural: &Natural| natural.0.get(n).map_or(0, |&digit| i64::from(digit));
            let difference = digit(self) - digit(other) - borrow;
            borrow = i64::from(difference < 0);
            difference as u32
        });
        Natural(digits.collect()).trimmed()
    }

    pub fn times(&self, other: &Natural) -> Natural {
        let mut digits = vec![0_u32; self.0.len() + other.0.len() + 1];
        for (i, &a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (j, place) in digits[i..].iter_mut().enumerate() {
                let b = other.0.get(j).map_or(0, |&digit| u64::from(digit));
                let sum = u64::from(a) * b + u64::from(*place) + carry;
                *place = sum as u32;
                carry = sum >> 32;
            }
        }
        Natural(digits).trimmed()
    }

    /// Quotient and remainder, bit by bit.
    pub fn divided(&self, by: &Natural) -> (Natural, Natural) {
        let (mut quotient, mut rest) = (vec![0; self.0.len()], Natural::default());
        for bit in (0..self.0.len() * 32).rev() {
            rest = rest.plus(&rest);
            if self.0[bit / 32] >> (bit % 32) & 1 == 1 {
                rest = rest.plus(&Natural(vec![1]));
            }
            if rest.compare(by).is_ge() {
                rest = rest.minus(by);
                quotient[bit / 32] |= 1 << (bit % 32);
            }
        }
        (Natural(quotient).trimmed(), rest)
    }

    pub fn parse(digits: &str, radix: u32) -> Natural {
        let mut number = Vec::<u32>::new();
        for digit in digits.chars() {
            let mut carry = u64::from(digit.to_digit(radix).unwrap());
            for place in &mut number {
                carry += u64::from(*place) * u64::from(radix);
                *place = carry as u32;
                carry >>= 32;
            }
            number.push(carry as u32);
            number = Natural(number).trimmed().0;
        }
        Natural(number)
    }

    pub fn digits(&self, radix: u32) -> String {
        let (mut number, mut digits) = (self.0.clone(), Vec::new());
        while !number.is_empty() || digits.is_empty() {
            let rest = number.iter_mut().rev().fold(0, |rest, digit| {
                let wide = rest << 32 | u64::from(*digit);
                *digit = (wide / u64::from(radix)) as u32;
                wide % u64::from(radix)
            });
            digits.push(char::from_digit(rest as u32, radix).unwrap());
            number = Natural(number).trimmed().0;
        }
        digits.iter().rev().collect()
    }
}
