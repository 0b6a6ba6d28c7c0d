//! Deep equality: trees at the cost of comparing them, other graphs by union-find.
//!
//! Both are interleaved, after Adams and Dybvig, "Efficient nondestructive equality checking
//! for trees and graphs" (ICFP 2008): objects are compared as those of trees for a number of
//! steps, and then put into classes of what is assumed to be equal, for as long as that
//! finds pairs that are in one class already. Equality is a congruence, so that a pair in
//! one class need not be visited again.

use bumpalo::Bump;
use bumpalo::collections::Vec;

use super::values::table;
use crate::arena::{Arena, Slot, SlotNumbers, push};
use crate::heap::{Heap, Store};
use crate::object::table::Table;
use crate::words::{Cell, Element, Elements, Error, KeyBy, Kind, Result, corrupt, to_usize};

/// Steps before objects are put into classes.
const FIRST_CREDIT: usize = 2048;
/// Steps between two times at which they are.
const CREDIT: usize = 512;
/// Pairs that are put into classes, one after the other, before there is credit again.
const UNIONS: u32 = 16;
/// Pairs between the present one and that whose payload is prefetched, and from there to
/// that whose slots are.
const AHEAD: usize = 8;
/// Words that are compared in one step; an entry of a table is a step of its own.
const STEP_WORDS: usize = 16;

impl Heap {
    /// Returns whether two values are structurally equal: equal as keys, or objects of
    /// one kind with equal headers (shape or function id) and structurally equal
    /// elements. Maps and sets are equal if they have the same keys with structurally
    /// equal values, in any order. Floats are compared as keys, also in arrays.
    ///
    /// Cyclic values are equal if no path tells them apart (bisimilarity). O(size of both
    /// values) for trees, O(n log n) for n objects that share others or are cyclic, whatever
    /// their form; without recursion. Scratch memory: 32 bytes for each object on the path
    /// to the present one, and for graphs of more than a few thousand objects 4 bytes an
    /// object and a table by slots, in pages of 2 KiB for 512 slots.
    ///
    /// ```
    /// use segheap::{Heap, Pair};
    /// let mut heap = Heap::new();
    /// let a = heap.alloc(Pair::of(1.into(), 2.into()))?;
    /// let b = heap.alloc(Pair::of(1.into(), 2.into()))?;
    /// assert!(!heap.key_eq(a.into(), b.into())?);
    /// assert!(heap.deep_eq(a.into(), b.into())?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Stale`] if the comparison reaches an object that was freed;
    /// [`Error::OtherHash`] if it reaches two maps of which one has hashes of the VM's own;
    /// [`Error::Limit`] or [`Error::OutOfMemory`] if scratch memory cannot grow.
    pub fn deep_eq(&mut self, a: Cell, b: Cell) -> Result<bool> {
        self.with_scratch(|heap, scratch| {
            let roots = Pairs { left: &[a], right: &[b] };
            Comparison::new(&heap.store, scratch.bump, roots).run()
        })
    }
}

/// Cells to be compared pair by pair.
#[derive(Clone, Copy, Debug)]
struct Pairs<'h> {
    left: &'h [Cell],
    right: &'h [Cell],
}

impl<'h> Pairs<'h> {
    /// The pairs from the first one on that is not equal by its bits, or has to be
    /// looked into.
    #[inline(always)]
    fn trimmed(self) -> Option<Pairs<'h>> {
        let alike = |a: &Cell, b: &Cell| (a == b) & !a.is_handle();
        let Pairs { mut left, mut right } = self;
        while let (Some((a, left_rest)), Some((b, right_rest))) =
            (left.split_first_chunk::<4>(), right.split_first_chunk::<4>())
        {
            // Without branches, four at once.
            if !a.iter().zip(b).fold(true, |all, (a, b)| all & alike(a, b)) {
                break;
            }
            (left, right) = (left_rest, right_rest);
        }
        while let ([a, left_rest @ ..], [b, right_rest @ ..]) = (left, right) {
            if !alike(a, b) {
                return Some(Pairs { left, right });
            }
            (left, right) = (left_rest, right_rest);
        }
        None
    }
}

struct Comparison<'h, 'b> {
    store: &'h Store,
    /// What is left of the present object.
    rest: Pairs<'h>,
    /// What is left of the objects around it.
    work: Vec<'b, Pairs<'h>>,
    classes: Option<Classes<'b>>,
    credit: usize,
    unions: u32,
}

impl<'h, 'b> Comparison<'h, 'b> {
    fn new(store: &'h Store, bump: &'b Bump, rest: Pairs<'h>) -> Self {
        let work = Vec::new_in(bump);
        Comparison { store, rest, work, classes: None, credit: FIRST_CREDIT, unions: UNIONS }
    }

