//! The twelve kinds: the list, and what several of them share.
//!
//! A kind is one file that says how its objects lie in memory and what can be
//! done to them, and one line here.

mod keyed;

/// Numbers the kinds in order, and makes all that is made of the whole list.
macro_rules! kinds {
    ($($file:ident::$Kind:ident as $NAME:ident;)*) => {
        $(mod $file; pub use $file::$Kind;)*

        /// One constant for each kind, in the order of their selectors.
        impl Kind {
            $(
                #[doc = concat!("[`", stringify!($Kind), "`].")]
                pub const $NAME: Kind = <$Kind as HasKind>::KIND;
            )*

            /// Every kind, in the order of the selectors.
            pub const ALL: [Kind; Kind::COUNT] = [$(Kind::$NAME),*];

            /// Number of kinds.
            pub const COUNT: usize = [$(stringify!($Kind)),*].len();

            /// The name of the kind: `"List"`, ….
            #[allow(clippy::indexing_slicing, reason = "four bits index sixteen names")]
            pub const fn name(self) -> &'static str {
                const NAMES: [&str; 16] = {
                    let mut names = ["Spare"; 16];
                    names[Kind::SEALED.index()] = "Sealed";
                    $(names[Kind::$NAME.index()] = stringify!($Kind);)*
                    names
                };
                NAMES[self.index() & 0xF]
            }
        }

        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "numbers the list")]
        enum Position { $($NAME),* }

        $(
            impl Sealed for $Kind {}

            impl HasKind for $Kind {
                const KIND: Kind = Kind::from_selector(Position::$NAME as u64);
            }
        )*

        /// The shape of each kind, in the order of the selectors.
        pub(crate) const SHAPES: [&Shape; Kind::COUNT] = [$(&<$Kind as Object>::SHAPE),*];
    };
}

use crate::object::Object;
use crate::words::{HasKind, Kind, Sealed, Shape};

kinds! {
    text::Str as STR;
    list::List as LIST;
    map::Map as MAP;
    set::Set as SET;
    record::Struct as STRUCT;
    closure::Closure as CLOSURE;
    bignum::Bignum as BIGNUM;
    bytes::Bytes as BYTES;
    pair::Pair as PAIR;
    f64arr::F64Arr as F64ARR;
    i64arr::I64Arr as I64ARR;
    u8arr::U8Arr as U8ARR;
}

const _: () = assert!(Kind::COUNT == Kind::SEALED.index(), "seals come behind the kinds");

impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

impl core::fmt::Debug for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// A kind that is a sequence: its elements, and how it lies in memory.
macro_rules! sequence {
    ($(#[$doc:meta])* $Kind:ident of $Element:ty, $shape:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Kind {}

        impl crate::object::Object for $Kind {
            const SHAPE: crate::words::Shape = $shape;
            type Sees = crate::object::Nothing;
        }

        impl crate::object::Sequence for $Kind {
            type Element = $Element;
        }
    };
}
use sequence;

/// A kind that is a growable array and nothing else.
macro_rules! array {
    ($(#[$doc:meta])* $Kind:ident of $Element:ty, $elements:ident) => {
        super::sequence! {
            $(#[$doc])*
            $Kind of $Element,
            crate::words::Shape::new(crate::words::Elements::$elements, "[", "]")
        }

        impl crate::object::Mutable for $Kind {}

        impl crate::object::Growable for $Kind {}

        impl $Kind {
            /// Without elements.
            #[allow(clippy::new_ret_no_self, reason = "an object yet to be made")]
            pub const fn new() -> crate::object::SequenceInit<'static, $Kind> {
                crate::object::SequenceInit::capacity(0)
            }

            /// With these elements.
            pub const fn of(elements: &[$Element]) -> crate::object::SequenceInit<'_, $Kind> {
                crate::object::SequenceInit::of(0, elements)
            }

            /// With `len` elements, all of them zero (null, in a list).
            pub const fn zeroed(len: usize) -> crate::object::SequenceInit<'static, $Kind> {
                let zero = <$Element as crate::words::Element>::ZERO;
                crate::object::SequenceInit::repeat(0, zero, len)
            }

            /// Empty, with room for `len` elements.
            pub const fn with_capacity(len: usize) -> crate::object::SequenceInit<'static, $Kind> {
                crate::object::SequenceInit::capacity(len)
            }
        }
    };
}
use array;
