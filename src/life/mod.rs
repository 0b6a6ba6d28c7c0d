//! Lifetimes of objects: collection, regions, roots and weak references, host objects,
//! seals, copies into other heaps, inspection.

mod collect;
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
mod deadline;
mod fork;
mod hosts;
mod inspect;
mod mark;
mod profile;
mod regions;
mod seals;
mod snapshot;
mod steps;
mod sweep;
mod trace;
mod transplant;
mod watches;

pub use collect::Collected;
pub use hosts::Refused;
pub use inspect::{Dump, Fault, RootPath};
pub use profile::AllocationProfile;
pub use regions::Region;
pub use seals::SealKey;
pub use snapshot::{SnapshotNames, SnapshotTotals};
pub use steps::Step;
