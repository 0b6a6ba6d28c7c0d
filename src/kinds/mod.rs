//! The kinds: the list, and the macros that several of them share.
//!
//! A kind is one file, with the layout of its objects and the operations on them, and
//! one line in the list below.

mod keyed;

/// Defines `for_each_kind!(callback)` for the tests and benches of this workspace: it
/// calls `callback!` with the list of kinds, `List as LIST, values; …`. The family says
/// how an object is constructed: `values` and `cells` by `of(&[elements])`, all others
/// by constructors of their `own`.
macro_rules! export {
    (($dollar:tt) $($list:tt)*) => {
        #[doc(hidden)]
        #[macro_export]
        macro_rules! for_each_kind {
            ($dollar callback:ident) => {
                $dollar callback! { $($list)* }
            };
        }

        /// The same inside of this crate, which may not name an exported macro that a macro
        /// defines.
        #[cfg(feature = "proptest")]
        macro_rules! each_kind {
            ($dollar callback:ident) => {
                $dollar callback! { $($list)* }
            };
        }
        #[cfg(feature = "proptest")]
        pub(crate) use each_kind;
    };
}

/// Declares the modules of the kinds, numbers the kinds in the order of the list, and
/// defines the items that depend on the whole list. Used under the name `cfg_if`, the
/// only macro name under which rustfmt follows `mod` declarations.
macro_rules! kinds {
    (if #[cfg(all())] {
        $(#[kind($Kind:ident as $NAME:ident, $family:ident)] mod $file:ident;)*
    }) => {
        $(mod $file; pub use $file::$Kind;)*

        export! { ($) $($Kind as $NAME, $family;)* }

        /// The kinds as constants, in the order of their selectors.
        impl Kind {
            $(
                #[doc = concat!("The kind of [`", stringify!($Kind), "`] objects.")]
                pub const $NAME: Kind = <$Kind as HasKind>::KIND;
            )*

            /// Every kind, in the order of the selectors.
            ///
            /// ```
            /// use segheap::{Heap, Kind};
            /// let heap = Heap::new();
            /// for kind in Kind::ALL {
            ///     assert!(heap.usage().arena(kind).is_some_and(|arena| arena.live == 0));
            /// }
            /// ```
            pub const ALL: [Kind; Kind::COUNT] = [$(Kind::$NAME),*];

            /// The number of kinds.
            pub const COUNT: usize = [$(stringify!($Kind)),*].len();

            /// Returns the name of the kind, which is that of its type: `"List"`.
            ///
            /// ```
            /// use segheap::Kind;
            /// assert_eq!(Kind::LIST.name(), "List");
            /// assert_eq!(format!("{}, {:?}", Kind::F64ARR, Kind::MAP), "F64Arr, Map");
            /// ```
            #[allow(clippy::indexing_slicing, reason = "four bits index sixteen names")]
            pub const fn name(self) -> &'static str {
                const NAMES: [&str; 16] = {
                    let mut names = ["Spare"; 16];
                    names[Kind::SEALED.index()] = "Sealed";
                    names[Kind::HOST.index()] = "Host";
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

const _: () = assert!(Kind::COUNT <= Kind::HOST.index(), "selectors have four bits");

impl Kind {
    /// Whether the selector belongs to a kind, to host objects or to seals.
    pub(crate) const fn has_arena(self) -> bool {
        self.place() < Kind::COUNT.saturating_add(Kind::OTHERS)
    }
}

/// Prints [`Kind::name`].
impl core::fmt::Display for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// Prints [`Kind::name`].
impl core::fmt::Debug for Kind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// Defines a kind whose objects are sequences, and the brackets that
/// [`Heap::display`](crate::Heap::display) prints around their elements.
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

/// Defines a kind whose objects are growable arrays without a header: of values
/// (numbers or cells), or of data.
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
            /// Describes an empty array, for [`Heap::alloc`](crate::Heap::alloc). It
            /// has no capacity yet: the first element allocates its block.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let array = heap.alloc(", stringify!($Kind), "::new())?;")]
            /// assert!(heap.get(array)?.is_empty());
            /// # Ok::<(), segheap::Error>(())
            /// ```
            #[allow(clippy::new_ret_no_self, reason = "what `Heap::alloc` takes")]
            pub const fn new() -> crate::object::SequenceInit<'static, $Kind> {
                crate::object::SequenceInit::capacity(0, 0)
            }

            /// Describes an array with these elements, for
            /// [`Heap::alloc`](crate::Heap::alloc), which copies them.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            /// let elements = [1_u8, 2, 3].map(Into::into);
            #[doc = concat!("let array = heap.alloc(", stringify!($Kind), "::of(&elements))?;")]
            /// assert_eq!(heap.get(array)?.as_slice(), elements);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            pub const fn of(elements: &[$Element]) -> crate::object::SequenceInit<'_, $Kind> {
                crate::object::SequenceInit::of(0, elements)
            }

            /// Describes an array of `len` elements, all of them zero (null, in a
            /// list), for [`Heap::alloc`](crate::Heap::alloc).
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let array = heap.alloc(", stringify!($Kind), "::zeroed(3))?;")]
            /// heap.get_mut(array)?.set(2, 7_u8.into())?;
            /// assert_eq!(heap.get(array)?.len(), 3);
            /// # Ok::<(), segheap::Error>(())
            /// ```
            pub const fn zeroed(len: usize) -> crate::object::SequenceInit<'static, $Kind> {
                let zero = <$Element as crate::words::Element>::ZERO;
                crate::object::SequenceInit::repeat(0, zero, len)
            }

            /// Describes an empty array with capacity for `len` elements, for
            /// [`Heap::alloc`](crate::Heap::alloc). Its length is 0; pushes up to `len`
            /// elements do not move it.
            ///
            /// ```
            #[doc = concat!("use segheap::{Heap, ", stringify!($Kind), "};")]
            /// let mut heap = Heap::new();
            #[doc = concat!("let array = heap.alloc(", stringify!($Kind), "::with_capacity(8))?;")]
            /// assert_eq!(heap.get(array)?.len(), 0);
            /// heap.get_mut(array)?.push(7_u8.into())?;
            /// # Ok::<(), segheap::Error>(())
            /// ```
            pub const fn with_capacity(len: usize) -> crate::object::SequenceInit<'static, $Kind> {
                crate::object::SequenceInit::capacity(0, len)
            }
        }
    };
}
use array;
