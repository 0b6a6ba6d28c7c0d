//! Objects as the code of their kind sees them: one arena, and for keys the
//! others to read.

mod init;
mod integer;
mod keyed;
mod keys;
mod numbers;
pub(crate) mod table;
mod view;

pub(crate) use init::Internal;
pub use init::{ObjectInit, SequenceInit, TableInit};
pub(crate) use integer::Integer;
pub(crate) use keyed::{Keyed, shape as table_shape};
pub(crate) use keys::{Context, KeyContext, Keys, NoContext};
pub use numbers::Number;
pub use view::{Cursor, Growable, Mutable, Object, Sequence, ValueArray, View, ViewMut};
