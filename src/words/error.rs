//! Every failure of the heap: one small `Copy` enum.

use core::fmt;

use super::kind::Kind;

/// Why an operation was refused. Whatever answers an error has changed nothing.
///
/// Errors about a cell are reported in the order of the first five variants. No
/// error shows a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The cell is a number, text held in the cell, null, …, not a handle.
    NotAHandle,
    /// The handle names an object of another kind.
    WrongKind {
        /// The kind that the handle names.
        found: Kind,
        /// The kind that the operation is for.
        wanted: Kind,
    },
    /// The cell is sealed.
    Sealed,
    /// The object is gone (or was made by another heap).
    Stale {
        /// The kind that the handle names.
        kind: Kind,
    },
    /// An index, or the end or start of a range, lies outside the object.
    OutOfRange {
        /// The index asked for; of a reversed range, its start.
        index: u64,
        /// The object's length in elements.
        len: u32,
    },
    /// An index into text falls inside a character.
    NotACharBoundary {
        /// The byte index asked for.
        index: u32,
    },
    /// Bytes are not UTF-8.
    NotUtf8 {
        /// The bytes before this index are.
        valid_up_to: u32,
    },
    /// The cell holds no text.
    NotText,
    /// The cell holds no integer.
    NotAnInteger,
    /// An element cannot become one of the target's without loss.
    NotConvertible {
        /// The element's index in the source.
        index: u32,
        /// The target's kind.
        to: Kind,
    },
    /// No bulk copy leads from one kind to the other.
    NoRoute {
        /// The source's kind.
        from: Kind,
        /// The target's kind.
        to: Kind,
    },
    /// Text is no decimal integer.
    NotDecimal,
    /// A divisor is zero.
    DivisionByZero,
    /// An exponent or a shift is negative.
    NegativeExponent,
    /// Two ranges that have to be disjoint share an element.
    Overlap,
    /// A sum or a product does not fit into its type.
    Overflow,
    /// No more hints can be told spill (after 2^40 heaps or epochs).
    IdsExhausted,
    /// The cell is not a sealed one.
    NotSealed,
    /// The key is not the one the cell was sealed with, or not of this heap.
    WrongKey,
    /// The region is closed already, or belongs to another heap.
    RegionClosed,
    /// The list changed while it was being sorted.
    ChangedDuringSort,
    /// Arithmetic on integers beyond 64 bits that needs the crate's feature
    /// `bigint`, which is off.
    NoBigint,
    /// The system provides no random numbers.
    NoEntropy,
    /// A limit of [`Limits`](crate::Limits) would be passed.
    Limit(Resource),
    /// An arena has used up its addresses (2^19 pages) or its slots.
    ArenaFull {
        /// The arena.
        kind: Kind,
    },
    /// An object would have more than 2^32 - 1 elements or words.
    ObjectTooLarge,
    /// The global allocator refused.
    OutOfMemory,
    /// The heap met a state that its own rules exclude: a bug of this crate,
    /// stopped at the border of the arena it is in.
    Corrupt,
}

const _: () = assert!(size_of::<Error>() <= 16);

/// What a limit was set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Pages of one arena's memory.
    Pages(Kind),
    /// Slots of one arena.
    Slots(Kind),
    /// Bytes of the whole heap.
    Bytes,
}

/// What can fail in the heap.
pub(crate) type Result<T, E = Error> = core::result::Result<T, E>;

/// [`Error::Corrupt`], where an invariant is broken. A debug build stops there.
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
            Error::Stale { kind } => write!(f, "stale handle: the {kind} is gone"),
            Error::OutOfRange { index, len } => {
                write!(f, "out of range: index {index}, length {len}")
            }
            Error::NotACharBoundary { index } => {
                write!(f, "not a character boundary: byte {index}")
            }
            Error::NotUtf8 { valid_up_to } => write!(f, "not UTF-8: valid up to {valid_up_to}"),
            Error::NotText => f.write_str("not text"),
            Error::NotAnInteger => f.write_str("not an integer"),
            Error::NotConvertible { index, to } => {
                write!(f, "element {index} does not fit into {to}")
            }
            Error::NoRoute { from, to } => write!(f, "no copy leads from {from} to {to}"),
            Error::NotDecimal => f.write_str("not a decimal integer"),
            Error::DivisionByZero => f.write_str("division by zero"),
            Error::NegativeExponent => f.write_str("negative exponent"),
            Error::Overlap => f.write_str("ranges overlap"),
            Error::Overflow => f.write_str("overflow"),
            Error::IdsExhausted => f.write_str("identities exhausted"),
            Error::NoBigint => f.write_str("big integers are not compiled in"),
            Error::NoEntropy => f.write_str("no random numbers"),
            Error::Sealed => f.write_str("sealed"),
            Error::NotSealed => f.write_str("not a sealed cell"),
            Error::WrongKey => f.write_str("wrong key"),
            Error::RegionClosed => f.write_str("region is not open"),
            Error::ChangedDuringSort => f.write_str("changed while it was being sorted"),
            Error::Limit(Resource::Pages(kind)) => write!(f, "page limit of {kind} reached"),
            Error::Limit(Resource::Slots(kind)) => write!(f, "slot limit of {kind} reached"),
            Error::Limit(Resource::Bytes) => f.write_str("byte limit of the heap reached"),
            Error::ArenaFull { kind } => write!(f, "arena of {kind} is full"),
            Error::ObjectTooLarge => f.write_str("object too large"),
            Error::OutOfMemory => f.write_str("out of memory"),
            Error::Corrupt => f.write_str("internal invariant broken"),
        }
    }
}

impl core::error::Error for Error {}
