//! Pauses that are not those of collections: a table is rebuilt, a memory grows.

use cpu_time::ThreadTime;
use indexmap::IndexMap;
use segheap::{Cell, Error, List, Map};

use super::run::{BATCH, Run, Scene};
use crate::subjects::heap;

/// Pushes until the elements take 1 GiB.
fn pushes(scene: &Scene) -> usize {
    (scene.allocations as f64 * (1_u64 << 27) as f64 / 1e7) as usize
}

pub(super) fn insert(scene: &Scene) -> Result<Run, Error> {
    let mut heap = heap();
    let map = heap.alloc(Map::new())?;
    let (mut run, start) = (Run::default(), ThreadTime::now());
    for batch in 0..scene.allocations / BATCH {
        run.pause(|| {
            (batch * BATCH..(batch + 1) * BATCH)
                .try_for_each(|n| heap.map_insert(map, (n as u32).into(), Cell::NULL).map(drop))
        })?;
    }
    let len = heap.get(map)?.len();
    Ok(run.done(start, len as u64))
}

pub(super) fn insert_to_indexmap(scene: &Scene) -> Run {
    let mut map = IndexMap::<i64, i64, foldhash::fast::FixedState>::default();
    let (mut run, start) = (Run::default(), ThreadTime::now());
    for batch in 0..scene.allocations / BATCH {
        run.pause(|| {
            for n in batch * BATCH..(batch + 1) * BATCH {
                map.insert(n as i64, 0);
            }
        });
    }
    run.done(start, map.len() as u64)
}

pub(super) fn push(scene: &Scene) -> Result<Run, Error> {
    let mut heap = heap();
    let list = heap.alloc(List::new())?;
    let (mut run, start) = (Run::default(), ThreadTime::now());
    for batch in 0..pushes(scene) / BATCH {
        let mut list = heap.get_mut(list)?;
        run.pause(|| {
            (batch * BATCH..(batch + 1) * BATCH).try_for_each(|n| list.push((n as u32).into()))
        })?;
    }
    let len = heap.get(list)?.len();
    Ok(run.done(start, len as u64))
}

pub(super) fn push_to_vec(scene: &Scene) -> Run {
    let mut list = Vec::<u64>::new();
    let (mut run, start) = (Run::default(), ThreadTime::now());
    for batch in 0..pushes(scene) / BATCH {
        run.pause(|| {
            for n in batch * BATCH..(batch + 1) * BATCH {
                list.push(n as u64);
            }
        });
    }
    run.done(start, list.len() as u64)
}
