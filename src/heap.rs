//! [`Heap`]: the arenas behind one door.

use crate::arena::{Arena, Scratch};
use crate::kinds::SHAPES;
use crate::object::{Internal, Keys, Object, ObjectInit, Sees, View, ViewMut};
use crate::usage::Usage;
use crate::words::{
    AsHandle, Budget, Cell, Epoch, Error, Handle, HasKind, Kind, Limits, Loan, Policy, Result,
    Shape, object_len, wide,
};
use alloc::vec::Vec;
use core::fmt;

use bumpalo::Bump;

/// How a heap is set up.
///
/// ```
/// use segheap::{Heap, Limits, Settings};
/// let limits = Limits::NONE.with_bytes(64 << 20);
/// let heap = Heap::with(Settings::seeded(0x5EED).limits(limits));
/// # assert_eq!(heap.usage().total_bytes, 0);
/// ```
#[derive(Clone, Copy)]
pub struct Settings {
    generation_seed: u64,
    hash_seed: u64,
    limits: Limits,
}

/// Shows no seed.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Settings {
    /// Both seeds from the host's: for hosts without `std`, and for runs that
    /// are to be repeated. Where handles or keys come from strangers, take a
    /// seed that they cannot know.
    pub const fn seeded(seed: u64) -> Settings {
        let hash_seed = seed.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(32);
        Settings { generation_seed: seed, hash_seed, limits: Limits::NONE }
    }

    /// Random seeds.
    #[cfg(feature = "std")]
    pub fn random() -> Settings {
        use std::hash::{BuildHasher, Hasher, RandomState};
        let random = RandomState::new();
        let mut hasher = random.build_hasher();
        let generation_seed = hasher.finish();
        hasher.write_u8(1);
        Settings { hash_seed: hasher.finish(), generation_seed, limits: Limits::NONE }
    }

    /// Where the generations of slots start. Nothing that a program can see
    /// depends on it, but for which handles of another heap are refused.
    pub const fn generation_seed(self, seed: u64) -> Settings {
        Settings { generation_seed: seed, ..self }
    }

    /// The seed of the hashes of keys.
    pub const fn hash_seed(self, seed: u64) -> Settings {
        Settings { hash_seed: seed, ..self }
    }

    /// What the heap may use.
    pub const fn limits(self, limits: Limits) -> Settings {
        Settings { limits, ..self }
    }
}

#[cfg(feature = "std")]
impl Default for Settings {
    fn default() -> Settings {
        Settings::random()
    }
}

/// A segmented heap: twelve typed arenas, each with a memory of its own.
///
/// A VM keeps [`Cell`]s; [`alloc`](Heap::alloc) makes an object and answers its
/// handle, [`get`](Heap::get) and [`get_mut`](Heap::get_mut) open it for one
/// instruction. What can be done to an object is listed at [`View`] and
/// [`ViewMut`], under its kind.
///
/// A handle of another heap is refused as far as its bits allow: where the slot
/// it names is not in use here, or is in another of its 4,096 lives, which with
/// random seeds leaves one chance in 4,096 that it opens the object of the same
/// kind in that slot. It never reaches other memory.
pub struct Heap {
    pub(crate) arenas: [Arena; ARENAS],
    pub(crate) budget: Budget,
    hash_seed: u64,
    /// Tells this heap's hints from those of others.
    pub(crate) identity: Epoch,
    scratch: Scratch,
    pub(crate) scratch_bytes: usize,
    pub(crate) policy: Policy,
    /// Bytes allocated that make the next collection pay.
    pub(crate) collect_at: u64,
    /// Last number given to a region or a key.
    pub(crate) serial: u64,
    pub(crate) frames: Vec<Frame>,
    /// What was born in open regions.
    pub(crate) births: Vec<Cell>,
    /// Roots of the host's, by bits, and how often each.
    pub(crate) pins: Vec<(Cell, u32)>,
    pub(crate) watches: Vec<(Cell, u64)>,
}

