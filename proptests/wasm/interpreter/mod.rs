//! A small interpreter whose memories are [`Memory`](segheap::memory::Memory).
//!
//! It decodes modules with `wasmparser`, links and instantiates them, and runs the
//! numeric, control and memory instructions that the official memory tests use. It
//! has no memory semantics of its own: each load, store, size, grow, fill, copy and
//! init, and each active data segment, is one call of `Memory`, whose result is
//! used unchanged. Stack slots have 64 bits. An `i32` is zero-extended, so that an
//! address of memory32 is the `u64` that `Memory` takes.

mod execute;
mod memory;
mod module;
mod numeric;
mod store;

use std::fmt;

use wasmparser::Operator;

pub(crate) use module::Module;
pub(crate) use numeric::Slot;
pub(crate) use store::{Extern, Store};

/// Why instantiation or a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A trap, in the wording of the official tests.
    Trap(&'static str),
    /// The module does not link.
    Unlinkable(&'static str),
    /// Out of scope of this interpreter.
    Unsupported(String),
    /// A defect of the module, the interpreter or [`Memory`](segheap::memory::Memory).
    Broken(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Trap(why) => write!(f, "trap: {why}"),
            Stop::Unlinkable(why) => write!(f, "unlinkable: {why}"),
            Stop::Unsupported(what) => write!(f, "unsupported: {what}"),
            Stop::Broken(why) => write!(f, "broken: {why}"),
        }
    }
}

impl From<wasmparser::BinaryReaderError> for Stop {
    fn from(error: wasmparser::BinaryReaderError) -> Stop {
        Stop::Broken(error.to_string())
    }
}

impl From<segheap::memory::OutOfBounds> for Stop {
    fn from(_: segheap::memory::OutOfBounds) -> Stop {
        Stop::Trap("out of bounds memory access")
    }
}

fn unsupported(what: impl Into<String>) -> Stop {
    Stop::Unsupported(what.into())
}

/// The name of an instruction, without immediates.
fn name(operator: &Operator<'_>) -> String {
    let text = format!("{operator:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}
