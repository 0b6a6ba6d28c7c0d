//! Sorting numbers or texts in their natural order.

use core::cmp::Ordering;

use bumpalo::Bump;
use bumpalo::collections::Vec;

use crate::arena::reserve;
use crate::heap::{Heap, Store};
use crate::object::Mutable;
use crate::ops::integers::{Operand, operand};
use crate::words::{
    AsHandle, Cell, Error, KeyBy, Result, TAG_DEOPT, TAG_INT, TAG_SHIFT, Unpacked, corrupt,
    object_len, to_usize,
};

/// A cell to be sorted.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// In an order of which the natural one is a refinement.
    key: u64,
    /// The position before, which decides between equal elements.
    position: u32,
}

/// A text to be sorted.
#[derive(Clone, Copy, Debug)]
struct TextEntry<'h> {
    /// As of an [`Entry`].
    key: u64,
    /// The bytes after the key.
    rest: &'h [u8],
    /// The bytes in the key.
    len: u32,
    position: u32,
}

/// What all elements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Numbers,
    Texts,
}

/// Sorts cells without scratch memory if all of them are integers, or floats without -0.0:
/// equal ones have the same bits then. Returns whether they are sorted.
pub(super) fn sort_alike(cells: &mut [Cell]) -> bool {
    const INT: u64 = TAG_INT << TAG_SHIFT;
    let words = Cell::words_mut(cells);
    if words.iter().fold(0, |bits, word| bits | (word ^ INT)) >> TAG_SHIFT == 0 {
        sort_words(words, |word| word ^ SIGN_OF_INT, |key| key ^ SIGN_OF_INT);
        return true;
    }
    let is_float = |word: u64| (word < TAG_DEOPT << TAG_SHIFT) & (word != (-0.0_f64).to_bits());
    let floats = words.iter().fold(true, |all, &word| all & is_float(word));
    if floats {
        sort_words(words, key_of_bits, bits_of_key);
    }
    floats
}

/// The sign bit of the 48 bits of an integer.
const SIGN_OF_INT: u64 = 1 << (TAG_SHIFT - 1);
const SIGN: u64 = 1 << 63;

/// Sorts words by their keys, from which the words follow.
fn sort_words(words: &mut [u64], key: impl Fn(u64) -> u64, word: impl Fn(u64) -> u64) {
    words.iter_mut().for_each(|place| *place = key(*place));
    words.sort_unstable();
    words.iter_mut().for_each(|place| *place = word(*place));
}

/// The key of the bits of a float: in the order of the values, NaN at the end.
fn key_of_bits(bits: u64) -> u64 {
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn bits_of_key(key: u64) -> u64 {
    if key & SIGN == 0 { !key } else { key ^ SIGN }
}

/// The natural order of two cells.
///
/// # Errors
/// [`Error::NoOrder`], [`Error::Sealed`] or [`Error::Stale`].
pub(in crate::ops) fn natural_order(store: &Store, a: Cell, b: Cell) -> Result<Ordering> {
    let ((class, key_a), (other, key_b)) = (key(store, a)?, key(store, b)?);
    if class != other {
        return Err(Error::NoOrder);
    }
    Ok(key_a.cmp(&key_b).then_with(|| compare_of(class)(store, a, b)))
}

/// How cells of a class with equal keys are compared.
fn compare_of(class: Class) -> fn(&Store, Cell, Cell) -> Ordering {
    match class {
        Class::Numbers => compare_numbers,
        Class::Texts => compare_texts,
    }
}

/// The positions of cells in their natural order, in scratch memory. Equal ones keep their
/// order.
fn order<'b>(store: &Store, cells: &[Cell], bump: &'b Bump) -> Result<Vec<'b, Entry>> {
    let first = cells.first().map(|&cell| key(store, cell)).transpose()?;
    if let Some((Class::Texts, _)) = first {
        return order_texts(store, cells, bump);
    }
    let mut entries: Vec<'_, Entry> = Vec::new_in(bump);
    reserve(&mut entries, cells.len())?;
    for (position, &cell) in cells.iter().enumerate() {
        let (of_cell, key) = key(store, cell)?;
        if of_cell != Class::Numbers {
            return Err(Error::NoOrder);
        }
        entries.push(Entry { key, position: object_len(position)? });
    }
    let cell = |entry: &Entry| cells.get(to_usize(entry.position)).copied();
    // Equal elements keep their order, and none of two elements is equal.
    entries.sort_unstable_by(|a, b| {
        let (of_a, of_b) = (cell(a).unwrap_or_default(), cell(b).unwrap_or_default());
        let order = a.key.cmp(&b.key).then_with(|| compare_numbers(store, of_a, of_b));
        order.then_with(|| a.position.cmp(&b.position))
    });
    Ok(entries)
}

