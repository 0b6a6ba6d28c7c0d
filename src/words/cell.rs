//! The 8-byte value a VM keeps in its registers: a NaN-boxed [`Cell`].
//!
//! High 16 bits are the tag, low 48 the payload:
//!
//! | tag | meaning | payload |
//! |---|---|---|
//! | below `0xFFF8` | float, NaN always `0x7FF8_0000_0000_0000` | the double itself |
//! | `0xFFF8` | deopt sentinel | program counter |
//! | `0xFFF9` | text of up to 5 bytes | length in bits 40..43, bytes in 0..40 |
//! | `0xFFFA` | integer | 48-bit two's complement |
//! | `0xFFFB` | bool | bit 0 |
//! | `0xFFFC` | null | none |
//! | `0xFFFD`, `0xFFFE` | never in a cell (holes in tables, free slots) | |
//! | `0xFFFF` | handle | selector 44..47, generation 32..43, slot 0..31 |

use core::fmt;
use core::hash::{Hash, Hasher};

use bytemuck::TransparentWrapper;

use super::error::Error;
use super::kind::Kind;

/// Crate-private, so that no safe code outside can name the type that a cell
/// is reinterpreted from: a cell's bits are out of reach even for `bytemuck`.
mod word {
    #[derive(Clone, Copy, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
    #[repr(transparent)]
    pub(crate) struct Word(pub(crate) u64);
}
use word::Word;

pub(crate) const TAG_SHIFT: u32 = 48;
pub(crate) const PAYLOAD: u64 = (1 << TAG_SHIFT) - 1;
pub(crate) const TAG_DEOPT: u64 = 0xFFF8;
pub(crate) const TAG_SHORT: u64 = 0xFFF9;
pub(crate) const TAG_INT: u64 = 0xFFFA;
pub(crate) const TAG_BOOL: u64 = 0xFFFB;
pub(crate) const TAG_NULL: u64 = 0xFFFC;
pub(crate) const TAG_HOLE: u64 = 0xFFFD;
pub(crate) const TAG_FREE: u64 = 0xFFFE;
pub(crate) const TAG_HANDLE: u64 = 0xFFFF;
pub(crate) const SELECTOR_SHIFT: u32 = 44;
pub(crate) const GENERATION_MASK: u64 = 0xFFF << 32;
const NAN: u64 = 0x7FF8_0000_0000_0000;
const SHORT_LEN_SHIFT: u32 = 40;
/// A word of a table that holds no entry; no cell has these bits.
pub(crate) const HOLE: u64 = TAG_HOLE << TAG_SHIFT;

/// One value of a VM: 8 bytes, `Copy`, no lifetime.
///
/// `Eq` compares bits (so `NaN == NaN` and `0.0 != -0.0`; keys of maps compare
/// by value, see [`Heap::key_eq`](crate::Heap::key_eq)). There is no order, and
/// `Hash` leaves the generation of a handle out.
///
/// ```
/// use segheap::{Cell, Unpacked};
/// assert_eq!(Cell::int(-7).unwrap().unpack(), Unpacked::Int(-7));
/// assert_eq!(Cell::int(1 << 47), None); // 48 bits, signed
/// assert_eq!(Cell::from(2.5).as_float(), Some(2.5));
/// ```
///
/// Bits cannot be turned into a cell from outside, not even by `bytemuck`:
///
/// ```compile_fail
/// use bytemuck::TransparentWrapper;
/// let forged: segheap::Cell = TransparentWrapper::wrap(bytemuck::cast(0xFFFF_1000_0000_0000u64));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, TransparentWrapper)]
#[repr(transparent)]
pub struct Cell(Word);

const _: () = assert!(size_of::<Cell>() == 8 && size_of::<Option<Cell>>() <= 16);

/// What a [`Cell`] holds: the `match` every interpreter begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Unpacked {
    /// A double; every NaN is the canonical one.
    Float(f64),
    /// An integer of 48 bits, sign-extended.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// The absence of a value.
    Null,
    /// Text of at most 5 bytes, held in the cell itself.
    ShortStr(ShortStr),
    /// The deopt sentinel with a program counter of 48 bits.
    Deopt(u64),
    /// A handle to an object of this kind; [`Cell::to_handle`] gives it typed.
    Object(Kind),
    /// A sealed cell; [`Heap::unseal`](crate::Heap::unseal) opens it.
    Sealed,
}

impl Cell {
    /// The null cell.
    pub const NULL: Cell = Cell::raw(TAG_NULL << TAG_SHIFT);
    /// The true cell.
    pub const TRUE: Cell = Cell::raw((TAG_BOOL << TAG_SHIFT) | 1);
    /// The false cell.
    pub const FALSE: Cell = Cell::raw(TAG_BOOL << TAG_SHIFT);

