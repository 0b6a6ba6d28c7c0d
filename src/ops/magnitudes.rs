//! Arithmetic on magnitudes of any size: by [`limbs`], or by `num-bigint` (feature
//! `bigint`) from the sizes on where it has better algorithms.

use bumpalo::Bump;
use bumpalo::collections::Vec;

#[cfg(feature = "bigint")]
use super::big;
use crate::arena::{Account, reserve};
use crate::object::limbs::{self, Divisor};
use crate::words::Result;

/// Both factors of a product of `num-bigint` have more limbs.
#[cfg(feature = "bigint")]
const SCHOOLBOOK_LIMBS: usize = 32;
/// Divisor and quotient of a division by `num-bigint` have more limbs.
#[cfg(feature = "bigint")]
const KNUTH_LIMBS: usize = 64;

/// Limbs in scratch memory, which are zero.
///
/// # Errors
/// As [`reserve`].
pub(super) fn zeroed(bump: &Bump, len: usize) -> Result<&mut [u64]> {
    let mut limbs = Vec::new_in(bump);
    reserve(&mut limbs, len)?;
    limbs.resize(len, 0);
    Ok(limbs.into_bump_slice_mut())
}

/// A copy in scratch memory of `len` limbs, which are zero after those of `from`.
///
/// # Errors
/// As [`reserve`].
pub(super) fn copied<'b>(bump: &'b Bump, from: &[u64], len: usize) -> Result<&'b mut [u64]> {
    let limbs = zeroed(bump, len)?;
    limbs.iter_mut().zip(from).for_each(|(to, &limb)| *to = limb);
    Ok(limbs)
}

/// Multiplies as [`limbs::multiply`] does. O(n^1.58) or better with the feature `bigint`,
/// O(n^2) without.
///
/// # Errors
/// [`Error::Limit`](crate::Error::Limit) if what `num-bigint` may need is not left.
pub(super) fn multiply(account: &mut Account, out: &mut [u64], a: &[u64], b: &[u64]) -> Result<()> {
    #[cfg(feature = "bigint")]
    if a.len().min(b.len()) > SCHOOLBOOK_LIMBS {
        return big::multiply(account, out, (a, b));
    }
    let _ = account;
    limbs::multiply(out, a, b);
    Ok(())
}

/// Divides as [`Divisor::divide`] does. O(n^2), or better with the feature `bigint`.
///
/// # Errors
/// [`Error::Limit`](crate::Error::Limit) if what `num-bigint` may need is not left.
pub(super) fn divide(
    account: &mut Account,
    rest: &mut [u64],
    divisor: &Divisor<'_>,
    quotient: &mut [u64],
) -> Result<()> {
    #[cfg(feature = "bigint")]
    if quotient.len().min(divisor.limbs().len()) > KNUTH_LIMBS {
        return big::divide(account, rest, divisor.limbs(), quotient);
    }
    let _ = account;
    divisor.divide(rest, quotient);
    Ok(())
}
