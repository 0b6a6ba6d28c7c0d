//! [`Error`]: the one error type of the crate, small and `Copy`.

use core::fmt;

use super::kind::Kind;

/// The reason why an operation failed. An operation that fails has changed nothing.
///
/// Of several errors about a cell, the one that comes first in this list is
/// returned. No error shows a generation.
///
/// ```
/// use segheap::{Error, Heap, List};
/// let mut heap = Heap::new();
/// let list = heap.alloc(List::of(&[1.into()]))?;
/// let error = heap.get(list)?.get(5).unwrap_err();
/// assert_eq!(error, Error::OutOfRange { index: 5, len: 1 });
/// assert_eq!(error.to_string(), "out of range: index 5, length 1");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The cell holds no handle, but a number, short text, null or the like.
    NotAHandle,
    /// The handle refers to an object of another kind.
    WrongKind {
        /// The kind of the object.
        found: Kind,
        /// The kind that the operation is for.
        wanted: Kind,
    },
    /// The cell is sealed; [`Heap::unseal`](crate::Heap::unseal) opens it.
    Sealed,
    /// The object was freed, or the handle belongs to another heap.
    Stale {
        /// The kind of the object.
        kind: Kind,
    },
    /// An index, or the start or the end of a range, is beyond the object.
    OutOfRange {
        /// The index; of a reversed range, its start.
        index: u64,
        /// The length of the object, in elements.
        len: u32,
    },
    /// An index into text falls inside a character.
    NotACharBoundary {
        /// The index, in bytes.
        index: u32,
    },
    /// Bytes are not UTF-8.
    NotUtf8 {
        /// The length of the longest prefix that is UTF-8, in bytes; what lies before
        /// the range of a copy counts as part of it.
        valid_up_to: u32,
    },
    /// The cell holds no text.
    NotText,
    /// The cell holds no integer; or a float is not finite.
    NotAnInteger,
    /// The cell holds neither an integer nor a float.
    NotANumber,
    /// A bulk copy met an element that does not convert to one of the target's
    /// without loss.
    NotConvertible {
        /// The index of the element in the source.
        index: u32,
        /// The kind of the target.
        to: Kind,
    },
    /// There is no bulk copy from one kind to the other.
    NoRoute {
        /// The kind of the source.
        from: Kind,
        /// The kind of the target.
        to: Kind,
    },
    /// The text is not a decimal integer, or not a number in the notation asked for.
    NotDecimal,
    /// A radix is not within 2..=36.
    InvalidRadix {
        /// The radix.
        radix: u32,
    },
    /// The divisor is zero.
    DivisionByZero,
    /// The exponent or the shift is negative.
    NegativeExponent,
    /// Two ranges that have to be disjoint share an element.
    Overlap,
    /// A sum or a product does not fit into its type.
    Overflow,
    /// No identity is left for a hint, a region or a seal key: the process has
    /// used all 2^40.
    IdsExhausted,
    /// The cell is not sealed.
    NotSealed,
    /// The key is not the one that the cell was sealed with, or is another heap's.
    WrongKey,
    /// The region has been closed, or belongs to another heap.
    RegionClosed,
    /// A heap is saved while a region is open.
    RegionOpen,
    /// Code of the VM that an operation called has changed the object that the operation is
    /// about to change.
    Changed,
    /// A cursor in two cells belongs to another object.
    OtherObject,
    /// The system provides no random numbers.
    NoEntropy,
    /// A limit of [`Limits`](crate::Limits) would be exceeded.
    Limit(Resource),
    /// An arena has as many pages (2^19) or slots (2^32 - 1) as can be addressed.
    ArenaFull {
        /// The kind whose objects the arena holds.
        kind: Kind,
    },
    /// An object would have more than 2^32 - 1 elements or 2^29 - 1 words.
    ObjectTooLarge,
    /// The global allocator failed.
    OutOfMemory,
    /// An invariant of the heap is broken: a bug of this crate. The damage is
    /// confined to one arena. Debug builds stop at an assertion instead.
    Corrupt,
    /// Elements to be sorted are neither all numbers nor all texts.
    NoOrder,
    /// The value of a host object has another type.
    WrongHostType,
    /// A host object cannot be copied to another heap.
    NoHostCopy,
    /// A symbol is freed by a collection only.
    Symbol,
    /// The object is frozen: it can never change again.
    Frozen,
    /// A value cannot have this part, an object that can still change.
    NotAValue,
    /// A value that is used as a key has more than 2^20 parts, counted as often as they are
    /// reached, or nests them deeper than 64 levels, last parts not counted.
    KeyTooLarge,
    /// The keys of the map or set are found by another hash: that of the heap, as in each weak
    /// one, or one of the VM.
    OtherHash,
}

const _: () = assert!(size_of::<Error>() <= 16);

impl Error {
    /// Returns whether a value has the wrong type for the operation, which many languages
    /// report as an error of its own: [`Error::NotAHandle`], [`Error::WrongKind`],
    /// [`Error::NotText`], [`Error::NotAnInteger`], [`Error::NoOrder`],
    /// [`Error::WrongHostType`], [`Error::NotAValue`] and [`Error::NoRoute`]. An element that does not convert
    /// without loss has the wrong value, not the wrong type.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// assert!(heap.add(1.into(), list.into()).unwrap_err().is_type_error());
    /// assert!(!heap.get(list)?.get(0).unwrap_err().is_type_error());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn is_type_error(self) -> bool {
        matches!(
            self,
            Error::NotAHandle
                | Error::WrongKind { .. }
                | Error::NotText
                | Error::NotAnInteger
                | Error::NoOrder
                | Error::WrongHostType
                | Error::NotAValue
                | Error::NoRoute { .. }
        )
    }
}

