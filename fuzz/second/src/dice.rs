//! Random choices, from `oorandom`.

use std::ops::Bound;

use oorandom::Rand64;

/// A source of random choices.
#[derive(Debug)]
pub(crate) struct Dice(Rand64);

/// The bounds of a range, as operations take them.
pub(crate) type Bounds = (Bound<usize>, Bound<usize>);

/// Texts are made of these: of one to four bytes, some of which are escaped or not printed.
const CHARS: [char; 20] = [
    'a', 'b', 'c', 'x', '0', '7', ' ', '"', '\'', '\\', '\n', '\t', '\0', '\u{7f}', 'é', 'ñ', '漢',
    '😀', '\u{301}', '\u{200b}',
];

impl Dice {
    /// A source that a seed determines.
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(Rand64::new(seed.into()))
    }

    /// Any number.
    pub(crate) fn word(&mut self) -> u64 {
        self.0.rand_u64()
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.rand_range(0..n.max(1) as u64) as usize
    }

    /// Whether an event of this probability occurs.
    pub(crate) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub(crate) fn one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A length, mostly a short one.
    pub(crate) fn len(&mut self) -> usize {
        match self.below(64) {
            0 => self.below(600),
            1..=6 => self.below(70),
            _ => self.below(12),
        }
    }

    /// An index into `len` elements, now and then one beyond.
    pub(crate) fn index(&mut self, len: usize) -> usize {
        match self.below(40) {
            0 => len,
            1 => len + self.below(9),
            2 => self.one(&[usize::MAX, 1 << 32, (1 << 32) + 1, usize::MAX / 2]),
            _ => self.below(len),
        }
    }

    /// Bounds in `len` elements, now and then beyond or reversed.
    pub(crate) fn bounds(&mut self, len: usize) -> Bounds {
        let (a, b) = (self.below(len + 1), self.below(len + 1));
        match self.below(30) {
            0..=6 => (Bound::Unbounded, Bound::Unbounded),
            7 => (Bound::Included(self.index(len)), Bound::Excluded(self.index(len))),
            8 => (Bound::Excluded(self.index(len)), Bound::Unbounded),
            9 => (Bound::Unbounded, Bound::Included(self.index(len))),
            10..=14 => (Bound::Included(a.min(b)), Bound::Unbounded),
            _ => (Bound::Included(a.min(b)), Bound::Excluded(a.max(b))),
        }
    }

    /// An integer, often one at a boundary.
    pub(crate) fn int(&mut self) -> i64 {
        match self.below(16) {
            0 => (self.word() as i64) >> self.below(64),
            1 => {
                let power = 1_i64 << self.one(&[8, 31, 32, 47, 48, 53, 54, 62]);
                (power - 2 + self.below(4) as i64) * self.one(&[1, -1])
            }
            2 => self.one(&[i64::MIN, i64::MAX, i64::MIN + 1, -1]),
            3..=5 => self.below(256) as i64,
            _ => self.below(12) as i64 - 2,
        }
    }

    /// An integer of 48 bits.
    pub(crate) fn small_int(&mut self) -> i64 {
        let int = self.int();
        if crate::value::fits(int) { int } else { int >> 16 }
    }

    /// A float.
    pub(crate) fn float(&mut self) -> f64 {
        match self.below(16) {
            0 => f64::from_bits(self.word()),
            1 => self.one(&[0.0, -0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
            2 => self.one(&[0.5, 1e300, f64::MIN_POSITIVE, 255.5, 1e-310, f64::MAX]),
            3 => self.int() as f64,
            4 => f64::from_bits(0x7FF0_0000_0000_0000 | self.word()),
            _ => self.below(260) as f64 - 2.0,
        }
    }

    /// A text, mostly a short one.
    pub(crate) fn text(&mut self) -> String {
        let len = if self.percent(60) { self.below(6) } else { self.len() };
        // A few letters, so that texts are equal now and then.
        let of = if self.percent(70) { 4 } else { CHARS.len() };
        (0..len).map(|_| CHARS[self.below(of)]).collect()
    }
}

/// The range that bounds select of `len` elements.
pub(crate) fn resolve(
    bounds: Bounds,
    len: usize,
) -> Result<std::ops::Range<usize>, segheap::Error> {
    let start = match bounds.0 {
        Bound::Included(start) => start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let end = match bounds.1 {
        Bound::Included(end) => end.saturating_add(1),
        Bound::Excluded(end) => end,
        Bound::Unbounded => len,
    };
    if end > len {
        Err(out_of_range(end, len))
    } else if start > end {
        Err(out_of_range(start, len))
    } else {
        Ok(start..end)
    }
}

/// The error of an index.
pub(crate) fn out_of_range(index: usize, len: usize) -> segheap::Error {
    segheap::Error::OutOfRange { index: index as u64, len: u32::try_from(len).expect("a length") }
}
