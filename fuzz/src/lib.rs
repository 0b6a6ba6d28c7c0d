//! The modules of `proptests/` that fuzzing needs: the targets are `fuzz.rs`,
//! the rest is what it stands on. Their tests are not compiled here.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    unreachable_pub,
    reason = "modules of the property tests, of which each target uses a part"
)]

#[macro_use]
#[path = "../../proptests/tally.rs"]
mod tally;

#[path = "../../proptests/copies.rs"]
mod copies;
#[path = "../../proptests/fuzz.rs"]
pub mod fuzz;
#[path = "../../proptests/limits.rs"]
mod limits;
#[path = "../../proptests/machine/mod.rs"]
mod machine;
#[path = "../../proptests/memory.rs"]
mod memory;
#[path = "../../proptests/naive.rs"]
mod naive;
#[path = "../../proptests/programs.rs"]
mod programs;
#[path = "../../proptests/support.rs"]
mod support;