    fn run(&mut self) -> Result<bool> {
        loop {
            while let ([a, left @ ..], [b, right @ ..]) = (self.rest.left, self.rest.right) {
                self.rest = Pairs { left, right };
                self.prefetch();
                if !self.compare(*a, *b)? {
                    return Ok(false);
                }
            }
            match self.work.pop() {
                Some(pairs) => self.rest = pairs,
                None => return Ok(true),
            }
        }
    }

    /// Prefetches what the pairs after the present one refer to.
    #[inline(always)]
    fn prefetch(&self) {
        let pair = |ahead: usize| self.rest.left.get(ahead).zip(self.rest.right.get(ahead));
        if let (Some(next), Some(later)) = (pair(AHEAD), pair(AHEAD.wrapping_mul(2)))
            && let Some(arena) = self.store.arenas().of(*next.0)
        {
            // In the arena of one of them: a list has mostly objects of one kind.
            arena.prefetch_slot(later.0.slot());
            arena.prefetch_slot(later.1.slot());
            arena.prefetch_payload(next.0.slot());
            arena.prefetch_payload(next.1.slot());
        }
    }

    /// Has these pairs compared next.
    #[inline(always)]
    fn enter(&mut self, pairs: Pairs<'h>) -> Result<()> {
        // A list that is linked by its last element needs no memory.
        if let Some(rest) = self.rest.trimmed() {
            push(&mut self.work, rest)?;
        }
        self.rest = pairs;
        Ok(())
    }

    /// Compares two cells; the cells of their objects come next.
    #[inline(always)]
    fn compare(&mut self, a: Cell, b: Cell) -> Result<bool> {
        let kind = a.selector();
        if !a.is_handle() || !b.is_handle() || kind != b.selector() {
            return self.compare_keys(a, b);
        }
        let arena = self.store.arenas().get(kind);
        let opened = arena.and_then(|arena| Some((arena, arena.find(a)?, arena.find(b)?)));
        let Some((arena, left, right)) = opened else { return Err(Error::Stale { kind }) };
        if a == b {
            return Ok(true);
        }
        let shape = arena.shape();
        if shape.elements != Elements::Cells || kind == Kind::SEALED {
            return self.compare_content(arena, (a, left), (b, right));
        }
        let header = to_usize(shape.header);
        if self.is_assumed(to_usize(left.len), true, a, b)? {
            return Ok(true);
        }
        if left.len != right.len
            || header > 0 && arena.used(left)?.get(..header) != arena.used(right)?.get(..header)
        {
            return Ok(false);
        }
        let pairs = Pairs { left: arena.cells(left)?, right: arena.cells(right)? };
        if let Some(pairs) = pairs.trimmed() {
            self.enter(pairs)?;
        }
        Ok(true)
    }

    /// Whether two objects of `words` words are assumed to be equal already: never while
    /// there is credit for a comparison.
    #[inline(always)]
    fn is_assumed(&mut self, words: usize, has_cells: bool, a: Cell, b: Cell) -> Result<bool> {
        let steps = (words / STEP_WORDS).saturating_add(1);
        match self.credit.checked_sub(steps) {
            Some(credit) => {
                self.credit = credit;
                Ok(false)
            }
            None => Ok((has_cells || steps > 1) && self.are_united(a, b)?),
        }
    }

    /// Compares cells of which one is no handle, or whose objects are of two kinds.
    #[cold]
    fn compare_keys(&self, a: Cell, b: Cell) -> Result<bool> {
        let keys = self.store.keys();
        let key = keys.key(a)?;
        keys.key(b)?;
        Ok(keys.same(&key, b))
    }

    /// Compares two objects of one kind that are no sequences of cells.
    #[inline(never)]
    fn compare_content(
        &mut self,
        arena: &'h Arena,
        (a, left): (Cell, Slot),
        (b, right): (Cell, Slot),
    ) -> Result<bool> {
        let shape = arena.shape();
        // The pairs of values of tables take scratch memory, which is in proportion to the
        // steps.
        let (words, has_cells) = match shape.elements {
            Elements::Entries(stride) => {
                let entries = to_usize(table(arena, left, stride)?.len());
                (entries.saturating_mul(STEP_WORDS), true)
            }
            _ => (arena.used(left)?.len(), false),
        };
        if self.is_assumed(words, has_cells, a, b)? {
            return Ok(true);
        }
        match (shape.key, shape.elements) {
            (KeyBy::Text, _) => {
                let keys = self.store.keys();
                Ok(keys.text(a) == keys.text(b))
            }
            (KeyBy::Integer, _) => self.compare_keys(a, b),
            (KeyBy::Identity, Elements::Entries(stride)) => {
                self.compare_tables(table(arena, left, stride)?, table(arena, right, stride)?)
            }
            // A sealed cell and a host object equal themselves only.
            (KeyBy::Identity, Elements::Cells) => Ok(false),
            (KeyBy::Identity, _) if arena.kind() == Kind::HOST => Ok(false),
            (KeyBy::Identity, _) => same_content(arena, left, right),
        }
    }

