//! [`Bases`]: the addresses at which compiled code finds slots and memories.

use crate::arena::Arena;
use crate::heap::Heap;
use crate::words::{Epoch, Kind};

/// Where the slots and the memory of one arena lie in the address space of this process.
///
/// The layout is that of C. Addresses have been exposed
/// (`expose_provenance`), so that
/// [`with_exposed_provenance`](core::ptr::with_exposed_provenance) turns them into pointers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Base {
    /// The address of the first slot, aligned to 4 bytes. Compiled code never writes to slots.
    pub slots: usize,
    /// The number of slots there. A handle whose slot is not below it is left to the heap: after
    /// a peak, slots lie elsewhere as well.
    pub slot_count: usize,
    /// The address of word 0 of the memory, aligned to 8 bytes.
    pub memory: usize,
    /// The words of the memory.
    pub words: usize,
    /// Changes when an object of the arena is freed, shortened, frozen or moved within the
    /// memory: while it is the same, and not 0, what a slot said of a live object still holds,
    /// though it may have become longer, and a map or set shorter. 0 if it is not counted.
    pub epoch: u64,
}

/// The [`Base`] of every arena, by selector, as [`bases`] and [`bases_mut`] return them.
///
/// **Stale after any use of the heap by `&mut`**: a safe point. Whatever compiled code has read of
/// a `Bases` by then, it reads again, after [`Bases::renew`]. That is the rule; what exactly
/// can change is this:
///
/// - `slots` and `slot_count`: in an allocation of that kind without a free slot, in a collection
///   or the step that ends one, after a peak, in [`Heap::compact`] and [`Heap::clear`].
/// - `memory` and `words`: in an allocation of that kind, or growth of an object, without room, in
///   [`Heap::compact`] and [`Heap::clear`]. A change of a version ([`Heap::append`]) may be an
///   allocation, also [`write_barrier`](super::write_barrier).
/// - All four: in an operation that fails and gives back what it took, or a region that closes.
/// - `epoch`: in whatever frees, shortens, freezes or moves an object of that kind. Growth moves.
/// - `moves`: with each of the above but `epoch`, in any arena, and when other memory of the heap
///   moves.
///
/// So the memory can move while the epoch stands still, such as in an allocation, and offsets can
/// change while nothing moves, such as in [`Heap::free`]: **the epoch guards offsets, `moves`
/// guards addresses.** After a safe point, compiled code that has kept addresses in registers
/// compares `moves`, once, with the value that it kept along with them; if it has kept an offset
/// as well, it compares the epoch.
///
/// `moves` is never the same for two heaps, except for 0, that of heaps without memory.
///
/// ```
/// use segheap::{Heap, I64Arr, Kind, abi};
/// let mut heap = Heap::new();
/// let array = heap.alloc(I64Arr::of(&[1, 2, 3]))?;
/// let mut bases = abi::bases_mut(&mut heap);
/// let kept = bases.moves;
///
/// heap.get_mut(array)?.set(0, 7)?; // safe points
/// assert!(!bases.renew(&mut heap) && bases.moves == kept);
/// heap.get_mut(array)?.extend(&[0; 100_000])?;
/// assert!(bases.renew(&mut heap) && bases.moves != kept);
/// assert!(bases.of(Kind::I64ARR).words > 100_000);
/// # Ok::<(), segheap::Error>(())
/// ```
///
/// A VM keeps it beside its heap, at an address that its compiled code knows. The functions that
/// compiled code calls renew it before they return:
///
/// ```
/// use segheap::abi::Bases;
/// use segheap::{Cell, Heap, List, abi};
///
/// #[repr(C)]
/// struct Vm {
///     bases: Bases, // first: compiled code gets the address of the `Vm`
///     heap: Heap,
/// }
///
/// /// `list.push(value)`, with the operands in registers; 0 if the interpreter has to do it.
/// extern "C" fn push(vm: &mut Vm, list: u64, value: u64) -> u64 {
///     let done = abi::cell(list).zip(abi::cell(value)).and_then(|(list, value)| {
///         vm.heap.get_mut::<List>(list).ok()?.push(value).ok()
///     });
///     vm.bases.renew(&mut vm.heap);
///     u64::from(done.is_some())
/// }
///
/// let mut heap = Heap::new();
/// let list = heap.alloc(List::new())?;
/// let mut vm = Vm { bases: abi::bases_mut(&mut heap), heap };
/// assert_eq!(push(&mut vm, abi::bits(list.cell()), abi::bits(Cell::NULL)), 1);
/// assert_eq!(vm.bases, abi::bases_mut(&mut vm.heap));
/// # Ok::<(), segheap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Bases {
    /// Changes when anything has moved, or has another length.
    pub moves: u64,
    /// The arenas, by the selector of their kind; all 0 for spare selectors.
    pub arenas: [Base; Bases::ARENAS],
}

