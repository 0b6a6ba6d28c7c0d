//! [`Heap`]: objects, when to collect them, what the host holds on to.

mod arenas;
mod ids;
mod log;
mod pacer;
mod roots;
mod scratch;
mod settings;
mod store;
mod usage;

pub(crate) use arenas::Arenas;
pub(crate) use ids::Ids;
pub(crate) use log::OpenRegion;
pub(crate) use pacer::Pacer;
pub(crate) use roots::Roots;
pub(crate) use scratch::{ScratchPool, ScratchSpace};
pub use settings::Settings;
pub(crate) use store::{Store, StoreParts};
pub use usage::Usage;

use core::fmt;

use crate::kinds::SHAPES;
use crate::object::{Object, ObjectInit, View, ViewMut};
use crate::words::{AsHandle, Cell, Handle, Limits, Result};

/// A segmented heap: one typed arena for each kind, each with a linear memory of
/// its own.
///
/// A VM keeps [`Cell`]s. [`alloc`](Heap::alloc) allocates an object and returns
/// its handle; [`get`](Heap::get) and [`get_mut`](Heap::get_mut) borrow it for
/// one instruction. What can be done with an object is listed at [`View`] and
/// [`ViewMut`], under its kind.
///
/// A handle of another heap is rejected as far as its bits allow: it fails unless
/// its slot is in use here and in the same one of its 4,096 generations, which
/// with random seeds leaves one chance in 4,096 that it opens the object of the
/// same kind in that slot. It never reaches other memory.
pub struct Heap {
    pub(crate) store: Store,
    pub(crate) pacer: Pacer,
    pub(crate) roots: Roots,
    pub(crate) scratch: ScratchPool,
    pub(crate) ids: Ids,
}

/// Shows no seed and no generation.
impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = self.usage();
        let mut shown = f.debug_struct("Heap");
        shown.field("live", &usage.live()).field("pages", &usage.pages());
        shown.field("total_bytes", &usage.total_bytes).finish_non_exhaustive()
    }
}

#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
impl Default for Heap {
    fn default() -> Heap {
        Heap::new()
    }
}

impl Heap {
    /// Creates a heap with random seeds and no limits. Allocates nothing.
    ///
    /// Exists where [`Settings::random`] does.
    #[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
    pub fn new() -> Heap {
        Heap::with(Settings::random())
    }

    /// Creates a heap with these settings. Allocates nothing.
    pub fn with(settings: Settings) -> Heap {
        Heap {
            store: Store::new(settings),
            pacer: Pacer::new(),
            roots: Roots::new(),
            scratch: ScratchPool::default(),
            ids: Ids::new(),
        }
    }

    /// Allocates an object: `heap.alloc(List::of(&cells))`. Amortised O(size).
    ///
    /// ```
    /// use segheap::{Heap, List, Map, Pair};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into(), 2.into()]))?;
    /// let pair = heap.alloc(Pair::of(list.into(), 3.into()))?;
    /// let map = heap.alloc(Map::new())?;
    /// assert_eq!(heap.display(pair).to_string(), "([1, 2], 3)");
    /// # let _ = map;
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]; nothing has changed then.
    ///
    /// [`Error::Limit`]: crate::Error::Limit
    /// [`Error::ArenaFull`]: crate::Error::ArenaFull
    /// [`Error::ObjectTooLarge`]: crate::Error::ObjectTooLarge
    /// [`Error::OutOfMemory`]: crate::Error::OutOfMemory
    #[inline(always)]
    pub fn alloc<I: ObjectInit>(&mut self, init: I) -> Result<Handle<I::Kind>> {
        self.store.alloc(init)
    }

    /// Opens an object to read. O(1): one compare proves kind, generation and
    /// liveness.
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap, Kind, List, Map};
    /// let mut heap = Heap::new();
    /// let register: Cell = heap.alloc(List::of(&[7.into()]))?.into();
    /// assert_eq!(heap.get::<List>(register)?.get(0)?, 7.into());
    /// let wrong = heap.get::<Map>(register).err();
    /// assert_eq!(wrong, Some(Error::WrongKind { found: Kind::LIST, wanted: Kind::MAP }));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`] for a cell that holds no handle, [`Error::Sealed`],
    /// [`Error::WrongKind`], or [`Error::Stale`] if the object was freed: the
    /// first of them that applies.
    ///
    /// [`Error::NotAHandle`]: crate::Error::NotAHandle
    /// [`Error::Sealed`]: crate::Error::Sealed
    /// [`Error::WrongKind`]: crate::Error::WrongKind
    /// [`Error::Stale`]: crate::Error::Stale
    #[inline(always)]
    pub fn get<K: Object>(&self, object: impl AsHandle<K>) -> Result<View<'_, K>> {
        self.store.get(object)
    }

    /// Opens an object to change. O(1), as [`Heap::get`].
    ///
    /// ```
    /// use segheap::{Heap, Struct};
    /// let mut heap = Heap::new();
    /// let point = heap.alloc(Struct::new(0, 2))?;
    /// heap.get_mut(point)?.set(1, 4.into())?;
    /// assert_eq!(heap.get(point)?.get(1)?, 4.into());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::get`].
    #[inline(always)]
    pub fn get_mut<K: Object>(&mut self, object: impl AsHandle<K>) -> Result<ViewMut<'_, K>> {
        self.store.get_mut(object)
    }

    /// Frees an object now. From here on every copy of its handle fails with
    /// [`Error::Stale`](crate::Error::Stale). O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// heap.free(list)?;
    /// assert!(matches!(heap.free(list), Err(Error::Stale { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotAHandle`](crate::Error::NotAHandle);
    /// [`Error::Sealed`](crate::Error::Sealed);
    /// [`Error::Stale`](crate::Error::Stale) if the object was freed before.
    #[inline]
    pub fn free(&mut self, object: impl Into<Cell>) -> Result<()> {
        self.store.free(object.into())
    }

    /// Returns whether the cell is a handle of a live object. O(1).
    #[inline]
    pub fn contains(&self, object: impl Into<Cell>) -> bool {
        self.store.contains(object.into())
    }

    /// Frees every object. Generations go on, so every old handle is stale;
    /// pages and slots stay reserved. O(slots).
    pub fn clear(&mut self) {
        self.store.clear();
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.store.account().limits()
    }

    /// Sets other limits. What is in use stays; only growth fails.
    pub fn set_limits(&mut self, limits: Limits) {
        self.store.account_mut().set_limits(limits);
    }

    /// What the heap holds. O(1).
    pub fn usage(&self) -> Usage {
        self.store.usage(self.scratch.bytes())
    }

    /// Makes memory grow `n` more times and then fail with
    /// [`Error::OutOfMemory`](crate::Error::OutOfMemory), to test how a VM copes;
    /// `None` ends that.
    pub fn fail_growth_after(&mut self, n: Option<u64>) {
        self.store.account_mut().fail_growth_after(n);
    }

    /// Gives spare memory of the heap's own lists back.
    pub(crate) fn trim(&mut self) {
        let account = self.store.account_mut();
        self.scratch.trim(account);
        self.roots.trim(account);
        self.store.trim();
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Heap>();
    assert!(
        size_of::<Heap>() <= Arenas::COUNT * 160 + 256,
        "ten thousand heaps have to fit somewhere"
    );
};
