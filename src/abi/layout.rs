//! How cells, slots and objects lie in memory, as constants for compilers.
//!
//! Each constant is defined by the code of the heap that it describes, so that a compiler which
//! takes its numbers from here follows a change when it is built again. Numbers of more than a
//! byte are in the byte order of the host. A word has 8 bytes.
//!
//! To read an object from its handle, by the constants of [`cell`], [`slot`] and [`object`]:
//!
//! 1. The low half of the handle is the index of a slot. If it is not below the number of slots
//!    of the table (see [`slots`](super::slots())), the access is left to the heap.
//! 2. The high half is compared with the [`slot::KEY`] of that slot in the table of the kind
//!    that is wanted. Equality proves kind, generation and liveness.
//! 3. The elements begin `header` words after word [`slot::OFF`] of the arena's memory, and there
//!    are [`slot::LEN`] of them; of a table, so many positions.
//!
//! ```
//! use segheap::abi::{self, layout::{cell, slot}};
//! use segheap::{Cell, F64Arr, Heap, Kind};
//! let mut heap = Heap::new();
//! let array = heap.alloc(F64Arr::of(&[0.5, f64::NAN]))?;
//!
//! let handle = abi::bits(array.cell());
//! assert_eq!(handle >> cell::TAG_SHIFT, cell::HANDLE);
//! let index = (handle & cell::SLOT_MASK) as usize;
//! let found = abi::slots(&heap, Kind::F64ARR).unwrap()[index];
//! let field = |offset: usize| found[offset / 4];
//! assert_eq!(u64::from(field(slot::KEY)), handle >> cell::KEY_SHIFT);
//! let first = 8 * u64::from(field(slot::OFF)); // arrays have no header
//! let memory = abi::memory(&heap, Kind::F64ARR).unwrap();
//! assert_eq!(memory.load_u64(first, 0), Ok(0.5_f64.to_bits()));
//!
//! // An element of an array of floats may be any NaN; a cell has only one.
//! let element = f64::from_bits(memory.load_u64(first, 8).unwrap());
//! let bits = if element.is_nan() { cell::NAN } else { element.to_bits() };
//! assert_eq!(abi::cell(bits), Some(Cell::from(f64::NAN)));
//! # Ok::<(), segheap::Error>(())
//! ```

/// The bits of a cell.
///
/// A cell whose bits from [`TAG_SHIFT`](self::cell::TAG_SHIFT) on are below
/// [`DEOPT`](self::cell::DEOPT) is a float, the double itself. Other cells have one of these tags
/// there, and a payload below.
pub mod cell {
    use crate::words::cell as owner;

    /// The lowest bit of the tag, of 16 bits.
    pub const TAG_SHIFT: u32 = owner::TAG_SHIFT;
    /// The bits of the payload.
    pub const PAYLOAD: u64 = owner::PAYLOAD;
    /// The one NaN that is a cell.
    pub const NAN: u64 = owner::NAN;
    /// Tag: a deopt sentinel. The payload is the program counter.
    pub const DEOPT: u64 = owner::TAG_DEOPT;
    /// Tag: text of up to 5 bytes, the first one in the low byte.
    pub const SHORT_STR: u64 = owner::TAG_SHORT;
    /// The lowest bit of the length of such a text, of 3 bits.
    pub const SHORT_LEN_SHIFT: u32 = owner::SHORT_LEN_SHIFT;
    /// Tag: an integer in two's complement. The payload is sign-extended.
    pub const INT: u64 = owner::TAG_INT;
    /// Tag: a truth value. The payload is 0 or 1.
    pub const BOOL: u64 = owner::TAG_BOOL;
    /// Tag: null, absent or an immediate.
    pub const NULL: u64 = owner::TAG_NULL;
    /// The lowest bit of the 16 that tell these apart; all are 0 in null.
    pub const NULL_SHIFT: u32 = owner::SUB_SHIFT;
    /// These bits in an absent cell, whose bits below are 0.
    pub const ABSENT: u64 = owner::SUB_ABSENT;
    /// These bits in an immediate, which has its value in the bits below.
    pub const IMMEDIATE: u64 = owner::SUB_IMMEDIATE;
    /// Tag that no cell has: a hole in a table. See [`table`](super::table).
    pub const HOLE: u64 = owner::TAG_HOLE;
    /// Tag that no cell has: the key of a slot that is not live. See [`key`](super::key).
    pub const FREE: u64 = owner::TAG_FREE;
    /// Tag: the handle of an object, a host object or a seal.
    pub const HANDLE: u64 = owner::TAG_HANDLE;
    /// The lowest bit of the selector, of 4 bits: that of the kind
    /// ([`Kind::selector`](crate::Kind::selector)).
    pub const SELECTOR_SHIFT: u32 = owner::SELECTOR_SHIFT;
    /// The bits of the generation, which compiled code has no use for by themselves.
    pub const GENERATION: u64 = owner::GENERATION_MASK;
    /// The lowest bit of the key that is compared with that of the slot: the tag, the selector
    /// and the generation.
    pub const KEY_SHIFT: u32 = 32;
    /// The bits of the index of the slot.
    pub const SLOT_MASK: u64 = (1 << KEY_SHIFT) - 1;
    const _: () = assert!(crate::Cell::raw(7 << KEY_SHIFT | SLOT_MASK).key() == 7);
    const _: () = assert!(crate::Cell::raw(7 << KEY_SHIFT | SLOT_MASK).slot() == u32::MAX);
}

