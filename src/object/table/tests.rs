//! Random programs on a table against a list of entries, with hashes that collide.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{Plan, Step, Table};
use crate::object::Cursor;
use crate::words::{Cell, to_usize};

const STRIDE: usize = 2;

/// How the keys of a program are hashed.
#[derive(Clone, Copy, Debug)]
enum Hashing {
    /// To hashes that differ.
    Spread,
    /// To one hash.
    Same,
    /// To three hashes of neighbouring groups.
    Few,
    /// To hashes of the groups from 0 to 15.
    Clusters,
}

impl Hashing {
    fn hash(self, key: i64) -> u32 {
        let mixed = key.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        match self {
            Hashing::Spread => (mixed >> 32) as u32,
            Hashing::Same => 0xABCD_1234,
            Hashing::Clusters => (mixed >> 32) as u32 & 0x3F,
            Hashing::Few => u32::try_from(key.rem_euclid(3) * 4).expect("small"),
        }
    }
}

/// A table, its block, and the entries that it should have.
struct Model {
    hashing: Hashing,
    block: Vec<u64>,
    used: u32,
    entries: Vec<(i64, i64)>,
    /// Keys that can no longer be compared.
    freed: Vec<i64>,
    cursor: Cursor,
    /// The entries that the cursor has not met.
    ahead: Vec<i64>,
    /// Which of the plans to grow is not refused, modulo their number.
    plan: usize,
}

fn int(value: i64) -> Cell {
    Cell::int(value).expect("48 bits")
}

fn value_of(cell: Cell) -> i64 {
    cell.as_int().expect("an integer")
}

impl Model {
    fn new(hashing: Hashing, capacity: usize) -> Model {
        let cursor = Cursor::default();
        let (mut block, entries) = (Vec::new(), Vec::new());
        block.resize(super::words_for(capacity, STRIDE), 0);
        super::fill(&mut block, capacity, STRIDE, false);
        let (freed, ahead) = (Vec::new(), Vec::new());
        Model { hashing, block, used: 0, entries, freed, cursor, ahead, plan: 0 }
    }

    fn read(&self) -> Table<&[u64]> {
        Table::new(&self.block, self.used, STRIDE)
    }

    fn edit<T>(&mut self, change: impl FnOnce(&mut Table<&mut [u64]>) -> (T, u32)) -> T {
        let (result, used) = change(&mut Table::new_mut(&mut self.block, self.used, STRIDE));
        self.used = used;
        result
    }

    fn compare(&self, key: i64) -> impl Fn(Cell) -> Option<Ordering> + use<> {
        let freed = self.freed.clone();
        move |entry| {
            let other = value_of(entry);
            (!freed.contains(&other)).then(|| key.cmp(&other))
        }
    }

    fn find(&self, key: i64) -> Option<u32> {
        let (table, hash) = (self.read(), self.hashing.hash(key));
        if self.freed.contains(&key) {
            return None;
        }
        if !table.is_ordered() {
            return table.find(hash, |entry| entry == int(key)).ok().map(|(_, position)| position);
        }
        match table.descend(hash, self.compare(key)).end {
            Step::Found(position) => Some(position),
            Step::Missing => None,
            Step::Freed(_) => {
                (0..self.used).find(|&position| table.key(position) == Some(int(key)))
            }
        }
    }

    /// Links an entry, at `Some` position, or a new one. Returns the used positions.
    fn link(&mut self, key: i64, position: Option<u32>) {
        let hash = self.hashing.hash(key);
        loop {
            let descent = self.read().descend(hash, self.compare(key));
            match (descent.end, position) {
                (Step::Freed(_), _) => {
                    self.edit(|table| (table.unlink(descent.last()), table.used))
                }
                (_, Some(position)) => {
                    return self.edit(|table| (table.link_ordered(position, &descent), table.used));
                }
                (_, None) => {
                    let entry = [int(key), int(0)];
                    return self.edit(|table| ((), table.append_ordered(hash, &descent, &entry)));
                }
            }
        }
    }

    fn link_all(&mut self) {
        for position in 0..self.used {
            let entry = self.read().entry(position).map(|entry| value_of(entry[0]));
            if let Some(key) = entry.filter(|key| !self.freed.contains(key)) {
                self.link(key, Some(position));
            }
        }
    }

    /// Rebuilds the table with more positions. Returns whether the index is complete.
    fn grow(&mut self) -> bool {
        let plans: Vec<_> = self.read().plans_to_grow().collect();
        self.rebuild(plans[self.plan % plans.len()].expect("it fits"))
    }

