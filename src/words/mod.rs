//! The vocabulary of the other layers: values, handles, kinds, errors, limits.
//! Nothing here depends on memory.

pub(crate) mod cell;
mod clock;
mod element;
mod epoch;
mod error;
mod event;
pub(crate) mod generation;
mod handle;
mod hash;
mod kind;
mod limits;
mod range;
mod shape;
mod short_str;
pub(crate) mod utf8;

pub use cell::{Cell, Unpacked};
pub(crate) use cell::{
    GENERATION_MASK, PAYLOAD, SELECTOR_SHIFT, TAG_DEOPT, TAG_HANDLE, TAG_INT, TAG_SHIFT,
};
pub(crate) use clock::Clock;
pub(crate) use element::{Element, Elements, copy, copy_few, is_ascii_few};
pub(crate) use epoch::Epoch;
pub use error::{Error, Resource};
pub(crate) use error::{Result, corrupt};
pub use event::{Collection, Event, EventKind};
pub(crate) use generation::{Generations, RETIRED};
pub use handle::{AsHandle, Handle};
pub(crate) use hash::{HashSeeds, KeyHasher};
pub(crate) use kind::Private;
pub use kind::{HasKind, Kind};
pub(crate) use limits::{ARENA_PAGES_MAX, PAGE_BYTES};
pub use limits::{ArenaUsage, Limits, Policy};
pub(crate) use range::{char_range, object_len, out_of_range, range, to_u64, to_usize};
pub(crate) use shape::{CAP_MAX, CopyClass, FROZEN, KeyBy, SHARED, Shape, VALUE};
pub use short_str::ShortStr;
