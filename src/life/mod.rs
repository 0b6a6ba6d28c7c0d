//! Lives and deaths: how objects are reclaimed, watched, sealed and carried over
//! to other heaps, and how to look at those that are left.

mod collect;
mod inspect;
mod regions;
mod seals;
mod trace;
mod transplant;
mod watches;

pub use collect::Collected;
pub use inspect::{Dump, Fault, RootPath};
pub use regions::Region;
pub use seals::SealKey;
