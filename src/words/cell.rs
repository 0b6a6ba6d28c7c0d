//! The value that a VM keeps in its registers: a NaN-boxed [`Cell`] of 8 bytes.
//!
//! The high 16 bits are the tag, the low 48 bits the payload:
//!
//! | Tag | Content | Payload |
//! |---|---|---|
//! | below `0xFFF8` | float; every NaN is `0x7FF8_0000_0000_0000` | the double itself |
//! | `0xFFF8` | deopt sentinel | program counter |
//! | `0xFFF9` | text of up to 5 bytes | length in bits 40..=42, bytes in 0..=39 |
//! | `0xFFFA` | integer | 48-bit two's complement |
//! | `0xFFFB` | bool | bit 0 |
//! | `0xFFFC` | null, absent, an immediate of the VM | 0, 1 or 2 in bits 32..=47, the immediate in 0..=31 |
//! | `0xFFFD` | never in a cell: a hole in a hash table | |
//! | `0xFFFE` | never in a cell: the key of a free slot | |
//! | `0xFFFF` | handle | selector in 44..=47, generation in 32..=43, slot in 0..=31 |

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};

use bytemuck::TransparentWrapper;

use super::error::Error;
use super::kind::Kind;
use super::range::{to_u64, to_usize};
use super::short_str::ShortStr;

mod values;

/// Private to the crate: code outside cannot name the type that `bytemuck` would
/// reinterpret as a cell, and so cannot forge a cell from bits.
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
/// What a cell with the tag of null is, in the bits from here on; 0 is null itself.
pub(crate) const SUB_SHIFT: u32 = 32;
pub(crate) const SUB_ABSENT: u64 = 1;
pub(crate) const SUB_IMMEDIATE: u64 = 2;
pub(crate) const NAN: u64 = 0x7FF8_0000_0000_0000;
pub(crate) const SHORT_LEN_SHIFT: u32 = 40;

/// A value of a VM, NaN-boxed into 8 bytes: a float, an integer of 48 bits, a
/// bool, null, text of up to 5 bytes, a value of 32 bits of the VM's own, a deopt
/// sentinel, a handle of an object or a host object, or a sealed cell.
///
/// A cell is `Copy` and has no lifetime. A cell with a handle does not keep its
/// object alive; the roots of [`Heap::collect`](crate::Heap::collect) do.
///
/// `Eq` and `Hash` work on bits: `NaN == NaN`, `0.0 != -0.0`, and two handles of
/// equal texts differ. [`Heap::key_eq`](crate::Heap::key_eq) and
/// [`Heap::deep_eq`](crate::Heap::deep_eq) compare by value. `Hash` leaves out the
/// generation of a handle, so that a hash reveals none.
///
/// ```
/// use segheap::{Cell, Unpacked};
/// assert_eq!(Cell::int(-7).unwrap().unpack(), Unpacked::Int(-7));
/// assert_eq!(Cell::int(1 << 47), None); // 48 bits, signed
/// assert_eq!(Cell::from(2.5).as_float(), Some(2.5));
/// ```
///
/// No safe code turns bits into a cell unchecked, not even by `bytemuck`
/// ([`abi::cell`](crate::abi::cell) checks):
///
/// ```compile_fail
/// use bytemuck::TransparentWrapper;
/// let forged: segheap::Cell = TransparentWrapper::wrap(bytemuck::cast(0xFFFF_1000_0000_0000u64));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, TransparentWrapper)]
#[repr(transparent)]
pub struct Cell(Word);

const _: () = assert!(size_of::<Cell>() == 8 && size_of::<Option<Cell>>() <= 16);

