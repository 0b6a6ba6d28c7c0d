//! Operations of the heap on values of any kind, and on several objects at once.

mod copies;
mod display;
mod hints;
mod integers;
mod sets;
mod sort;
mod texts;
mod values;
mod windows;

pub use copies::{ConvertTo, CopyTo};
pub use display::Display;
pub use hints::RangeHint;
pub use texts::{Piece, Text};
pub(crate) use values::{is_hole, table};
pub use windows::{Disjoint, Part};