/// A region that is open: its number, and the length of the log before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) serial: u64,
    pub(crate) births: usize,
}

/// The kinds' arenas, and that of seals.
pub(crate) const ARENAS: usize = Kind::COUNT + 1;
pub(crate) const SEALED: Kind = Kind::SEALED;

/// Shows no seed and no generation.
impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = self.usage();
        let mut shown = f.debug_struct("Heap");
        shown.field("live", &usage.live()).field("pages", &usage.pages());
        shown.field("total_bytes", &usage.total_bytes).finish_non_exhaustive()
    }
}

#[cfg(feature = "std")]
impl Default for Heap {
    fn default() -> Heap {
        Heap::new()
    }
}

impl Heap {
    /// A heap with random seeds and no limits. Allocates nothing.
    #[cfg(feature = "std")]
    pub fn new() -> Heap {
        Heap::with(Settings::random())
    }

    /// A heap set up as told. Allocates nothing.
    pub fn with(settings: Settings) -> Heap {
        let mut seed = settings.generation_seed;
        let arenas = core::array::from_fn(|selector| {
            let kind = Kind::from_selector(wide(selector));
            let shape = SHAPES.get(selector).copied().unwrap_or(&Shape::SEAL);
            seed = seed.wrapping_mul(0xD120_2E6F_7653_4E4D).wrapping_add(0x9E37_79B9_7F4A_7C15);
            let seed = u32::try_from(seed >> 32).unwrap_or(0);
            Arena::new(kind, shape, seed)
        });
        Heap {
            arenas,
            budget: Budget::new(settings.limits),
            hash_seed: settings.hash_seed,
            identity: Epoch::NONE,
            scratch: Scratch::default(),
            scratch_bytes: 0,
            policy: Policy::DEFAULT,
            collect_at: Policy::DEFAULT.bytes_min,
            serial: 0,
            frames: Vec::new(),
            births: Vec::new(),
            pins: Vec::new(),
            watches: Vec::new(),
        }
    }

    /// Makes an object: `heap.alloc(List::of(&cells))`. Amortised O(size).
    ///
    /// # Errors
    /// [`Error::Limit`], [`Error::ArenaFull`], [`Error::ObjectTooLarge`] or
    /// [`Error::OutOfMemory`]; the heap is as it was then.
    #[inline(always)]
    pub fn alloc<I: ObjectInit>(&mut self, init: I) -> Result<Handle<I::Kind>> {
        let (len, words) = init.size();
        let cell = self.make(I::Kind::KIND, object_len(len)?, words, |words| {
            init.fill(words, Internal(()));
            Ok(())
        })?;
        Ok(Handle::known(cell))
    }

    /// A new object of `len` elements in `words` words, which `fill` writes.
    #[inline(always)]
    pub(crate) fn make(
        &mut self,
        kind: Kind,
        len: u32,
        words: usize,
        fill: impl FnOnce(&mut [u64]) -> Result<()>,
    ) -> Result<Cell> {
        let log = self.expect_birth()?;
        let (_, arena, _) = split(&mut self.arenas, kind)?;
        let made = arena.alloc(&mut self.budget, len, words, fill);
        self.note_birth(log, made)
    }

    /// Makes sure that a birth can be noted; every allocation begins with this.
    /// Answers the capacity of the log before.
    #[inline(always)]
    pub(crate) fn expect_birth(&mut self) -> Result<usize> {
        let capacity = self.births.capacity();
        if !self.frames.is_empty() && self.births.len() == capacity {
            self.room_for_birth()?;
        }
        Ok(capacity)
    }

    #[cold]
    fn room_for_birth(&mut self) -> Result<()> {
        self.prune_births();
        let (len, capacity) = (self.births.len(), self.births.capacity());
        if len.saturating_mul(2) < capacity {
            return Ok(());
        }
        // Larger, also where something died: else the next birth prunes again.
        let grown = self.budget.reserve(&mut self.births, capacity.saturating_add(1).max(64));
        if len < capacity { Ok(()) } else { grown }
    }