    /// Compares the keys of two tables; their values come later.
    fn compare_tables(&mut self, left: Table<&'h [u64]>, right: Table<&'h [u64]>) -> Result<bool> {
        if left.is_own() || right.is_own() {
            return Err(Error::OtherHash);
        }
        if left.len() != right.len() {
            return Ok(false);
        }
        let keys = self.store.keys();
        for entry in left.iter() {
            let [key, left @ ..] = entry else { return Err(corrupt()) };
            let found = keys.locate(right, *key)?.1.ok();
            let found = found.and_then(|(_, position)| right.entry(position));
            let Some([_, right @ ..]) = found else { return Ok(false) };
            if let Some(pairs) = (Pairs { left, right }).trimmed() {
                push(&mut self.work, pairs)?;
            }
        }
        Ok(true)
    }

    /// Puts two objects into one class. Returns whether they were in one.
    #[inline(never)]
    fn are_united(&mut self, a: Cell, b: Cell) -> Result<bool> {
        self.credit = 0;
        let bump = self.work.bump();
        let classes = self.classes.get_or_insert_with(|| Classes::new_in(bump));
        if classes.unite(a, b)? {
            self.unions = UNIONS;
            return Ok(true);
        }
        self.unions = self.unions.saturating_sub(1);
        if self.unions == 0 {
            (self.credit, self.unions) = (CREDIT, UNIONS);
        }
        Ok(false)
    }
}

/// Whether two objects of one kind have equal headers, and equal elements that are no
/// cells.
fn same_content(arena: &Arena, left: Slot, right: Slot) -> Result<bool> {
    let shape = arena.shape();
    let (a, b) = (arena.used(left)?, arena.used(right)?);
    let header = to_usize(shape.header);
    if left.len != right.len || a.get(..header) != b.get(..header) {
        return Ok(false);
    }
    let (a, b) = (a.get(header..).unwrap_or_default(), b.get(header..).unwrap_or_default());
    Ok(match shape.elements {
        Elements::Floats => {
            let mut both = f64::slice(a).iter().zip(f64::slice(b));
            both.all(|(a, b)| a == b || a.is_nan() && b.is_nan())
        }
        Elements::Bytes => {
            let len = to_usize(left.len);
            u8::slice(a).get(..len) == u8::slice(b).get(..len)
        }
        _ => a == b,
    })
}

/// Classes of objects that are assumed to be equal: trees, by the number of an object.
struct Classes<'b> {
    numbers: SlotNumbers<'b>,
    /// The parent of an object, or itself, by its number - 1.
    parents: Vec<'b, u32>,
}

impl<'b> Classes<'b> {
    fn new_in(bump: &'b Bump) -> Self {
        Classes { numbers: SlotNumbers::new_in(bump), parents: Vec::new_in(bump) }
    }

    /// Unites the classes of two objects. Returns whether they are one already. Amortised
    /// O(log n).
    fn unite(&mut self, a: Cell, b: Cell) -> Result<bool> {
        let (a, b) = (self.class(a)?, self.class(b)?);
        if let Some(parent) = self.parents.get_mut(to_usize(a.max(b))) {
            *parent = a.min(b);
        }
        Ok(a == b)
    }

    /// The class of an object: the number - 1 at the root of its tree.
    fn class(&mut self, cell: Cell) -> Result<u32> {
        if self.numbers.get_mut(cell).is_none() {
            self.numbers.reserve(cell)?;
        }
        let number = self.numbers.get_mut(cell).ok_or_else(corrupt)?;
        let Some(mut class) = number.checked_sub(1) else {
            let class = u32::try_from(self.parents.len()).map_err(|_| Error::OutOfMemory)?;
            push(&mut self.parents, class)?;
            *number = class.checked_add(1).ok_or(Error::OutOfMemory)?;
            return Ok(class);
        };
        loop {
            let parent = self.parent(class)?;
            if parent == class {
                return Ok(class);
            }
            // Halves the path.
            let next = self.parent(parent)?;
            *self.parents.get_mut(to_usize(class)).ok_or_else(corrupt)? = next;
            class = next;
        }
    }

    fn parent(&self, class: u32) -> Result<u32> {
        self.parents.get(to_usize(class)).copied().ok_or_else(corrupt)
    }
}
