//! Operations on the object graph: regions, collections, transplants, paths.

use std::collections::{HashMap, HashSet};

use segheap::{Cell, Collected, Error, Heap, Pair, Settings, abi};

use super::Harness;
use super::model::{Body, Slot, is_handle, is_seal, slot_of};

impl Harness {
    pub(super) fn close_region(&mut self, depth: usize, keep: &[Cell]) {
        let region = self.regions.swap_remove(depth);
        self.closed.extend(self.regions.drain(depth..));
        let kept = self.reachable(keep, |object| object.depth > depth);
        let inside: Vec<u64> =
            self.live.iter().filter(|entry| entry.1.depth > depth).map(|entry| *entry.0).collect();
        let freed = inside.len() - kept.len();
        assert_eq!(self.heap.close_region(region, keep.iter().copied()), Ok(freed as u64));
        for bits in inside {
            if kept.contains(&bits) {
                self.live.get_mut(&bits).unwrap().depth = depth;
            } else {
                self.record_free(bits);
            }
        }
    }

    /// Collects garbage; recycles retired slots too if there are weak cells.
    pub(super) fn collect(&mut self, roots: &[Cell], weak: Option<&[Cell]>) {
        let pinned = self.pins.keys().map(|&bits| abi::cell(bits).unwrap());
        let all_roots: Vec<Cell> = roots.iter().copied().chain(pinned).collect();
        let reached = self.reachable(&all_roots, |_| true);
        let stale = |cell: &Cell| is_handle(*cell) && !self.is_live(*cell);
        let stale_roots = roots.iter().filter(|root| stale(root)).count();
        let first_stale = roots.iter().position(stale);
        let garbage: Vec<u64> =
            self.live.keys().copied().filter(|bits| !reached.contains(bits)).collect();
        let retired_before = self.retired.clone();
        let roots = roots.iter().copied();
        let collected = match weak {
            Some(weak) => self.heap.collect_and_recycle(roots, weak.iter().copied()),
            None => self.heap.collect(roots),
        }
        .unwrap();
        assert_eq!((collected.stale_roots, collected.first_stale), (stale_roots, first_stale));
        assert_eq!(collected.freed, garbage.len() as u64);
        garbage.into_iter().for_each(|bits| self.record_free(bits));
        assert_eq!(collected.live, self.live.len() as u64);
        match weak {
            Some(weak) => self.recycle(&collected, &all_roots, weak, &retired_before),
            None => assert_eq!(collected.recycled, 0),
        }
    }

    /// Predicts which slots a collection recycled: those that nothing refers to.
    fn recycle(
        &mut self,
        collected: &Collected,
        roots: &[Cell],
        weak: &[Cell],
        retired_before: &HashSet<Slot>,
    ) {
        let mut referenced: HashSet<u64> =
            roots.iter().chain(weak).map(|&cell| abi::bits(cell)).collect();
        referenced.extend(self.watches.iter().map(|watch| watch.0));
        for object in self.live.values() {
            referenced.extend(object.body.cells().into_iter().map(abi::bits));
        }
        let slots: HashSet<Slot> =
            referenced.iter().filter_map(|&bits| slot_of(abi::cell(bits).unwrap())).collect();
        let unreferenced =
            |of: &HashSet<Slot>| of.difference(&slots).copied().collect::<HashSet<Slot>>();
        // A slot that this collection retired may wait for the next one.
        let (least, most) = (unreferenced(retired_before), unreferenced(&self.retired));
        let recycled = if collected.recycled == most.len() as u64 { most } else { least };
        assert_eq!(collected.recycled, recycled.len() as u64);
        for slot in recycled {
            self.retired.remove(&slot);
            self.generations.remove(&slot);
        }
        // By this call the program declares that it holds no other cells.
        self.freed.retain(|bits| referenced.contains(bits));
        let (live, freed) = (&self.live, &self.freed);
        self.held.retain(|&cell| {
            let bits = abi::bits(cell);
            !is_handle(cell) || live.contains_key(&bits) || freed.contains(&bits)
        });
        if collected.recycled > 0 {
            self.hints.iter_mut().for_each(|hint| hint.outdated = true);
        }
    }

