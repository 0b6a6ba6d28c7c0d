//! A virtual machine for the Mochi language. Its only heap is segheap.
//!
//! With the feature `cli`, it is the program `mochi`. Without it, it has no dependencies on an
//! operating system: another program embeds it as a [`Session`].
//!
//! The README next to this folder is a guided tour of the sources.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "the compiler keeps registers, constants and jumps in range; lengths fit in memory"
)]

mod builtins;
mod bytecode;
#[cfg(feature = "cli")]
pub mod cli;
mod compile;
#[cfg(feature = "cli")]
mod completion;
mod diagnostics;
mod format;
mod interrupt;
#[cfg(feature = "cli")]
mod listing;
#[cfg(feature = "cli")]
mod repl;
mod session;
#[cfg(feature = "cli")]
mod stats;
mod syntax;
mod types;
mod values;
mod vm;

pub use session::{Failure, Place, Position, Root, Session};
