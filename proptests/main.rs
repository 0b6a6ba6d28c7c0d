//! Property tests of the whole heap: random programs run on a heap and on a
//! reference model, and both must agree. `PROPTEST_CASES` sets the number of
//! programs; the documentation of each module states the property it tests.

#[macro_use]
mod counters;

mod allocator;
mod callbacks;
mod cells;
// Reads the assembly of this target only.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod codegen;
mod collection;
mod copies;
mod coverage;
mod display;
mod equality;
mod flooding;
mod forks;
mod fragmentation;
mod frame;
mod frozen;
mod fuzz;
mod hints;
mod hosts;
mod images;
mod keys;
mod kinds;
mod layout;
mod lifetimes;
mod limits;
mod machine;
mod memory;
mod observe;
mod opacity;
mod peaks;
mod programs;
mod recycling;
mod reference;
mod regressions;
mod requests;
mod reuse;
mod seals;
mod sorting;
mod statement;
mod support;
mod symbols;
mod testing;
mod transplants;
mod type_confusion;
mod versions;
