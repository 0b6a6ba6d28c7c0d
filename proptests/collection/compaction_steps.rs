//! Compaction in steps: random programs with steps of random size between any two operations,
//! and what a step may take, counted by the heap.

use proptest::prelude::*;
use segheap::{
    Bytes, Cell, CompactStep, Error, Handle, Heap, I64Arr, Kind, Limits, List, Map, RangeHint,
    Region, Settings,
};

use super::limited;
use crate::images::{load, save};
use crate::support::config;

/// What an object holds.
#[derive(Clone, Debug, PartialEq)]
enum Content {
    Bytes(Vec<u8>),
    Ints(Vec<i64>),
    Cells(Vec<i32>),
    Map(Vec<i32>),
}

type Op = (u8, u8, u16, u16);

struct Program {
    heap: Heap,
    objects: Vec<(Cell, Content)>,
    freed: Vec<Cell>,
    hints: Vec<(Cell, RangeHint<List>)>,
    region: Option<Region>,
    /// Whether growth may fail.
    starved: bool,
}

impl Program {
    fn new(seed: u64) -> Program {
        let heap = Heap::with(Settings::seeded(seed).limits(Limits::NONE.with_bytes(256 << 20)));
        let (objects, freed, hints) = (Vec::new(), Vec::new(), Vec::new());
        Program { heap, objects, freed, hints, region: None, starved: false }
    }

    fn alloc(&mut self, kind: u8, len: usize, n: i32) -> Result<(), Error> {
        let heap = &mut self.heap;
        let (cell, content) = match kind % 4 {
            0 => {
                let bytes = vec![n as u8; len];
                (heap.alloc(Bytes::of(&bytes))?.cell(), Content::Bytes(bytes))
            }
            1 => {
                let ints = vec![n.into(); len];
                (heap.alloc(I64Arr::of(&ints))?.cell(), Content::Ints(ints))
            }
            2 => {
                let cells = vec![Cell::from(n); len];
                (heap.alloc(List::of(&cells))?.cell(), Content::Cells(vec![n; len]))
            }
            _ => {
                let map = heap.alloc(Map::new())?.cell();
                let mut values = Vec::new();
                for key in 0..i32::try_from(len % 40).unwrap() {
                    if heap.map_insert(map, key.into(), (n + key).into()).is_err() {
                        break;
                    }
                    values.push(n + key);
                }
                (map, Content::Map(values))
            }
        };
        self.objects.push((cell, content));
        Ok(())
    }

    fn change(&mut self, at: usize, way: u16, n: u16) -> Result<(), Error> {
        let Some(at) = at.checked_rem(self.objects.len()) else { return Ok(()) };
        let (cell, content) = &mut self.objects[at];
        let heap = &mut self.heap;
        match content {
            Content::Bytes(bytes) => {
                let mut view = heap.get_mut::<Bytes>(*cell)?;
                match way % 3 {
                    0 => view.extend(&vec![7; usize::from(n)])?,
                    1 => view.truncate(usize::from(n))?,
                    _ => view.shrink_to_fit()?,
                }
                match way % 3 {
                    0 => bytes.extend(vec![7; usize::from(n)]),
                    1 => bytes.truncate(n.into()),
                    _ => {}
                }
            }
            Content::Ints(ints) => {
                let mut view = heap.get_mut::<I64Arr>(*cell)?;
                match way % 4 {
                    0 => {
                        view.push(n.into())?;
                        ints.push(n.into());
                    }
                    1 => {
                        let count = usize::from(n).min(ints.len());
                        view.remove_range(..count)?;
                        ints.drain(..count);
                    }
                    2 => {
                        let longer = heap.append(cell.to_handle::<I64Arr>()?, n.into())?;
                        let mut ints = ints.clone();
                        ints.push(n.into());
                        self.objects.push((longer.cell(), Content::Ints(ints)));
                    }
                    _ => {
                        view.reserve(n.into())?;
                        view.shrink_to_fit()?;
                    }
                }
            }
            Content::Cells(cells) => {
                let mut view = heap.get_mut::<List>(*cell)?;
                match way % 3 {
                    0 => {
                        view.push(i32::from(n).into())?;
                        cells.push(n.into());
                    }
                    1 => {
                        view.pop_front()?;
                        (!cells.is_empty()).then(|| cells.remove(0));
                    }
                    _ => {
                        let many = vec![Cell::from(i32::from(n)); usize::from(n)];
                        view.extend(&many)?;
                        cells.extend(vec![i32::from(n); n.into()]);
                    }
                }
            }
            Content::Map(values) => {
                let key = values.len() as i32;
                heap.map_insert(*cell, key.into(), i32::from(n).into())?;
                values.push(n.into());
            }
        }
        Ok(())
    }