/// The content of a [`Cell`], returned by [`Cell::unpack`] for a VM to `match` on.
///
/// ```
/// use segheap::{Cell, Heap, Kind, Unpacked};
/// fn type_of(cell: Cell) -> &'static str {
///     match cell.unpack() {
///         Unpacked::Int(_) | Unpacked::Object(Kind::BIGNUM) => "integer",
///         Unpacked::ShortStr(_) | Unpacked::Object(Kind::STR) => "text",
///         _ => "other",
///     }
/// }
/// let mut heap = Heap::new();
/// assert_eq!(type_of(heap.string("short")?), "text");
/// assert_eq!(type_of(heap.string("a longer text")?), "text");
/// assert_eq!(type_of(heap.int(i64::MAX)?), "integer");
/// assert_eq!(type_of(Cell::NULL), "other");
/// # Ok::<(), segheap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Unpacked {
    /// A double. The only NaN is the canonical one.
    Float(f64),
    /// An integer of 48 bits, sign-extended: -2^47 ..= 2^47 - 1.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// The absence of a value: [`Cell::NULL`].
    Null,
    /// [`Cell::ABSENT`].
    Absent,
    /// A value of the VM's own: [`Cell::immediate`].
    Immediate(u32),
    /// Text of up to 5 bytes, held in the cell itself.
    ShortStr(ShortStr),
    /// A deopt sentinel, with its program counter below 2^48.
    Deopt(u64),
    /// A handle of an object of this kind. [`Cell::to_handle`] returns it typed.
    Object(Kind),
    /// A sealed cell. [`Heap::unseal`](crate::Heap::unseal) opens it.
    Sealed,
    /// A handle of a host object. [`Heap::host_ref`](crate::Heap::host_ref) reads its value.
    Host,
}

impl Cell {
    /// The null cell.
    pub const NULL: Cell = Cell::raw(TAG_NULL << TAG_SHIFT);
    /// The absent cell: a value of its own, distinct from null, for a VM to say that there is
    /// none, such as an argument that was not passed or a field that is not set. The heap
    /// gives it no meaning.
    pub const ABSENT: Cell = Cell::raw(TAG_NULL << TAG_SHIFT | SUB_ABSENT << SUB_SHIFT);
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

    /// What the key of a removed entry of a hash table is replaced by, with a payload of
    /// 48 bits. No value has this tag.
    pub(crate) const fn hole(payload: u64) -> Cell {
        Cell::raw(TAG_HOLE << TAG_SHIFT | payload & PAYLOAD)
    }

    /// The payload of a [`Cell::hole`].
    #[inline(always)]
    pub(crate) const fn as_hole(self) -> Option<u64> {
        if self.bits() >> TAG_SHIFT == TAG_HOLE { Some(self.bits() & PAYLOAD) } else { None }
    }

    /// Returns a float. Every NaN becomes the canonical NaN; all other doubles
    /// keep their bits, -0.0, infinities and subnormals included.
    ///
    /// ```
    /// use segheap::Cell;
    /// assert_eq!(Cell::float(1.0).as_float(), Some(1.0));
    /// assert_eq!(Cell::float(f64::NAN), Cell::float(-f64::NAN));
    /// assert_ne!(Cell::float(0.0), Cell::float(-0.0)); // `Eq` compares bits
    /// ```
    #[inline]
    pub const fn float(value: f64) -> Cell {
        if value.is_nan() { Cell::raw(NAN) } else { Cell::raw(value.to_bits()) }
    }

    /// Returns an integer, or `None` outside of -2^47 ..= 2^47 - 1.
    ///
    /// [`Heap::int`](crate::Heap::int) takes every `i64`, and `Cell::from` every
    /// integer type of up to 32 bits.
    ///
    /// ```
    /// use segheap::Cell;
    /// let max = (1 << 47) - 1;
    /// assert_eq!(Cell::int(max).and_then(Cell::as_int), Some(max));
    /// assert_eq!(Cell::int(max + 1), None);
    /// assert_eq!(Some(Cell::from(-7)), Cell::int(-7));
    /// ```
    #[inline]
    pub const fn int(value: i64) -> Option<Cell> {
        let shift = 64_u32.saturating_sub(TAG_SHIFT);
        if (value << shift) >> shift == value { Some(Cell::cut_int(value)) } else { None }
    }

