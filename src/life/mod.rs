//! Lifetimes of objects: collection, regions, roots and weak references, host objects,
//! seals, copies into other heaps, inspection.

mod collect;
mod compact;
mod content;
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
mod deadline;
mod ephemerons;
mod finalize;
mod fork;
mod forwarding;
mod host_copy;
mod hosts;
mod image;
mod inspect;
mod mark;
mod profile;
mod regions;
mod retry;
mod seals;
mod sizes;
mod snapshot;
mod states;
mod steps;
mod sweep;
mod trace;
mod transplant;
mod watches;

pub use collect::Collected;
pub use compact::CompactStep;
pub use ephemerons::MarkReader;
pub use host_copy::HostCopy;
pub use hosts::Refused;
pub use image::{LoadError, LoadTimes, SaveError};
pub use inspect::{Dump, Fault, RootPath};
pub use profile::AllocationProfile;
pub use regions::Region;
pub use seals::SealKey;
pub use snapshot::{SnapshotNames, SnapshotTotals};
pub use steps::Step;
