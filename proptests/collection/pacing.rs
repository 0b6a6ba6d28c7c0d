//! What `collect_debt` chooses, and when.

use segheap::{Cell, Heap, Limits, List, Pair, Policy};

use super::{NONE, heap, pair};

/// Young objects are collected after 16 KiB, the whole heap not before 64 KiB.
const SMALL: Policy =
    Policy::DEFAULT.with_bytes_min(64 << 10).with_young_bytes(16 << 10).with_step_bytes(1 << 10);

#[test]
fn without_debt_nothing_is_collected() {
    let mut heap = heap();
    let cells: Vec<Cell> = (0..200).map(|_| pair(&mut heap)).collect();
    let root = heap.alloc(List::of(&cells)).unwrap();
    let garbage = pair(&mut heap);
    let before = heap.usage();
    assert!(!heap.has_debt());
    let step = heap.collect_debt(NONE).unwrap();
    assert_eq!((step.finished, step.work, step.freed), (true, 0, 0));
    assert!(heap.contains(garbage));
    assert_eq!(heap.usage(), before);
    // Nor while a cycle is under way.
    assert!(!heap.step([root], 1).unwrap().finished);
    assert!(!heap.has_debt());
    let step = heap.collect_debt(NONE).unwrap();
    assert_eq!((step.finished, step.work, step.freed), (false, 0, 0));
    assert!(heap.contains(garbage));
}

/// Lists of pairs, all old, and a root that reaches them.
fn old_lists(heap: &mut Heap, n: usize) -> Cell {
    let lists: Vec<Cell> = (0..n)
        .map(|_| {
            let cells: Vec<Cell> = (0..20).map(|_| pair(heap)).collect();
            heap.alloc(List::of(&cells)).unwrap().cell()
        })
        .collect();
    let root = heap.alloc(List::of(&lists)).unwrap().cell();
    heap.collect_young([root]).unwrap();
    root
}

/// Garbage that young collections free makes no cycle due, however much there is.
#[test]
fn young_garbage_makes_no_cycle_due() {
    let mut heap = heap();
    heap.set_policy(SMALL);
    let root = old_lists(&mut heap, 500);
    let mut collections = 0;
    for _ in 0..200_000 {
        pair(&mut heap);
        if heap.has_debt() {
            assert!(heap.collect_debt([root]).unwrap().finished, "after {collections}");
            collections += 1;
        }
    }
    assert!(collections > 300, "{collections}");
    assert!(heap.usage().live() < 12_000);
}

/// All objects become old, and are garbage soon after.
#[test]
fn a_cycle_ends_before_the_heap_has_doubled() {
    const KEPT: usize = 20_000;
    let mut heap = heap();
    heap.set_policy(SMALL);
    let ring: Vec<Cell> = (0..KEPT).map(|_| pair(&mut heap)).collect();
    let lists: Vec<Cell> =
        ring.chunks(100).map(|part| heap.alloc(List::of(part)).unwrap().cell()).collect();
    let root = heap.alloc(List::of(&lists)).unwrap().cell();
    heap.collect_young([root]).unwrap();
    let (mut begun, mut cycles) = (None, 0);
    for n in 0..10 * KEPT {
        let new = heap.alloc(Pair::of(Cell::TRUE, Cell::NULL)).unwrap().cell();
        let at = n * 7 % KEPT;
        heap.set_element::<List>(lists[at / 100], at % 100, new).unwrap();
        if !heap.has_debt() {
            continue;
        }
        let step = heap.collect_debt([root]).unwrap();
        let live = heap.usage().live();
        match begun {
            None if !step.finished => begun = Some(live),
            Some(first) if !step.finished => assert!(live < first * 3 / 2, "{live} of {first}"),
            Some(_) => {
                assert_eq!(heap.collector_stats().collections, 1, "it ended at once");
                (begun, cycles) = (None, cycles + 1);
            }
            None => assert!(live < 7 * KEPT as u64 / 2, "{live}"),
        }
    }
    assert!((4..20).contains(&cycles), "{cycles}");
}

/// A program that writes to about as much between two steps as a step marks: what is scanned
/// again for that extends the steps.
#[test]
fn writes_do_not_hold_a_cycle_up() {
    const KEPT: usize = 20_000;
    const PART: usize = 20;
    const WRITES: usize = 56;
    let mut heap = heap();
    heap.set_policy(SMALL);
    let pairs: Vec<Cell> = (0..KEPT).map(|_| pair(&mut heap)).collect();
    let lists: Vec<Cell> =
        pairs.chunks(PART).map(|part| heap.alloc(List::of(part)).unwrap().cell()).collect();
    let root = heap.alloc(List::of(&lists)).unwrap().cell();
    heap.collect([root]).unwrap();
    let (mut steps, mut finished) = (0, false);
    while !finished {
        for n in 0..WRITES {
            pair(&mut heap);
            // Each time another list, scanned already for the most part.
            let list = lists[(steps * WRITES + n) * 7 % lists.len()];
            heap.set_element::<List>(list, 0, pairs[0]).unwrap();
        }
        finished = heap.step([root], 8 << 10).unwrap().finished;
        steps += 1;
        // 141; and no end, if what is scanned again took the place of what is not yet.
        assert!(steps < 200, "a cycle of {steps} steps");
    }
}

/// Near a limit, with room for steps: nothing is refused, and cycles go on in steps.
#[test]
fn near_a_limit_cycles_stay_in_steps() {
    const LIMIT: usize = 32 << 20;
    let mut heap = heap();
    heap.set_limits(Limits::NONE.with_bytes(LIMIT));
    let mut lists = Vec::new();
    // Less is live than makes the limit near, more than lets the heap grow by half.
    while heap.usage().total_bytes < (LIMIT as u64 / 8) * 5 {
        let cells: Vec<Cell> = (0..100).map(|_| pair(&mut heap)).collect();
        lists.push(heap.alloc(List::of(&cells)).unwrap().cell());
    }
    let root = heap.alloc(List::of(&lists)).unwrap().cell();
    heap.collect([root]).unwrap();
    let (before, mut steps) = (heap.collector_stats().collections, 0);
    for n in 0..600_000 {
        let new = heap.alloc(Pair::of(Cell::TRUE, Cell::NULL)).unwrap().cell();
        let list = lists[n * 7 % lists.len()];
        heap.set_element::<List>(list, n % 100, new).unwrap();
        if heap.has_debt() {
            steps += usize::from(!heap.collect_debt([root]).unwrap().finished);
        }
    }
    let at_once = heap.collector_stats().collections - before;
    let cycles = heap.collector_stats().cycles;
    assert!(at_once == 0 && cycles > 5 && steps > 300, "{cycles}, {at_once} at once, {steps}");
}