    fn free(&mut self, at: usize) {
        if let Some(at) = at.checked_rem(self.objects.len()) {
            let (cell, _) = self.objects.swap_remove(at);
            self.heap.free(cell).unwrap();
            self.freed.push(cell);
        }
    }

    fn roots(&self) -> Vec<Cell> {
        self.objects.iter().map(|(cell, _)| *cell).collect()
    }

    fn run(&mut self, (op, a, b, c): Op) -> Result<(), Error> {
        let at = usize::from(b);
        match op {
            0..20 => self.alloc(a, usize::from(c % 60), c.into())?,
            20..24 => self.alloc(a, usize::from(c % 4_000), c.into())?,
            24 => self.alloc(a % 3, usize::from(c) * 2, c.into())?,
            25..45 => self.free(at),
            45 => (0..self.objects.len() / 2).for_each(|n| self.free(n * 7)),
            46..56 => self.change(at, c, c % 97)?,
            56 => self.change(at, 0, c)?,
            57..59 => {
                let many = usize::from(c % 300);
                for n in 0..many {
                    self.alloc(a, n % usize::from(b % 30 + 1), c.into())?;
                }
            }
            59..84 => {
                let work = if a.is_multiple_of(2) { u64::from(b % 512) } else { b.into() };
                self.heap.compact_step(work)?;
            }
            84 => while !self.heap.compact_step(b.into())?.finished {},
            85 => self.heap.compact(),
            86 => drop(self.heap.collect(self.roots())?),
            87 => drop(self.heap.collect_young(self.roots())?),
            88..91 => drop(self.heap.step(self.roots(), c.into())?),
            91 => {
                let fork = self.heap.try_clone()?;
                if a.is_multiple_of(2) {
                    self.heap = fork;
                }
            }
            92 => {
                let image = save(&mut self.heap)?;
                if a.is_multiple_of(2) && !self.starved && self.region.is_none() {
                    self.heap = load(&image, Settings::seeded(u64::from(c))).unwrap();
                    self.hints.clear();
                }
            }
            93 if a < 16 => {
                self.heap.clear();
                self.freed.extend(self.objects.drain(..).map(|(cell, _)| cell));
            }
            94 if self.region.is_none() => self.region = Some(self.heap.open_region()?),
            94 => {
                if let Some(region) = self.region.take()
                    && let Err(error) = self.heap.close_region(region, self.roots())
                {
                    // A fork has no regions.
                    assert_eq!(error, Error::RegionClosed);
                }
            }
            95 => {
                self.starved = !self.starved;
                self.heap.set_limits(Limits::NONE);
                self.heap.fail_growth_after(self.starved.then_some(u64::from(a) % 3));
            }
            96 => {
                if let Some(at) = at.checked_rem(self.objects.len()) {
                    let (cell, content) = self.objects[at].clone();
                    let mut other = Heap::with(Settings::seeded(5));
                    let copy = other.transplant(&self.heap, cell)?;
                    let back = self.heap.transplant(&other, copy)?;
                    self.objects.push((back, content));
                }
            }
            97 => {
                if let Some(at) = at.checked_rem(self.objects.len())
                    && let Ok(list) = self.objects[at].0.to_handle::<List>()
                {
                    self.hints.push((list.cell(), self.heap.hint(list, ..)?));
                }
            }
            98 => {
                let bytes = usize::try_from(self.heap.usage().total_bytes).unwrap();
                let limits = Limits::NONE.with_bytes(bytes + usize::from(b));
                self.starved = a.is_multiple_of(2);
                self.heap.set_limits(if self.starved { limits } else { Limits::NONE });
                self.heap.fail_growth_after(None);
            }
            _ => {
                if let Some(at) = at.checked_rem(self.objects.len()) {
                    self.heap.freeze(self.objects[at].0)?;
                }
            }
        }
        Ok(())
    }

