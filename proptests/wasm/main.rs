//! `segheap::memory::Memory` against WebAssembly.
//!
//! - `spec`: the official tests for memories, run by `interpreter`, whose
//!   memories are `Memory`.
//! - `oracle`: random programs of memory instructions over twelve memories, run
//!   natively and by an independent engine, compared byte for byte.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod interpreter;
mod oracle;
mod spec;
