//! Runs of segheap.

use cpu_time::ThreadTime;
use segheap::{Cell, Error, Handle, Heap, List, Map, Pair, Policy};

use super::Mode;
use super::run::{BATCH, Extra, Run, Scene};
use crate::subjects::{Random, heap};

/// The live lists of pairs, and their table.
fn build(heap: &mut Heap, live: usize) -> Result<(Vec<Handle<List>>, Handle<List>), Error> {
    let (mut lists, mut pairs) = (Vec::new(), Vec::new());
    for list in 0..live / BATCH {
        pairs.clear();
        for n in 0..BATCH {
            let number = (list * BATCH + n) as u32;
            pairs.push(heap.alloc(Pair::of(number.into(), Cell::NULL))?.cell());
        }
        lists.push(heap.alloc(List::of(&pairs))?);
    }
    let cells: Vec<Cell> = lists.iter().map(|list| list.cell()).collect();
    let table = heap.alloc(List::of(&cells))?;
    Ok((lists, table))
}

/// What is live besides: roots and an object.
fn extras(heap: &mut Heap, scene: &Scene) -> Result<(Vec<Cell>, Cell), Error> {
    let count = scene.extras();
    let (mut roots, mut object) = (Vec::new(), Cell::NULL);
    match scene.extra {
        Extra::None => {}
        Extra::Roots | Extra::Pins => {
            for n in 0..count as u32 {
                let pair = heap.alloc(Pair::of(n.into(), Cell::NULL))?.cell();
                if scene.extra == Extra::Pins {
                    heap.pin(pair)?;
                } else {
                    roots.push(pair);
                }
            }
        }
        Extra::Map => {
            object = heap.alloc(Map::new())?.cell();
            for n in 0..count as u32 {
                heap.map_insert(object, n.into(), Cell::NULL)?;
            }
        }
        Extra::List => object = heap.alloc(List::zeroed(count))?.cell(),
    }
    Ok((roots, object))
}

/// A collection of the whole heap is due after a growth by half, as in gc-arena, so that
/// each run has one.
fn policy(mode: Mode) -> Policy {
    let policy = Policy::DEFAULT.with_growth_percent(50);
    match mode {
        Mode::Steps => policy.with_young_bytes(0),
        Mode::Young => policy.with_young_bytes(2 << 20).with_growth_percent(u16::MAX),
        _ => policy,
    }
}

/// Allocates pairs, writes one of each batch into a live list, and collects at safe points.
pub(super) fn run(mode: Mode, scene: &Scene) -> Result<Run, Error> {
    let mut heap = heap();
    let (lists, table) = build(&mut heap, scene.live)?;
    let (more, object) = extras(&mut heap, scene)?;
    let mut registers = [Cell::NULL; 8];
    // Before the first collection, which decides when the next one is due.
    heap.set_policy(policy(mode));
    let old = more.iter().copied().chain([table.cell(), object]);
    match mode {
        Mode::Young | Mode::Default => heap.collect_young(old)?,
        _ => heap.collect(old)?,
    };
    let (mut run, mut random) = (Run::default(), Random(1));
    let start = ThreadTime::now();
    for batch in 0..scene.allocations / BATCH {
        for n in 0..BATCH {
            let number = (batch * BATCH + n) as u32;
            let pair = heap.alloc(Pair::of(number.into(), registers[n % 8]))?;
            registers[n % 8] = if n % 16 < 8 { Cell::NULL } else { pair.into() };
            if n == 8 {
                let list = lists[random.below(lists.len())];
                heap.set_element(list, random.below(BATCH), pair.into())?;
                match scene.extra {
                    Extra::List => {
                        heap.set_element::<List>(
                            object,
                            random.below(scene.extras()),
                            pair.into(),
                        )?;
                    }
                    Extra::Map => {
                        _ = heap.map_insert(object, (batch as u32).into(), pair.into())?
                    }
                    _ => {}
                }
            }
        }
        let roots = || more.iter().copied().chain(registers).chain([table.cell(), object]);
        if mode == Mode::AtOnce {
            if heap.should_collect() {
                run.pause(|| heap.collect(roots()))?;
            }
        } else if heap.has_debt() {
            run.pause(|| heap.collect_debt(roots()))?;
        }
    }
    let run = run.done(start, 0);
    Ok(Run { result: total(&heap, &lists)?, ..run })
}

/// The sum of the numbers of all live pairs.
fn total(heap: &Heap, lists: &[Handle<List>]) -> Result<u64, Error> {
    let mut total = 0;
    for &list in lists {
        for pair in heap.get(list)?.as_slice() {
            total += heap.get::<Pair>(*pair)?.first()?.as_int().unwrap() as u64;
        }
    }
    Ok(total)
}

/// The second collection with 10 live pairs after many more.
pub(super) fn peak(scene: &Scene) -> Result<Run, Error> {
    let mut heap = heap();
    let mut kept = Vec::new();
    for n in 0..scene.live {
        let pair = heap.alloc(Pair::of((n as u32).into(), Cell::NULL))?;
        if n % (scene.live / 10) == 0 && kept.len() < 10 {
            kept.push(pair);
        }
    }
    heap.collect(kept.iter().copied())?;
    let (mut run, start) = (Run::default(), ThreadTime::now());
    let live = run.pause(|| heap.collect(kept.iter().copied()))?.live;
    Ok(run.done(start, live))
}
