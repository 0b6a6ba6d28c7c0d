//! Lifetimes of objects: collection, regions, roots and weak references, host objects,
//! seals, copies into other heaps, inspection.

mod collect;
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
mod deadline;
mod ephemerons;
mod finalize;
mod fork;
mod forwarding;
mod host_copy;
mod hosts;
mod inspect;
mod mark;
mod regions;
mod seals;
mod sizes;
mod states;
mod steps;
mod sweep;
mod trace;
mod transplant;
mod watches;

pub use collect::Collected;
pub use ephemerons::MarkReader;
pub use host_copy::HostCopy;
pub use hosts::Refused;
pub use inspect::{Dump, Fault, RootPath};
pub use regions::Region;
pub use seals::SealKey;
pub use steps::Step;
