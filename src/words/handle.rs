//! [`Handle<K>`]: a cell whose kind the type system knows.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU64;

use super::cell::{Cell, SELECTOR_SHIFT, TAG_HANDLE};
use super::error::Result;
use super::kind::{HasKind, Private};

/// A generational handle of an object of kind `K`: 8 bytes, `Copy`, without a
/// lifetime.
///
/// [`Heap::alloc`](crate::Heap::alloc) returns one; [`Cell::to_handle`] turns a
/// cell into one. A handle does not keep its object alive. Once the object is
/// freed, each use of the handle fails with [`Error::Stale`](crate::Error::Stale),
/// even when another object has taken the slot: the slot is in another generation
/// then, and retires when it has used all of them.
///
/// ```
/// use segheap::{Cell, Error, Handle, Heap, List};
/// let mut heap = Heap::new();
/// let list: Handle<List> = heap.alloc(List::new())?;
/// let register: Cell = list.into();
/// assert_eq!(register.to_handle()?, list);
/// heap.free(list)?;
/// let next = heap.alloc(List::new())?; // in the same slot
/// assert!(matches!(heap.get(list), Err(Error::Stale { .. })));
/// assert!(heap.get(next).is_ok());
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handle<K> {
    bits: NonZeroU64,
    kind: PhantomData<fn() -> K>,
}

const _: () = assert!(size_of::<Handle<()>>() == 8 && size_of::<Option<Handle<()>>>() == 8);

impl<K: HasKind> Handle<K> {
    /// The cell as a handle, if it is one of kind `K`.
    pub(crate) fn of(cell: Cell) -> Option<Handle<K>> {
        if cell.bits() >> SELECTOR_SHIFT != (TAG_HANDLE << 4) | K::KIND.selector() {
            return None;
        }
        Some(Handle { bits: NonZeroU64::new(cell.bits())?, kind: PhantomData })
    }

    /// A cell that the caller knows to be a handle of kind `K`.
    #[inline(always)]
    pub(crate) fn known(cell: Cell) -> Handle<K> {
        debug_assert!(Handle::<K>::of(cell).is_some());
        // The tag of a handle has this bit. Setting it again proves to the
        // compiler that the word is not zero.
        let bits = NonZeroU64::new(cell.bits() | 1 << 63).unwrap_or(NonZeroU64::MAX);
        Handle { bits, kind: PhantomData }
    }

    /// Returns the handle as a cell, which has the same bits.
    pub fn cell(self) -> Cell {
        self.into()
    }
}

impl Cell {
    /// Returns the cell as a handle of kind `K`. O(1): one compare. Reads the cell
    /// alone: that the object was freed shows when the handle is used.
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap, Kind, List, Map};
    /// let mut heap = Heap::new();
    /// let cell = heap.alloc(List::new())?.cell();
    /// assert!(cell.to_handle::<List>().is_ok());
    /// let wrong = Error::WrongKind { found: Kind::LIST, wanted: Kind::MAP };
    /// assert_eq!(cell.to_handle::<Map>(), Err(wrong));
    /// assert_eq!(Cell::NULL.to_handle::<List>(), Err(Error::NotAHandle));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`](crate::Error::NotAHandle) if the cell holds no handle;
    /// [`Error::Sealed`](crate::Error::Sealed) if it is sealed;
    /// [`Error::WrongKind`](crate::Error::WrongKind) if its object is of another
    /// kind.
    pub fn to_handle<K: HasKind>(self) -> Result<Handle<K>> {
        Handle::of(self).ok_or_else(|| self.rejection(K::KIND))
    }
}

impl<K> From<Handle<K>> for Cell {
    fn from(handle: Handle<K>) -> Cell {
        Cell::raw(handle.bits.get())
    }
}

/// As [`Cell`]: without the generation.
impl<K: HasKind> Hash for Handle<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Cell::from(*self).hash(state);
    }
}

/// As [`Cell`]: by kind and slot.
impl<K: HasKind> fmt::Debug for Handle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Cell::from(*self), f)
    }
}

/// A [`Handle<K>`], or a [`Cell`] that may hold one. [`Heap::get`] and the like
/// take either, so that a VM passes its registers as they are.
///
/// A cell costs no more than a handle: the compare that proves the generation
/// proves the kind as well. A handle infers `K`; a cell needs it spelled out.
///
/// ```
/// use segheap::{Cell, Heap, List};
/// let mut heap = Heap::new();
/// let list = heap.alloc(List::of(&[7.into()]))?;
/// let register = Cell::from(list);
/// assert_eq!(heap.get(list)?.get(0)?, heap.get::<List>(register)?.get(0)?);
/// # Ok::<(), segheap::Error>(())
/// ```
///
/// [`Heap::get`]: crate::Heap::get
pub trait AsHandle<K>: Into<Cell> + Copy + Private {}

impl<K> Private for Handle<K> {}
impl<K: HasKind> AsHandle<K> for Handle<K> {}
impl Private for Cell {}
impl<K: HasKind> AsHandle<K> for Cell {}
