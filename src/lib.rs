#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![no_std]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, clippy::cast_possible_truncation))]

#[cfg(target_endian = "big")]
compile_error!(
    "segheap lays typed slices over little-endian memory; big-endian targets are not supported"
);

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

// From the lowest layer to the highest; a layer uses those below it.
mod words;

mod arena;

mod object;

mod kinds;

mod heap;

mod ops;

mod life;

pub mod abi;

pub use bstr;

pub use arena::memory;
pub use heap::{Heap, Settings};
pub use kinds::*;
pub use life::{Collected, Dump, Fault, Path, Region, SealKey};
pub use object::{Cursor, Growable, Init, Mutable, New, Number, Object, Sequence, View, ViewMut};
pub use ops::{ConvertTo, CopyTo, Disjoint, Display, Part, Piece, RangeHint, Text};
pub use words::{
    ArenaUsage, Cell, Error, Handle, HasKind, Kind, Limits, Of, Policy, Resource, ShortStr,
    Unpacked, Usage,
};
