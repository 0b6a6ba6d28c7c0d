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

mod usage;

mod heap;

mod ops;

mod life;

pub mod abi;

pub use bstr;

pub use arena::memory;
pub use heap::{Heap, Settings};
pub use kinds::*;
pub use life::{Collected, Dump, Fault, Region, RootPath, SealKey};
pub use object::{
    Cursor, Growable, Mutable, Number, Object, ObjectInit, Sequence, SequenceInit, View, ViewMut,
};
pub use ops::{
    ConvertTo, CopyTo, DisplayValue, RangeHint, Text, TextPart, WindowTarget, WindowTargets,
};
pub use usage::Usage;
pub use words::{
    ArenaUsage, AsHandle, Cell, Error, Handle, HasKind, Kind, Limits, Policy, Resource, ShortStr,
    Unpacked,
};