/// [`order`] of texts, each of which is opened once.
fn order_texts<'b>(store: &Store, cells: &[Cell], bump: &'b Bump) -> Result<Vec<'b, Entry>> {
    let (mut texts, mut entries) = (Vec::new_in(bump), Vec::new_in(bump));
    reserve(&mut texts, cells.len())?;
    reserve(&mut entries, cells.len())?;
    for (position, &cell) in cells.iter().enumerate() {
        let (class, key) = key(store, cell)?;
        if class != Class::Texts {
            return Err(Error::NoOrder);
        }
        let short = cell.as_short_str().map(|text| text.as_bytes().len());
        let text = store.keys().text(cell).unwrap_or_default();
        let rest = text.get(KEY_BYTES..).unwrap_or_default();
        let len = object_len(short.unwrap_or(text.len().min(KEY_BYTES)))?;
        texts.push(TextEntry { key, rest, len, position: object_len(position)? });
    }
    // Of two with the same key, one may be longer by zero bytes.
    texts.sort_unstable_by(|a, b| {
        let ends = || a.rest.cmp(b.rest).then(a.len.cmp(&b.len));
        a.key.cmp(&b.key).then_with(ends).then(a.position.cmp(&b.position))
    });
    entries.extend(texts.iter().map(|text| Entry { key: text.key, position: text.position }));
    Ok(entries)
}

/// Replaces the keys of entries by the bits of the cells at their positions, then overwrites
/// the cells by them.
fn permute(cells: &mut [Cell], entries: &mut [Entry]) -> Result<()> {
    for entry in &mut *entries {
        entry.key = cells.get(to_usize(entry.position)).ok_or_else(corrupt)?.bits();
    }
    cells.iter_mut().zip(entries).for_each(|(place, entry)| *place = Cell::raw(entry.key));
    Ok(())
}

/// Sorts the cells of any list by their keys, in scratch memory.
pub(super) fn sort_by_keys<K: Mutable<Element = Cell>>(
    heap: &mut Heap,
    list: impl AsHandle<K>,
) -> Result<()> {
    heap.with_scratch(|heap, scratch| {
        let mut entries = order(&heap.store, heap.get(list)?.as_slice(), scratch.bump)?;
        permute(heap.get_mut(list)?.as_mut_slice(), &mut entries)
    })
}

/// Keys that code of the VM has made, as pins until they are dropped: they are no roots of
/// the VM, and it may collect between two calls.
struct Keys<'h, 'b> {
    heap: &'h mut Heap,
    keys: Vec<'b, Cell>,
}

impl Keys<'_, '_> {
    /// Adds a key, for which there is room.
    fn push(&mut self, key: Cell) -> Result<()> {
        if key.is_handle() {
            self.heap.pin(key)?;
        }
        self.keys.push(key);
        Ok(())
    }
}

impl Drop for Keys<'_, '_> {
    fn drop(&mut self) {
        for &key in self.keys.iter().filter(|key| key.is_handle()) {
            self.heap.unpin(key);
        }
    }
}

