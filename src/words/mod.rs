//! Core words: what every other layer speaks of. Nothing here has an object in
//! hand.

mod cell;
mod element;
mod epoch;
mod error;
mod generation;
mod handle;
mod kind;
mod limits;
mod range;

pub use cell::{Cell, ShortStr, Unpacked};
pub(crate) use cell::{GENERATION_MASK, HOLE, PAYLOAD, TAG_INT, TAG_SHIFT};
pub(crate) use element::{Element, copy};
pub(crate) use epoch::Epoch;
pub(crate) use error::Result;
pub use error::{Error, Resource};
pub(crate) use generation::Generations;
pub use handle::{AsHandle, Handle};
pub(crate) use kind::{Elements, KeyBy, Sealed, Shape};
pub use kind::{HasKind, Kind};
pub use limits::{ArenaUsage, Limits, Policy};
pub(crate) use limits::{Budget, Loan, PAGE_BYTES};
pub(crate) use range::{at, char_range, object_len, out_of_range, range, wide};
