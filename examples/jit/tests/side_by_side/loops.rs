//! What random programs seldom meet: memory that moves in the middle of a loop, and cells that only
//! the object has in which compiled code has stored them.

use segheap::{Cell, Error, F64Arr, Heap, I64Arr, Kind, List, abi};
use segheap_jit::{Array, Vm, Work};

use super::pair::{Access, Pair, append};

/// Elements of the object that a loop reads.
const LEN: u64 = 24;

/// All checks of this file.
pub fn check(access: Access<'_>) {
    for array in Array::ALL {
        every_reason(access, array);
        the_object_moves_in_a_loop(access, array);
        // Miri takes a minute for each: the accessors of all arrays are one generic function.
        if !cfg!(miri) || array == Array::List {
            memory_moves_in_a_loop(access, array);
            versions_move(access, array);
        }
    }
    cells_are_kept(access);
}

/// All work on objects that compiled code has to leave, beside one that it has not: of another
/// kind, frozen, freed, versions, and handles with a bit flipped.
fn every_reason(access: Access<'_>, array: Array) {
    let mut pair = Pair::new(4);
    let others = Array::ALL.map(|array| pair.alloc(array, 4));
    let [frozen, freed, old] = [(); 3].map(|()| pair.alloc(array, 4));
    let new = pair.both(|heap| append(heap, old).unwrap());
    pair.handles.push(new);
    pair.both(|heap| heap.freeze(frozen)).unwrap();
    pair.both(|heap| heap.free(freed)).unwrap();
    pair.set_roots(&pair.handles.clone());
    let object = abi::bits(others[array as usize]);
    let flipped = if cfg!(miri) { &[20, 44][..] } else { &[3, 20, 31, 32, 43, 44, 47, 48, 63] };
    let mut objects: Vec<u64> = flipped.iter().map(|bit| object ^ 1 << bit).collect();
    objects.extend(pair.handles.iter().map(|&cell| abi::bits(cell)));
    let places = if cfg!(miri) { &[0, 4][..] } else { &[0, 3, 4, 5, u64::MAX] };
    for work in Work::ALL {
        for &object in &objects {
            for &first in places {
                // An integer to store, and the number of `object`, to push to or to copy from.
                let value = [0, 1, 9][array as usize];
                let operands = pair.operands(array, work, first, value);
                pair.compare(access, array, work, object, operands);
            }
        }
    }
    pair.check();
}

/// Pushes to another object, until the memory has grown between two elements.
fn memory_moves_in_a_loop(access: Access<'_>, array: Array) {
    let mut pair = Pair::new(5);
    let source = abi::bits(pair.alloc(array, LEN as usize));
    pair.alloc(array, 7_600); // nearly a page
    let target = abi::bits(pair.alloc(array, 0));
    let words = |pair: &Pair| abi::bases(pair.vm.heap()).of(array.kind()).words;
    let (before, mut times) = (words(&pair), 0);
    while words(&pair) == before {
        pair.compare(access, array, Work::PushEach, source, [LEN, target]);
        pair.check_object(abi::cell(target).unwrap());
        times += 1;
        // With room for the next time: only allocations take memory.
        pair.both(|heap| truncate(heap, abi::cell(target).unwrap())).unwrap();
    }
    assert_eq!(pair.done, [times, 0]);
    pair.check();
}

fn truncate(heap: &mut Heap, object: Cell) -> Result<(), Error> {
    match object.kind() {
        Some(Kind::I64ARR) => heap.get_mut::<I64Arr>(object)?.truncate(0),
        Some(Kind::F64ARR) => heap.get_mut::<F64Arr>(object)?.truncate(0),
        _ => heap.get_mut::<List>(object)?.truncate(0),
    }
}

/// Pushes the elements of an object to itself: its block moves while the memory may not.
fn the_object_moves_in_a_loop(access: Access<'_>, array: Array) {
    let mut pair = Pair::new(6);
    let object = abi::bits(pair.alloc(array, LEN as usize));
    pair.alloc(array, 1);
    pair.compare(access, array, Work::PushEach, object, [LEN, object]);
    assert_eq!(pair.done, [1, 0]);
    pair.check();
}

