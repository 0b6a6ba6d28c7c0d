//! Several objects, or parts of one, to write at once.

use core::ops::{Range, RangeBounds};

use crate::heap::{Arenas, Heap};
use crate::object::Mutable;
use crate::words::{Element, Error, Handle, Private, Result, corrupt, range, to_usize};

/// Bytes of one arena's payload, which lie in the object in a slot.
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

/// What can be a member of [`Heap::windows_mut`]: a handle, for all elements of
/// its object, or a handle and a range of them.
pub trait WindowTarget: Private {
    /// The type of the elements.
    type Element: Element;
    #[doc(hidden)]
    fn span(self, heap: &Heap) -> Result<Span>;
}

impl<K, R> Private for (Handle<K>, R) {}

impl<K: Mutable> WindowTarget for Handle<K> {
    type Element = K::Element;

    fn span(self, heap: &Heap) -> Result<Span> {
        (self, ..).span(heap)
    }
}

impl<K: Mutable, R: RangeBounds<usize>> WindowTarget for (Handle<K>, R) {
    type Element = K::Element;

    fn span(self, heap: &Heap) -> Result<Span> {
        let arena = heap.store.arena(K::KIND)?;
        let slot = arena.check(self.0.cell())?;
        let Range { start, end } = slot.span(arena.shape(), range(self.1, to_usize(slot.len))?);
        Ok(Span { place: K::KIND.place(), slot: self.0.cell().slot(), start, end })
    }
}

/// A tuple of up to four [`WindowTarget`]s.
pub trait WindowTargets {
    /// A tuple of slices.
    type Slices<'h>;
    #[doc(hidden)]
    fn slices(self, heap: &mut Heap) -> Result<Self::Slices<'_>>;
}

macro_rules! disjoint {
    ($($n:literal: $($WindowTarget:ident $part:ident)*;)*) => {$(
        impl<$($WindowTarget: WindowTarget),*> WindowTargets for ($($WindowTarget,)*) {
            type Slices<'h> = ($(&'h mut [$WindowTarget::Element],)*);

            fn slices(self, heap: &mut Heap) -> Result<Self::Slices<'_>> {
                let ($($part,)*) = self;
                let spans: [Span; $n] = [$($part.span(heap)?),*];
                let [$($part),*] = carve(heap.store.parts().arenas, &spans)?;
                Ok(($($WindowTarget::Element::bytes_mut($part).ok_or_else(corrupt)?,)*))
            }
        }
    )*};
}
disjoint! {
    1: A a;
    2: A a B b;
    3: A a B b C c;
    4: A a B b C c D d;
}

/// The rest of an arena's payload, of which slices were taken from the front.
struct Rest<'h> {
    place: usize,
    /// Bytes taken.
    position: usize,
    bytes: &'h mut [u8],
}

/// The spans as slices of their arenas' payloads. Safe Rust borrows several parts
/// of one slice mutably only from front to back, so they are taken in order.
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
        let (Some(&span), Some(place)) = (spans.get(n), carved.get_mut(n)) else { continue };
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
    /// Opens the elements of several objects to write at once, of one kind or of
    /// several, or disjoint parts of one object. O(1).
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
    /// # Errors
    /// Those of [`Heap::get`] for the first part they apply to;
    /// [`Error::OutOfRange`]; [`Error::Overlap`].
    pub fn windows_mut<D: WindowTargets>(&mut self, parts: D) -> Result<D::Slices<'_>> {
        parts.slices(self)
    }
}
