//! Sizes of objects: their own, and with what only they keep alive.

use super::trace::{Bases, Marks, Trace};
use crate::arena::{Arena, Arenas, Slot};
use crate::heap::{Heap, Roots, StoreParts};
use crate::ops::table;
use crate::words::{Cell, Elements, Kind, Result, to_u64, to_usize};

impl Heap {
    /// Returns the size of an object in bytes, without the objects that it refers to: its
    /// block, with spare capacity, and 16 bytes for its slot. The size of a host object
    /// includes its value, as [`Heap::set_host_bytes`] declares it. O(1).
    ///
    /// ```
    /// use segheap::{Heap, Pair, Struct};
    /// let mut heap = Heap::new();
    /// let pair = heap.alloc(Pair::of(1.into(), 2.into()))?;
    /// assert_eq!(heap.shallow_size(pair)?, 16 + 16);
    /// let record = heap.alloc(Struct::new(7, 3))?;
    /// assert_eq!(heap.shallow_size(record)?, 16 + 8 + 3 * 8);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`](crate::Error::NotAHandle) if the cell is no handle;
    /// [`Error::Stale`](crate::Error::Stale) if the object was freed.
    pub fn shallow_size(&self, object: impl Into<Cell>) -> Result<u64> {
        let cell = object.into();
        let (arena, slot) = self.store.open(cell)?;
        Ok(size(&self.roots, arena, cell, slot))
    }

    /// Returns how many elements, fields or entries an object has room for in its block, those
    /// that it has included: it does not move before it has more. Holes that removed entries of
    /// a map or a set have left take room until the table is rebuilt. O(1).
    ///
    /// ```
    /// use segheap::{Heap, List, Map};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::with_capacity(8))?;
    /// assert!(heap.capacity(list)? >= 8 && heap.get(list)?.is_empty());
    /// heap.get_mut(list)?.shrink_to_fit()?;
    /// assert_eq!(heap.capacity(list)?, 0);
    /// let map = heap.alloc(Map::with_capacity(100))?;
    /// assert!(heap.capacity(map)? >= 100);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`](crate::Error::NotAHandle) if the cell is no handle;
    /// [`Error::Stale`](crate::Error::Stale) if the object was freed.
    pub fn capacity(&self, object: impl Into<Cell>) -> Result<usize> {
        let (arena, slot) = self.store.open(object.into())?;
        let shape = arena.shape();
        let slot = arena.apart(slot);
        let body = to_usize(slot.cap().saturating_sub(shape.header));
        Ok(match shape.elements {
            Elements::Entries(stride) => table(arena, slot, stride)?.capacity(),
            _ => {
                let words = body.saturating_mul(8).checked_div(shape.element_bytes());
                words.unwrap_or(0).min(to_usize(u32::MAX))
            }
        })
    }

    /// Returns how many bytes would become unreachable if an object were freed: its own size,
    /// and the sizes of all objects that the roots and the pinned objects reach through it
    /// only. Sizes are those of [`Heap::shallow_size`]. That of an object which is not
    /// reachable includes what nothing else keeps alive.
    ///
    /// What a sealed cell refers to counts like any other object: the size is for the VM to know,
    /// not for a program that holds the cell.
    ///
    /// O(slots + live objects and their cells), as a collection. Takes no memory that could
    /// be refused, and frees nothing.
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let shared = heap.alloc(List::zeroed(10))?;
    /// let own = heap.alloc(List::zeroed(20))?;
    /// let cache = heap.alloc(List::of(&[shared.into(), own.into()]))?;
    /// let size = heap.retained_size([cache, shared], cache)?;
    /// assert_eq!(size, heap.shallow_size(cache)? + heap.shallow_size(own)?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`](crate::Error::NotAHandle) if the cell is no handle;
    /// [`Error::Stale`](crate::Error::Stale) if the object was freed.
    pub fn retained_size<I>(&mut self, roots: I, object: impl Into<Cell>) -> Result<u64>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        let cell = object.into();
        self.store.open(cell)?;
        let registered = &self.roots;
        let StoreParts { arenas, resources, .. } = self.store.parts();
        let (arenas, (bases, bits)) = (&*arenas, Bases::new(arenas));
        let dominated = resources.with_bits(bits, |account, _, bits| {
            // Marked before, the object is passed over, as if it had been freed.
            let mut trace = Trace::<false>::new(bits, bases);
            trace.marks.set(cell, true);
            for root in roots.into_iter().map(Into::into).chain(registered.pins()) {
                trace.add(arenas, account, root);
            }
            trace.finish(arenas, account).0.end(account);
            let without = marked(arenas, registered, &Marks::new(bits, bases));

            let mut trace = Trace::<false>::new(bits, bases);
            let edges = arenas.open(cell).and_then(|(arena, slot)| arena.cells(slot));
            for &edge in edges.unwrap_or_default() {
                trace.add(arenas, account, edge);
            }
            trace.finish(arenas, account).0.end(account);
            let all = marked(arenas, registered, &Marks::new(bits, bases));
            bits.fill(0);
            all.saturating_sub(without)
        });
        let (arena, slot) = self.store.open(cell)?;
        Ok(dominated.saturating_add(size(&self.roots, arena, cell, slot)))
    }
}

/// The size of a live object.
fn size(roots: &Roots, arena: &Arena, cell: Cell, slot: Slot) -> u64 {
    let block = u64::from(arena.block_words(slot))
        .saturating_mul(8)
        .saturating_add(to_u64(size_of::<Slot>()));
    let value = if cell.selector() == Kind::HOST { roots.hosts().bytes_at(cell.slot()) } else { 0 };
    block.saturating_add(to_u64(value))
}

/// The sizes of all live objects that are marked. O(slots).
fn marked(arenas: &Arenas, roots: &Roots, marks: &Marks<'_>) -> u64 {
    let live = arenas.iter().flat_map(|arena| arena.live().map(move |live| (arena, live)));
    let marked = live.filter(|&(_, (cell, _))| marks.get(cell));
    let sizes = marked.map(|(arena, (cell, slot))| size(roots, arena, cell, slot));
    sizes.fold(0, u64::saturating_add)
}