/// Writes to a version: compiled code leaves an array, and the barrier gives a list a block of its
/// own, for which the memory may have to grow.
fn versions_move(access: Access<'_>, array: Array) {
    let mut pair = Pair::new(7);
    let mut last = pair.alloc(array, 700);
    let has_moved = (0..60).any(|_| {
        let new = pair.both(|heap| append(heap, last).unwrap());
        let before = abi::moves(pair.vm.heap());
        for object in [new, last] {
            let operands = pair.operands(array, Work::Set, 0, 3);
            pair.compare(access, array, Work::Set, abi::bits(object), operands);
        }
        let has_moved = abi::moves(pair.vm.heap()) != before;
        pair.handles.extend([new, last]);
        last = new;
        has_moved
    });
    assert!(has_moved);
    pair.check();
}

/// How cells get into a list.
const STORES: [Work; 6] = [
    Work::Set,
    Work::FillChecked,
    Work::FillHinted,
    Work::FillBulk,
    Work::PushEach,
    Work::CopyCollecting,
];

fn cells_are_kept(access: Access<'_>) {
    let steps = if cfg!(miri) { 1..2 } else { 0..24 };
    for work in STORES {
        a_young_object(access, work);
        for steps in steps.clone() {
            for turned in [false, true] {
                an_object_found_late(access, work, steps, turned);
            }
        }
    }
}

/// A list, a value, and what stores the value in the list.
struct Store {
    list: Cell,
    value: Cell,
    source: Cell,
    /// The object and the operands of the work.
    call: (u64, [u64; 2]),
}

impl Store {
    fn new(pair: &mut Pair, list: Cell, work: Work) -> Store {
        let (value, source) = (pair.alloc(Array::List, 0), pair.alloc(Array::List, 4));
        pair.both(|heap| heap.get_mut::<List>(source)?.fill(.., value)).unwrap();
        let bits = [list, value, source].map(abi::bits);
        let call = match work {
            Work::Set => (bits[0], [0, bits[1]]),
            Work::PushEach => (bits[2], [4, bits[0]]),
            Work::CopyCollecting => (bits[0], [4, bits[2]]),
            _ => (bits[0], [4, bits[1]]),
        };
        Store { list, value, source, call }
    }

    /// Stores, and checks that the list has the value.
    fn store(&self, access: Access<'_>, vm: &mut Vm, work: Work) {
        let (object, operands) = self.call;
        access(vm, Array::List, work, object, operands).expect("nothing is in the way");
        let index = if work == Work::PushEach { 4 } else { 0 };
        let stored = vm.run_safely(Array::List, Work::Get, self.list, [index, 0]);
        assert_eq!(stored, Ok(abi::bits(self.value)));
    }
}

/// A young collection leaves a young object that only an old list has.
fn a_young_object(access: Access<'_>, work: Work) {
    let mut pair = Pair::new(8);
    let list = pair.alloc(Array::List, 4);
    pair.both(|heap| heap.collect([list]).unwrap().freed);
    let store = Store::new(&mut pair, list, work);
    pair.set_roots(&[list, store.source]);
    store.store(access, &mut pair.vm, work);
    pair.vm.change(|heap| heap.collect_young([list])).unwrap();
    assert!(pair.vm.heap().contains(store.value), "freed after {work:?}");
}

/// A cycle leaves an object that is stored in a list when the collector may have scanned that,
/// after `steps` steps, and that nothing else has when it goes on.
fn an_object_found_late(access: Access<'_>, work: Work, steps: usize, turned: bool) {
    const WORK: u64 = 32;
    let mut pair = Pair::new(9);
    let list = pair.alloc(Array::List, 4);
    let others = [pair.alloc(Array::List, 64), pair.alloc(Array::List, 64)];
    let store = Store::new(&mut pair, list, work);
    let mut roots = vec![list, others[0], others[1], store.source, store.value];
    if turned {
        roots.reverse();
    }
    pair.set_roots(&roots);
    pair.vm.change(|heap| heap.collect(roots.iter().copied())).unwrap();
    for _ in 0..steps {
        pair.vm.change(|heap| heap.step(roots.iter().copied(), WORK)).unwrap();
    }
    store.store(access, &mut pair.vm, work);
    roots.retain(|root| ![store.source, store.value].contains(root));
    let rest = if cfg!(miri) { 1 << 16 } else { WORK };
    let mut step = || pair.vm.change(|heap| heap.step(roots.iter().copied(), rest));
    // The cycle that is under way, or the next one; and one more.
    for _ in 0..2 {
        while !step().unwrap().finished {}
    }
    assert!(pair.vm.heap().contains(store.value), "freed after {work:?}, {steps} steps");
}