    /// Returns an integer cut to its low 48 bits.
    #[inline(always)]
    const fn cut_int(value: i64) -> Cell {
        Cell::raw((TAG_INT << TAG_SHIFT) | (value.cast_unsigned() & PAYLOAD))
    }

    /// Returns [`Cell::TRUE`] or [`Cell::FALSE`].
    #[inline]
    pub const fn bool(value: bool) -> Cell {
        if value { Cell::TRUE } else { Cell::FALSE }
    }

    /// Returns text held in the cell itself, or `None` if it has more than 5 bytes
    /// of UTF-8. [`Heap::string`](crate::Heap::string) takes text of any length.
    ///
    /// ```
    /// use segheap::Cell;
    /// assert!(Cell::short_str("grün").is_some()); // 4 characters, 5 bytes
    /// assert!(Cell::short_str("größe").is_none()); // 5 characters, 7 bytes
    /// ```
    #[inline]
    pub fn short_str(text: &str) -> Option<Cell> {
        Cell::short_bytes(text.as_bytes())
    }

    /// [`Cell::short_str`] of bytes that the caller knows to be UTF-8.
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
        let len = to_u64(bytes.len()) << SHORT_LEN_SHIFT;
        Some(Cell::raw((TAG_SHORT << TAG_SHIFT) | len | u64::from_le_bytes(word)))
    }

    /// Returns a deopt sentinel with a program counter, or `None` if that is 2^48
    /// or more. Compiled code of a VM returns one in place of a value, to have the
    /// interpreter resume there; the heap gives it no meaning.
    ///
    /// ```
    /// use segheap::{Cell, Unpacked};
    /// let exit = Cell::deopt(0x4000).unwrap();
    /// assert_eq!(exit.unpack(), Unpacked::Deopt(0x4000));
    /// assert_eq!(Cell::deopt(1 << 48), None);
    /// ```
    #[inline]
    pub const fn deopt(pc: u64) -> Option<Cell> {
        if pc <= PAYLOAD { Some(Cell::raw((TAG_DEOPT << TAG_SHIFT) | pc)) } else { None }
    }

    const fn tag(self) -> u64 {
        self.bits() >> TAG_SHIFT
    }

    /// Returns the content, to `match` on.
    ///
    /// ```
    /// use segheap::{Cell, Unpacked};
    /// assert_eq!(Cell::TRUE.unpack(), Unpacked::Bool(true));
    /// assert_eq!(Cell::NULL.unpack(), Unpacked::Null);
    /// ```
    #[inline]
    pub fn unpack(self) -> Unpacked {
        match self.tag() {
            TAG_DEOPT => Unpacked::Deopt(self.bits() & PAYLOAD),
            TAG_SHORT => Unpacked::ShortStr(ShortStr(self.bits())),
            TAG_INT => Unpacked::Int(self.payload_int()),
            TAG_BOOL => Unpacked::Bool(self == Cell::TRUE),
            TAG_HANDLE if self.selector() == Kind::SEALED => Unpacked::Sealed,
            TAG_HANDLE if self.selector() == Kind::HOST => Unpacked::Host,
            TAG_HANDLE => Unpacked::Object(self.selector()),
            tag if tag < TAG_DEOPT => Unpacked::Float(f64::from_bits(self.bits())),
            TAG_NULL if self.sub_tag() == SUB_IMMEDIATE => Unpacked::Immediate(low(self.bits())),
            TAG_NULL if self.sub_tag() == SUB_ABSENT => Unpacked::Absent,
            _ => Unpacked::Null,
        }
    }

    /// What a cell with the tag of null is.
    const fn sub_tag(self) -> u64 {
        (self.bits() & PAYLOAD) >> SUB_SHIFT
    }

    /// Returns the float, or `None` for any other cell. Integers do not convert.
    ///
    /// ```
    /// use segheap::Cell;
    /// assert_eq!(Cell::from(2.0).as_float(), Some(2.0));
    /// assert_eq!(Cell::from(2).as_float(), None);
    /// ```
    #[inline]
    pub const fn as_float(self) -> Option<f64> {
        if self.tag() < TAG_DEOPT { Some(f64::from_bits(self.bits())) } else { None }
    }

    /// Returns the integer held in the cell, or `None` for any other cell.
    /// [`Heap::as_int`](crate::Heap::as_int) also reads integers that lie in an
    /// arena.
    ///
    /// ```
    /// use segheap::{Cell, Heap};
    /// let mut heap = Heap::new();
    /// assert_eq!(Cell::from(2).as_int(), Some(2));
    /// let wide = heap.int(i64::MAX)?; // beyond 48 bits
    /// assert_eq!(wide.as_int(), None);
    /// assert_eq!(heap.as_int(wide)?, Some(i64::MAX));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline]
    pub const fn as_int(self) -> Option<i64> {
        if self.tag() == TAG_INT { Some(self.payload_int()) } else { None }
    }

    /// Returns the truth value, or `None` for any other cell: what counts as true
    /// is for the VM to decide.
    ///
    /// ```
    /// use segheap::Cell;
    /// assert_eq!(Cell::FALSE.as_bool(), Some(false));
    /// assert_eq!(Cell::from(0).as_bool(), None);
    /// ```
    #[inline]
    pub const fn as_bool(self) -> Option<bool> {
        if self.tag() == TAG_BOOL { Some(self.bits() & 1 == 1) } else { None }
    }

    /// Returns the text held in the cell, or `None` for any other cell.
    /// [`Heap::text`](crate::Heap::text) also reads text that lies in an arena.
    ///
    /// ```
    /// use segheap::{Cell, Heap};
    /// let mut heap = Heap::new();
    /// let (short, long) = (heap.string("short")?, heap.string("longer")?);
    /// assert_eq!(short.as_short_str().unwrap().as_str(), "short");
    /// assert_eq!(long.as_short_str(), None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline]
    pub const fn as_short_str(self) -> Option<ShortStr> {
        if self.tag() == TAG_SHORT { Some(ShortStr(self.bits())) } else { None }
    }

    /// Returns whether this is [`Cell::NULL`].
    #[inline]
    pub const fn is_null(self) -> bool {
        self.bits() == Cell::NULL.bits()
    }

    /// Returns the kind of the object that the cell refers to, or `None` if the
    /// cell holds no handle. Reads the cell alone: the object may have been freed.
    ///
    /// ```
    /// use segheap::{Cell, Heap, Kind, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?.cell();
    /// heap.free(list)?;
    /// assert_eq!(list.kind(), Some(Kind::LIST));
    /// assert_eq!(Cell::NULL.kind(), None);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline]
    pub const fn kind(self) -> Option<Kind> {
        if self.is_handle() { Some(self.selector()) } else { None }
    }

    /// The error for a cell that opens no object of the kind `wanted`.
    #[cold]
    pub(crate) fn rejection(self, wanted: Kind) -> Error {
        match self.kind() {
            None => Error::NotAHandle,
            Some(Kind::SEALED) => Error::Sealed,
            Some(found) if found != wanted => Error::WrongKind { found, wanted },
            Some(kind) => Error::Stale { kind },
        }
    }

    /// Whether a constructor can make these bits. The selector of a handle is not
    /// checked: [`Kind::has_arena`] does that.
    pub(crate) fn is_canonical(self) -> bool {
        match self.unpack() {
            Unpacked::Float(float) => self == Cell::float(float),
            Unpacked::Bool(bool) => self == Cell::bool(bool),
            Unpacked::Null => self == Cell::NULL,
            Unpacked::Absent => self == Cell::ABSENT,
            Unpacked::Immediate(value) => self == Cell::immediate(value),
            // Bytes that are not UTF-8 read as empty text.
            Unpacked::ShortStr(text) => Some(self) == Cell::short_str(text.as_str()),
            Unpacked::Int(_) | Unpacked::Deopt(_) => true,
            Unpacked::Object(_) | Unpacked::Host | Unpacked::Sealed => true,
        }
    }

    pub(crate) const fn is_handle(self) -> bool {
        self.tag() == TAG_HANDLE
    }

    pub(crate) const fn selector(self) -> Kind {
        Kind::from_selector(self.bits() >> SELECTOR_SHIFT)
    }

    /// The index of the kind of a handle; of any other cell, one beyond all kinds.
    #[inline(always)]
    pub(crate) const fn index_of_kind(self) -> usize {
        let first = low(TAG_HANDLE << (TAG_SHIFT - SELECTOR_SHIFT));
        to_usize(low(self.bits() >> SELECTOR_SHIFT).wrapping_sub(first))
    }

    /// The slot index of a handle; of any other cell, the low 32 bits.
    #[inline]
    pub(crate) const fn slot(self) -> u32 {
        low(self.bits())
    }

    /// Tag, selector and generation of a handle; of any other cell, the high 32
    /// bits.
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

    /// The order of two integers held in cells; `None` for other cells.
    #[inline(always)]
    pub(crate) fn cmp_ints(a: Cell, b: Cell) -> Option<Ordering> {
        let (a, b) = (a.bits() ^ TAG_INT << TAG_SHIFT, b.bits() ^ TAG_INT << TAG_SHIFT);
        let high = |payload: u64| (payload << 16).cast_signed();
        if (a | b) >> TAG_SHIFT == 0 { Some(high(a).cmp(&high(b))) } else { None }
    }

    /// Words as the cells that have these bits.
    #[inline(always)]
    pub(crate) fn slice(words: &[u64]) -> &[Cell] {
        Cell::wrap_slice(bytemuck::cast_slice(words))
    }

    /// The bits of cells. What is written to them has to be those of cells.
    #[inline(always)]
    pub(crate) fn words_mut(cells: &mut [Cell]) -> &mut [u64] {
        bytemuck::cast_slice_mut(Cell::peel_slice_mut(cells))
    }

    /// Words as the cells that have these bits.
    #[inline(always)]
    pub(crate) fn slice_mut(words: &mut [u64]) -> &mut [Cell] {
        Cell::wrap_slice_mut(bytemuck::cast_slice_mut(words))
    }
}

