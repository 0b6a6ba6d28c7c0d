//! Compiled access to arrays and lists, by the contract of [`segheap::abi`].
//!
//! [`Vm`] is the state of a VM as its compiled code sees it: the heap, and beside it the addresses
//! of all arenas, which are renewed after each use of the heap. Accessors come in two forms that
//! take the same steps: [`plain`] in Rust, for readers and for Miri, and [`compile`] as machine code
//! made by Cranelift. Each of them does its work, or leaves it to the VM, which asks the heap: for
//! the reason of an error, for an object in a place that compiled code does not look at, for a
//! frozen one.
//!
//! Loops whose turns call functions of the VM keep addresses in registers: two compares after a
//! call tell whether they hold, one whether anything in memory has moved, one whether an object has
//! been freed or moved within it.

pub mod plain;
pub mod vm;

#[cfg(feature = "compile")]
pub mod compile;

pub use vm::{Array, Vm, Work};