    fn content(&self, cell: Cell) -> Result<Content, Error> {
        let heap = &self.heap;
        Ok(match cell.kind() {
            Some(Kind::BYTES) => Content::Bytes(heap.get::<Bytes>(cell)?.as_slice().to_vec()),
            Some(Kind::I64ARR) => Content::Ints(heap.get::<I64Arr>(cell)?.as_slice().to_vec()),
            Some(Kind::LIST) => {
                let cells = heap.get::<List>(cell)?;
                let ints = cells.as_slice().iter().map(|cell| cell.as_int().unwrap() as i32);
                Content::Cells(ints.collect())
            }
            _ => {
                let map = heap.get::<Map>(cell)?;
                Content::Map(map.iter().map(|(_, n)| n.as_int().unwrap() as i32).collect())
            }
        })
    }

    fn check(&mut self) {
        self.heap.verify().unwrap();
        for (cell, content) in &self.objects {
            assert_eq!(self.content(*cell).as_ref(), Ok(content), "{cell:?}");
        }
        assert!(self.freed.iter().all(|&cell| !self.heap.contains(cell)));
        for (of, hint) in &mut self.hints {
            let object = self.objects.iter().find(|(cell, _)| cell == of);
            match (object, hint.get(&self.heap, 0)) {
                (Some((_, Content::Cells(cells))), Ok(cell)) => {
                    assert_eq!(cell.as_int(), Some(cells[0].into()));
                }
                (_, Ok(cell)) => panic!("{cell:?} of an object that was freed"),
                (_, Err(_)) => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(config(160))]

    /// Steps between any two operations change nothing that a program sees; the heap is sound
    /// after each.
    #[test]
    fn steps_change_nothing_else(
        seed: u64,
        program in prop::collection::vec(
            (0..100_u8, any::<u8>(), any::<u16>(), any::<u16>()), 1..200),
    ) {
        let mut vm = Program::new(seed);
        for &op in &program {
            if let Err(error) = vm.run(op) {
                let expected = matches!(error, Error::Limit(_) | Error::OutOfMemory);
                // An image has no open regions, a frozen object never changes.
                let other = matches!(error, Error::Frozen | Error::RegionOpen);
                prop_assert!(expected && vm.starved || other, "{:?} {:?}", op, error);
            }
            vm.check();
        }
        vm.heap.fail_growth_after(None);
        vm.heap.set_limits(Limits::NONE);
        while !vm.heap.compact_step(777).unwrap().finished {
            vm.check();
        }
        vm.check();
    }
}

/// Lists of eight cells, of which every other one is freed, and others of sizes up to `largest`.
fn fragmented(limits: Limits, count: usize, largest: usize) -> (Heap, Vec<Handle<List>>) {
    let mut heap = limited(limits);
    let mut made = Vec::new();
    for n in 0..count {
        let len = if n % 100 == 99 { n * 7_919 % largest + 1 } else { 8 };
        made.push(heap.alloc(List::of(&vec![Cell::from(n as i32); len])).unwrap());
    }
    let mut kept = Vec::new();
    for (n, list) in made.into_iter().enumerate() {
        if n % 2 == 0 && n % 100 != 99 {
            heap.free(list).unwrap();
        } else {
            kept.push(list);
        }
    }
    (heap, kept)
}

fn pages(heap: &Heap) -> u64 {
    heap.usage().arena(Kind::LIST).unwrap().pages
}

fn payload(heap: &Heap) -> u64 {
    heap.usage().arena(Kind::LIST).unwrap().payload_bytes
}

fn check_lists(heap: &Heap, kept: &[Handle<List>], numbers: &[i32]) {
    for (&list, &n) in kept.iter().zip(numbers) {
        assert!(heap.get(list).unwrap().as_slice().iter().all(|&cell| cell == n.into()));
    }
}

fn numbers(heap: &Heap, kept: &[Handle<List>]) -> Vec<i32> {
    let first = |&list: &Handle<List>| heap.get(list).unwrap().as_slice()[0];
    kept.iter().map(|list| first(list).as_int().unwrap() as i32).collect()
}

/// A step does as much as it was told to, and one object or page more at most; all of them
/// together are linear, and what they leave is compact.
#[test]
fn steps_are_bounded_and_close_all_gaps() {
    for (work, largest) in [(1, 40), (500, 3_000), (1 << 14, 40), (1 << 18, 20_000)] {
        let (mut heap, kept) = fragmented(Limits::NONE, 40_000, largest);
        let expected = numbers(&heap, &kept);
        let (slots, before) = (40_000, payload(&heap));
        let (mut all, mut steps) = (CompactStep::default(), 0_u64);
        loop {
            let step = heap.compact_step(work).unwrap();
            // An object, a page, and slots that were looked at in a row.
            let more = (largest as u64 * 8 + 32).max(65_536) + 4_096;
            assert!(step.work <= work + more, "{step:?}");
            all.work += step.work;
            all.left += step.left;
            all.moved += step.moved;
            steps += 1;
            if steps.is_multiple_of(5 + 4_000 / work) {
                heap.verify().unwrap();
            }
            if step.finished {
                break;
            }
        }
        heap.verify().unwrap();
        check_lists(&heap, &kept, &expected);
        assert_eq!(all.left, 0, "work {work}, objects up to {largest}");
        assert_eq!(payload(&heap), before);
        assert_eq!(pages(&heap), (before + 206 * 8).div_ceil(65_536));
        assert!(all.moved <= kept.len() as u64 * 9 / 8 + 1);
        assert!(all.work <= 2 * before + all.moved * 32 + slots * 10 * 24 + (8 << 16));
        assert!(steps <= all.work / work + 32);
    }
}

/// What a program allocates and frees between the steps neither makes the memory grow, nor is it
/// refused for lack of it.
#[test]
fn a_program_goes_on_between_steps() {
    for churn in [1_usize, 20, 300] {
        let (mut heap, mut kept) = fragmented(Limits::NONE, 40_000, 40);
        let mut expected = numbers(&heap, &kept);
        let before = pages(&heap);
        heap.set_limits(Limits::NONE.with_pages(before as u32));
        let (mut n, mut steps) = (0_usize, 0);
        while !heap.compact_step(10_000).unwrap().finished {
            for _ in 0..churn {
                n = (n + 7_919) % kept.len();
                heap.free(kept[n]).unwrap();
                kept[n] = heap.alloc(List::of(&vec![Cell::from(5); 1 + n % 12])).unwrap();
                expected[n] = 5;
            }
            steps += 1;
            assert!(steps < 3_000, "a compaction ends");
            assert!(pages(&heap) <= before);
            heap.verify().unwrap();
        }
        check_lists(&heap, &kept, &expected);
        assert_eq!(heap.usage().live(), kept.len() as u64);
    }
}

/// The memory that is free when a compaction begins is so at any point of it: a limit refuses
/// nothing that it would not have refused without one.
#[test]
fn what_is_free_can_be_allocated_at_any_point() {
    // Also where so much is live that gaps are not coalesced without need.
    for (stop, is_full) in (0..24).flat_map(|stop| [(stop, false), (stop, true)]) {
        let (mut heap, kept) = fragmented(Limits::NONE, 12_000, 40);
        let size = pages(&heap) as u32;
        let free = (u64::from(size) * 65_536 - 206 * 8 - payload(&heap)) / 64;
        heap.set_limits(Limits::NONE.with_pages(size));
        let used = if is_full { free * 6 / 10 } else { 0 };
        for _ in 0..used {
            heap.alloc(List::of(&[Cell::TRUE; 8])).unwrap();
        }
        for _ in 0..stop {
            heap.compact_step(30_000).unwrap();
        }
        // Gaps of a word or two, and the ends of blocks that were split, are too small.
        for n in used..free * 9 / 10 {
            let made = heap.alloc(List::of(&[Cell::TRUE; 8]));
            assert!(made.is_ok(), "{n} of {free} after {stop} steps, {used} before");
        }
        heap.verify().unwrap();
        assert_eq!(heap.usage().live(), kept.len() as u64 + free * 9 / 10);
    }
}

/// Where memory for the first objects is refused, a step compacts the arena at once; nothing
/// counts as refused.
#[test]
fn without_memory_a_step_compacts_at_once() {
    let (mut heap, kept) = fragmented(Limits::NONE, 40_000, 40);
    let expected = numbers(&heap, &kept);
    let bytes = usize::try_from(heap.usage().total_bytes).unwrap();
    // All but a little of the tail is used.
    while heap.usage().total_bytes <= bytes as u64 {
        heap.alloc(List::of(&[Cell::TRUE; 8])).unwrap();
    }
    let bytes = usize::try_from(heap.usage().total_bytes).unwrap();
    heap.collect(kept.iter().copied()).unwrap();
    heap.set_limits(Limits::NONE.with_bytes(bytes));
    heap.fail_growth_after(Some(0));
    while !heap.compact_step(1_000).unwrap().finished {}
    heap.verify().unwrap();
    check_lists(&heap, &kept, &expected);
    assert_eq!(pages(&heap), (payload(&heap) + 206 * 8).div_ceil(65_536));
}

/// Two versions of a list, in one block.
fn versions(heap: &mut Heap, n: i32) -> [Handle<List>; 2] {
    let list = heap.alloc(List::of(&[n.into()])).unwrap();
    let first = heap.append(list, n.into()).unwrap();
    let second = heap.append(first, n.into()).unwrap();
    heap.free(list).unwrap();
    [first, second]
}

/// Blocks that versions share stay, and the outcome says what they leave; the others move
/// below them.
#[test]
fn shared_blocks_stay() {
    for (shared, work) in [(1, 500), (5, 30_000), (60, 2_000)] {
        let (mut heap, mut kept) = (limited(Limits::NONE), Vec::new());
        let mut dead = Vec::new();
        for n in 0..12_000 {
            let list = heap.alloc(List::of(&[Cell::from(n); 8])).unwrap();
            if n % 4 == 0 { &mut kept } else { &mut dead }.push(list);
            if n % (12_000 / shared) == 12_000 / shared - 1 {
                kept.extend(versions(&mut heap, n));
            }
        }
        dead.into_iter().for_each(|list| heap.free(list).unwrap());
        let (expected, before) = (numbers(&heap, &kept), pages(&heap));
        let (mut left, mut steps) = (0, 0_u32);
        loop {
            let step = heap.compact_step(work).unwrap();
            steps += 1;
            if steps.is_multiple_of(11) {
                heap.verify().unwrap();
            }
            left += step.left;
            if step.finished {
                break;
            }
        }
        assert!(left > 0, "the last block is shared, and stays");
        assert_eq!(pages(&heap), before);
        check_lists(&heap, &kept, &expected);
        heap.compact();
        check_lists(&heap, &kept, &expected);
        assert_eq!(pages(&heap), (payload(&heap) + 206 * 8).div_ceil(65_536));
    }
}

/// A fork of a heap that is being compacted has all of its free memory, and no compaction.
#[test]
fn a_fork_has_no_compaction() {
    let (mut heap, kept) = fragmented(Limits::NONE, 12_000, 40);
    let expected = numbers(&heap, &kept);
    for _ in 0..200 {
        let done = heap.compact_step(20_000).unwrap();
        let mut fork = heap.try_clone().unwrap();
        fork.verify().unwrap();
        check_lists(&fork, &kept, &expected);
        fork.set_limits(Limits::NONE.with_pages(pages(&fork) as u32));
        let free = (pages(&fork) * 65_536 - 206 * 8 - payload(&fork)) / 64 * 9 / 10;
        for _ in 0..free {
            fork.alloc(List::of(&[Cell::TRUE; 8])).unwrap();
        }
        if done.finished {
            return;
        }
    }
    panic!("a compaction ends");
}

/// A hint is proved again once its object has moved; one large object moves in one piece.
#[test]
fn hints_follow_what_a_step_moves() {
    let mut heap = limited(Limits::NONE);
    let first = heap.alloc(List::of(&[1.into(); 10_000])).unwrap();
    let list = heap.alloc(List::of(&[2.into(); 200_000])).unwrap();
    let last = heap.alloc(List::of(&[3.into(); 20])).unwrap();
    heap.free(first).unwrap();
    let mut hint = heap.hint(list, ..).unwrap();
    assert_eq!(hint.get(&heap, 5), Ok(2.into()));
    let mut moved = 0;
    loop {
        let step = heap.compact_step(1).unwrap();
        moved += step.moved;
        assert_eq!(hint.get(&heap, 199_999), Ok(2.into()));
        assert!(step.work <= 1 + 200_000 * 8 + 4_096);
        if step.finished {
            break;
        }
    }
    assert!(moved >= 2);
    hint.set(&mut heap, 5, 9.into()).unwrap();
    assert_eq!(heap.get(list).unwrap().get(5), Ok(9.into()));
    assert_eq!(heap.get(last).unwrap().get(19), Ok(3.into()));
    heap.verify().unwrap();
}

/// A step of the least work moves one object.
#[test]
fn the_smallest_step_moves_one_object() {
    let (mut heap, kept) = fragmented(Limits::NONE, 4_000, 500);
    let expected = numbers(&heap, &kept);
    let mut moved = 0;
    loop {
        let step = heap.compact_step(1).unwrap();
        assert!(step.moved <= 1, "{step:?}");
        moved += step.moved;
        if step.finished {
            break;
        }
    }
    assert!(moved > 1_000);
    heap.verify().unwrap();
    check_lists(&heap, &kept, &expected);
}

/// A block that there was no room for is dealt with at the end of the pass, whatever has become
/// of it meanwhile: its front was cut, or a version continues it, or it was freed.
#[test]
fn blocks_left_by_the_pass_change() {
    const LARGE: i32 = 6_000;
    const POPPED: i32 = 3;
    for (stop, change) in (0..40).flat_map(|stop| [(stop, 0), (stop, 1), (stop, 2), (stop, 3)]) {
        let mut heap = limited(Limits::NONE);
        // The pass comes to them first. With room to continue them, and no room for them elsewhere.
        let large: Vec<Handle<List>> = (0..6)
            .map(|_| {
                let list = heap.alloc(List::new()).unwrap();
                (0..LARGE).for_each(|n| heap.get_mut(list).unwrap().push(n.into()).unwrap());
                list
            })
            .collect();
        let small: Vec<Handle<List>> =
            (0..3_000).map(|_| heap.alloc(List::new()).unwrap()).collect();
        let shared: Vec<Handle<List>> =
            (0..300).map(|_| heap.alloc(List::new()).unwrap()).collect();
        // In the order of the pass, or against it.
        for n in 0..3_000 {
            let n = if stop % 2 == 0 { n } else { 2_999 - n };
            let cells = vec![Cell::from(n); if n % 5 == 1 { 40 } else { 8 }];
            heap.get_mut(small[n as usize]).unwrap().extend(&cells).unwrap();
            if change == 3 && n % 10 == 1 {
                let list = shared[n as usize / 10];
                (0..5).for_each(|_| heap.get_mut(list).unwrap().push(n.into()).unwrap());
                heap.append(list, n.into()).unwrap();
            }
        }
        small.iter().step_by(2).for_each(|&list| heap.free(list).unwrap());
        let kept: Vec<Handle<List>> = small.into_iter().skip(1).step_by(2).collect();
        let expected = numbers(&heap, &kept);
        for _ in 0..stop {
            heap.compact_step(8_000).unwrap();
        }
        let mut lists: Vec<(Handle<List>, i32, i32)> = Vec::new();
        for &list in &large {
            match change {
                0 => {
                    for _ in 0..POPPED {
                        heap.get_mut(list).unwrap().pop_front().unwrap();
                    }
                    lists.push((list, POPPED, LARGE));
                }
                1 | 3 => {
                    let version = heap.append(list, LARGE.into()).unwrap();
                    lists.extend([(list, 0, LARGE), (version, 0, LARGE + 1)]);
                }
                _ => heap.free(list).unwrap(),
            }
        }
        heap.verify().unwrap();
        while !heap.compact_step(4_000).unwrap().finished {
            heap.verify().unwrap();
        }
        heap.verify().unwrap();
        check_lists(&heap, &kept, &expected);
        for (list, from, to) in lists {
            let cells: Vec<Cell> = (from..to).map(Cell::from).collect();
            assert_eq!(heap.get(list).unwrap().as_slice(), cells, "after {stop} steps");
        }
    }
}
