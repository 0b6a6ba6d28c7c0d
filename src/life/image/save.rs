//! Writing an image.

use super::{MAGIC, VERSION, fingerprint};
use crate::arena::{Arena, NotWritten, Sink, Slot};
use crate::heap::Heap;
use crate::kinds::Str;
use crate::object::table::Table;
use crate::ops::symbols;
use crate::words::{Elements, Error, HasKind, Result, to_u64, to_usize};

/// Why a heap was not saved.
pub(super) enum Unsaved {
    Heap(Error),
    NotWritten,
}

impl From<Error> for Unsaved {
    fn from(error: Error) -> Unsaved {
        Unsaved::Heap(error)
    }
}

impl From<NotWritten> for Unsaved {
    fn from(_: NotWritten) -> Unsaved {
        Unsaved::NotWritten
    }
}

/// Writes the image of a heap.
pub(super) fn save(heap: &mut Heap, sink: &mut Sink<'_>) -> Result<(), Unsaved> {
    if heap.store.log().depth() > 0 {
        return Err(Unsaved::Heap(Error::RegionOpen));
    }
    // What a collection has found to be garbage cannot be told from other objects in an image.
    heap.finish_sweep();
    heap.drop_dead_values();
    if heap.roots.hosts().is_any() {
        return Err(Unsaved::Heap(Error::NoHostCopy));
    }
    // The list of symbols may have a slot twice.
    symbols::purge(&mut heap.store);
    let (store, roots) = (&heap.store, &heap.roots);
    let texts = store.arena(Str::KIND)?;
    let symbols = || store.arenas().symbols().live(texts).map(|(cell, _)| cell);
    let seed = store.arenas().generation_seed();
    let serial = heap.ids.serial();
    sink.words(&[MAGIC, VERSION, fingerprint(heap), seed, serial])?;
    let counts = [symbols().count(), roots.pins().count(), roots.tokens().count()];
    sink.words(&counts.map(to_u64))?;
    for arena in store.arenas().iter() {
        arena.save_slots(sink)?;
        for (_, slot) in arena.live() {
            save_object(arena, slot, sink)?;
        }
    }
    for cell in symbols() {
        sink.words(&[u64::from(cell.slot())])?;
    }
    for (cell, number) in roots.pin_counts().chain(roots.tokens()) {
        sink.words(&[cell.bits(), number])?;
    }
    Ok(sink.flush()?)
}

/// Writes the block of an object: what the object uses of it, and zeros.
#[inline]
fn save_object(arena: &Arena, slot: Slot, sink: &mut Sink<'_>) -> Result<(), Unsaved> {
    // A version is saved with a block of its own.
    let slot = arena.apart(slot);
    let (shape, cap) = (arena.shape(), to_usize(slot.cap()));
    let words = arena.used(slot)?;
    let written = match shape.elements {
        Elements::Entries(stride) => Table::new(words, slot.len, to_usize(stride)).save(sink)?,
        Elements::Bytes => {
            // Bytes after the last one of the object are what they were before it.
            let whole = (to_usize(slot.len) / 8).saturating_add(to_usize(shape.header));
            let (whole, rest) = words.split_at(whole.min(words.len()));
            sink.words(whole)?;
            if let &[last] = rest {
                let bits = (slot.len % 8).wrapping_mul(8);
                sink.words(&[last & (1_u64 << bits).wrapping_sub(1)])?;
            }
            words.len()
        }
        _ => {
            sink.words(words)?;
            words.len()
        }
    };
    Ok(sink.zeros(cap.saturating_sub(written))?)
}
