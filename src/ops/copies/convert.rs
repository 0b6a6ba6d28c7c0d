//! Conversions of elements, and the loops that run them.
//!
//! The loops have no branch per element, so that they vectorize: [`Fit::fit`] converts
//! an element and returns error bits, which are OR-ed together and tested once per
//! block. `fit` may reject an element that fits; a block with errors is converted again
//! by [`Fit::exact`], which decides and finds the index of the first element that does
//! not fit.

use crate::words::utf8::{self, valid_up_to};
use crate::words::{Cell, Element, PAYLOAD, Result, TAG_INT, TAG_SHIFT, copy};

/// The index of the element that does not fit, or of the byte where text stops being
/// UTF-8.
pub(super) type FailedAt = usize;

/// Elements per test of the error bits.
const BLOCK: usize = 512;
/// Bytes of text that are validated, and then copied while they are in the L1 cache.
const TEXT_BLOCK: usize = 4096;

/// The conversion of an element to one of type `T`.
pub(super) trait Fit<T>: Element {
    /// The error bits that matter; 0 for conversions that cannot fail.
    const ERROR_MASK: u64;
    /// The converted element, and error bits: the element fits if those under
    /// `ERROR_MASK` are 0. Otherwise the element is unspecified.
    fn fit(self) -> (T, u64);
    /// The converted element, if it fits.
    fn exact(self) -> Option<T>;
}

/// Conversions: `ERROR_MASK`, `fit` and `exact` of each.
macro_rules! conversions {
    ($($from:ty => $to:ty, $bad:expr, $fit:expr, $exact:expr;)*) => {$(
        impl Fit<$to> for $from {
            const ERROR_MASK: u64 = $bad;
            #[inline(always)]
            #[allow(clippy::cast_possible_truncation, reason = "the error bits tell")]
            fn fit(self) -> ($to, u64) {
                $fit(self)
            }
            fn exact(self) -> Option<$to> {
                $exact(self)
            }
        }
    )*};
}

const INT: u64 = TAG_INT << TAG_SHIFT;
const BYTE: u64 = 0xFF;
/// 2^47: the sign of an integer in a cell.
const SIGN: u64 = 1 << 47;
/// 2^52 + 2^51: doubles of this size are 1 apart, so adding it to a small double rounds
/// that to a whole number, in the low bits of the sum.
const WHOLE: f64 = 6_755_399_441_055_744.0;

conversions! {
    u8 => i64, 0, |byte| (i64::from(byte), 0), |byte| Some(i64::from(byte));
    u8 => f64, 0, |byte| (f64::from(byte), 0), |byte| Some(f64::from(byte));
    u8 => Cell, 0, |byte| (Cell::from(byte), 0), |byte| Some(Cell::from(byte));
    f64 => Cell, 0, |float| (Cell::float(float), 0), |float| Some(Cell::float(float));
    i64 => u8, !BYTE, |int: i64| (int.cast_unsigned() as u8, int.cast_unsigned()),
        |int| u8::try_from(int).ok();
    // Every integer of 53 bits is a double; `exact` finds the larger ones that are.
    i64 => f64, !((1 << 54) - 1), |int: i64| (double(int), int.wrapping_add(1 << 53).cast_unsigned()),
        |int| (whole(double(int)) == Some(int)).then_some(double(int));
    i64 => Cell, !PAYLOAD, |int: i64| (
        Cell::raw(INT | int.cast_unsigned() & PAYLOAD),
        int.cast_unsigned().wrapping_add(SIGN),
    ), Cell::int;
    f64 => u8, u64::MAX, |float| {
        let (int, bad) = small_whole(float);
        (int as u8, bad | int & !BYTE)
    }, |float| whole(float).and_then(|int| u8::try_from(int).ok());
    f64 => i64, u64::MAX, |float| {
        let (int, bad) = small_whole(float);
        (int.cast_signed(), bad)
    }, whole;
    Cell => u8, !BYTE, |cell: Cell| (cell.bits() as u8, cell.bits() ^ INT),
        |cell: Cell| cell.as_int().and_then(|int| u8::try_from(int).ok());
    Cell => i64, !PAYLOAD, |cell: Cell| (
        ((cell.bits() & PAYLOAD) ^ SIGN).wrapping_sub(SIGN).cast_signed(),
        cell.bits() ^ INT,
    ), Cell::as_int;
    Cell => f64, 1 << 63, |cell: Cell| {
        let untagged = cell.bits() ^ INT;
        // The integer, biased to be positive, is put into the mantissa of 2^52.
        let int = f64::from_bits(untagged ^ (SIGN | 0x433_u64 << 52))
            - (4_503_599_627_370_496.0 + 140_737_488_355_328.0);
        let element = if untagged <= PAYLOAD { int } else { f64::from_bits(cell.bits()) };
        // Other tags than that of integers, untagged, are 1 to 7, and now the highest:
        // they carry, which a spare bit shows. No compare: the check is all additions.
        let others = untagged.wrapping_sub(8 << TAG_SHIFT);
        (element, (others >> 1).wrapping_add(7 << (TAG_SHIFT - 1)))
    }, |cell: Cell| cell.as_float().or_else(|| cell.as_int().map(double));
}

#[inline(always)]
const fn double(int: i64) -> f64 {
    int as f64
}

/// A whole double in the range of `i64` as an integer.
#[allow(clippy::cast_possible_truncation, reason = "whole and in range")]
fn whole(float: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let fits = (-LIMIT..LIMIT).contains(&float) && float as i64 as f64 == float;
    fits.then_some(float as i64)
}

