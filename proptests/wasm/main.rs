//! [`segheap::memory::Memory`] against WebAssembly.
//!
//! - `spec`: the official tests of memories, run by `interpreter`, whose memories
//!   are `Memory`.
//! - `oracle`: random programs of memory instructions over twelve memories, run on
//!   `Memory` and by an independent engine, and compared byte by byte.

mod interpreter;
mod oracle;
mod spec;
