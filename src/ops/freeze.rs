//! Objects that can never change again, and those of them that are keys by their content.

use core::any::Any;

use crate::heap::{Heap, Store};
use crate::object::{Mutable, SequenceInit};
use crate::words::{Cell, Elements, Error, FROZEN, Handle, KeyBy, Kind, Result, VALUE};

impl Heap {
    /// Makes an object one that can never change again, by any path: views, single elements,
    /// hints, windows, bulk copies, sorting, and the write barrier of compiled code fail with
    /// [`Error::Frozen`], which changes nothing. It can be read at the same cost as before,
    /// freed and collected. What it refers to can change still. Nothing thaws it; copies by
    /// [`Heap::transplant`] and [`Heap::try_clone`] are frozen, too. O(1), without memory.
    ///
    /// As a key of maps and sets it is what it was before; see [`Heap::alloc_value`] for keys
    /// by content. Text, integers and all that lies in a cell never change: they stay as
    /// they are.
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into()]))?;
    /// heap.freeze(list)?;
    /// assert_eq!(heap.get_mut(list).err(), Some(Error::Frozen));
    /// assert_eq!(heap.set_element(list, 0, 2.into()), Err(Error::Frozen));
    /// assert_eq!(heap.get(list)?.get(0)?, 1.into());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if the object was freed; [`Error::Sealed`] if the cell is sealed.
    pub fn freeze(&mut self, object: impl Into<Cell>) -> Result<()> {
        let cell = object.into();
        if is_immutable(&self.store, cell)? {
            return Ok(());
        }
        self.store.arena_mut(cell.selector())?.freeze(cell.slot(), FROZEN)
    }

    /// Returns whether the object can never change: whether it is frozen, a value, text, an
    /// integer, or lies in the cell. O(1).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// assert!(!heap.is_frozen(list)? && heap.is_frozen(7)?);
    /// heap.freeze(list)?;
    /// assert!(heap.is_frozen(list)?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::freeze`].
    pub fn is_frozen(&self, object: impl Into<Cell>) -> Result<bool> {
        is_immutable(&self.store, object.into())
    }

    /// Allocates a value: a frozen object that is a key by its content, as tuples are in many
    /// languages. In every map and set, and for [`Heap::key_eq`] and [`Heap::hash`], two
    /// values are one key if they are of one kind, have the same shape or function id, and
    /// equal keys as elements. Costs as [`Heap::alloc`]; O(n) for n elements.
    ///
    /// Elements may be what never changes: immediates, text, integers, values, and frozen
    /// objects, which are keys by identity as elsewhere. So no value reaches itself, unless it
    /// comes from a forged image ([`Heap::load_with`]): hashing it is an error then. An object
    /// is a value from its allocation on or never: no entry of a map changes its meaning.
    ///
    /// To hash or compare values takes O(parts), counted as often as they are reached, without
    /// recursion and without memory; see [`Error::KeyTooLarge`]. A value with a part that
    /// was freed is [`Error::Stale`] as a key.
    ///
    /// ```
    /// use segheap::{Error, Heap, List, Map, Pair};
    /// let mut heap = Heap::new();
    /// let board = heap.alloc(Map::new())?;
    /// let square = heap.alloc_value(Pair::of(4.into(), 7.into()))?;
    /// let knight = heap.string("knight")?;
    /// heap.map_insert(board, square.into(), knight)?;
    /// let same = heap.alloc_value(Pair::of(4.into(), 7.into()))?;
    /// assert_eq!(heap.map_get(board, same.into())?, Some(knight));
    ///
    /// let list = heap.alloc(List::new())?;
    /// let refused = heap.alloc_value(Pair::of(list.into(), 7.into()));
    /// assert_eq!(refused, Err(Error::NotAValue));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAValue`] if an element is an object that can still change, or a sealed
    /// cell; [`Error::Stale`] if an element was freed; those of [`Heap::alloc`]. The heap is
    /// unchanged.
    pub fn alloc_value<K: Mutable>(&mut self, init: SequenceInit<'_, K>) -> Result<Handle<K>> {
        init.elements().try_for_each(|element| {
            let part = (&element as &dyn Any).downcast_ref::<Cell>();
            part.map_or(Ok(()), |&part| check_part(&self.store, part))
        })?;
        let value = self.alloc(init)?;
        self.store.arena_mut(K::KIND)?.freeze(value.cell().slot(), FROZEN | VALUE)?;
        Ok(value)
    }

    /// Returns the value with the content of a sequence: a copy, or the cell itself if it is a
    /// value, text, an integer, or lies in the cell. See [`Heap::alloc_value`]. O(len).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into(), 2.into()]))?;
    /// let tuple = heap.value_of(list)?;
    /// heap.get_mut(list)?.push(3.into())?;
    /// assert_eq!(heap.display(tuple).to_string(), "[1, 2]");
    /// assert_eq!(heap.value_of(tuple)?, tuple);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Sealed`] if the cell is sealed; [`Error::NotAValue`] if it is a map, a set or
    /// a host object; those of [`Heap::alloc_value`].
    pub fn value_of(&mut self, object: impl Into<Cell>) -> Result<Cell> {
        let cell = object.into();
        if is_value(&self.store, cell)? {
            return Ok(cell);
        }
        let (arena, slot) = self.store.open(cell)?;
        let kind = arena.kind();
        if matches!(arena.shape().elements, Elements::Entries(_)) || kind == Kind::HOST {
            return Err(Error::NotAValue);
        }
        arena.cells(slot)?.iter().try_for_each(|&part| check_part(&self.store, part))?;
        let words = arena.used(slot)?.len();
        let copy = self.store.alloc_with(kind, slot.len, words, |_| Ok(()))?;
        let arena = self.store.arena_mut(kind)?;
        let (from, to) = (arena.slot(cell.slot())?, arena.slot(copy.slot())?);
        let bytes = |off: u32| {
            let start = crate::words::to_usize(off).saturating_mul(8);
            start..start.saturating_add(words.saturating_mul(8))
        };
        arena.copy_bytes(copy.slot(), bytes(from.off), bytes(to.off).start)?;
        arena.freeze(copy.slot(), FROZEN | VALUE)?;
        Ok(copy)
    }

    /// Returns whether a cell is a key by its content: a value of [`Heap::alloc_value`], text,
    /// an integer, or what lies in the cell. O(1).
    ///
    /// ```
    /// use segheap::{Heap, Pair};
    /// let mut heap = Heap::new();
    /// let pair = heap.alloc(Pair::of(1.into(), 2.into()))?;
    /// let value = heap.value_of(pair)?;
    /// assert!(heap.is_value(value)? && !heap.is_value(pair)?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::freeze`].
    pub fn is_value(&self, object: impl Into<Cell>) -> Result<bool> {
        is_value(&self.store, object.into())
    }
}

/// Whether an object can never change.
fn is_immutable(store: &Store, cell: Cell) -> Result<bool> {
    if !cell.is_handle() {
        return Ok(true);
    }
    let (arena, slot) = store.open(cell)?;
    if arena.kind() == Kind::SEALED {
        return Err(Error::Sealed);
    }
    Ok(slot.is_frozen() || arena.shape().key != KeyBy::Identity)
}

/// Whether a cell is a key by its content.
fn is_value(store: &Store, cell: Cell) -> Result<bool> {
    let is_immutable = is_immutable(store, cell)?;
    if !cell.is_handle() || !is_immutable {
        return Ok(is_immutable);
    }
    let (arena, slot) = store.open(cell)?;
    Ok(slot.is_value() || arena.shape().key != KeyBy::Identity)
}

/// Checks that a cell may be an element of a value.
fn check_part(store: &Store, cell: Cell) -> Result<()> {
    match is_immutable(store, cell) {
        Ok(true) => Ok(()),
        Ok(false) | Err(Error::Sealed) => Err(Error::NotAValue),
        Err(error) => Err(error),
    }
}
