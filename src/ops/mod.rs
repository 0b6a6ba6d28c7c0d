//! Operations of the heap on values of any form, and on several objects at once.

mod append;
mod arithmetic;
#[cfg(feature = "bigint")]
mod big;
mod bits;
mod copies;
mod decide;
mod direct;
mod display;
mod division;
mod equality;
mod freeze;
mod hints;
mod integers;
mod lists;
mod magnitudes;
mod numbers;
mod own_hash;
mod own_sets;
mod power;
mod radix;
mod sets;
mod sort;
mod style;
pub(crate) mod symbols;
mod tables;
mod text_edits;
mod texts;
mod values;
mod windows;

pub use copies::{ConvertTo, CopyTo};
pub use direct::KeyHint;
pub use display::DisplayValue;
pub use hints::RangeHint;
pub use style::{DisplayStyle, PlainStyle};
pub use texts::{Text, TextPart};
pub(crate) use values::table;
pub use windows::{WindowTarget, WindowTargets};
