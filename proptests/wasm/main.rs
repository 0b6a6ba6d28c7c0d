//! `segheap::memory::Memory` against WebAssembly.
//!
//! - `spec`: the official tests for memories, run by `interpreter`, whose
//!   memories are `Memory`.
//! - `oracle`: random programs of memory instructions over twelve memories, run
//!   natively and by an independent engine, compared byte for byte.

mod interpreter;
mod oracle;
mod spec;