    /// Rebuilds the table. Returns whether the index is complete.
    fn rebuild(&mut self, plan: Plan) -> bool {
        let (fresh, words) = (self.block.is_empty(), self.block.len().max(plan.words));
        // What is beyond the words kept is unspecified.
        self.block.truncate(self.read().kept_words());
        self.block.resize(words, u64::MAX);
        let linked = self.edit(|table| {
            if fresh {
                table.start(plan);
                return (true, 0);
            }
            let (used, linked) = table.rebuild(plan);
            (linked, used)
        });
        if !linked {
            self.link_all();
        }
        linked
    }

    fn insert(&mut self, key: i64, value: i64) {
        let entry = [int(key), int(value)];
        if self.freed.contains(&key) {
            return;
        }
        let found = self.find(key);
        assert_eq!(found.is_some(), self.entries.iter().any(|entry| entry.0 == key), "{key}");
        if let Some(position) = found {
            self.edit(|table| (table.replace(position, &entry), table.used));
            self.entries
                .iter_mut()
                .filter(|entry| entry.0 == key)
                .for_each(|entry| entry.1 = value);
            return;
        }
        if self.read().is_full() {
            self.grow();
        }
        let hash = self.hashing.hash(key);
        if self.read().is_dense() && self.read().vacancy(hash) == usize::MAX {
            self.rebuild(self.read().plan_to_loosen().expect("it fits"));
        }
        let bucket = self.read().vacancy(hash);
        if !self.read().is_ordered() && bucket == usize::MAX {
            self.edit(|table| (table.order(), table.used));
            self.link_all();
        }
        if self.read().is_ordered() {
            self.link(key, None);
            let position = self.used - 1;
            self.edit(|table| (table.replace(position, &entry), table.used));
        } else {
            self.edit(|table| ((), table.append(hash, bucket, &entry)));
        }
        self.entries.push((key, value));
        self.ahead.push(key);
    }

    fn remove_nth(&mut self, n: usize) {
        let Some(position) = self.read().nth(n) else {
            assert!(n >= self.entries.len());
            return;
        };
        let (key, value) = self.entries.remove(n);
        let removed = if self.read().is_ordered() {
            let branch = self.read().branch_to(position);
            self.edit(|table| table.remove_ordered(branch, position).expect("an entry"))
        } else {
            self.edit(|table| table.remove_at(position).expect("an entry"))
        };
        assert_eq!(removed, (int(key), int(value)));
        self.ahead.retain(|&other| other != key);
        self.freed.retain(|&other| other != key);
        if self.read().is_sparse() {
            self.shrink(self.read().plan_to_shrink().expect("a smaller table"));
        }
    }

    /// Rebuilds the table in its block, and drops the rest.
    fn shrink(&mut self, plan: Plan) {
        if self.block.is_empty() || plan.words >= self.block.len() {
            return;
        }
        let linked = self.edit(|table| {
            let (used, linked) = table.rebuild(plan);
            (linked, used)
        });
        if !linked {
            self.link_all();
        }
        self.block.truncate(plan.words.max(1));
    }

    fn reserve(&mut self, additional: usize) {
        if !self.read().has_room(additional) {
            let plan = self.read().plans_to_reserve(additional).nth(self.plan % 2);
            self.rebuild(plan.expect("two plans").expect("it fits"));
        }
        assert!(self.read().has_room(additional));
    }

    fn step(&mut self) {
        let next = self.read().next(&mut { self.cursor });
        let mut cursor = self.cursor;
        let found = self.read().next(&mut cursor).map(|entry| value_of(entry[0]));
        assert_eq!(next.map(|entry| value_of(entry[0])), found);
        self.cursor = cursor;
        assert_eq!(found, self.ahead.first().copied());
        self.ahead.drain(..usize::from(found.is_some()));
    }

    fn check(&self) {
        let table = self.read();
        let entries: Vec<_> =
            table.iter().map(|entry| (value_of(entry[0]), value_of(entry[1]))).collect();
        assert_eq!(entries, self.entries);
        // Both ways of an iterator, one after the other.
        let (mut iter, mut folded) = (table.iter(), Vec::new());
        for left in (entries.len() / 2..entries.len()).rev() {
            folded.extend(iter.next());
            assert_eq!(iter.len(), left);
        }
        iter.for_each(|entry| folded.push(entry));
        let folded: Vec<_> =
            folded.iter().map(|entry| (value_of(entry[0]), value_of(entry[1]))).collect();
        assert_eq!(folded, self.entries);
        assert_eq!(to_usize(table.len()), self.entries.len());
        for (n, &(key, _)) in self.entries.iter().enumerate() {
            let position = table.nth(n).expect("an entry");
            assert_eq!((table.key(position), table.rank(position)), (Some(int(key)), n));
            assert_eq!(self.find(key).is_some(), !self.freed.contains(&key), "{key}");
        }
        if table.is_ordered() {
            let depths = self
                .entries
                .iter()
                .map(|&(key, _)| table.descend(self.hashing.hash(key), self.compare(key)).depth());
            let limit = 4 + 2 * (table.layout().capacity + 1).ilog2() as usize;
            assert!(depths.max().unwrap_or(0) <= limit, "the tree is not balanced");
        }
    }
}

