//! Deep copies of object graphs from one heap into another.

use super::forwarding::{CopiedPair, Copies, Values};
use super::host_copy::{Hook, HostCopy, with_hook};
use crate::arena::{Arena, Slot};
use crate::heap::{Checkpoint, Heap, Store, StoreParts};
use crate::object::TableMut;
use crate::object::table::{Table, copied, fill, words_for};
use crate::ops::{symbols, table};
use crate::words::{Cell, Elements, Error, Kind, Result, copy, corrupt, to_usize};

impl Heap {
    /// Copies the object graph that `cell` reaches in another heap into this one, with
    /// its sharing and cycles, and returns the copy of `cell`. Two isolates exchange
    /// data this way. A cell that is no handle is returned as it is.
    ///
    /// Maps and sets keep their order; their keys are hashed with the seed of this
    /// heap. Pins, watches and regions of the source are not copied. O(size of the
    /// graph), breadth first, without recursion.
    ///
    /// Scratch memory: up to 24 bytes an object, and a table by the slots of the source
    /// in pages of 2 KiB for 512 slots, of those pages that have objects of the graph.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let (mut there, mut here) = (Heap::new(), Heap::new());
    /// let list = there.alloc(List::of(&[1.into()]))?;
    /// there.get_mut(list)?.push(list.into())?;
    /// let copy = here.transplant(&there, list.into())?;
    /// assert_eq!(here.display(copy).to_string(), "[1, List#0]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Sealed`] if the graph has a sealed cell; [`Error::NoHostCopy`] if it has a
    /// host object: see [`Heap::transplant_with`]; [`Error::Stale`] if it has a handle of an
    /// object that was freed; [`Error::Limit`], [`Error::ArenaFull`],
    /// [`Error::ObjectTooLarge`] or [`Error::OutOfMemory`] if a copy cannot be allocated, as
    /// for [`Heap::alloc`]. This heap is unchanged, but for scratch memory, and free blocks
    /// that may stay split.
    pub fn transplant(&mut self, source: &Heap, cell: Cell) -> Result<Cell> {
        let mut cells = [cell];
        self.transplant_all(source, &mut cells)?;
        let [copy] = cells;
        Ok(copy)
    }

    /// [`Heap::transplant`] of several values at once, such as the arguments of a call: each
    /// cell is replaced by its copy, and what several of them reach is copied once. All or
    /// nothing: the cells are as they were if it fails. O(cells + size of the graph).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let (mut there, mut here) = (Heap::new(), Heap::new());
    /// let shared = there.alloc(List::of(&[1.into()]))?;
    /// let other = there.alloc(List::of(&[shared.into()]))?;
    /// let mut cells = [shared.into(), other.into(), 7.into()];
    /// here.transplant_all(&there, &mut cells)?;
    ///
    /// let [shared, other, seven] = cells;
    /// here.get_mut::<List>(shared)?.push(2.into())?;
    /// assert_eq!(here.display(other).to_string(), "[[1, 2]]");
    /// assert_eq!(seven, 7.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::transplant`].
    pub fn transplant_all(&mut self, source: &Heap, cells: &mut [Cell]) -> Result<()> {
        self.transplant_graph(source, cells, None)
    }