    pub(crate) const fn raw(bits: u64) -> Cell {
        Cell(Word(bits))
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0.0
    }

    /// A float. Every NaN becomes the one canonical NaN; all other doubles,
    /// -0.0, infinities and subnormals included, keep their bits.
    #[inline]
    pub const fn float(value: f64) -> Cell {
        if value.is_nan() { Cell::raw(NAN) } else { Cell::raw(value.to_bits()) }
    }

    /// An integer of -2^47 ..= 2^47 - 1, or `None` outside that range
    /// ([`Heap::int`](crate::Heap::int) takes every `i64`).
    #[inline]
    pub const fn int(value: i64) -> Option<Cell> {
        let shift = 64_u32.saturating_sub(TAG_SHIFT);
        if (value << shift) >> shift == value { Some(Cell::cut_int(value)) } else { None }
    }

    /// The low 48 bits of an integer.
    #[inline(always)]
    const fn cut_int(value: i64) -> Cell {
        Cell::raw((TAG_INT << TAG_SHIFT) | (value.cast_unsigned() & PAYLOAD))
    }

    /// A truth value.
    #[inline]
    pub const fn bool(value: bool) -> Cell {
        if value { Cell::TRUE } else { Cell::FALSE }
    }

    /// Text of at most 5 bytes of UTF-8, or `None` for longer text
    /// ([`Heap::string`](crate::Heap::string) takes any text).
    #[inline]
    pub fn short_str(text: &str) -> Option<Cell> {
        Cell::short_bytes(text.as_bytes())
    }

    /// `bytes` must be UTF-8.
    #[inline]
    pub(crate) fn short_bytes(bytes: &[u8]) -> Option<Cell> {
        let word = match *bytes {
            [] => [0; 8],
            [a] => [a, 0, 0, 0, 0, 0, 0, 0],
            [a, b] => [a, b, 0, 0, 0, 0, 0, 0],
            [a, b, c] => [a, b, c, 0, 0, 0, 0, 0],
            [a, b, c, d] => [a, b, c, d, 0, 0, 0, 0],
            [a, b, c, d, e] => [a, b, c, d, e, 0, 0, 0],
            _ => return None,
        };
        let len = u64::try_from(bytes.len()).unwrap_or(0) << SHORT_LEN_SHIFT;
        Some(Cell::raw((TAG_SHORT << TAG_SHIFT) | len | u64::from_le_bytes(word)))
    }

    /// The deopt sentinel with a program counter, or `None` at 2^48 and above.
    #[inline]
    pub const fn deopt(pc: u64) -> Option<Cell> {
        if pc <= PAYLOAD { Some(Cell::raw((TAG_DEOPT << TAG_SHIFT) | pc)) } else { None }
    }

    const fn tag(self) -> u64 {
        self.bits() >> TAG_SHIFT
    }

    /// What the cell holds.
    #[inline]
    pub fn unpack(self) -> Unpacked {
        match self.tag() {
            TAG_DEOPT => Unpacked::Deopt(self.bits() & PAYLOAD),
            TAG_SHORT => Unpacked::ShortStr(ShortStr(self.bits())),
            TAG_INT => Unpacked::Int(self.payload_int()),
            TAG_BOOL => Unpacked::Bool(self == Cell::TRUE),
            TAG_HANDLE if self.selector() == Kind::SEALED => Unpacked::Sealed,
            TAG_HANDLE => Unpacked::Object(self.selector()),
            tag if tag < TAG_DEOPT => Unpacked::Float(f64::from_bits(self.bits())),
            _ => Unpacked::Null,
        }
    }

    /// The float, or `None` for any other cell.
    #[inline]
    pub const fn as_float(self) -> Option<f64> {
        if self.tag() < TAG_DEOPT { Some(f64::from_bits(self.bits())) } else { None }
    }

    /// The integer, or `None` for any other cell (a Bignum included; see
    /// [`Heap::as_int`](crate::Heap::as_int)).
    #[inline]
    pub const fn as_int(self) -> Option<i64> {
        if self.tag() == TAG_INT { Some(self.payload_int()) } else { None }
    }

    /// The truth value, or `None` for any other cell.
    #[inline]
    pub const fn as_bool(self) -> Option<bool> {
        if self.tag() == TAG_BOOL { Some(self.bits() & 1 == 1) } else { None }
    }

    /// The text held in the cell itself, or `None` for any other cell.
    #[inline]
    pub const fn as_short_str(self) -> Option<ShortStr> {
        if self.tag() == TAG_SHORT { Some(ShortStr(self.bits())) } else { None }
    }

