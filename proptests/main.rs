//! Properties of the whole heap, checked with random programs against naive
//! twins. `PROPTEST_CASES` sets how many; each module says what it promises.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    missing_docs,
    unreachable_pub
)]

#[macro_use]
mod tally;

mod allocator;
mod cells;
// It reads the assembly of this target only.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod codegen;
mod compaction;
mod copies;
mod coverage;
mod equality;
mod faults;
mod frame;
mod fuzz;
mod hints;
mod kinds;
mod lifetimes;
mod limits;
mod machine;
mod memory;
mod mistyped;
mod naive;
mod opacity;
mod programs;
mod reuse;
mod revival;
mod seals;
mod sorting;
mod statement;
mod support;
