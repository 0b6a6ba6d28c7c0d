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
#[path = "../../proptests/counters.rs"]
mod counters;

#[path = "../../proptests/copies/mod.rs"]
mod copies;
#[path = "../../proptests/fuzz.rs"]
pub mod fuzz;
#[path = "../../proptests/limits.rs"]
mod limits;
#[path = "../../proptests/machine/mod.rs"]
mod machine;
#[path = "../../proptests/memory.rs"]
mod memory;
#[path = "../../proptests/programs/mod.rs"]
mod programs;
#[path = "../../proptests/reference.rs"]
mod reference;
#[path = "../../proptests/support.rs"]
mod support;