    /// Whether this is [`Cell::NULL`].
    #[inline]
    pub const fn is_null(self) -> bool {
        self.tag() == TAG_NULL
    }

    /// The kind of object the cell names, or `None` if it is no handle.
    #[inline]
    pub const fn kind(self) -> Option<Kind> {
        if self.is_handle() { Some(self.selector()) } else { None }
    }

    #[cold]
    pub(crate) fn rejection(self, wanted: Kind) -> Error {
        match self.kind() {
            None => Error::NotAHandle,
            Some(Kind::SEALED) => Error::Sealed,
            Some(found) if found != wanted => Error::WrongKind { found, wanted },
            Some(kind) => Error::Stale { kind },
        }
    }

    /// Whether these are bits that a constructor can make. Whether a handle's
    /// selector belongs to a kind is for the list of kinds to say.
    pub(crate) fn is_canonical(self) -> bool {
        match self.unpack() {
            Unpacked::Float(float) => self == Cell::float(float),
            Unpacked::Bool(bool) => self == Cell::bool(bool),
            Unpacked::Null => self == Cell::NULL,
            // What is not UTF-8 reads as empty.
            Unpacked::ShortStr(text) => Some(self) == Cell::short_str(text.as_str()),
            Unpacked::Int(_) | Unpacked::Deopt(_) | Unpacked::Object(_) | Unpacked::Sealed => true,
        }
    }

    pub(crate) const fn is_handle(self) -> bool {
        self.tag() == TAG_HANDLE
    }

    pub(crate) const fn selector(self) -> Kind {
        Kind::from_selector(self.bits() >> SELECTOR_SHIFT)
    }

    /// Slot index of a handle (the low 32 bits of any cell).
    #[inline]
    pub(crate) const fn slot(self) -> u32 {
        low(self.bits())
    }

    /// Tag, selector and generation (the high 32 bits of any cell).
    #[inline]
    pub(crate) const fn key(self) -> u32 {
        low(self.bits() >> 32)
    }

    pub(crate) const fn of_slot(key: u32, index: u32) -> Cell {
        Cell::raw(((key as u64) << 32) | index as u64)
    }

    const fn payload_int(self) -> i64 {
        (self.bits() << 16).cast_signed() >> 16
    }

    /// The cells whose bits are `words`.
    #[inline(always)]
    pub(crate) fn slice(words: &[u64]) -> &[Cell] {
        Cell::wrap_slice(bytemuck::cast_slice(words))
    }

    /// The cells whose bits are `words`.
    #[inline(always)]
    pub(crate) fn slice_mut(words: &mut [u64]) -> &mut [Cell] {
        Cell::wrap_slice_mut(bytemuck::cast_slice_mut(words))
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
const fn low(bits: u64) -> u32 {
    bits as u32
}

impl Default for Cell {
    /// Null.
    fn default() -> Cell {
        Cell::NULL
    }
}

impl Hash for Cell {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let opaque = if self.is_handle() { GENERATION_MASK } else { 0 };
        state.write_u64(self.bits() & !opaque);
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unpack() {
            Unpacked::Float(x) => write!(f, "{x:?}"),
            Unpacked::Int(i) => write!(f, "{i}"),
            Unpacked::Bool(b) => write!(f, "{b}"),
            Unpacked::Null => f.write_str("null"),
            Unpacked::ShortStr(s) => write!(f, "{:?}", s.as_str()),
            Unpacked::Deopt(pc) => write!(f, "deopt@{pc}"),
            Unpacked::Object(_) | Unpacked::Sealed => {
                write!(f, "{}#{}", self.selector(), self.slot())
            }
        }
    }
}

macro_rules! cell_from {
    ($($type:ty)* => $cell:expr) => {$(
        impl From<$type> for Cell {
            #[inline]
            fn from(value: $type) -> Cell {
                $cell(value)
            }
        }
    )*};
}
cell_from!(f64 => Cell::float);
cell_from!(bool => Cell::bool);
cell_from!(ShortStr => |text: ShortStr| Cell::raw(text.0));
cell_from!(i8 u8 i16 u16 i32 u32 => |int| Cell::cut_int(i64::from(int)));

/// Text of at most 5 bytes, held in a [`Cell`] itself; always UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortStr(u64);

impl ShortStr {
    /// Length in bytes, 0..=5.
    #[inline]
    pub const fn len(self) -> usize {
        ((self.0 >> SHORT_LEN_SHIFT) & 7) as usize
    }

    /// Whether the text is empty.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The text; borrows from this value.
    #[inline]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The bytes of the text; borrows from this value.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        bytemuck::bytes_of(&self.0).get(..self.len()).unwrap_or_default()
    }
}

impl fmt::Debug for ShortStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