/// The key of a slot, which tells whether there is an object in it.
///
/// | Slot | Key |
/// |---|---|
/// | live | the high half of the one handle of its object: [`LIVE`](self::key::LIVE) or more |
/// | free | [`FREE`](self::key::FREE) with the generation of the next object |
/// | retired, after all its generations | [`RETIRED`](self::key::RETIRED) |
pub mod key {
    use crate::words::{cell as owner_of_cells, generation as owner};

    /// The smallest key of a live slot: that of selector 0 and generation 0. No other slot has it
    /// or a larger one.
    pub const LIVE: u32 = owner::LIVE;
    /// The lowest bit of the selector in a live key, of 4 bits.
    pub const SELECTOR_SHIFT: u32 = owner_of_cells::SELECTOR_SHIFT - super::cell::KEY_SHIFT;
    /// The bits of the generation.
    pub const GENERATION: u32 = owner::GENERATION_IN_KEY;
    /// The key of a free slot, without its generation.
    pub const FREE: u32 = owner::FREE;
    /// The key of a retired slot.
    pub const RETIRED: u32 = owner::RETIRED;
}

/// A slot: four fields of 32 bits.
///
/// All fields but the key are unspecified while the slot is not live.
pub mod slot {
    use core::mem::offset_of;

    use crate::arena::Slot;
    use crate::words as owner;

    /// The bytes of a slot.
    pub const BYTES: usize = size_of::<Slot>();
    /// The byte offset of the key.
    pub const KEY: usize = offset_of!(Slot, key);
    /// The byte offset of the length: elements, or positions of a table.
    pub const LEN: usize = offset_of!(Slot, len);
    /// The byte offset of the first word of the object's block, counted from the beginning of
    /// the arena's memory.
    pub const OFF: usize = offset_of!(Slot, off);
    /// The byte offset of the words of the block, with flags above them.
    pub const CAP: usize = offset_of!(Slot, room);
    /// The bits of [`CAP`] that count words. A larger value has flags: compiled code that stores
    /// without [`write_barrier`](crate::abi::write_barrier), such as into an array of numbers,
    /// leaves the store to the heap then.
    pub const CAP_MASK: u32 = owner::CAP_MAX;
    /// Flag in [`CAP`]: the object is frozen, and can never change again.
    pub const FROZEN: u32 = owner::FROZEN;
    /// Flag in [`CAP`] of a frozen object: it is a key by its content.
    pub const VALUE: u32 = owner::VALUE;
    /// Flag in [`CAP`]: the object shares its block with other versions of a sequence
    /// ([`Heap::append`](crate::Heap::append)).
    pub const SHARED: u32 = owner::SHARED;
}

/// An object in its block: a header, the elements, and spare words.
///
/// An object whose slot has no words and no flags ([`slot::CAP`] is 0) has no header either.
///
/// | Kind | Header | Elements |
/// |---|---|---|
/// | `Str` | | UTF-8 |
/// | `List`, `Pair` | | cells |
/// | `Struct` | the shape, 32 bits | cells: the fields |
/// | `Closure` | the function, 32 bits | cells: the captures |
/// | `Bignum` | 1 if negative, else 0 | limbs of 64 bits, the lowest first, the last not 0 |
/// | `Map`, `Set` | see [`table`] | entries |
/// | `Bytes`, `U8Arr` | | bytes |
/// | `I64Arr` | | `i64` |
/// | `F64Arr` | | `f64`, any NaN |
/// | host object (selector 14) | | none: the value lies elsewhere |
/// | seal (selector 15) | the number of its key | one cell |
pub mod object {
    use crate::kinds::SHAPES;
    use crate::words::{Elements as Owner, Kind, Shape};

    /// What the elements of an object are.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Elements {
        /// Bytes, eight in a word.
        Bytes,
        /// Integers of 64 bits, one in a word.
        Ints,
        /// Doubles, one in a word.
        Floats,
        /// Cells, one in a word.
        Cells,
        /// Entries of a table: see [`table`](super::table).
        Entries {
            /// The cells of an entry, one in a word: a key, and of a map its value.
            cells: u32,
        },
    }

    /// The words of the header, and the elements after it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub struct Layout {
        /// Words before the first element.
        pub header: u32,
        /// What follows.
        pub elements: Elements,
    }

    /// Returns the layout of the objects of a kind, or of seals or host objects; `None` for a
    /// spare selector.
    ///
    /// ```
    /// use segheap::Kind;
    /// use segheap::abi::layout::object::{self, Elements};
    /// let closures = object::layout(Kind::CLOSURE).unwrap();
    /// assert_eq!((closures.header, closures.elements), (1, Elements::Cells));
    /// ```
    pub fn layout(kind: Kind) -> Option<Layout> {
        let shape = match kind {
            Kind::SEALED => &Shape::SEAL,
            Kind::HOST => &Shape::HOST,
            kind => *SHAPES.get(kind.index())?,
        };
        let elements = match shape.elements {
            Owner::Bytes => Elements::Bytes,
            Owner::Ints => Elements::Ints,
            Owner::Floats => Elements::Floats,
            Owner::Cells => Elements::Cells,
            Owner::Entries(cells) => Elements::Entries { cells },
        };
        Some(Layout { header: shape.header, elements })
    }
}

