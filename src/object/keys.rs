//! [`Keys`]: equality and hash of the keys of maps and sets.
//!
//! Null, bools and floats are keys by value (0.0 equals -0.0, NaN equals itself),
//! integers and text by value whether they lie in the cell or in an arena, objects that
//! were allocated as values by their content, and all others by identity. Numbers of
//! different types are different keys: 1 is not 1.0.

use core::cmp::Ordering;

use bytemuck::cast_slice;

use super::integer::Integer;
use super::structure::Value;
use crate::arena::{Arena, Arenas, Slot};
use crate::words::{
    Cell, Error, GENERATION_MASK, KeyBy, KeyHasher, Result, ShortStr, Unpacked, corrupt, to_usize,
};

/// What the operations of a kind read beside its own arena.
#[doc(hidden)]
pub trait Context: 'static {
    /// The context, while the heap is borrowed.
    type For<'h>: Copy;
    /// The context, from the keys of the heap.
    fn of(keys: Keys<'_>) -> Self::For<'_>;
}

/// The context of most kinds, which read no other arena.
#[doc(hidden)]
#[derive(Debug)]
pub enum NoContext {}

impl Context for NoContext {
    type For<'h> = ();
    #[inline(always)]
    fn of(_: Keys<'_>) {}
}

/// The context of maps and sets: [`Keys`].
#[doc(hidden)]
#[derive(Debug)]
pub enum KeyContext {}

impl Context for KeyContext {
    type For<'h> = Keys<'h>;
    #[inline(always)]
    fn of(keys: Keys<'_>) -> Keys<'_> {
        keys
    }
}

/// The arenas in which keys lie.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Keys<'h>(&'h Arenas);

/// A key whose object, if it has one, is live.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'h> {
    pub(crate) cell: Cell,
    pub(crate) hash: u32,
    pub(super) class: Class<'h>,
}

/// The value that a key is compared by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Class<'h> {
    /// The bits of the cell.
    Bits,
    Float(f64),
    Int(i64),
    /// An integer beyond `i64`.
    Large(Integer<'h>),
    ShortText(ShortStr),
    Text(&'h [u8]),
    /// The content of an object.
    Value(Value<'h>),
}

impl Class<'_> {
    /// The place of the class in the order of keys.
    const fn rank(&self) -> u8 {
        match self {
            Class::Bits => 0,
            Class::Float(_) => 1,
            Class::Int(_) => 2,
            Class::Large(_) => 3,
            Class::ShortText(_) | Class::Text(_) => 4,
            Class::Value(_) => 5,
        }
    }

    /// The bytes of a text; none of others.
    fn text(&self) -> &[u8] {
        match self {
            Class::ShortText(text) => text.as_bytes(),
            Class::Text(text) => text,
            _ => &[],
        }
    }
}

impl Key<'_> {
    /// Whether the key is an integer in an arena that also fits into a cell.
    pub(crate) fn is_boxed(&self) -> bool {
        self.cell.is_handle() && matches!(self.class, Class::Int(int) if Cell::int(int).is_some())
    }
}

/// Numbers that keep the hashes of equal words of different classes apart.
const TEXT: u64 = 1;
const INT: u64 = 2;
const LARGE: u64 = 3;

impl<'h> Keys<'h> {
    #[inline(always)]
    pub(crate) const fn new(arenas: &'h Arenas) -> Keys<'h> {
        Keys(arenas)
    }

    /// The arena of the kind in a handle; of another cell, any arena or none.
    #[inline(always)]
    pub(super) fn arena(&self, cell: Cell) -> Option<&'h Arena> {
        self.0.of(cell)
    }

    /// The hash of a cell that is a key by its bits, such as an integer.
    #[inline(always)]
    pub(crate) fn hash_cell(&self, cell: Cell) -> u32 {
        self.0.hash_seeds().word(cell.bits())
    }

    /// The hash of an integer within `i64`, which may be too large for a cell.
    fn hash_int(&self, int: i64) -> u32 {
        match Cell::int(int) {
            Some(cell) => self.hash_cell(cell),
            None => self.hash_bytes(INT, &int.to_ne_bytes()),
        }
    }

    #[inline(always)]
    fn hash_bytes(&self, class: u64, bytes: &[u8]) -> u32 {
        self.0.hash_seeds().bytes(class, bytes)
    }

    /// The cell as a key. O(1), and O(length) of text and large integers.
    ///
    /// # Errors
    /// [`Error::Stale`].
    #[inline]
    pub(crate) fn key(&self, cell: Cell) -> Result<Key<'h>> {
        let (class, hash) = match cell.unpack() {
            Unpacked::Float(float) => {
                let float = if float == 0.0 { 0.0 } else { float };
                (Class::Float(float), self.0.hash_seeds().word(float.to_bits()))
            }
            Unpacked::Int(int) => (Class::Int(int), self.hash_cell(cell)),
            Unpacked::ShortStr(text) => (Class::ShortText(text), self.hash_text(text.as_bytes())),
            Unpacked::Object(_) | Unpacked::Host | Unpacked::Sealed => {
                return self.object_key(cell);
            }
            _ => (Class::Bits, self.hash_cell(cell)),
        };
        Ok(Key { cell, hash, class })
    }

