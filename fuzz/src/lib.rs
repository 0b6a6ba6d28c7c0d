//! The modules of `proptests/` that the fuzz targets use: the targets are in
//! `fuzz.rs`, the other modules are its dependencies. Their tests are not compiled.

#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    unreachable_pub,
    reason = "the targets use parts of these modules"
)]

#[macro_use]
#[path = "../../proptests/counters.rs"]
mod counters;

#[path = "../../proptests/copies/mod.rs"]
mod copies;
#[path = "../../proptests/forks.rs"]
mod forks;
#[path = "../../proptests/fuzz.rs"]
pub mod fuzz;
#[path = "../../proptests/images.rs"]
mod images;
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
