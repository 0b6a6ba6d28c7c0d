//! Mutable slices of several objects, or of disjoint parts of one, at once.

use core::ops::{Range, RangeBounds};

use crate::arena::Arenas;
use crate::heap::Heap;
use crate::object::Mutable;
use crate::words::{Element, Error, Handle, Private, Result, corrupt, range, to_usize};

/// A range of bytes in the memory of the arena at `place`, inside of the object in
/// `slot`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Span {
    place: usize,
    slot: u32,
    start: usize,
    end: usize,
}

impl Span {
    const fn range(&self) -> Range<usize> {
        self.start..self.end
    }
}

/// An argument of [`Heap::windows_mut`]: a [`Handle`] selects all elements of its
/// object, a pair of a handle and a range selects those in the range.
pub trait WindowTarget: Private {
    /// The type of the elements.
    type Element: Element;
    #[doc(hidden)]
    fn span(self, heap: &mut Heap) -> Result<Span>;
}

impl<K, R> Private for (Handle<K>, R) {}

impl<K: Mutable> WindowTarget for Handle<K> {
    type Element = K::Element;

    fn span(self, heap: &mut Heap) -> Result<Span> {
        (self, ..).span(heap)
    }
}

impl<K: Mutable, R: RangeBounds<usize>> WindowTarget for (Handle<K>, R) {
    type Element = K::Element;

    fn span(self, heap: &mut Heap) -> Result<Span> {
        let mut slot = heap.store.arena(K::KIND)?.check(self.0.cell())?;
        if !slot.can_change() {
            slot = heap.store.open_to_change(K::KIND, self.0.cell())?;
        }
        let arena = heap.store.arena(K::KIND)?;
        let Range { start, end } = slot.span(arena.shape(), range(self.1, to_usize(slot.len))?);
        Ok(Span { place: K::KIND.place(), slot: self.0.cell().slot(), start, end })
    }
}

/// A tuple of one to four [`WindowTarget`]s; the argument of [`Heap::windows_mut`].
pub trait WindowTargets {
    /// A tuple of mutable slices, one for each target.
    type Slices<'h>;
    #[doc(hidden)]
    fn slices(self, heap: &mut Heap) -> Result<Self::Slices<'_>>;
}

macro_rules! window_targets {
    ($($n:literal: $($Target:ident $target:ident)*;)*) => {$(
        impl<$($Target: WindowTarget),*> WindowTargets for ($($Target,)*) {
            type Slices<'h> = ($(&'h mut [$Target::Element],)*);

            fn slices(self, heap: &mut Heap) -> Result<Self::Slices<'_>> {
                let ($($target,)*) = self;
                let spans: [Span; $n] = [$($target.span(heap)?),*];
                let [$($target),*] = carve(heap.store.parts().arenas, &spans)?;
                Ok(($($Target::Element::bytes_mut($target).ok_or_else(corrupt)?,)*))
            }
        }
    )*};
}
window_targets! {
    1: A a;
    2: A a B b;
    3: A a B b C c;
    4: A a B b C c D d;
}

/// The rest of an arena's memory, after slices were split off its front.
struct Rest<'h> {
    place: usize,
    /// Bytes split off.
    position: usize,
    bytes: &'h mut [u8],
}

/// Borrows the spans, in the order given. Slices of one arena's memory are split off
/// front to back, in the order of their starts: an overlap shows as a negative gap.
fn carve<'h, const N: usize>(
    arenas: &'h mut Arenas,
    spans: &[Span; N],
) -> Result<[&'h mut [u8]; N]> {
    let mut order: [usize; N] = core::array::from_fn(|n| n);
    order.sort_unstable_by_key(|&n| spans.get(n).map(|span| (span.place, span.start, span.end)));
    let mut carved = core::array::from_fn(|_| &mut [][..]);
    let mut arenas = arenas.iter_mut().enumerate();
    let mut rest: Rest<'h> = Rest { place: usize::MAX, position: 0, bytes: &mut [] };
    for n in order {
        let (Some(&span), Some(place)) = (spans.get(n), carved.get_mut(n)) else {
            return Err(corrupt());
        };
        if span.start >= span.end {
            continue;
        }
        if rest.place != span.place {
            let (_, arena) = arenas.find(|(n, _)| *n == span.place).ok_or_else(corrupt)?;
            let here = spans.iter().filter(|other| other.place == span.place);
            let bytes = arena.write_many(here.map(|other| (other.slot, other.range())));
            rest = Rest { place: span.place, position: 0, bytes };
        }
        let gap = span.start.checked_sub(rest.position).ok_or(Error::Overlap)?;
        let taken = gap..gap.saturating_add(span.range().len());
        let (head, tail) = rest.bytes.split_at_mut_checked(taken.end).ok_or_else(corrupt)?;
        *place = head.get_mut(taken).ok_or_else(corrupt)?;
        rest = Rest { place: span.place, position: span.end, bytes: tail };
    }
    Ok(carved)
}

impl Heap {
    /// Returns mutable slices of several objects at once, of one kind or of several, or
    /// of disjoint parts of one object. O(1) for up to four targets.
    ///
    /// ```
    /// use segheap::{F64Arr, Heap, List};
    /// let mut heap = Heap::new();
    /// let x = heap.alloc(F64Arr::of(&[1.0, 2.0, 3.0]))?;
    /// let y = heap.alloc(F64Arr::of(&[10.0, 10.0, 10.0, 10.0]))?;
    /// let (x, y) = heap.windows_mut((x, (y, 1..)))?;
    /// for (y, x) in y.iter_mut().zip(x) {
    ///     *y += 2.0 * *x;
    /// }
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// Parts of one object must not overlap:
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::zeroed(4))?;
    /// assert!(heap.windows_mut(((list, ..2), (list, 2..)))?.0.len() == 2);
    /// assert_eq!(heap.windows_mut(((list, ..2), (list, 1..))), Err(Error::Overlap));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if an object was freed, [`Error::Frozen`] if it is frozen, and
    /// [`Error::OutOfRange`] if an object
    /// does not have the range, for the first target that they apply to;
    /// [`Error::Overlap`] if two targets share an element; [`Error::Limit`],
    /// [`Error::ArenaFull`] or [`Error::OutOfMemory`] as for [`Heap::get_mut`].
    pub fn windows_mut<T: WindowTargets>(&mut self, targets: T) -> Result<T::Slices<'_>> {
        targets.slices(self)
    }
}