/// One operation of a random program; `number` is below 400.
fn run(model: &mut Model, op: u64, number: i64, value: i64) {
    let len = model.entries.len();
    let nth = usize::try_from(number).expect("small");
    match op {
        0..6 => model.insert(number, value),
        // In order, as a tree does not like it.
        6..10 => (0..number / 2).for_each(|more| model.insert(1_000 + more, value)),
        10 => model.remove_nth(0),
        11 => model.remove_nth(len.saturating_sub(1)),
        12 => model.remove_nth(nth % (len + 1)),
        13 => (0..number / 2).for_each(|_| model.remove_nth(0)),
        14 => model.step(),
        15 => model.shrink(model.read().plan_to_fit().expect("a smaller table")),
        16 => model.reserve(nth),
        _ if number < 20 => {
            model.edit(|table| ((), table.clear()));
            model.entries.clear();
            model.ahead.clear();
            model.freed.clear();
        }
        _ => {
            if let Some(&(key, _)) = model.entries.get(nth) {
                model.freed.push(key);
            }
        }
    }
}

#[test]
fn tables_agree_with_a_list() {
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 33) % below
    };
    for hashing in [Hashing::Spread, Hashing::Same, Hashing::Few] {
        let (mut ordered, mut dense) = (0_u32, 0_u32);
        for program in 0..60 {
            // Of a large table, few buckets are in use.
            let mut model = Model::new(hashing, program % 3 * 300);
            for n in 0..300 {
                model.plan = usize::try_from(random(9)).expect("small");
                run(&mut model, random(18), random(400).cast_signed(), n);
                if n % 16 == 0 {
                    model.check();
                    ordered += u32::from(model.read().is_ordered());
                    dense += u32::from(model.read().is_dense());
                }
            }
            model.check();
        }
        assert!(dense > 5, "{hashing:?}: {dense}");
        assert_eq!(ordered > 100, !matches!(hashing, Hashing::Spread), "{hashing:?}: {ordered}");
    }
}

/// Entries that are nearly as far from their groups as any may be, in a dense table that
/// loses some and gets others, have buckets again after a rebuild of as many.
#[test]
fn a_dense_table_is_rebuilt_as_large() {
    let (mut rebuilt, mut refused) = (0, 0);
    for program in 0..40_u64 {
        let mut state = program;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            usize::try_from((state >> 33) % below).expect("small")
        };
        // 64 groups; the third plan for what stays in the same index.
        let mut model = Model::new(Hashing::Clusters, 128);
        let mut key = 0;
        while rebuilt < 20 * (program + 1) && key < 2_000 {
            key += 1;
            if random(3) == 0 {
                model.remove_nth(random(u64::try_from(model.entries.len()).expect("small") + 1));
            }
            let table = model.read();
            if table.is_full() {
                let same: Vec<_> = table.plans_to_grow().flatten().skip(3).collect();
                let Some(&plan) = same.last() else { break };
                let holes = table.used() > table.len();
                assert!(model.rebuild(plan), "program {program}");
                rebuilt += u64::from(holes && model.read().is_dense());
                if rebuilt % 8 == 0 {
                    model.check();
                }
            } else if table.vacancy(model.hashing.hash(key)) == usize::MAX {
                refused += 1;
            } else {
                model.insert(key, key);
            }
        }
    }
    assert!(rebuilt > 400 && refused > 100, "{rebuilt} {refused}");
}

/// A rebuild links as many colliding entries as a look-up finds.
#[test]
fn the_probe_sequence_of_each_operation_is_as_long() {
    for count in 126..132 {
        for removed in 0..4 {
            let mut model = Model::new(Hashing::Same, 256);
            (0..count + removed).for_each(|key| model.insert(key, key));
            (0..removed).for_each(|_| model.remove_nth(0));
            assert_eq!(model.read().is_ordered(), count + removed > 128, "{count}");
            assert_eq!(model.grow(), count <= 128, "{count}");
            model.check();
        }
    }
}

/// A free bucket equals one whose hash has no bit above those of a position.
#[test]
fn a_free_bucket_matches_no_key() {
    for stride in [1, 2] {
        let mut block = alloc::vec![0; super::words_for(4, stride)];
        super::fill(&mut block, 4, stride, false);
        let header = block[..3].to_vec();
        let table = Table::new(&block, 0, stride);
        for word in header {
            let key = Cell::raw(word);
            assert_eq!(table.find(0, |entry| entry == key), Err(0));
            assert_eq!(key.as_int(), None);
        }
    }
}
