//! [`Heap`]: a store of objects, the pacer of collections, the host's roots, scratch
//! memory.

mod compaction;
mod cycle;
mod ephemerons;
mod hosts;
mod ids;
mod log;
mod pacer;
mod profile;
mod roots;
mod scratch;
mod settings;
mod stats;
mod store;
mod usage;
mod watches;

pub(crate) use compaction::{Compaction, Stage};
pub(crate) use cycle::{Cycle, Partial, Phase, Position};
pub(crate) use ephemerons::{Ephemeron, Ephemerons};
pub(crate) use hosts::{Hosts, NewValue, Value};
pub(crate) use ids::Ids;
pub(crate) use log::OpenRegion;
pub(crate) use pacer::Pacer;
pub use profile::{SiteCount, SiteUsage};
pub(crate) use roots::Roots;
pub(crate) use scratch::{ScratchPool, ScratchSpace};
pub use settings::Settings;
pub use stats::CollectorStats;
pub(crate) use stats::Stopwatch;
pub(crate) use store::{Checkpoint, Store, StoreParts};
pub use usage::Usage;

use core::fmt;

use crate::arena::Arenas;
use crate::object::{Object, ObjectInit, View, ViewMut};
use crate::words::{AsHandle, Cell, Error, Handle, Limits, Result, to_u64};

#[cfg(doc)]
use crate::{List, Map};

/// A segmented heap: one typed arena for each kind, each with a linear memory of its
/// own.
///
/// A VM keeps [`Cell`]s. [`alloc`](Heap::alloc) allocates an object and returns its
/// handle; [`get`](Heap::get) and [`get_mut`](Heap::get_mut) check a handle and borrow
/// its object. [`View`] and [`ViewMut`] list the operations on an object, by kind. The
/// [front page](crate) lists the operations of the heap by topic.
///
/// ```
/// use segheap::{Cell, Error, Heap, List, Unpacked};
/// let mut heap = Heap::new();
/// let mut registers = [Cell::NULL; 2];
/// registers[0] = heap.alloc(List::of(&[1.into(), 2.into()]))?.into();
/// registers[1] = heap.get::<List>(registers[0])?.get(1)?;
/// assert_eq!(registers[1].unpack(), Unpacked::Int(2));
/// assert_eq!(heap.get::<List>(registers[1]).err(), Some(Error::NotAHandle));
/// # Ok::<(), Error>(())
/// ```
///
/// A handle of another heap fails with [`Error::Stale`], except if its slot is live
/// here and has the same generation of 12 bits: with random seeds, one handle in 4,096
/// of those whose slot is live opens the object of its kind in that slot. No handle
/// reaches memory outside of an object.
///
/// A heap is `Send` and `Sync`. An empty heap allocates nothing.
pub struct Heap {
    pub(crate) store: Store,
    pub(crate) pacer: Pacer,
    pub(crate) cycle: Cycle,
    pub(crate) compaction: Compaction,
    pub(crate) roots: Roots,
    pub(crate) scratch: ScratchPool,
    pub(crate) ids: Ids,
    pub(crate) stats: CollectorStats,
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
    /// Creates a heap with random seeds and no limits. Allocates nothing. O(kinds).
    ///
    /// Available where [`Settings::random`] is.
    #[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
    pub fn new() -> Heap {
        Heap::with(Settings::random())
    }

    /// Creates a heap with these settings. Allocates nothing. O(kinds).
    ///
    /// ```
    /// use segheap::{Heap, Limits, Settings};
    /// let limits = Limits::NONE.with_bytes(64 << 20);
    /// let heap = Heap::with(Settings::seeded(0x5EED).limits(limits));
    /// assert_eq!(heap.limits(), limits);
    /// ```
    pub fn with(settings: Settings) -> Heap {
        Heap {
            store: Store::new(settings),
            pacer: Pacer::new(),
            cycle: Cycle::default(),
            compaction: Compaction::default(),
            roots: Roots::new(settings.hash_seed),
            scratch: ScratchPool::default(),
            ids: Ids::new(),
            stats: CollectorStats::default(),
        }
    }

    /// Allocates an object and returns its handle. The object is described by a
    /// constructor of its kind ([`List::of`], [`Map::new`], …). Amortised O(n) for a
    /// block of n words. Never collects: see [`Heap::should_collect`].
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
    /// [`Error::Limit`] if a limit refuses the growth of the arena, of its slots or of
    /// the log of an open region; [`Error::ArenaFull`] if the arena has no addresses or
    /// slots left; [`Error::ObjectTooLarge`] if the object has more than 2^32 - 1
    /// elements or 2^29 - 1 words; [`Error::OutOfMemory`] if the global allocator fails. The
    /// heap is unchanged.
    #[inline(always)]
    pub fn alloc<I: ObjectInit>(&mut self, init: I) -> Result<Handle<I::Kind>> {
        self.store.alloc(init)
    }