    /// Notes a birth that was expected, or that it failed.
    #[inline(always)]
    pub(crate) fn note_birth(&mut self, log: usize, made: Result<Cell>) -> Result<Cell> {
        match made {
            Ok(cell) if !self.frames.is_empty() => self.births.push(cell),
            Ok(_) => {}
            Err(_) => self.budget.shrink(&mut self.births, log),
        }
        made
    }

    /// Takes the dead out of the log.
    pub(crate) fn prune_births(&mut self) {
        let Heap { arenas, births, frames, .. } = self;
        let (mut position, mut kept) = (0_usize, 0_usize);
        let mut frames = frames.iter_mut().peekable();
        births.retain(|&cell| {
            while let Some(frame) = frames.next_if(|frame| frame.births <= position) {
                frame.births = kept;
            }
            position = position.saturating_add(1);
            let live = alive(arenas, cell);
            kept = kept.saturating_add(usize::from(live));
            live
        });
        frames.for_each(|frame| frame.births = kept);
    }

    /// Opens an object to read. O(1): one compare proves kind, generation and
    /// liveness.
    ///
    /// # Errors
    /// [`Error::NotAHandle`], [`Error::WrongKind`] or [`Error::Stale`], the
    /// first of them that applies.
    #[inline(always)]
    pub fn get<K: Object>(&self, object: impl AsHandle<K>) -> Result<View<'_, K>> {
        let arena = self.arena(K::KIND)?;
        View::new(arena, arena.check(object.into())?, K::Sees::of(self.keys()))
    }

    /// Opens an object to change. O(1), as [`Heap::get`].
    ///
    /// # Errors
    /// As [`Heap::get`].
    #[inline(always)]
    pub fn get_mut<K: Object>(&mut self, object: impl AsHandle<K>) -> Result<ViewMut<'_, K>> {
        let cell: Cell = object.into();
        let (below, arena, above) = split(&mut self.arenas, K::KIND)?;
        arena.check(cell)?;
        let sees = K::Sees::of(Keys::new(below, above, self.hash_seed));
        Ok(ViewMut::new(arena, &mut self.budget, cell.slot(), sees))
    }

    /// Frees an object now. Every copy of its handle answers
    /// [`Error::Stale`] from here on, for ever. O(1).
    ///
    /// # Errors
    /// [`Error::NotAHandle`]; [`Error::Sealed`]; [`Error::Stale`] if it is gone
    /// already.
    #[inline]
    pub fn free(&mut self, object: impl Into<Cell>) -> Result<()> {
        let cell = object.into();
        let kind = cell.kind().ok_or(Error::NotAHandle)?;
        if kind == SEALED {
            return Err(Error::Sealed);
        }
        let (_, arena, _) = split(&mut self.arenas, kind).map_err(|_| Error::Stale { kind })?;
        arena.free(&mut self.budget, cell)
    }

    /// Whether the cell is a handle of an object that is alive.
    #[inline]
    pub fn contains(&self, object: impl Into<Cell>) -> bool {
        let cell = object.into();
        cell.is_handle() && alive(&self.arenas, cell)
    }

    /// Frees every object. Generations go on, so no old handle comes alive;
    /// pages and slots stay reserved. O(slots).
    pub fn clear(&mut self) {
        self.arenas.iter_mut().for_each(Arena::clear);
        self.births.clear();
        self.frames.iter_mut().for_each(|frame| frame.births = 0);
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.budget.limits
    }

    /// Sets other limits. What is in use stays; only growing is refused.
    pub fn set_limits(&mut self, limits: Limits) {
        self.budget.limits = limits;
    }

    /// What the heap uses. O(1).
    pub fn usage(&self) -> Usage {
        let [arenas @ .., seals] = self.arenas.each_ref().map(Arena::usage);
        Usage {
            arenas,
            seals,
            scratch_bytes: wide(self.scratch_bytes),
            total_bytes: wide(self.budget.used),
        }
    }

    /// For tests of how a VM copes: memory grows `n` more times and then is
    /// refused as if the host had none; `None` ends that.
    pub fn fail_growth_after(&mut self, n: Option<u64>) {
        self.budget.refuse_at = n.unwrap_or(u64::MAX);
    }

    #[inline(always)]
    pub(crate) fn arena(&self, kind: Kind) -> Result<&Arena> {
        self.arenas.get(kind.index()).ok_or(Error::NotAHandle)
    }

    /// The arena of a live object, and its slot.
    pub(crate) fn open(&self, cell: Cell) -> Result<(&Arena, crate::arena::Slot)> {
        let kind = cell.kind().ok_or(Error::NotAHandle)?;
        let arena = self.arena(kind).map_err(|_| Error::Stale { kind })?;
        let slot = arena.check(cell).map_err(|_| Error::Stale { kind })?;
        Ok((arena, slot))
    }

    #[inline(always)]
    pub(crate) fn keys(&self) -> Keys<'_> {
        Keys::new(&self.arenas, &[], self.hash_seed)
    }

    /// Gives spare memory of the heap's own lists back.
    pub(crate) fn trim(&mut self) {
        self.budget.replace(self.scratch_bytes, 0);
        (self.scratch, self.scratch_bytes) = (Scratch::default(), 0);
        self.budget.shrink(&mut self.births, 0);
        self.budget.shrink(&mut self.frames, 0);
        self.budget.shrink(&mut self.pins, 0);
        self.budget.shrink(&mut self.watches, 0);
    }

    /// Runs `work` with the heap and its scratch memory. Calls may nest.
    pub(crate) fn scratched<T>(
        &mut self,
        work: impl FnOnce(&mut Heap, &Bump) -> Result<T>,
    ) -> Result<T> {
        let scratch = core::mem::take(&mut self.scratch);
        let bytes = core::mem::take(&mut self.scratch_bytes);
        let loan = self.budget.begin_loan();
        let mut taken = Taken { heap: self, scratch, bytes, loan };
        let bump = taken.scratch.start(&mut taken.heap.budget)?;
        work(taken.heap, bump)
    }
}