/// The block of a map or set. All words count from its beginning.
///
/// Without a block ([`slot::CAP`] has no words) there are no entries. A block has, in this order:
///
/// 1. the header: [`HEADER`](self::table::HEADER) words;
/// 2. positions for entries, in the order of insertion, as many as the *capacity*: a word for the
///    key, and in a map one for its value;
/// 3. the hashes of the entries, 32 bits each: half the capacity in words, rounded up;
/// 4. if the flag [`SEQUENCED`](self::table::SEQUENCED) is set, their sequence numbers: the
///    capacity in words;
/// 5. the index: buckets of 32 bits, half their number in words.
///
/// The capacity and flags are the high half of word [`COUNTS`](self::table::COUNTS), the number
/// of entries is the low half. The first [`slot::LEN`] positions are used, by entries or by
/// holes; the others, and their hashes, are unspecified. A removed entry leaves a hole: its key
/// has the tag [`cell::HOLE`], its value is unspecified.
///
/// To read all entries in their order, go through the used positions and pass holes; the first
/// hole of a run has the length of the run ([`HOLE_LEN_SHIFT`](self::table::HOLE_LEN_SHIFT)).
///
/// The index has a power of two of buckets; *mask* is their number - 1, in half
/// [`MASK`](self::table::MASK) of the header. A bucket is 0 if it is free; else
/// `bucket & mask` is a position + 1, and `bucket & !mask` are those bits of the entry's hash.
/// The probe sequence of a hash begins with the group of
/// [`GROUP`](self::table::GROUP) buckets that has bucket `hash & mask`, goes on to the next
/// groups, after the last one to the first, and ends at one with a free bucket, after
/// [`PROBES_MAX`](self::table::PROBES_MAX) groups at the latest. A bucket may refer to a hole.
/// The hash of a key depends on secret seeds: compiled code has keys looked up by the heap, and
/// keeps what it found by [`KeyHint`](crate::KeyHint).
///
/// Where half [`INDEX`](self::table::INDEX) is no word of the block, no look-up by hash finds an
/// entry: the words of the index are an ordered tree (without the flag
/// [`OWN`](self::table::OWN)), or the VM gave the hashes (with it; the index lies behind the other
/// parts all the same, unless the half is [`SCATTERED`](self::table::SCATTERED)).
pub mod table {
    use crate::object::table::{self as parts, layout as owner};
    use crate::words::to_usize;

    /// The words of the header.
    pub const HEADER: usize = to_usize(owner::HEADER);
    /// The word with the capacity and flags, and the number of entries.
    pub const COUNTS: usize = owner::COUNTS;
    /// The bits of the capacity in the high half of that word.
    pub const CAPACITY: u32 = owner::CAPACITY;
    /// Flag in that half: a VM gives the hashes of the keys.
    pub const OWN: u32 = owner::OWN;
    /// Flag in that half: the table is weak by its keys. An entry whose key was freed is none.
    pub const WEAK: u32 = owner::WEAK;
    /// Flag in that half: there are sequence numbers.
    pub const SEQUENCED: u32 = owner::SEQUENCED;
    /// Flag in that half: a key may be a `Bignum` that would fit into a cell.
    pub const BOXED: u32 = owner::BOXED;
    /// Flag in that half: the index has less than two buckets for each position.
    pub const DENSE: u32 = owner::DENSE;
    /// The word with the sequence number of the next entry, which a cursor compares.
    pub const NEXT: usize = owner::NEXT;
    /// The half word, counted in memory, with the number of buckets - 1; of an ordered tree, its
    /// root.
    pub const MASK: usize = owner::POSITIONS;
    /// The half word, counted in memory, with the first word of the index.
    pub const INDEX: usize = owner::START;
    /// In place of that word: no look-up by the hashes of the heap finds an entry.
    pub const NO_INDEX: u32 = owner::ORDERED;
    /// In place of that word, with [`OWN`]: no look-up finds all entries.
    pub const SCATTERED: u32 = parts::SCATTERED;
    /// The buckets of a group.
    pub const GROUP: usize = parts::GROUP;
    /// The most groups of a probe sequence.
    pub const PROBES_MAX: usize = parts::PROBES_MAX;
    /// The lowest bit of the length of its run in the payload of a hole.
    pub const HOLE_LEN_SHIFT: u32 = owner::HOLE_LEN_SHIFT;
    /// The bit in the payload of a hole which says that the length counts backwards.
    pub const HOLE_BACKWARDS: u64 = owner::HOLE_BACKWARDS;
}