    /// Opens an object to read. O(1): one comparison checks kind, generation and
    /// liveness. An object that a collection in steps has found to be garbage can be opened
    /// until it is freed: see [`Heap::step`].
    ///
    /// The kind is known from a [`Handle`], or named for a [`Cell`]:
    /// `heap.get::<List>(cell)`.
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
    /// The first of these that applies: [`Error::NotAHandle`] if the cell is no handle;
    /// [`Error::Sealed`] if it is sealed; [`Error::WrongKind`] if it is a handle of
    /// another kind; [`Error::Stale`] if the object was freed. [`Error::Corrupt`] only
    /// if this crate has a bug.
    #[inline(always)]
    pub fn get<K: Object>(&self, object: impl AsHandle<K>) -> Result<View<'_, K>> {
        self.store.get(object)
    }

    /// Opens an object to change. O(1); O(len) for one that shares its block with other versions
    /// ([`Heap::append`]), which is copied first.
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
    /// The first of these that applies: [`Error::NotAHandle`] if the cell is no handle;
    /// [`Error::Sealed`] if it is sealed; [`Error::WrongKind`] if it is a handle of
    /// another kind; [`Error::Stale`] if the object was freed; [`Error::Frozen`]
    /// if it is frozen; [`Error::Limit`], [`Error::ArenaFull`] or [`Error::OutOfMemory`] if it
    /// shares its block, and cannot get one of its own.
    #[inline(always)]
    pub fn get_mut<K: Object>(&mut self, object: impl AsHandle<K>) -> Result<ViewMut<'_, K>> {
        self.store.get_mut(object)
    }

    /// Frees an object. From here on every copy of its handle fails with
    /// [`Error::Stale`]. Objects that it refers to stay live. The value of a host object is
    /// dropped. O(1).
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
    /// [`Error::NotAHandle`] if the cell is no handle; [`Error::Sealed`] if it is
    /// sealed; [`Error::Stale`] if the object was freed before; [`Error::Symbol`] if it is a
    /// symbol: other holders of the same text would lose it.
    #[inline]
    pub fn free(&mut self, object: impl Into<Cell>) -> Result<()> {
        let cell = object.into();
        if self.roots.is_watching() {
            return self.free_noted(cell);
        }
        self.store.free(cell)
    }

    /// [`Heap::free`] where the object may be watched, or a symbol.
    #[cold]
    fn free_noted(&mut self, cell: Cell) -> Result<()> {
        if self.store.is_symbol(cell) {
            return Err(Error::Symbol);
        }
        self.store.free(cell)?;
        self.roots.note_freed(cell);
        self.drop_dead_values();
        Ok(())
    }

    /// Returns whether the cell is a handle of a live object, or a sealed cell whose
    /// seal is live, and that no collection in steps has found to be garbage. O(1).
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// assert!(heap.contains(list) && !heap.contains(Cell::TRUE));
    /// heap.free(list)?;
    /// assert!(!heap.contains(list));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline]
    pub fn contains(&self, object: impl Into<Cell>) -> bool {
        self.store.is_usable(object.into())
    }

    /// Frees every object, pinned ones, seals and host objects included. Every old handle is stale:
    /// generations advance. Pages and slots stay reserved, regions stay open. O(slots).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::zeroed(4))?;
    /// heap.clear();
    /// assert!(!heap.contains(list) && heap.usage().pages() > 0);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn clear(&mut self) {
        self.cycle.end(self.store.account_mut());
        self.compaction.end();
        self.store.clear();
        self.roots.note_all_freed(self.store.arenas());
        self.drop_dead_values();
    }

    /// Returns the limits in force.
    pub fn limits(&self) -> Limits {
        self.store.account().limits()
    }

    /// Sets other limits. Memory in use stays, even above the new limits; only growth
    /// fails.
    ///
    /// ```
    /// use segheap::{Error, Heap, Limits, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// heap.set_limits(Limits::NONE.with_bytes(0));
    /// let mut view = heap.get_mut(list)?;
    /// assert!(matches!(view.reserve(100_000), Err(Error::Limit(_))));
    /// heap.set_limits(Limits::NONE);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn set_limits(&mut self, limits: Limits) {
        self.store.account_mut().set_limits(limits);
    }

    /// Returns the counts and bytes of the heap, arena by arena. O(kinds).
    ///
    /// ```
    /// use segheap::{Heap, Kind, List};
    /// let mut heap = Heap::new();
    /// heap.alloc(List::new())?;
    /// assert_eq!(heap.usage().arena(Kind::LIST).map(|lists| lists.live), Some(1));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn usage(&self) -> Usage {
        self.store.usage(self.scratch.bytes(), to_u64(self.roots.hosts().bytes()))
    }

    /// Returns what the collections of this heap have done since it was created, and, where
    /// there is a clock, how long they took. O(1).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let kept = heap.alloc(List::new())?;
    /// while !heap.step([kept], 1 << 10)?.finished {}
    /// assert_eq!(heap.collector_stats().cycles, 1);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn collector_stats(&self) -> CollectorStats {
        self.stats
    }

    /// Injects failures, to test a VM: memory grows `n` more times, and each growth
    /// after that fails with [`Error::OutOfMemory`], or with [`Error::Limit`] in
    /// scratch memory. `None` ends it.
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// heap.fail_growth_after(Some(0));
    /// assert_eq!(heap.alloc(List::new()), Err(Error::OutOfMemory));
    /// heap.fail_growth_after(None);
    /// assert!(heap.alloc(List::new()).is_ok());
    /// # Ok::<(), Error>(())
    /// ```
    pub fn fail_growth_after(&mut self, n: Option<u64>) {
        self.store.account_mut().fail_growth_after(n);
    }

    /// Gives back scratch memory, and spare capacity of pins, watches and log.
    pub(crate) fn trim(&mut self) {
        let account = self.store.account_mut();
        self.scratch.trim(account);
        account.shrink(&mut self.cycle.work, 0);
        self.roots.trim(account);
        self.store.trim();
    }
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Heap>();
    assert!(
        size_of::<Heap>() <= Arenas::COUNT * 160 + 1344,
        "ten thousand heaps have to fit somewhere"
    );
};
