//! [`Handle<K>`]: a cell whose kind the type system knows.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use core::num::NonZeroU64;

use super::cell::{Cell, SELECTOR_SHIFT, TAG_HANDLE};
use super::error::Result;
use super::kind::{HasKind, Private};

/// Names one object of kind `K`: 8 bytes, `Copy`, no lifetime.
///
/// A handle comes from an allocation or from copying a handle. It does not keep
/// its object alive; a handle whose object is gone answers
/// [`Error::Stale`](crate::Error::Stale), for ever.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Handle<K> {
    bits: NonZeroU64,
    kind: PhantomData<fn() -> K>,
}

const _: () = assert!(size_of::<Handle<()>>() == 8 && size_of::<Option<Handle<()>>>() == 8);

impl<K: HasKind> Handle<K> {
    pub(crate) fn of(cell: Cell) -> Option<Handle<K>> {
        if cell.bits() >> SELECTOR_SHIFT != (TAG_HANDLE << 4) | K::KIND.selector() {
            return None;
        }
        Some(Handle { bits: NonZeroU64::new(cell.bits())?, kind: PhantomData })
    }

    /// `cell` is a handle of kind `K`.
    #[inline(always)]
    pub(crate) fn known(cell: Cell) -> Handle<K> {
        debug_assert!(Handle::<K>::of(cell).is_some());
        // The tag of handles has this bit; said again, it proves the rest.
        let bits = NonZeroU64::new(cell.bits() | 1 << 63).unwrap_or(NonZeroU64::MAX);
        Handle { bits, kind: PhantomData }
    }

    /// The handle as a cell; free.
    pub fn cell(self) -> Cell {
        self.into()
    }
}

impl Cell {
    /// The cell as a handle of kind `K`: one compare. Whether the object is
    /// still alive shows when the handle is used.
    ///
    /// # Errors
    /// [`Error::NotAHandle`](crate::Error::NotAHandle) or [`Error::WrongKind`](crate::Error::WrongKind).
    pub fn to_handle<K: HasKind>(self) -> Result<Handle<K>> {
        Handle::of(self).ok_or_else(|| self.rejection(K::KIND))
    }
}

impl<K> From<Handle<K>> for Cell {
    fn from(handle: Handle<K>) -> Cell {
        Cell::raw(handle.bits.get())
    }
}

impl<K: HasKind> Hash for Handle<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Cell::from(*self).hash(state);
    }
}

impl<K: HasKind> fmt::Debug for Handle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Cell::from(*self), f)
    }
}

/// A [`Handle<K>`], or a [`Cell`] that should hold one: what [`Heap::get`] and
/// its relatives take, so that a VM passes its registers as they are. A cell
/// costs no more than a handle: the compare that proves the generation proves
/// the kind as well.
///
/// [`Heap::get`]: crate::Heap::get
pub trait AsHandle<K>: Into<Cell> + Copy + Private {}

impl<K> Private for Handle<K> {}
impl<K: HasKind> AsHandle<K> for Handle<K> {}
impl Private for Cell {}
impl<K: HasKind> AsHandle<K> for Cell {}