    /// The size that an object retains is that of what a root and the pins reach with it and
    /// not without it.
    pub(super) fn sizes(&mut self, object: Cell, root: Cell) {
        let size = |heap: &Heap, bits: &u64| heap.shallow_size(abi::cell(*bits).unwrap()).unwrap();
        let all: u64 = self.live.keys().map(|bits| size(&self.heap, bits)).sum();
        let usage = self.heap.usage();
        let arenas = usage.arenas().iter().chain([&usage.seals, &usage.hosts]);
        let used: u64 = arenas.map(|arena| arena.payload_bytes + 16 * u64::from(arena.live)).sum();
        assert_eq!(all, used + usage.host_bytes);

        let retained = self.heap.retained_size([root], object);
        if let Err(error) = self.validity(object) {
            assert_eq!(retained, Err(error));
            assert_eq!(self.heap.shallow_size(object), Err(error));
            return;
        }
        let bits = abi::bits(object);
        let pinned = self.pins.keys().map(|&bits| abi::cell(bits).unwrap());
        let mut roots: Vec<Cell> = pinned.chain([root]).collect();
        let removed = self.live.remove(&bits).unwrap();
        let without = self.reachable(&roots, |_| true);
        self.live.insert(bits, removed);
        roots.push(object);
        let with = self.reachable(&roots, |_| true);
        let sizes = with.difference(&without).map(|bits| size(&self.heap, bits));
        assert_eq!(retained, Ok(sizes.sum::<u64>()));
    }

    /// Advances the generation of a slot by allocating and freeing.
    pub(super) fn advance(&mut self, generations: u32) {
        for _ in 0..generations {
            let pair = self.heap.alloc(Pair::of(Cell::NULL, Cell::NULL)).map(Cell::from);
            let Ok(cell) = pair else { return };
            self.record_allocation(cell, Body::Cells(0, vec![Cell::NULL; 2]));
            self.held.pop();
            self.free(cell);
        }
    }

    /// Transplants a graph to another heap and back.
    pub(super) fn transplant(&mut self, root: Cell) {
        let graph = self.reachable(&[root], |_| true);
        let cells = || graph.iter().flat_map(|bits| self.live[bits].body.cells()).chain([root]);
        let fails = cells().any(|cell| is_seal(cell) || is_handle(cell) && !self.is_live(cell));
        let mut other = Heap::with(Settings::seeded(self.serial));
        let there = other.transplant(&self.heap, root);
        other.verify().unwrap();
        if fails {
            assert!(matches!(there, Err(Error::Sealed | Error::Stale { .. })), "{there:?}");
            assert_eq!(other.usage().live(), 0);
            return;
        }
        let there = there.unwrap();
        assert_eq!(other.usage().live(), graph.len() as u64);
        assert_eq!(other.collect([there]).unwrap().freed, 0);
        let back = match self.heap.transplant(&other, there) {
            Ok(back) => back,
            Err(error) => return self.expect_memory_error(error),
        };
        let copies = self.copies(root, back);
        assert_eq!(copies.len(), graph.len());
        for (&original, &copy) in &copies {
            let to_copy = |cell: Cell| copies.get(&cell).copied().unwrap_or(cell);
            let body = self.live[&abi::bits(original)].body.map(to_copy);
            self.record_allocation(copy, body);
        }
        if !self.limited {
            self.heap.deep_eq(root, back).unwrap();
        }
    }

    /// The copy of each object reachable from `root`, found by traversing both graphs.
    fn copies(&self, root: Cell, copy: Cell) -> HashMap<Cell, Cell> {
        let mut copies: HashMap<Cell, Cell> = HashMap::new();
        let mut order = vec![(root, copy)];
        let mut next = 0;
        while let Some(&(original, copy)) = order.get(next) {
            next += 1;
            if !is_handle(original) {
                assert_eq!(original, copy);
                continue;
            }
            if let Some(&known) = copies.get(&original) {
                assert_eq!(known, copy, "a shared object was copied twice");
                continue;
            }
            copies.insert(original, copy);
            let model = &self.live[&abi::bits(original)].body;
            let (from, to) = (model.cells(), self.read(copy, model).cells());
            assert_eq!(from.len(), to.len());
            order.extend(from.into_iter().zip(to));
        }
        copies
    }

    /// Checks that a path is found if and only if the object is reachable, starts at
    /// a root, ends at the object, and follows references.
    pub(super) fn path_from_roots(&mut self, root: Cell, object: Cell) {
        let path = self.heap.path_from_roots([root], object);
        let path = match (path, self.validity(object)) {
            (path, Err(error)) => {
                assert_eq!(path, Err(error));
                return;
            }
            (Ok(path), Ok(())) => path,
            (Err(error), _) => return self.expect_memory_error(error),
        };
        let mut roots = vec![root];
        roots.extend(self.pins.keys().map(|&bits| abi::cell(bits).unwrap()));
        let reachable = self.reachable(&roots, |_| true).contains(&abi::bits(object));
        assert_eq!(path.is_some(), reachable);
        let Some(path) = path.as_deref() else { return };
        assert!(roots.contains(&path[0]) && path.last() == Some(&object));
        for step in path.windows(2) {
            assert!(self.live[&abi::bits(step[0])].body.cells().contains(&step[1]));
        }
    }
}