impl Error {
    /// Returns whether an operation failed for want of memory, which a collection may make
    /// available: [`Error::Limit`] but for [`Resource::IntegerBits`], [`Error::ArenaFull`] and
    /// [`Error::OutOfMemory`]. [`Heap::retry_after_collect`](crate::Heap::retry_after_collect)
    /// runs such an operation again.
    ///
    /// ```
    /// use segheap::{Error, Resource};
    /// assert!(Error::Limit(Resource::Bytes).is_memory_error());
    /// assert!(!Error::Limit(Resource::IntegerBits).is_memory_error());
    /// assert!(!Error::ObjectTooLarge.is_memory_error());
    /// ```
    pub const fn is_memory_error(self) -> bool {
        match self {
            Error::Limit(of) => !matches!(of, Resource::IntegerBits),
            error => matches!(error, Error::ArenaFull { .. } | Error::OutOfMemory),
        }
    }
}

/// What a limit bounds; part of [`Error::Limit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// The pages of the arena of a kind: [`Limits::pages`](crate::Limits::pages).
    Pages(Kind),
    /// The slots of the arena of a kind: [`Limits::slots`](crate::Limits::slots).
    Slots(Kind),
    /// The bytes of the whole heap: [`Limits::bytes`](crate::Limits::bytes).
    Bytes,
    /// The bits of an integer:
    /// [`Limits::integer_bits`](crate::Limits::integer_bits).
    IntegerBits,
}

/// The result of what can fail in a heap.
pub(crate) type Result<T, E = Error> = core::result::Result<T, E>;

/// [`Error::Corrupt`], for a place that a broken invariant reaches. Debug builds
/// panic there.
#[inline(always)]
#[track_caller]
pub(crate) fn corrupt() -> Error {
    debug_assert!(false, "an invariant of the heap is broken");
    Error::Corrupt
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::NotAHandle => f.write_str("not a handle"),
            Error::WrongKind { found, wanted } => {
                write!(f, "wrong kind: found {found}, wanted {wanted}")
            }
            Error::Stale { kind } => write!(f, "stale handle: the {kind} was freed"),
            Error::OutOfRange { index, len } => {
                write!(f, "out of range: index {index}, length {len}")
            }
            Error::NotACharBoundary { index } => {
                write!(f, "not a character boundary: byte {index}")
            }
            Error::NotUtf8 { valid_up_to } => write!(f, "not UTF-8: valid up to {valid_up_to}"),
            Error::NotText => f.write_str("not text"),
            Error::NotAnInteger => f.write_str("not an integer"),
            Error::NotANumber => f.write_str("not a number"),
            Error::NotConvertible { index, to } => {
                write!(f, "element {index} does not convert to {to}")
            }
            Error::NoRoute { from, to } => write!(f, "no bulk copy from {from} to {to}"),
            Error::NotDecimal => f.write_str("not a number in this notation"),
            Error::InvalidRadix { radix } => write!(f, "radix {radix} is not within 2..=36"),
            Error::DivisionByZero => f.write_str("division by zero"),
            Error::NegativeExponent => f.write_str("negative exponent"),
            Error::Overlap => f.write_str("ranges overlap"),
            Error::Overflow => f.write_str("overflow"),
            Error::IdsExhausted => f.write_str("identities exhausted"),
            Error::NoEntropy => f.write_str("no random numbers"),
            Error::Sealed => f.write_str("sealed"),
            Error::NotSealed => f.write_str("not a sealed cell"),
            Error::WrongKey => f.write_str("wrong key"),
            Error::RegionClosed => f.write_str("region is not open"),
            Error::RegionOpen => f.write_str("a region is open"),
            Error::OtherObject => f.write_str("cursor of another object"),
            Error::NoOrder => f.write_str("neither all numbers nor all texts"),
            Error::Changed => f.write_str("changed by what the operation called"),
            Error::WrongHostType => f.write_str("the host object has a value of another type"),
            Error::Symbol => f.write_str("a symbol is freed by a collection only"),
            Error::Frozen => f.write_str("the object is frozen"),
            Error::NotAValue => f.write_str("not a value: it can still change"),
            Error::KeyTooLarge => f.write_str("a value is too large for a key"),
            Error::OtherHash => f.write_str("the keys of the table have another hash"),
            Error::NoHostCopy => f.write_str("a host object cannot be copied"),
            Error::Limit(Resource::Pages(kind)) => write!(f, "page limit of {kind} reached"),
            Error::Limit(Resource::Slots(kind)) => write!(f, "slot limit of {kind} reached"),
            Error::Limit(Resource::Bytes) => f.write_str("byte limit of the heap reached"),
            Error::Limit(Resource::IntegerBits) => f.write_str("limit on bits of integers reached"),
            Error::ArenaFull { kind } => write!(f, "arena of {kind} is full"),
            Error::ObjectTooLarge => f.write_str("object too large"),
            Error::OutOfMemory => f.write_str("out of memory"),
            Error::Corrupt => f.write_str("internal invariant broken"),
        }
    }
}

impl core::error::Error for Error {}
