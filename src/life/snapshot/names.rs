//! [`SnapshotNames`]: names that a VM gives; [`Interned`]: those that a snapshot has met.

use alloc::vec::Vec;

use crate::arena::{Index, Indexed};
use crate::heap::Heap;
use crate::words::{Cell, Error, HashSeeds, Result, to_u64};

/// Names that a VM gives to what [`Heap::write_heap_snapshot`] shows. `()` gives none.
///
/// ```
/// use segheap::{Cell, Heap, SnapshotNames, Struct};
/// /// The shapes of a VM: the name of the class, and those of the fields.
/// struct Shapes(Vec<(&'static str, Vec<&'static str>)>);
///
/// impl SnapshotNames for Shapes {
///     fn class(&self, heap: &Heap, object: Cell) -> Option<&str> {
///         let shape = heap.get::<Struct>(object).ok()?.shape();
///         Some(self.0.get(shape as usize)?.0)
///     }
///
///     fn field(&self, heap: &Heap, object: Cell, index: u32) -> Option<&str> {
///         let shape = heap.get::<Struct>(object).ok()?.shape();
///         self.0.get(shape as usize)?.1.get(index as usize).copied()
///     }
/// }
///
/// let shapes = Shapes(vec![("Node", vec!["value", "next"])]);
/// let mut heap = Heap::new();
/// let last = heap.alloc(Struct::of(0, &[2.into(), Cell::NULL]))?;
/// let first = heap.alloc(Struct::of(0, &[1.into(), last.into()]))?;
/// let mut json = String::new();
/// heap.write_heap_snapshot(&mut json, [first], &shapes).unwrap();
/// assert!(json.contains(r#""Node""#) && json.contains(r#""next""#));
/// # Ok::<(), segheap::Error>(())
/// ```
pub trait SnapshotNames {
    /// Returns the class of an object: that of a [`Struct`](crate::Struct) by its shape, of
    /// a [`Closure`](crate::Closure) by its function. An object without one shows its kind.
    /// Called once for each live object that is neither a text nor an integer.
    fn class(&self, heap: &Heap, object: Cell) -> Option<&str> {
        let _ = (heap, object);
        None
    }

    /// Returns the name of the element of an object at an index. An element without one
    /// shows its index. Called once for each reference in a sequence of cells.
    fn field(&self, heap: &Heap, object: Cell, index: u32) -> Option<&str> {
        let _ = (heap, object, index);
        None
    }

    /// Returns the name of a root, by its position among the roots.
    fn root(&self, position: usize) -> Option<&str> {
        let _ = position;
        None
    }
}

/// No names.
impl SnapshotNames for () {}

/// A name, by its hash.
#[derive(Debug)]
struct Name<'n> {
    key: Cell,
    name: &'n str,
}

impl Indexed for Name<'_> {
    fn key(&self) -> Option<Cell> {
        Some(self.key)
    }
}

/// The different names that were met, in the order of that.
#[derive(Debug)]
pub(super) struct Interned<'n> {
    names: Vec<Name<'n>>,
    index: Index,
    /// The bytes that the limit leaves. Nothing else takes any meanwhile.
    left: usize,
    /// Names for which there was no memory.
    pub(super) lost: u64,
}

impl<'n> Interned<'n> {
    /// `seed` decides which names collide.
    pub(super) const fn new(seed: u64, left: usize) -> Self {
        Interned { names: Vec::new(), index: Index::new(seed), left, lost: 0 }
    }

    /// The number of a name; `None` if there is no memory for it. Expected amortised
    /// O(length of the name).
    pub(super) fn intern(&mut self, seeds: &HashSeeds, name: &'n str) -> Option<u64> {
        /// Names whose hashes collide are told apart by another hash, so many times.
        const HASHES: u64 = 4;
        for class in 0..HASHES {
            let hash = u64::from(seeds.bytes(class, name.as_bytes()));
            let key = Cell::raw(class << 32 | hash);
            match self.index.find(&self.names, key) {
                Some(place) if self.names.get(place).is_some_and(|it| it.name == name) => {
                    return Some(to_u64(place));
                }
                Some(_) => {}
                None => return self.add(key, name).or_else(|| self.lose()),
            }
        }
        self.lose()
    }

    fn lose(&mut self) -> Option<u64> {
        self.lost = self.lost.saturating_add(1);
        None
    }

    fn add(&mut self, key: Cell, name: &'n str) -> Option<u64> {
        let Interned { names, index, left, .. } = self;
        let place = names.len();
        reserve(left, names, place.saturating_add(1)).ok()?;
        index.reserve_one(names, |buckets, len| reserve(left, buckets, len)).ok()?;
        names.push(Name { key, name });
        index.put(names, key, place);
        Some(to_u64(place))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'n str> {
        self.names.iter().map(|it| it.name)
    }
}

/// Grows a list to `len` elements or more, twice as many as it had at least, within `left`
/// bytes.
fn reserve<T>(left: &mut usize, list: &mut Vec<T>, len: usize) -> Result<()> {
    let old = list.capacity();
    if len > old {
        let wanted = len.max(old.saturating_mul(2)).saturating_sub(list.len());
        let bytes = wanted.saturating_mul(size_of::<T>());
        *left = left.checked_sub(bytes).ok_or(Error::OutOfMemory)?;
        list.try_reserve_exact(wanted).map_err(|_| Error::OutOfMemory)?;
    }
    Ok(())
}