/// Scratch memory in use; put back also where the host's code ends by a panic.
struct Taken<'h> {
    heap: &'h mut Heap,
    scratch: Scratch,
    bytes: usize,
    loan: Loan,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Taken { heap, scratch, bytes, loan } = self;
        heap.budget.end_loan(*loan);
        scratch.reset();
        // A nested call has left memory of its own: the larger is kept.
        if scratch.bytes() > heap.scratch_bytes {
            heap.budget.replace(heap.scratch_bytes, 0);
            heap.scratch = core::mem::take(scratch);
            heap.scratch_bytes = heap.scratch.bytes();
            heap.budget.replace(*bytes, heap.scratch_bytes);
        } else {
            heap.budget.replace(*bytes, 0);
        }
    }
}

/// Whether a cell opens a slot of one of the arenas.
#[inline(always)]
pub(crate) fn alive(arenas: &[Arena; ARENAS], cell: Cell) -> bool {
    arenas.get(cell.selector().index()).is_some_and(|arena| arena.contains(cell))
}

type Split<'h> = (&'h mut [Arena], &'h mut Arena, &'h mut [Arena]);

/// One arena to write, the others to read.
#[inline(always)]
pub(crate) fn split(arenas: &mut [Arena; ARENAS], kind: Kind) -> Result<Split<'_>> {
    let (below, rest) = arenas.split_at_mut_checked(kind.index()).ok_or(Error::NotAHandle)?;
    let (arena, above) = rest.split_first_mut().ok_or(Error::NotAHandle)?;
    Ok((below, arena, above))
}

const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Heap>();
    assert!(size_of::<Heap>() <= 2048, "ten thousand heaps have to fit somewhere");
};
