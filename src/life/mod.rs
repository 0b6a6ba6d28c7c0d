//! Lifetimes of objects: collection, regions, roots and weak references, seals, copies
//! into other heaps, inspection.

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