#[allow(clippy::cast_possible_truncation, reason = "truncates on purpose")]
const fn low(bits: u64) -> u32 {
    bits as u32
}

impl Default for Cell {
    /// Returns [`Cell::NULL`].
    fn default() -> Cell {
        Cell::NULL
    }
}

/// Hashes the bits, without the generation of a handle.
impl Hash for Cell {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let opaque = if self.is_handle() { GENERATION_MASK } else { 0 };
        state.write_u64(self.bits() & !opaque);
    }
}

/// Shows a handle by kind and slot (`List#17`), without its generation.
impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unpack() {
            Unpacked::Float(x) => write!(f, "{x:?}"),
            Unpacked::Int(i) => write!(f, "{i}"),
            Unpacked::Bool(b) => write!(f, "{b}"),
            Unpacked::Null => f.write_str("null"),
            Unpacked::Absent => f.write_str("absent"),
            Unpacked::Immediate(value) => write!(f, "immediate@{value}"),
            Unpacked::ShortStr(s) => write!(f, "{:?}", s.as_str()),
            Unpacked::Deopt(pc) => write!(f, "deopt@{pc}"),
            Unpacked::Object(_) | Unpacked::Host | Unpacked::Sealed => {
                write!(f, "{}#{}", self.selector(), self.slot())
            }
        }
    }
}