    /// [`Heap::transplant_all`] of a graph that may have host objects: `hook` makes the value
    /// of the copy of each. It is called once for each host object, breadth first. The new
    /// values count against the limits of this heap, with the bytes that were declared for
    /// those of the source, unless the hook declares others.
    ///
    /// If the transplant fails, or the hook panics, the values that the hook has made are
    /// dropped, each once, after this heap is as it was before. A panic of such a drop
    /// propagates after the others were dropped, if there is no other panic, and with the
    /// feature `std`.
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// #[derive(Clone)]
    /// struct Class { name: &'static str }
    ///
    /// let (mut there, mut here) = (Heap::new(), Heap::new());
    /// let class = there.host(Class { name: "Point" })?;
    /// let list = there.alloc(List::of(&[class, class]))?;
    /// let mut cells = [list.into()];
    /// here.transplant_with(&there, &mut cells, |object| {
    ///     object.put(object.get::<Class>()?.clone())
    /// })?;
    ///
    /// let [a, b] = [0, 1].map(|n| here.element::<List>(cells[0], n));
    /// assert_eq!(here.host_ref::<Class>(a?)?.name, "Point");
    /// assert_eq!(a, b); // one object, as there
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The error of the hook; [`Error::NoHostCopy`] if it returns without a value; otherwise
    /// as [`Heap::transplant`].
    pub fn transplant_with<E: From<Error>>(
        &mut self,
        source: &Heap,
        cells: &mut [Cell],
        hook: impl FnMut(&mut HostCopy<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        with_hook(hook, |hook| self.transplant_graph(source, cells, Some(hook)))
    }

    fn transplant_graph(
        &mut self,
        source: &Heap,
        cells: &mut [Cell],
        hook: Option<&mut Hook<'_>>,
    ) -> Result<()> {
        if !cells.iter().any(|cell| cell.is_handle()) {
            return Ok(());
        }
        // A value whose slot a copy may get.
        self.drop_dead_values();
        let checkpoint = self.store.checkpoint();
        self.with_scratch(|heap, scratch| {
            // For no longer than the scratch memory: one lifetime does for all.
            let hook = hook.map(|hook| hook as &mut Hook<'_>);
            let mut copies = Copies::new_in(scratch, source, hook);
            Transplant { heap, checkpoint: Some(&checkpoint), copies: &mut copies }
                .run(source, cells)
        })
    }
}

/// A transplant that is undone when it is dropped, also by a panic of the hook, unless it has
/// come to its end.
struct Transplant<'t, 'b> {
    heap: &'t mut Heap,
    /// What to return to; `None` at the end.
    checkpoint: Option<&'t Checkpoint>,
    copies: &'t mut Copies<'b>,
}

impl Transplant<'_, '_> {
    /// Copies what the cells reach, and replaces the cells by their copies.
    fn run(mut self, source: &Heap, cells: &mut [Cell]) -> Result<()> {
        let Transplant { heap, copies, .. } = &mut self;
        if copies.has_symbols {
            heap.roots.note_frees();
        }
        copy_graph(&mut heap.store, &source.store, cells, copies)?;
        self.give_values()?;
        self.checkpoint = None;
        let (copies, store) = (&self.copies, &self.heap.store);
        for cell in cells.iter_mut().filter(|cell| cell.is_handle()) {
            let copy = copies.find(*cell);
            let copy = copy.or_else(|| symbols::counterpart(store, &source.store, *cell));
            debug_assert!(copy.is_some(), "all that the cells reach has been copied");
            *cell = copy.unwrap_or_default();
        }
        Ok(())
    }

    /// Records the copies, and gives those of host objects their values.
    fn give_values(&mut self) -> Result<()> {
        let Transplant { heap, copies, .. } = self;
        if copies.values.list.is_empty() {
            return record(&mut heap.store, copies);
        }
        let slots = heap.store.arena(Kind::HOST)?.indices();
        let hosts = heap.roots.hosts_mut();
        let capacity = hosts.reserve_entries(heap.store.account_mut(), slots)?;
        if let Err(error) = record(&mut heap.store, copies) {
            hosts.shrink_entries(heap.store.account_mut(), capacity);
            return Err(error);
        }
        let StoreParts { resources, .. } = heap.store.parts();
        while let Some((cell, value)) = copies.values.list.pop() {
            resources.tally.foreign(value.bytes());
            hosts.adopt(cell, value);
        }
        Ok(())
    }
}

impl Drop for Transplant<'_, '_> {
    fn drop(&mut self) {
        if let Some(checkpoint) = self.checkpoint.take() {
            let store = &mut self.heap.store;
            store.roll_back(checkpoint, self.copies.list.iter().rev().copied());
            store.account_mut().replace(self.copies.values.bytes(), 0);
        }
    }
}

/// Copies object by object. The copy of an object has the cells of the source at first,
/// and is translated when the copies of those before it are.
fn copy_graph(
    target: &mut Store,
    source: &Store,
    roots: &[Cell],
    copies: &mut Copies<'_>,
) -> Result<()> {
    for &root in roots.iter().filter(|root| root.is_handle()) {
        copy_object(target, source, root, copies)?;
    }
    let mut next = 0_usize;
    while let Some(&pair) = copies.pairs.get(next) {
        let (arena, slot) = source.open(pair.source)?;
        if let Elements::Entries(stride) = arena.shape().elements {
            let entries = table(arena, slot, stride)?;
            if has_values(source, entries) {
                copies.has_deferred = true;
                let kept = entries.iter().filter(|entry| !is_dropped(source, entries, entry));
                for &cell in kept.flatten().filter(|cell| cell.is_handle()) {
                    copy_object(target, source, cell, copies)?;
                }
            } else {
                copy_entries(target, source, entries, to_usize(stride), pair.copy, copies)?;
            }
        } else {
            copy_cells(target, source, arena.cells(slot)?, pair.copy, copies)?;
        }
        next = next.saturating_add(1);
    }
    if copies.has_deferred {
        copy_deferred(target, source, copies)?;
    }
    Ok(())
}

/// Whether the copy of a table is without an entry: that of a freed key, of a weak one.
fn is_dropped(source: &Store, table: Table<&[u64]>, entry: &[Cell]) -> bool {
    table.is_weak() && entry.first().is_some_and(|&key| !source.keys().is_usable(key))
}

/// Whether a key of a table is a value.
fn has_values(source: &Store, entries: Table<&[u64]>) -> bool {
    let keys = source.keys();
    entries.iter().filter_map(|entry| entry.first()).any(|&key| !keys.is_usable_by_bits(key))
}

/// Fills the copies of tables that have values as keys: the hash of one is known when all its
/// parts have been translated.
#[cold]
fn copy_deferred(target: &mut Store, source: &Store, copies: &mut Copies<'_>) -> Result<()> {
    let mut next = 0_usize;
    while let Some(&CopiedPair { source: from, copy }) = copies.pairs.get(next) {
        next = next.saturating_add(1);
        let (arena, slot) = source.open(from)?;
        let Elements::Entries(stride) = arena.shape().elements else { continue };
        let entries = table(arena, slot, stride)?;
        if has_values(source, entries) {
            copy_entries(target, source, entries, to_usize(stride), copy, copies)?;
        }
    }
    Ok(())
}

/// Records the copies in the open region, and has those of symbols be symbols, which are in
/// none.
fn record(target: &mut Store, copies: &Copies<'_>) -> Result<()> {
    let before = symbols::reserve(target, copies.symbols.iter().copied())?;
    let mut left = copies.symbols.iter().copied().peekable();
    let others = copies.list.iter().copied().filter(|&cell| left.next_if_eq(&cell).is_none());
    let symbols = copies.symbols.len();
    let counts = (copies.list.len().saturating_sub(symbols), symbols);
    if let Err(error) = target.record_all(counts, others) {
        symbols::give_back(target, before);
        return Err(error);
    }
    copies.symbols.iter().for_each(|&cell| symbols::adopt(target, cell));
    Ok(())
}

/// Translates the cells of an object into its copy.
fn copy_cells(
    target: &mut Store,
    source: &Store,
    cells: &[Cell],
    copy: Cell,
    copies: &mut Copies<'_>,
) -> Result<()> {
    /// Cells between which the copy is not opened again.
    const CHUNK: usize = 16;
    let header = to_usize(source.arena(copy.selector())?.shape().header);
    for (n, chunk) in cells.chunks(CHUNK).enumerate() {
        let mut translated = [Cell::NULL; CHUNK];
        for (to, &from) in translated.iter_mut().zip(chunk) {
            let is_handle = from.is_handle();
            *to = if is_handle { copy_object(target, source, from, copies)? } else { from };
        }
        let opened = target.arena_mut(copy.selector())?.write::<Cell>(copy.slot());
        let (_, words) = opened.ok_or_else(corrupt)?;
        let start = n.saturating_mul(CHUNK).saturating_add(header);
        let places = words.get_mut(start..).ok_or_else(corrupt)?;
        Cell::slice_mut(places)
            .iter_mut()
            .zip(chunk)
            .zip(translated)
            .for_each(|((place, _), cell)| *place = cell);
    }
    Ok(())
}

/// Translates the entries of a table into its copy, which is empty.
fn copy_entries(
    target: &mut Store,
    source: &Store,
    entries: Table<&[u64]>,
    stride: usize,
    copy: Cell,
    copies: &mut Copies<'_>,
) -> Result<()> {
    for position in 0..entries.used() {
        let Some((key, value)) = entries.entry(position).map(copied) else { continue };
        if is_dropped(source, entries, &[key]) {
            continue;
        }
        let mut entry = [key, value];
        for cell in entry.iter_mut().filter(|cell| cell.is_handle()) {
            *cell = copy_object(target, source, *cell, copies)?;
        }
        let own = entries.is_own().then(|| entries.hash(position));
        let hash = match own {
            Some(hash) => hash,
            None => target.keys().key(entry[0])?.hash,
        };
        let StoreParts { arenas, resources, .. } = target.parts();
        let (kind, index) = (copy.selector(), copy.slot());
        let mut table = TableMut { arenas, resources, kind, index, stride };
        match own {
            Some(_) => table.append_own(hash, &entry)?,
            None => table.append(entry[0], hash, &entry)?,
        }
    }
    Ok(())
}

/// Returns the copy of an object, allocated if there is none yet.
#[inline(always)]
fn copy_object(
    target: &mut Store,
    source: &Store,
    object: Cell,
    copies: &mut Copies<'_>,
) -> Result<Cell> {
    let arena = source.arenas().of(object);
    match arena.and_then(|arena| Some((arena, arena.find(object)?))) {
        Some((arena, slot)) => match copies.find(object) {
            Some(copy) => Ok(copy),
            None if copies.has_symbols => copy_any(target, source, (arena, slot), object, copies),
            None => alloc_copy(target, arena, slot, object, copies),
        },
        None => Err(object.rejection(object.selector())),
    }
}

/// [`alloc_copy`] of an object that may be a symbol: the one that this heap has, or a copy
/// that becomes it.
#[inline(never)]
fn copy_any(
    target: &mut Store,
    source: &Store,
    (arena, slot): (&Arena, Slot),
    object: Cell,
    copies: &mut Copies<'_>,
) -> Result<Cell> {
    if source.arenas().symbols().hash(object).is_none() {
        return alloc_copy(target, arena, slot, object, copies);
    }
    if let Some(symbol) = symbols::counterpart(target, source, object) {
        return Ok(symbol);
    }
    copies.make_room_for_symbol(target)?;
    let copy = alloc_copy(target, arena, slot, object, copies)?;
    copies.symbols.push(copy);
    Ok(copy)
}

/// Allocates the copy of an object, with the cells of the source; that of a table is
/// empty.
fn alloc_copy(
    target: &mut Store,
    arena: &Arena,
    slot: Slot,
    object: Cell,
    copies: &mut Copies<'_>,
) -> Result<Cell> {
    let kind = object.selector();
    if kind.place() < Kind::OTHERS {
        return copy_host(target, slot, object, copies);
    }
    let number = copies.next_number()?;
    // After the allocation nothing may fail, or the copy would not be rolled back.
    match copies.vacancy(object) {
        Some(place) => *place = number,
        None => *copies.make_room(target, object)? = number,
    }
    let elements = arena.shape().elements;
    if let Elements::Entries(stride) = elements {
        let table = table(arena, slot, stride)?;
        let (entries, is_weak) = (to_usize(table.len()), table.is_weak());
        let room = if is_weak { entries.max(1) } else { entries };
        let copy = alloc_table(target, kind, (room, is_weak), to_usize(stride))?;
        copies.add(CopiedPair { source: object, copy }, entries > 0);
        freeze_copy(target, slot, copy)?;
        return Ok(copy);
    }
    let (used, mut has_handles) = (arena.used(slot)?, false);
    let copy = target.alloc_unrecorded(kind, slot.len, used.len(), |words| {
        if elements == Elements::Cells {
            // A word of the header is none of the bits of a handle.
            for (to, &from) in words.iter_mut().zip(used) {
                *to = from;
                has_handles |= Cell::raw(from).is_handle();
            }
        } else {
            copy(words, used);
        }
        Ok(())
    })?;
    copies.add(CopiedPair { source: object, copy }, has_handles);
    freeze_copy(target, slot, copy)?;
    Ok(copy)
}

/// Copies a host object, with a value that the hook makes.
#[cold]
#[inline(never)]
fn copy_host(
    target: &mut Store,
    slot: Slot,
    object: Cell,
    copies: &mut Copies<'_>,
) -> Result<Cell> {
    if object.selector() != Kind::HOST {
        return Err(Error::Sealed);
    }
    let number = copies.next_number()?;
    *copies.make_room(target, object)? = number;
    copies.make_room_for_value(target)?;
    let Values { source, hook, made, .. } = &mut copies.values;
    let hook = hook.as_mut().ok_or(Error::NoHostCopy)?;
    hook(&mut HostCopy::new(object, source, target.account_mut(), made))?;
    if made.is_none() {
        return Err(Error::NoHostCopy);
    }
    let copy = target.alloc_unrecorded(Kind::HOST, 0, 0, |_| Ok(()))?;
    copies.add(CopiedPair { source: object, copy }, false);
    freeze_copy(target, slot, copy)?;
    copies.values.list.extend(copies.values.made.take().map(|value| (copy, value)));
    Ok(copy)
}

/// Has the copy of a frozen object be frozen.
#[inline(always)]
fn freeze_copy(target: &mut Store, slot: Slot, copy: Cell) -> Result<()> {
    if !slot.is_frozen() {
        return Ok(());
    }
    target.arena_mut(copy.selector())?.freeze(copy.slot(), slot.flags())
}

/// Allocates an empty table with room for so many entries, which may be weak.
#[inline(never)]
fn alloc_table(
    target: &mut Store,
    kind: Kind,
    (entries, is_weak): (usize, bool),
    stride: usize,
) -> Result<Cell> {
    target.alloc_unrecorded(kind, 0, words_for(entries, stride), |words| {
        fill(words, entries, stride, is_weak);
        Ok(())
    })
}