impl Bases {
    /// The number of selectors: 16.
    pub const ARENAS: usize = 16;

    /// Returns the base of the arena of a kind.
    #[inline]
    pub fn of(&self, kind: Kind) -> Base {
        self.arenas.get(kind.index()).copied().unwrap_or_default()
    }

    /// Brings this up to date after uses of the heap, for writes as well. Returns whether anything
    /// has moved, or this was of another heap; otherwise only epochs may have changed. O(1).
    #[inline]
    pub fn renew(&mut self, heap: &mut Heap) -> bool {
        let has_moved = self.moves != moves(heap);
        if has_moved {
            *self = bases_mut(heap);
        } else {
            for arena in heap.store.arenas().iter() {
                if let Some(base) = self.arenas.get_mut(arena.kind().index()) {
                    base.epoch = arena.epoch().number();
                }
            }
        }
        has_moved
    }
}

/// Returns the number that changes when memory of the heap moves: [`Bases::moves`]. O(1).
///
/// ```
/// use segheap::{Bytes, Heap, abi};
/// let (mut heap, empty) = (Heap::new(), abi::moves(&Heap::new()));
/// heap.alloc(Bytes::of(b"payload"))?;
/// assert_ne!(abi::moves(&heap), empty);
/// # Ok::<(), segheap::Error>(())
/// ```
#[inline]
pub fn moves(heap: &Heap) -> u64 {
    heap.store.account().moves().number()
}

/// Returns the addresses of all arenas, to read. Stale after any use of the heap by `&mut`; see
/// [`Bases`]. Nothing may be written to these addresses. Epochs count only if a hint or
/// [`bases_mut`] has started them. O(1).
///
/// ```
/// use segheap::{Bytes, Heap, Kind, abi};
/// let mut heap = Heap::new();
/// heap.alloc(Bytes::of(b"payload"))?;
/// let base = abi::bases(&heap).of(Kind::BYTES);
/// let slots = abi::slots(&heap, Kind::BYTES).unwrap();
/// assert_eq!((base.slots, base.slot_count), (slots.as_ptr().addr(), slots.len()));
/// assert_eq!(base.words, 8_192); // a page
/// # Ok::<(), segheap::Error>(())
/// ```
pub fn bases(heap: &Heap) -> Bases {
    let mut bases = Bases::empty(heap);
    for arena in heap.store.arenas().iter() {
        let (slots, memory) = arena.addresses();
        bases.set(arena, slots.expose_provenance(), memory.expose_provenance());
    }
    bases
}

/// Returns the addresses of all arenas, to read slots, and to read and write memories. Stale after
/// any use of the heap by `&mut`; see [`Bases`]. Starts the epochs. O(1).
///
/// Compiled code writes elements of live objects that are not frozen, and nothing else:
///
/// - into `I64Arr`, `F64Arr`, `U8Arr` and `Bytes` anything, if [`slot::CAP`] has no flags;
/// - into `List`, `Struct`, `Closure` and `Pair` cells, by the rule of [`write_barrier`].
///
/// The elements of the other kinds are changed by functions of [`Heap`] alone.
///
/// [`slot::CAP`]: super::layout::slot::CAP
/// [`write_barrier`]: super::write_barrier
pub fn bases_mut(heap: &mut Heap) -> Bases {
    let mut bases = Bases::empty(heap);
    for arena in heap.store.arenas_mut().iter_mut() {
        // Once the process has no epochs left, they stay 0: not counted.
        let _ = arena.start_epoch();
        let (slots, memory) = arena.addresses_mut();
        bases.set(arena, slots.expose_provenance(), memory.expose_provenance());
    }
    bases
}

impl Bases {
    fn empty(heap: &Heap) -> Bases {
        Bases { moves: moves(heap), arenas: [Base::default(); Bases::ARENAS] }
    }

    fn set(&mut self, arena: &Arena, slots: usize, memory: usize) {
        if let Some(base) = self.arenas.get_mut(arena.kind().index()) {
            *base = Base {
                slots,
                slot_count: arena.slots().len(),
                memory,
                words: arena.memory().words().len(),
                epoch: arena.epoch().number(),
            };
        }
    }
}

const _: () = {
    const fn sent<T: Send + Sync>() {}
    sent::<Bases>();
    assert!(Epoch::NONE.number() == 0);
};
