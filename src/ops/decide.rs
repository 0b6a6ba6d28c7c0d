//! What code of the VM decides about the cells of an object: it is asked about each of them
//! before the object changes, so that it never sees an object half changed, and may use the
//! heap meanwhile.

use bumpalo::collections::Vec;

use super::values::is_hole;
use crate::arena::reserve;
use crate::heap::{Heap, Store};
use crate::object::Object;
use crate::words::{AsHandle, Cell, Error, Result};

/// The cells of an object; of a table, with the holes among them.
pub(super) fn cells<K: Object>(store: &Store, object: impl AsHandle<K>) -> Result<&[Cell]> {
    let arena = store.arena(K::KIND)?;
    arena.cells(arena.check(object.into())?)
}

/// Asks `wants` about each item of an object, which is `stride` cells, then has `apply`
/// change the object by the decisions. Items are asked about in order, holes are not. The
/// object is copied to scratch memory, as are the decisions.
///
/// # Errors
/// The first error of `wants`; [`Error::Changed`] if `wants` has changed the object;
/// [`Error::NotAHandle`], [`Error::Sealed`], [`Error::WrongKind`] or [`Error::Stale`] before
/// the first question or after the last; [`Error::Limit`] or [`Error::OutOfMemory`] if
/// scratch memory cannot grow; those of `apply`.
pub(super) fn decide<K: Object, E: From<Error>>(
    heap: &mut Heap,
    object: impl AsHandle<K>,
    stride: usize,
    mut wants: impl FnMut(&mut Heap, &[Cell]) -> Result<bool, E>,
    apply: impl FnOnce(&mut Heap, &[bool]) -> Result<()>,
) -> Result<(), E> {
    heap.with_scratch(|heap, scratch| {
        heap.store.get_mut::<K>(object)?;
        let cells_now = cells::<K>(&heap.store, object)?;
        let (mut before, mut decisions) = (Vec::new_in(scratch.bump), Vec::new_in(scratch.bump));
        reserve(&mut before, cells_now.len())?;
        before.extend_from_slice(cells_now);
        reserve(&mut decisions, before.len().checked_div(stride).unwrap_or(0))?;
        // What is asked may allocate: scratch memory counts against the limit.
        scratch.charge_callback(heap.store.account_mut());
        for item in before.chunks_exact(stride) {
            if item.first().copied().is_some_and(is_hole) {
                continue;
            }
            match wants(heap, item) {
                Ok(decision) => decisions.push(decision),
                Err(error) => return Ok(Err(error)),
            }
        }
        if cells::<K>(&heap.store, object)? != before.as_slice() {
            return Err(Error::Changed);
        }
        apply(heap, &decisions).map(Ok)
    })?
}