    /// [`Keys::key`] of a cell that holds a handle.
    fn object_key(&self, cell: Cell) -> Result<Key<'h>> {
        let stale = Error::Stale { kind: cell.selector() };
        let arena = self.arena(cell).ok_or(stale)?;
        let slot = arena.check(cell).map_err(|_| stale)?;
        let (class, hash) = match self.content(arena, slot)? {
            None => (Class::Bits, self.hash_identity(cell)),
            Some(Class::Int(int)) => (Class::Int(int), self.hash_int(int)),
            Some(Class::Large(large)) => {
                let sign = LARGE.wrapping_add(u64::from(large.negative));
                (Class::Large(large), self.hash_bytes(sign, cast_slice(large.limbs)))
            }
            Some(Class::Text(text)) => (Class::Text(text), self.hash_of(cell, text)),
            Some(Class::Value(value)) => (Class::Value(value), self.hash_value(value)?),
            Some(class) => (class, 0),
        };
        Ok(Key { cell, hash, class })
    }

    /// [`Keys::key`] of a part of a value that is none: a level of calls, no recursion.
    pub(super) fn key_of_part(&self, part: Cell) -> Result<Key<'h>> {
        self.key(part)
    }

    /// Begins the hash of a value.
    pub(super) fn hasher(&self) -> KeyHasher<'h> {
        self.0.hash_seeds().structure()
    }

    /// The value that an object is compared by; `None` for its identity.
    fn content(&self, arena: &'h Arena, slot: Slot) -> Result<Option<Class<'h>>> {
        let words = arena.used(slot)?;
        Ok(match arena.shape().key {
            KeyBy::Identity => Value::of(arena, slot).map(Class::Value),
            KeyBy::Text => {
                Some(Class::Text(cast_slice(words).get(..to_usize(slot.len)).ok_or_else(corrupt)?))
            }
            KeyBy::Integer => {
                let integer = Integer::of(words);
                Some(integer.to_i64().map_or(Class::Large(integer), Class::Int))
            }
        })
    }

    /// Whether `key` and the cell of an entry are the same key. A stale handle in an
    /// entry equals no key.
    #[inline]
    pub(crate) fn same(&self, key: &Key<'h>, entry: Cell) -> bool {
        if entry == key.cell {
            return true;
        }
        match key.class {
            Class::Bits => false,
            Class::Float(float) => entry.as_float().is_some_and(|other| other == float),
            Class::Int(int) => match entry.as_int() {
                Some(other) => other == int,
                None => matches!(self.entry(entry), Some(Class::Int(other)) if other == int),
            },
            Class::Large(large) => {
                matches!(self.entry(entry), Some(Class::Large(other)) if other == large)
            }
            Class::ShortText(text) => self.is_text(entry, text.as_bytes()),
            Class::Text(text) => self.is_text(entry, text),
            Class::Value(value) => match self.entry(entry) {
                Some(Class::Value(other)) => {
                    self.compare_values(value, other) == Some(Ordering::Equal)
                }
                _ => false,
            },
        }
    }

    /// Whether the cell of an entry is this text. Not inline: the search for an entry is
    /// shorter without it, and seldom gets here.
    #[inline(never)]
    pub(crate) fn is_text(&self, entry: Cell, bytes: &[u8]) -> bool {
        match self.text(entry) {
            Some(text) => are_equal(text, bytes),
            None => entry.as_short_str().is_some_and(|text| text.as_bytes() == bytes),
        }
    }

    /// The bytes of a live text that lies in an arena.
    #[inline(always)]
    pub(crate) fn text(&self, cell: Cell) -> Option<&'h [u8]> {
        let arena = self.arena(cell).filter(|arena| arena.shape().key == KeyBy::Text)?;
        let slot = arena.find(cell)?;
        let words = arena.words(slot, to_usize(slot.len).div_ceil(8)).ok()?;
        cast_slice(words).get(..to_usize(slot.len))
    }

    /// The hash of a text.
    #[inline(always)]
    pub(crate) fn hash_text(&self, bytes: &[u8]) -> u32 {
        self.hash_bytes(TEXT, bytes)
    }

    /// The hash of a live text, which a symbol keeps.
    #[inline(always)]
    pub(crate) fn hash_of(&self, cell: Cell, text: &[u8]) -> u32 {
        match self.symbol_hash(cell) {
            Some(hash) => hash,
            None => self.hash_text(text),
        }
    }

    /// The hash of a live text, if that is a symbol. For other cells, any or none.
    #[inline(always)]
    pub(crate) fn symbol_hash(&self, cell: Cell) -> Option<u32> {
        self.0.symbols().hash(cell)
    }

    /// The value that the live object of an entry is compared by.
    fn entry(&self, cell: Cell) -> Option<Class<'h>> {
        let arena = self.arena(cell).filter(|_| cell.is_handle())?;
        self.content(arena, arena.check(cell).ok()?).ok()?
    }

    /// What the object of an entry is compared by; `None` if it was freed, as it may have been
    /// a key by its content then.
    fn content_of_entry(&self, entry: Cell) -> Option<Class<'h>> {
        let arena = self.arena(entry)?;
        Some(self.content(arena, arena.find(entry)?).ok()?.unwrap_or(Class::Bits))
    }

    /// How `key` compares to the cell of an entry, in an order of all keys in which
    /// those that are the same are equal. `None` if the entry was a key by the value of
    /// an object that was freed.
    pub(crate) fn compare(&self, key: &Key<'h>, entry: Cell) -> Option<Ordering> {
        let other = match entry.unpack() {
            Unpacked::Float(float) => Class::Float(if float == 0.0 { 0.0 } else { float }),
            Unpacked::Int(int) => Class::Int(int),
            Unpacked::ShortStr(text) => Class::ShortText(text),
            _ if entry.is_handle() => self.content_of_entry(entry)?,
            _ => Class::Bits,
        };
        Some(match (&key.class, &other) {
            (Class::Bits, Class::Bits) => key.cell.bits().cmp(&entry.bits()),
            (Class::Float(a), Class::Float(b)) => a.to_bits().cmp(&b.to_bits()),
            (Class::Int(a), Class::Int(b)) => a.cmp(b),
            (Class::Large(a), Class::Large(b)) => a.cmp(b),
            (&Class::Value(a), &Class::Value(b)) => self.compare_values(a, b)?,
            (a, b) => a.rank().cmp(&b.rank()).then_with(|| a.text().cmp(b.text())),
        })
    }

    /// The hash of the handle of an object that is a key by its identity, and may have been
    /// freed.
    pub(crate) fn hash_identity(&self, cell: Cell) -> u32 {
        self.0.hash_seeds().word(cell.bits() & !GENERATION_MASK)
    }

    /// [`Arenas::is_known`].
    pub(super) fn is_known(&self, handle: Cell) -> bool {
        self.0.is_known(handle)
    }

    /// The cell as a key of a weak table. As [`Keys::key`].
    ///
    /// # Errors
    /// [`Error::Stale`], also if a cycle that sweeps has found the object to be garbage.
    pub(crate) fn weak_key(&self, cell: Cell) -> Result<Key<'h>> {
        if self.0.is_weak_key(cell) && self.0.is_doomed(cell) {
            return Err(Error::Stale { kind: cell.selector() });
        }
        self.key(cell)
    }

    /// Whether a cell is no object that was freed.
    #[inline(always)]
    pub(crate) fn is_usable(&self, cell: Cell) -> bool {
        !cell.is_handle() || self.0.contains(cell)
    }

    /// Whether a cell is no object that was freed, and no value: one of these may have a part
    /// that was freed.
    #[inline(always)]
    pub(crate) fn is_usable_by_bits(&self, cell: Cell) -> bool {
        !cell.is_handle()
            || self
                .arena(cell)
                .and_then(|arena| arena.find(cell))
                .is_some_and(|slot| !slot.is_value())
    }

    /// Whether a cell can be a key: it and its parts were not freed.
    pub(crate) fn is_usable_key(&self, cell: Cell) -> bool {
        self.is_usable_by_bits(cell) || self.key(cell).is_ok()
    }

    /// [`Arenas::is_weak_key`].
    pub(super) fn is_weak_key(&self, cell: Cell) -> bool {
        self.0.is_weak_key(cell)
    }

    /// Whether a cell is the handle of a kind whose objects are integers.
    #[inline]
    pub(crate) fn is_integer(&self, cell: Cell) -> bool {
        let arena = self.arena(cell).filter(|_| cell.is_handle());
        arena.is_some_and(|arena| arena.shape().key == KeyBy::Integer)
    }
}

/// Whether two texts are equal. Short ones are compared here, by words: a call takes longer.
#[inline(always)]
pub(crate) fn are_equal(a: &[u8], b: &[u8]) -> bool {
    const SHORT: usize = 32;
    match (a.last_chunk::<8>(), b.last_chunk::<8>()) {
        (Some(last_a), Some(last_b)) if a.len() <= SHORT => {
            let ((a_words, _), (b_words, _)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
            a.len() == b.len()
                && last_a == last_b
                && a_words.iter().zip(b_words).all(|(a, b)| a == b)
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::are_equal;

    #[test]
    fn texts_that_differ_in_one_byte_are_not_equal() {
        let text = [7; 40];
        for len in 0..=text.len() {
            let same = text;
            assert!(are_equal(&text[..len], &same[..len]));
            assert_eq!(are_equal(&text[..len], &text[..len / 2]), len == 0);
            for byte in 0..len {
                let mut other = text;
                other[byte] = 8;
                assert!(!are_equal(&text[..len], &other[..len]), "{len} {byte}");
            }
        }
    }
}