/// Sorts the cells of a list by keys that `key` makes of them.
pub(super) fn sort_by_made_keys<K: Mutable<Element = Cell>, E: From<Error>>(
    heap: &mut Heap,
    list: impl AsHandle<K>,
    mut key: impl FnMut(&mut Heap, Cell) -> Result<Cell, E>,
) -> Result<(), E> {
    heap.with_scratch(|heap, scratch| {
        let cells = heap.get(list)?.as_slice();
        let (mut before, mut keys) = (Vec::new_in(scratch.bump), Vec::new_in(scratch.bump));
        reserve(&mut before, cells.len())?;
        before.extend_from_slice(cells);
        reserve(&mut keys, before.len())?;
        scratch.charge_callback(heap.store.account_mut());
        let mut keys = Keys { heap, keys };
        for &cell in &before {
            match key(keys.heap, cell) {
                Ok(key) => keys.push(key)?,
                Err(error) => return Ok(Err(error)),
            }
        }
        if keys.heap.get(list)?.as_slice() != before.as_slice() {
            return Err(Error::Changed);
        }
        scratch.let_grow(keys.heap.store.account_mut());
        let mut entries = order(&keys.heap.store, &keys.keys, scratch.bump)?;
        permute(keys.heap.get_mut(list)?.as_mut_slice(), &mut entries).map(Ok)
    })?
}

/// The class and the key of an element.
fn key(store: &Store, cell: Cell) -> Result<(Class, u64)> {
    Ok(match cell.unpack() {
        Unpacked::Float(float) => (Class::Numbers, key_of_float(float)),
        Unpacked::Int(_) => (Class::Numbers, key_of_integer(store, cell)?),
        Unpacked::ShortStr(text) => (Class::Texts, key_of_text(text.as_bytes())),
        Unpacked::Sealed => return Err(Error::Sealed),
        Unpacked::Object(_) | Unpacked::Host => {
            let (arena, _) = store.open(cell)?;
            match arena.shape().key {
                KeyBy::Integer => (Class::Numbers, key_of_integer(store, cell)?),
                KeyBy::Text => {
                    (Class::Texts, key_of_text(store.keys().text(cell).ok_or_else(corrupt)?))
                }
                KeyBy::Identity => return Err(Error::NoOrder),
            }
        }
        _ => return Err(Error::NoOrder),
    })
}

/// 0.0 and -0.0 have one key.
fn key_of_float(float: f64) -> u64 {
    key_of_bits(if float == 0.0 { 0 } else { float.to_bits() })
}

fn key_of_integer(store: &Store, cell: Cell) -> Result<u64> {
    Ok(key_of_float(operand(store, cell)?.with_integer(|int| int.toward_zero().0)))
}

/// The bytes of a key.
const KEY_BYTES: usize = 8;

/// The first bytes: those after the end count as 0.
fn key_of_text(text: &[u8]) -> u64 {
    let mut first = [0; KEY_BYTES];
    first.iter_mut().zip(text).for_each(|(place, &byte)| *place = byte);
    u64::from_be_bytes(first)
}

/// Compares two texts with equal keys.
fn compare_texts(store: &Store, a: Cell, b: Cell) -> Ordering {
    let (keys, short) = (store.keys(), [a.as_short_str(), b.as_short_str()]);
    let [a_short, b_short] = &short;
    let a = a_short.as_ref().map_or_else(|| keys.text(a), |text| Some(text.as_bytes()));
    let b = b_short.as_ref().map_or_else(|| keys.text(b), |text| Some(text.as_bytes()));
    debug_assert!(a.is_some() && b.is_some(), "texts are live");
    a.cmp(&b)
}

/// Compares two numbers with equal keys.
fn compare_numbers(store: &Store, a: Cell, b: Cell) -> Ordering {
    // How an integer compares to a float, which is the one next to it toward zero.
    let to_float = |integer: Operand<'_>| {
        integer.with_integer(|integer| match integer.toward_zero() {
            (_, true) => Ordering::Equal,
            _ if integer.negative => Ordering::Less,
            _ => Ordering::Greater,
        })
    };
    match (operand(store, a), operand(store, b)) {
        (Ok(Operand::Small(a)), Ok(Operand::Small(b))) => a.cmp(&b),
        (Ok(a), Ok(b)) => a.with_integer(|a| b.with_integer(|b| a.cmp(&b))),
        (Ok(a), Err(_)) => to_float(a),
        (Err(_), Ok(b)) => to_float(b).reverse(),
        (Err(_), Err(_)) => Ordering::Equal,
    }
}
