//! Lifetimes of objects: collection, regions, roots and weak references, host objects,
//! seals, copies into other heaps, inspection.

mod collect;
mod content;
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
mod deadline;
mod fork;
mod hosts;
mod image;
mod inspect;
mod mark;
mod regions;
mod seals;
mod steps;
mod sweep;
mod trace;
mod transplant;
mod watches;

pub use collect::Collected;
pub use hosts::Refused;
pub use image::{LoadError, SaveError};
pub use inspect::{Dump, Fault, RootPath};
pub use regions::Region;
pub use seals::SealKey;
pub use steps::Step;
