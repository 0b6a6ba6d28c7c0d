//! A second fuzzer of the crate, independent of the other tests: a model of a heap that
//! was written from the documentation alone, in collections of the standard library, and
//! random operations on both.
//!
//! A run consists of worlds: two heaps with limits, policies and seeds of their own. What
//! a world does follows from its seed. After each operation the result and the counts are
//! compared, now and then all objects; a failed operation must have changed nothing.
#![forbid(unsafe_code)]
#![allow(clippy::unit_arg, reason = "a change of the model that returns nothing")]
#![allow(missing_docs, reason = "a private crate: what needs a word has it")]

mod copies;
mod dice;
mod driver;
mod graph;
mod hints;
mod integers;
mod life;
mod limits;
mod linear;
mod model;
mod numbers;
mod picks;
mod sequences;
mod sorting;
mod tables;
mod texts;
mod value;
mod world;

pub use driver::{Failure, Tally, run};
