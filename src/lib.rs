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

// Core words.
mod cell;
mod element;
mod epoch;
mod error;
mod generation;
mod handle;
mod kind;
mod limits;
mod range;
// Memory and arenas.
mod arena;
mod blocks;
pub mod memory;
mod scratch;
// Objects: what the kinds are made of.
mod keys;
mod numbers;
mod table;
mod view;
// The twelve kinds, and the list of them.
mod kinds;
// The heap.
mod heap;
// Operations on values of any kind.
mod collect;
mod copies;
mod display;
mod hints;
mod inspect;
mod integers;
mod lifetimes;
mod regions;
mod seals;
mod sets;
mod sort;
mod texts;
mod transplant;
mod values;
mod windows;

pub mod abi;

pub use bstr;

pub use cell::{Cell, ShortStr, Unpacked};
pub use collect::Collected;
pub use copies::{ConvertTo, CopyTo};
pub use display::Display;
pub use error::{Error, Resource};
pub use handle::{Handle, Of};
pub use heap::{Heap, Settings};
pub use hints::RangeHint;
pub use inspect::{Dump, Fault, Path};
pub use kind::{HasKind, Kind};
pub use kinds::*;
pub use limits::{ArenaUsage, Limits, Policy, Usage};
pub use numbers::Number;
pub use regions::Region;
pub use seals::SealKey;
pub use texts::{Piece, Text};
pub use view::{Cursor, Growable, Init, Mutable, New, Object, Sequence, View, ViewMut};
pub use windows::{Disjoint, Part};
