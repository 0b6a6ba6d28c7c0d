//! Objects, as the operations of their kinds see them: a [`View`] to read, a
//! [`ViewMut`] to change, an [`ObjectInit`] to allocate. Each reaches the arena of
//! its kind; those of tables also read the other arenas, for keys.

mod body;
mod edits;
mod init;
mod integer;
mod keyed;
mod keyed_mut;
mod keys;
pub(crate) mod limbs;
mod numbers;
mod own_hash;
mod structure;
pub(crate) mod table;
mod table_mut;
mod view;
mod view_mut;
mod weak;

pub(crate) use init::Internal;
pub use init::{ObjectInit, SequenceInit, TableInit};
pub(crate) use integer::Integer;
pub(crate) use keyed::{
    Keyed, entry_at, entry_of_int, find_symbol, insert_int, shape as table_shape,
};
pub(crate) use keyed_mut::shrink_spare_tables;
pub(crate) use keys::{Context, KeyContext, Keys, NoContext, are_equal};
pub use numbers::Number;
pub(crate) use table_mut::TableMut;
pub use view::{Cursor, Growable, Mutable, Object, Sequence, ValueArray, View};
pub use view_mut::ViewMut;
pub(crate) use weak::{remove_all_freed, remove_freed};
