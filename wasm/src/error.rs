//! Why a heap was not written as a module, or not read from one.

use core::convert::Infallible;
use core::fmt;

use segheap::{LoadError, SaveError};

/// Why [`to_module`](crate::to_module) failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToModuleError {
    /// The heap cannot be saved: a region is open, or it has host objects.
    Save(SaveError<Infallible>),
    /// The heap is of a version of segheap that this crate is not for.
    OtherVersion,
}

/// Why [`from_module`](crate::from_module) or [`from_memories`](crate::from_memories) failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FromModuleError {
    /// The bytes are not those of a Wasm module.
    NotAModule,
    /// The memories are not those of a heap, for this reason.
    NotAHeap(&'static str),
    /// What is in the memories is no heap, or does not fit into the limits.
    Load(LoadError<Infallible>),
}

impl fmt::Display for ToModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ToModuleError::Save(error) => write!(f, "{error}"),
            ToModuleError::OtherVersion => f.write_str("the heap is of another version"),
        }
    }
}

impl fmt::Display for FromModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FromModuleError::NotAModule => f.write_str("not a Wasm module"),
            FromModuleError::NotAHeap(what) => write!(f, "not the memories of a heap: {what}"),
            FromModuleError::Load(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for ToModuleError {}

impl core::error::Error for FromModuleError {}
