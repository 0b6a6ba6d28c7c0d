//! The elements of an object that is being changed, by the index of its slot.

use core::any::Any;

use super::view::{Growable, Mutable, Sequence};
use crate::arena::{Arenas, Born, Resources, Slot};
use crate::words::{Cell, Element, Result, corrupt, out_of_range, to_usize};

/// The length of an object, and all elements that fit into its block.
#[inline(always)]
pub(super) fn body<K: Sequence>(
    arenas: &mut Arenas,
    index: u32,
) -> Option<(&mut u32, &mut [K::Element])> {
    body_of::<K>(arenas.get_mut(K::KIND)?.write::<K::Element>(index)?)
}

/// [`dense_body`] to be cut: nothing is written of which a collection has to know.
#[inline(always)]
pub(super) fn dense_body_to_cut<K: Sequence>(
    arenas: &mut Arenas,
    index: u32,
) -> Option<(&mut u32, &mut [K::Element])> {
    body_of::<K>(arenas.get_mut(K::KIND)?.write_dense::<u8>(index)?)
}

/// [`body`], or `None` also for an object that only a cold path may open.
#[inline(always)]
pub(super) fn dense_body<K: Sequence>(
    arenas: &mut Arenas,
    index: u32,
) -> Option<(&mut u32, &mut [K::Element])> {
    body_of::<K>(arenas.get_mut(K::KIND)?.write_dense::<K::Element>(index)?)
}

#[inline(always)]
fn body_of<'a, K: Sequence>(
    (slot, block): (&'a mut Slot, &'a mut [u64]),
) -> Option<(&'a mut u32, &'a mut [K::Element])> {
    let body = block.get_mut(to_usize(K::SHAPE.header)..).unwrap_or_default();
    Some((&mut slot.len, K::Element::slice_mut(body)))
}

/// The elements of an object.
#[inline(always)]
pub(super) fn elements<K: Sequence>(arenas: &mut Arenas, index: u32) -> Option<&mut [K::Element]> {
    elements_of::<K>(body::<K>(arenas, index)?)
}

#[inline(always)]
fn elements_of<'a, K: Sequence>(
    (len, body): (&'a mut u32, &'a mut [K::Element]),
) -> Option<&'a mut [K::Element]> {
    body.get_mut(..to_usize(*len))
}

/// The first spare element of an object's body, if there is one, and the length.
#[inline(always)]
pub(super) fn first_spare<'a, K: Growable>(
    (len, body): (&'a mut u32, &'a mut [K::Element]),
) -> Option<(&'a mut u32, &'a mut K::Element)> {
    let place = body.get_mut(to_usize(*len))?;
    // Only bytes can number more than `u32::MAX` in a block of as many words.
    (K::Element::PER_WORD == 1 || *len < u32::MAX).then_some((len, place))
}

/// Removes and returns the last element of an object's body; `None` if there is none.
#[inline(always)]
pub(super) fn pop_last<K: Growable>(
    (len, body): (&mut u32, &mut [K::Element]),
) -> Option<K::Element> {
    let last = len.checked_sub(1)?;
    let popped = *body.get(to_usize(last))?;
    *len = last;
    Some(popped)
}

/// [`ViewMut::pop`] from an empty object, or from one that only a cold path may open.
#[cold]
pub(super) fn pop_cold<K: Growable>(arenas: &mut Arenas, index: u32) -> Result<Option<K::Element>> {
    let popped = pop_last::<K>(body::<K>(arenas, index).ok_or_else(corrupt)?);
    if popped.is_some() {
        arenas.get_mut(K::KIND).ok_or_else(corrupt)?.note_shrunk();
    }
    Ok(popped)
}

/// [`body`], to store an element. Of an object that a collection scans in parts, what is
/// stored is noted, and not that it was written.
#[inline(always)]
pub(super) fn body_to_store<K: Sequence>(
    arenas: &mut Arenas,
    born: Born,
    index: u32,
    element: K::Element,
) -> Option<(&mut u32, &mut [K::Element])> {
    body_of::<K>(block_to_store::<K>(arenas, born, index, element)?)
}

/// The slot of an object and its block, as [`body_to_store`].
#[inline(always)]
fn block_to_store<K: Sequence>(
    arenas: &mut Arenas,
    born: Born,
    index: u32,
    element: K::Element,
) -> Option<(&mut Slot, &mut [u64])> {
    let stored = (&element as &dyn Any).downcast_ref::<Cell>();
    let is_noted = stored.is_some_and(|&cell| arenas.note_stored(born, K::KIND, index, &[cell]));
    let arena = arenas.get_mut(K::KIND)?;
    if is_noted { arena.write::<u8>(index) } else { arena.write::<K::Element>(index) }
}

/// Appends an element to an object whose block has room for it, and sets the word of its
/// header.
#[inline(always)]
pub(super) fn push_with_header<K: Sequence>(
    arenas: &mut Arenas,
    index: u32,
    header: u64,
    element: K::Element,
) -> Option<()> {
    write_after::<K>(arenas.get_mut(K::KIND)?.write_dense::<K::Element>(index)?, header, element)
}

#[inline(always)]
fn write_after<K: Sequence>(
    (slot, block): (&mut Slot, &mut [u64]),
    header: u64,
    element: K::Element,
) -> Option<()> {
    let (first, body) = block.split_first_mut().filter(|_| K::SHAPE.header == 1)?;
    let place = K::Element::slice_mut(body).get_mut(to_usize(slot.len))?;
    (*first, *place) = (header, element);
    // A block has no more words than a slot can count.
    slot.len = slot.len.wrapping_add(1);
    Some(())
}

/// [`push_with_header`] to an object whose block is full, or that only a cold path may open.
#[cold]
pub(super) fn push_with_header_grown<K: Sequence>(
    arenas: &mut Arenas,
    resources: &mut Resources,
    index: u32,
    header: u64,
    element: K::Element,
) -> Result<()> {
    arenas.get_mut(K::KIND).ok_or_else(corrupt)?.reserve(resources, index, 1)?;
    let opened = block_to_store::<K>(arenas, resources.born, index, element);
    opened.and_then(|opened| write_after::<K>(opened, header, element)).ok_or_else(corrupt)
}

/// [`ViewMut::set`] where the object has no such element, or only a cold path may open it.
#[cold]
pub(super) fn set_cold<K: Mutable>(
    arenas: &mut Arenas,
    resources: &Resources,
    index: u32,
    at: usize,
    element: K::Element,
) -> Result<()> {
    let body = body_to_store::<K>(arenas, resources.born, index, element);
    let elements = body.and_then(elements_of::<K>).ok_or_else(corrupt)?;
    let len = elements.len();
    *elements.get_mut(at).ok_or_else(|| out_of_range(at, len))? = element;
    Ok(())
}

/// [`ViewMut::push`] to an object whose block is full, or that only a cold path may open.
#[cold]
pub(super) fn push_grown<K: Growable>(
    arenas: &mut Arenas,
    resources: &mut Resources,
    index: u32,
    element: K::Element,
) -> Result<()> {
    arenas.get_mut(K::KIND).ok_or_else(corrupt)?.reserve(resources, index, 1)?;
    let body = body_to_store::<K>(arenas, resources.born, index, element);
    let (len, place) = body.and_then(first_spare::<K>).ok_or_else(corrupt)?;
    *place = element;
    *len = len.wrapping_add(1);
    Ok(())
}
