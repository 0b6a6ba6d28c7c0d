//! Objects: what the kinds are made of. Code here has one arena in hand, and for
//! keys the others to read.

mod keys;
mod numbers;
pub(crate) mod table;
mod view;

pub(crate) use keys::{Integer, Keys, KeysOfAll, Nothing, Sees};
pub use numbers::Number;
pub(crate) use view::Internal;
pub use view::{
    Cursor, Growable, Mutable, Object, ObjectInit, Sequence, SequenceInit, View, ViewMut,
};
