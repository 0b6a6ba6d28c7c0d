//! Where a heap lies in the memories of the module: numbers of memories, the words of the
//! state, and the facts about cells, slots and tables that the guest relies on (MEP-41,
//! section 4, and ARCHITECTURE.md of segheap).

use segheap::Kind;
use segheap::abi::layout::{cell, key, slot, table};

/// The memories of a module: one for each kind, in the order of the selectors, and these.
pub(crate) const MEMORIES: u32 = 17;
/// The slots of all arenas that do not grow in the guest.
pub(crate) const SLOTS: u32 = 12;
/// The slots of texts, lists and pairs, which the guest allocates: a memory each, to grow.
pub(crate) const SLOTS_STR: u32 = 13;
pub(crate) const SLOTS_LIST: u32 = 14;
pub(crate) const SLOTS_PAIR: u32 = 15;
/// What an image has beside slots and blocks, the blocks of seals, and what an allocation
/// reads and writes.
pub(crate) const STATE: u32 = 16;

/// The selectors of the arenas, in the order of an image.
pub(crate) const ARENAS: [u64; 14] = [14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
/// The selector of seals.
pub(crate) const SEALED: u64 = 15;

/// The words of an image before the first arena.
pub(crate) const HEADER: u64 = 8;
/// The word of the state with [`VERSION`].
pub(crate) const STATE_VERSION: u64 = 8;
/// Where the words after the last arena lie in the state, and how many there are.
pub(crate) const STATE_TAIL: u64 = 9;
/// The first word of the state about an arena.
pub(crate) const STATE_ARENAS: u64 = 12;
/// The words of the state about each arena.
pub(crate) const STATE_STRIDE: u64 = 8;
/// The words of the state before the blocks of seals.
pub(crate) const STATE_WORDS: u64 = STATE_ARENAS + STATE_STRIDE * 16;
/// The version of this layout, after `segheap` in the bytes of a word.
pub(crate) const VERSION: u64 = u64::from_le_bytes(*b"segheap\x01");

/// The words of the state about an arena: how many slots it has.
pub(crate) const COUNT: u64 = 0;
/// The head of its free list, [`NONE`] without one.
pub(crate) const FREE: u64 = 1;
/// The first word of its memory that no block has.
pub(crate) const TOP: u64 = 2;
/// The first byte of its slots in their memory.
pub(crate) const BASE: u64 = 3;
/// The first word of the directory of its pages in the state, and how many there are.
pub(crate) const PAGES: u64 = 4;
pub(crate) const PAGE_COUNT: u64 = 5;
/// The seed of its generations.
pub(crate) const SEED: u64 = 6;
/// How many slots are not in pages.
pub(crate) const DENSE_SLOTS: u64 = 7;

/// No slot.
pub(crate) const NONE: u32 = u32::MAX;
/// The slots of a page in a directory.
pub(crate) const PAGE_SLOTS: u64 = 512;
/// Flag of a page in the directory of an image: its slots follow.
pub(crate) const PAGE_STORED: u64 = 1 << 32;
/// The bytes of a slot, and its fields: key, length, first word of the block, and words of
/// the block with flags.
pub(crate) const SLOT: u64 = slot::BYTES as u64;
pub(crate) const SLOT_KEY: u64 = slot::KEY as u64;
pub(crate) const SLOT_LEN: u64 = slot::LEN as u64;
pub(crate) const SLOT_OFF: u64 = slot::OFF as u64;
pub(crate) const SLOT_ROOM: u64 = slot::CAP as u64;
/// The high half of a word whose tag is that of a handle, and of a free slot.
pub(crate) const KEY_HANDLE: u32 = key::LIVE;
pub(crate) const KEY_FREE: u32 = key::FREE;
/// The key of a retired slot.
pub(crate) const RETIRED: u32 = key::RETIRED;
pub(crate) const GENERATION: u32 = key::GENERATION;
/// The factor that spreads the generations of slots.
pub(crate) const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
/// The words of a block in the last field of a slot, below the flags.
pub(crate) const CAP: u32 = slot::CAP_MASK;
/// Flag of a slot: the object is a key by its content.
pub(crate) const VALUE: u32 = slot::VALUE;

/// Tags of cells.
pub(crate) const TAG_DEOPT: u64 = cell::DEOPT;
pub(crate) const TAG_SHORT: u64 = cell::SHORT_STR;
pub(crate) const TAG_INT: u64 = cell::INT;
pub(crate) const TAG_BOOL: u64 = cell::BOOL;
pub(crate) const TAG_NULL: u64 = cell::NULL;
pub(crate) const TAG_HOLE: u64 = cell::HOLE;
pub(crate) const TAG_HANDLE: u64 = cell::HANDLE;
/// The only NaN of a cell, and the bits of an infinity.
pub(crate) const NAN: u64 = cell::NAN;
pub(crate) const INFINITY: u64 = 0x7FF0 << 48;

/// The words before the entries of a map: counts and flags, the number of the next entry,
/// and where the index is.
#[allow(clippy::cast_possible_truncation, reason = "a few words")]
pub(crate) const TABLE: u32 = table::HEADER as u32;
/// Flags in the high half of the first word, above the positions.
pub(crate) const OWN: u32 = table::OWN;
pub(crate) const SEQUENCED: u32 = table::SEQUENCED;
pub(crate) const BOXED: u32 = table::BOXED;
pub(crate) const DENSE: u32 = table::DENSE;
pub(crate) const POSITIONS: u32 = table::CAPACITY;

/// The place of an arena in the order of an image.
pub(crate) fn place(selector: u64) -> u64 {
    selector.wrapping_add(2) & 15
}

/// The memory of an arena's blocks.
pub(crate) fn memory_of(selector: u64) -> u32 {
    u32::try_from(selector).ok().filter(|&selector| selector < SLOTS).unwrap_or(STATE)
}

/// The memory of an arena's slots.
pub(crate) fn slots_of(selector: u64) -> u32 {
    let is = |kind: Kind| Kind::ALL.iter().position(|&other| other == kind) == usize_of(selector);
    if is(Kind::STR) {
        SLOTS_STR
    } else if is(Kind::LIST) {
        SLOTS_LIST
    } else if is(Kind::PAIR) {
        SLOTS_PAIR
    } else {
        SLOTS
    }
}

/// The selector of a kind.
pub(crate) fn selector(kind: Kind) -> u64 {
    (0..).zip(Kind::ALL).find(|(_, other)| *other == kind).map_or(SEALED, |(n, _)| n)
}

/// A word of the state about an arena.
pub(crate) fn state(selector: u64, field: u64) -> u64 {
    place(selector).wrapping_mul(STATE_STRIDE).wrapping_add(STATE_ARENAS).wrapping_add(field)
}

/// The first generation of a slot.
#[allow(clippy::cast_possible_truncation, reason = "the low bits of the high half")]
pub(crate) fn first_generation(seed: u32, index: u32) -> u32 {
    (u64::from(seed ^ index).wrapping_mul(SPREAD) >> 32) as u32 & GENERATION
}

/// Whether the key is that of a live slot.
pub(crate) const fn is_live(key: u32) -> bool {
    key >= KEY_HANDLE
}

/// The name under which a memory is exported.
pub(crate) fn name(memory: u32) -> String {
    match memory {
        SLOTS => String::from("slots"),
        SLOTS_STR => String::from("slots.Str"),
        SLOTS_LIST => String::from("slots.List"),
        SLOTS_PAIR => String::from("slots.Pair"),
        _ => {
            let kind = usize_of(u64::from(memory)).and_then(|n| Kind::ALL.get(n));
            kind.map_or_else(|| String::from("state"), |kind| format!("memory.{kind}"))
        }
    }
}

/// The halves of a word, the low one first.
#[allow(clippy::cast_possible_truncation, reason = "truncates on purpose")]
pub(crate) const fn halves(word: u64) -> [u32; 2] {
    [word as u32, (word >> 32) as u32]
}

/// A word of two halves, the low one first.
pub(crate) const fn word([low, high]: [u32; 2]) -> u64 {
    (high as u64) << 32 | low as u64
}

/// The number as an index, if this machine has such indices.
pub(crate) fn usize_of(number: u64) -> Option<usize> {
    usize::try_from(number).ok()
}

/// The length of what lies in memory.
pub(crate) fn len_of<T>(slice: &[T]) -> u64 {
    u64::try_from(slice.len()).unwrap_or(u64::MAX)
}
