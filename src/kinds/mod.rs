//! The kinds: the list, and what several of them share.
//!
//! A kind is one file, which says how its objects lie in memory and what can be
//! done with them, and one line here.

mod keyed;

/// Defines the macro that hands the list of kinds on, to the tests and benches of
/// this workspace: `for_each_kind!(callback)` calls `callback!` with
/// `List as LIST, values; …`. The family says how an object is made: of `values` and
/// of `cells` by `of(&[elements])`, of others by constructors of their `own`.
macro_rules! export {
    (($dollar:tt) $($list:tt)*) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! for_each_kind {
            ($dollar callback:ident) => {
                $dollar callback! { $($list)* }
            };
        }
    };
}

/// Declares the modules of the kinds, numbers the kinds in the order of the list,
/// and defines all that is made of the whole list. Used as `cfg_if`, the one name
/// under which rustfmt finds modules that a macro declares.
macro_rules! kinds {
    (if #[cfg(all())] {
        $(#[kind($Kind:ident as $NAME:ident, $family:ident)] mod $file:ident;)*
    }) => {
        $(mod $file; pub use $file::$Kind;)*

        export! { ($) $($Kind as $NAME, $family;)* }

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

            /// The name of the kind, such as `"List"`.
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
            impl Private for $Kind {}

            impl HasKind for $Kind {
                const KIND: Kind = Kind::from_selector(Position::$NAME as u64);
            }
        )*

        /// The shape of each kind, in the order of the selectors.
        pub(crate) const SHAPES: [&Shape; Kind::COUNT] = [$(&<$Kind as Object>::SHAPE),*];
    };
}
use kinds as cfg_if;

use crate::object::Object;
use crate::words::{HasKind, Kind, Private, Shape};

cfg_if! {
    if #[cfg(all())] {
        #[kind(Str as STR, own)] mod text;
        #[kind(List as LIST, values)] mod list;
        #[kind(Map as MAP, own)] mod map;
        #[kind(Set as SET, own)] mod set;
        #[kind(Struct as STRUCT, own)] mod record;
        #[kind(Closure as CLOSURE, own)] mod closure;
        #[kind(Bignum as BIGNUM, own)] mod bignum;
        #[kind(Bytes as BYTES, own)] mod bytes;
        #[kind(Pair as PAIR, own)] mod pair;
        #[kind(F64Arr as F64ARR, values)] mod f64arr;
        #[kind(I64Arr as I64ARR, values)] mod i64arr;
        #[kind(U8Arr as U8ARR, values)] mod u8arr;
    }
}

const _: () = assert!(Kind::COUNT <= Kind::SEALED.index(), "selectors have four bits");

impl Kind {
    /// Whether the selector is that of a kind, or of seals.
    pub(crate) const fn has_arena(self) -> bool {
        self.place() <= Kind::COUNT
    }
}

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

/// Defines a kind that is a sequence, with the brackets it is printed in.
macro_rules! sequence {
    ($(#[$doc:meta])* $Kind:ident of $Element:ty, $open:literal $close:literal $(, $shape:ident($($argument:expr),*))*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $Kind {}

        impl crate::object::Object for $Kind {
            const SHAPE: crate::words::Shape =
                crate::words::Shape::of::<$Element>($open, $close)$(.$shape($($argument),*))*;
            type Context = crate::object::NoContext;
        }

        impl crate::object::Sequence for $Kind {
            type Element = $Element;
        }
    };
}
use sequence;

/// Defines a kind that is a growable array and nothing else: of values (numbers
/// or cells), or of data.
macro_rules! array {
    ($(#[$doc:meta])* $Kind:ident of $Element:ty) => {
        super::array! { $(#[$doc])* $Kind of $Element, Values }

        impl crate::object::ValueArray for $Kind {}
    };
    ($(#[$doc:meta])* $Kind:ident of $Element:ty, $class:ident) => {
        super::sequence! {
            $(#[$doc])*
            $Kind of $Element, "[" "]", copied_as(crate::words::CopyClass::$class)
        }

        impl crate::object::Mutable for $Kind {}

        impl crate::object::Growable for $Kind {}

        impl $Kind {
            /// An empty array.
            #[allow(clippy::new_ret_no_self, reason = "what `Heap::alloc` takes")]
            pub const fn new() -> crate::object::SequenceInit<'static, $Kind> {
                crate::object::SequenceInit::capacity(0)
            }

            /// An array of these elements.
            pub const fn of(elements: &[$Element]) -> crate::object::SequenceInit<'_, $Kind> {
                crate::object::SequenceInit::of(0, elements)
            }

            /// An array of `len` elements, all of them zero (null, in a list).
            pub const fn zeroed(len: usize) -> crate::object::SequenceInit<'static, $Kind> {
                let zero = <$Element as crate::words::Element>::ZERO;
                crate::object::SequenceInit::repeat(0, zero, len)
            }

            /// An empty array with room for `len` elements.
            pub const fn with_capacity(len: usize) -> crate::object::SequenceInit<'static, $Kind> {
                crate::object::SequenceInit::capacity(len)
            }
        }
    };
}
use array;