/// A whole double of magnitude up to about 2^51 as an integer, and 0; for other doubles
/// an unspecified integer, and error bits.
#[inline(always)]
fn small_whole(float: f64) -> (u64, u64) {
    let shifted = float + WHOLE;
    let int = shifted.to_bits().wrapping_sub(WHOLE.to_bits());
    let whole = shifted - WHOLE == float;
    // Outside of the binade of `WHOLE`, the low bits of the sum are no integer.
    let near = shifted.to_bits() >> 52 == WHOLE.to_bits() >> 52;
    (int, if whole & near { 0 } else { u64::MAX })
}

/// Compiles a loop for several instruction sets, of which one is selected at run time.
macro_rules! dispatched {
    ($(#[$doc:meta])* fn $name:ident $($rest:tt)*) => {
        $(#[$doc])*
        // The target features of AVX-512 are stable since Rust 1.89.
        #[cfg_attr(feature = "simd", rustversion::attr(
            before(1.89),
            multiversion::multiversion(targets("x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt"))
        ))]
        #[cfg_attr(feature = "simd", rustversion::attr(
            since(1.89),
            multiversion::multiversion(targets(
                "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
                "x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt",
            ))
        ))]
        fn $name $($rest)*
    };
}

dispatched! {
    /// Converts blocks up to the first one with error bits; returns where that one
    /// starts.
    fn convert_blocks<S: Fit<T>, T: Element>(source: &[S], target: &mut [T]) -> usize {
        let mut done = 0_usize;
        for (source, target) in source.chunks(BLOCK).zip(target.chunks_mut(BLOCK)) {
            let mut errors = 0;
            for (from, to) in source.iter().zip(&mut *target) {
                let (element, bits) = from.fit();
                *to = element;
                errors |= bits;
            }
            if errors & S::ERROR_MASK != 0 {
                return done;
            }
            done = done.wrapping_add(source.len());
        }
        done
    }
}

dispatched! {
    /// Like [`convert_blocks`], without writing.
    fn check_blocks<S: Fit<T>, T: Element>(source: &[S]) -> usize {
        let mut done = 0_usize;
        for source in source.chunks(BLOCK) {
            if source.iter().fold(0, |errors, from| errors | from.fit().1) & S::ERROR_MASK != 0 {
                return done;
            }
            done = done.wrapping_add(source.len());
        }
        done
    }
}

/// Converts the elements of `source` into `target`, which has the same number.
pub(super) fn convert_into<S: Fit<T>, T: Element>(
    source: &[u8],
    target: &mut [u8],
) -> Result<(), FailedAt> {
    let (Some(source), Some(target)) = (S::bytes(source), T::bytes_mut(target)) else {
        debug_assert!(false, "elements are aligned to their size");
        return Ok(());
    };
    debug_assert_eq!(source.len(), target.len(), "the target has room for the source");
    let mut done = 0_usize;
    while let (Some(from @ [_, ..]), Some(to)) = (source.get(done..), target.get_mut(done..)) {
        let sound = convert_blocks(from, to);
        for (index, (from, to)) in from.iter().zip(to).enumerate().skip(sound).take(BLOCK) {
            *to = from.exact().ok_or(done.wrapping_add(index))?;
        }
        done = done.saturating_add(sound).saturating_add(BLOCK);
    }
    Ok(())
}

/// Checks that every element of `source` fits.
pub(super) fn check<S: Fit<T>, T: Element>(source: &[u8]) -> Result<(), FailedAt> {
    let Some(source) = S::bytes(source) else {
        debug_assert!(false, "elements are aligned to their size");
        return Ok(());
    };
    let mut done = 0_usize;
    while let Some(from @ [_, ..]) = source.get(done..) {
        let sound = check_blocks::<S, T>(from);
        for (index, from) in from.iter().enumerate().skip(sound).take(BLOCK) {
            from.exact().ok_or(done.wrapping_add(index))?;
        }
        done = done.saturating_add(sound).saturating_add(BLOCK);
    }
    Ok(())
}

/// Copies bytes that have to be UTF-8.
pub(super) fn copy_text(source: &[u8], target: &mut [u8]) -> Result<(), FailedAt> {
    let (mut from, mut to) = (source, target);
    loop {
        let mut len = from.len();
        if len > TEXT_BLOCK.saturating_mul(2) {
            // End the block where a character starts, if one does there.
            let begins = |end: &usize| from.get(*end).is_some_and(|byte| byte & 0xC0 != 0x80);
            let ends = TEXT_BLOCK.saturating_sub(3)..=TEXT_BLOCK;
            len = ends.rev().find(begins).unwrap_or(TEXT_BLOCK);
        }
        let (Some((block, rest)), Some((place, places))) =
            (from.split_at_checked(len), to.split_at_mut_checked(len))
        else {
            debug_assert!(false, "the target has room for the source");
            return Ok(());
        };
        // For a short text, most of the cost of SIMD validation is its setup.
        let ascii = block.len() <= 128 && block.is_ascii();
        if !ascii && utf8::to_str(block).is_none() {
            return Err(valid_up_to(source));
        }
        copy(place, block);
        if rest.is_empty() {
            return Ok(());
        }
        (from, to) = (rest, places);
    }
}

/// Checks that bytes are UTF-8.
pub(super) fn check_text(source: &[u8]) -> Result<(), FailedAt> {
    utf8::to_str(source).map(drop).ok_or_else(|| valid_up_to(source))
}
