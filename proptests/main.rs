//! Properties of the whole heap, checked with random programs against naive
//! twins. `PROPTEST_CASES` sets how many; each module says what it promises.

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
