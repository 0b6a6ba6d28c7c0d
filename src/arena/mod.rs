//! Memory and arenas: one type of arena for all kinds, its slots and blocks in
//! one linear memory.

mod blocks;
mod core;
pub mod memory;
mod scratch;

pub(crate) use self::core::{Arena, Slot};
pub(crate) use blocks::halves;
pub(crate) use memory::Memory;
pub(crate) use scratch::{Scratch, Seen, push, reserve};
