//! What frees objects, and what keeps them: collections, regions, pins, watches, seals.

use segheap::{Cell, Error, Kind, Policy};

use crate::model::OpenRegion;
use crate::sequences::made;
use crate::value::{Value, bits, decode};
use crate::world::{Check, World};

fn open_error(w: &mut World, cell: Cell) -> Result<(), Vec<Error>> {
    w.model().open_or_seal(cell).map(drop).map_err(|error| vec![error])
}

/// Frees an object.
pub(crate) fn free(w: &mut World) -> Check {
    let cell = if w.dice.percent(95) { w.live_any() } else { None };
    let cell = cell.unwrap_or_else(|| w.odd());
    w.note(|| format!("free {cell:?}"));
    let want = w.model().open_any(cell).map(drop).map_err(|error| vec![error]);
    let got = w.heap().free(cell);
    if w.settle(got, want)?.is_some() {
        w.model().free(bits(cell));
    }
    Ok(())
}

/// Tests handles.
pub(crate) fn test(w: &mut World) -> Check {
    let cell = if w.dice.percent(50) { w.any() } else { w.odd() };
    w.note(|| format!("contains {cell:?}"));
    let live = w.model().find(cell).is_some();
    let got = (w.heap().contains(cell), w.heap().upgrade(cell));
    w.settle(Ok(got), Ok((live, live.then_some(cell)))).map(drop)
}

/// Frees all objects.
pub(crate) fn clear(w: &mut World) -> Check {
    w.note(|| "clear".into());
    w.heap().clear();
    let all: Vec<u64> = w.model().objects.keys().copied().collect();
    for handle in all {
        w.model().free(handle);
    }
    w.settle(Ok(()), Ok(())).map(drop)
}

/// Collects.
pub(crate) fn collect(w: &mut World) -> Check {
    let mut roots = w.side().registers.clone();
    if w.dice.percent(30) {
        let kept = w.dice.below(roots.len() + 1);
        roots.truncate(kept);
    } else {
        let more = w.dice.below(60);
        roots.extend((0..more).filter_map(|_| w.live_any()));
    }
    w.note(|| format!("collect {roots:?}"));
    let stale = |cell: &Cell| cell.kind().is_some() && w.sides[w.me].model.find(*cell).is_none();
    let stale = (roots.iter().filter(|cell| stale(cell)).count(), roots.iter().position(stale));
    let freed = w.model().collect(roots.iter().copied());
    let live = w.model().objects.len() as u64;
    let got = w.heap().collect(roots);
    let got = got.map(|it| (it.freed, it.live, (it.stale_roots, it.first_stale), it.recycled));
    w.settle(got, Ok((freed, live, stale, 0))).map(drop)
}

/// Collects what one wide list does not refer to, where the limit leaves no memory.
pub(crate) fn collect_at_limit(w: &mut World) -> Check {
    let skipped = w.dice.below(40);
    let handles = w.model().objects.keys().skip(skipped);
    let cells: Vec<Cell> = handles.filter_map(|&handle| segheap::abi::cell(handle)).collect();
    let items = crate::value::values(&cells);
    w.note(|| format!("collect at the limit, all but {skipped}"));
    let got = w.heap().alloc(segheap::List::of(&cells)).map(Cell::from);
    let want = crate::model::Object::Items { kind: Kind::LIST, header: 0, items };
    let Some(list) = w.settle_made(got, Ok(crate::world::Made::Object(want)))? else {
        return Ok(());
    };
    let (limits, used) = (w.heap().limits(), w.heap().usage().total_bytes as usize);
    w.heap().set_limits(limits.with_bytes(used));
    let freed = w.model().collect([list].into_iter());
    let got = w.heap().collect([list]).map(|collected| collected.freed);
    w.heap().set_limits(limits);
    w.settle(got, Ok(freed)).map(drop)
}

/// Collects, and recycles retired slots.
pub(crate) fn recycle(w: &mut World) -> Check {
    let roots = w.side().registers.clone();
    let mut weak = w.attic.clone();
    weak.extend(w.sides.iter().flat_map(|side| side.held()));
    w.note(|| format!("collect_and_recycle {roots:?} {weak:?}"));
    let retired = |w: &mut World| -> u32 {
        let usage = w.heap().usage();
        usage.arenas().iter().map(|arena| arena.retired).sum::<u32>() + usage.seals.retired
    };
    let before = retired(w);
    let freed = w.model().collect(roots.iter().copied());
    let got = w.heap().collect_and_recycle(roots, weak.iter().copied());
    let after = retired(w);
    let recycled = got.map_or(0, |it| it.recycled);
    if recycled > 0 {
        let side = w.side();
        side.hints.iter_mut().for_each(|hint| hint.doubtful = true);
        // Handles that nothing refers to may be returned again.
        let model = &mut side.model;
        let held = weak.iter().copied().map(bits);
        let inside = model.objects.values().flat_map(|object| object.edges().map(bits));
        let listed = model.pins.keys().copied().chain(model.watches.iter().map(|watch| watch.0));
        let own = model.objects.keys().copied();
        let kept = held.chain(inside).chain(listed).chain(own).collect();
        let known = std::mem::take(&mut model.known);
        model.known = known.intersection(&kept).copied().collect();
        for region in &mut model.regions {
            region.members.retain(|handle| model.objects.contains_key(handle));
        }
    }
    if u64::from(after) + recycled < u64::from(before) {
        return Err(format!("{before} slots were retired, {after} are, {recycled} were recycled"));
    }
    let live = w.model().objects.len() as u64;
    let want = (freed, live, recycled);
    let got = got.map(|it| (it.freed, it.live, it.recycled));
    w.settle(got, Ok(want)).map(drop)
}

/// Compacts.
pub(crate) fn compact(w: &mut World) -> Check {
    w.note(|| "compact".into());
    w.heap().compact();
    w.settle(Ok(()), Ok(())).map(drop)
}

/// Does a step of a compaction.
pub(crate) fn compact_step(w: &mut World) -> Check {
    let work = w.dice.one(&[0, 1, 50, 1_000, 20_000, u64::MAX]);
    w.note(|| format!("compact_step {work}"));
    let done = w.heap().compact_step(work).map(drop);
    w.settle(done, Ok(())).map(drop)
}

/// Allocates and frees objects of one kind many times, until their slot retires.
pub(crate) fn churn(w: &mut World) -> Check {
    let turns = w.dice.one(&[10, 100, 4096, 4500]);
    w.note(|| format!("churn {turns}"));
    let list = w.dice.percent(50);
    for _ in 0..turns {
        let cell = match list {
            true => w.heap().alloc(segheap::List::new()).map(Cell::from),
            false => w.heap().alloc(segheap::Pair::of(Cell::NULL, Cell::TRUE)).map(Cell::from),
        };
        if cell.is_err() {
            // A slot may have retired since the operation began.
            w.before = w.heap().usage();
        }
        let Some(cell) = w.settle_growing(cell, cell.map_err(|_| Vec::new()))? else {
            w.outcome = crate::world::Outcome::Done;
            return Ok(());
        };
        if !w.model().known.insert(bits(cell)) {
            return Err(format!("the handle of {cell:?} was returned before"));
        }
        if let Some(region) = w.model().regions.last_mut() {
            region.members.push(bits(cell));
        }
        w.heap().free(cell).map_err(|error| format!("a new object: {error:?}"))?;
    }
    Ok(())
}

/// Opens a region.
pub(crate) fn open(w: &mut World) -> Check {
    if w.model().regions.len() > 6 {
        return close(w);
    }
    w.note(|| "open_region".into());
    let region = w.heap().open_region();
    let got = region.as_ref().map(drop).map_err(|error| *error);
    if w.settle_growing(got, Ok(()))?.is_none() {
        return Ok(());
    }
    w.model().serial += 1;
    let token = w.model().serial;
    w.model().regions.push(OpenRegion { token, members: Vec::new() });
    // A region whose token is dropped stays open until an outer one closes.
    if w.dice.percent(95) {
        w.side().regions.push((region.expect("as settled"), token));
    }
    Ok(())
}

/// Closes a region, mostly the innermost one.
pub(crate) fn close(w: &mut World) -> Check {
    let owner = if w.dice.percent(3) { 1 - w.me } else { w.me };
    let count = w.sides[owner].regions.len();
    if count == 0 {
        return Ok(());
    }
    let place = if w.dice.percent(75) { count - 1 } else { w.dice.below(count) };
    let (region, token) = w.sides[owner].regions.remove(place);
    let most = w.dice.one(&[1, 4, 4, 40]);
    let keep: Vec<Cell> = (0..w.dice.below(most)).map(|_| w.any()).collect();
    let open = &w.sides[w.me].model.regions;
    let depth = open.iter().position(|open| open.token == token && owner == w.me);
    w.note(|| format!("close_region at {depth:?}, keep {keep:?}"));
    let got = w.heap().close_region(region, keep.iter().copied());
    let want = match depth {
        None => Err(vec![Error::RegionClosed]),
        Some(depth) => Ok(w.model().close(depth, &keep)),
    };
    w.settle(got, want).map(drop)
}

/// Pins an object.
pub(crate) fn pin(w: &mut World) -> Check {
    let cell = if w.dice.percent(90) { w.live_any().unwrap_or(Cell::NULL) } else { w.odd() };
    w.note(|| format!("pin {cell:?}"));
    let want = open_error(w, cell);
    let got = w.heap().pin(cell);
    if w.settle_growing(got, want)?.is_some() {
        *w.model().pins.entry(bits(cell)).or_default() += 1;
    }
    Ok(())
}

/// Unpins an object.
pub(crate) fn unpin(w: &mut World) -> Check {
    let pins: Vec<u64> = w.model().pins.keys().copied().collect();
    let pinned = !pins.is_empty() && w.dice.percent(95);
    let handle = if pinned { w.dice.one(&pins) } else { bits(w.any()) };
    let cell = segheap::abi::cell(handle).expect("a cell");
    w.note(|| format!("unpin {cell:?}"));
    let want = w.model().pins.contains_key(&handle);
    let got = w.heap().unpin(cell);
    if let Some(count) = w.model().pins.get_mut(&handle) {
        *count -= 1;
        if *count == 0 {
            w.model().pins.remove(&handle);
        }
    }
    w.settle(Ok(got), Ok(want)).map(drop)
}

/// Watches an object.
pub(crate) fn watch(w: &mut World) -> Check {
    if w.model().watches.len() > 60 {
        return drain(w);
    }
    let cell = if w.dice.percent(90) { w.live_any().unwrap_or(Cell::NULL) } else { w.odd() };
    let token = w.dice.word();
    w.note(|| format!("watch {cell:?} {token}"));
    let want = open_error(w, cell);
    let got = w.heap().watch(cell, token);
    if w.settle_growing(got, want)?.is_some() {
        w.model().watches.push((bits(cell), token));
    }
    Ok(())
}

/// Takes tokens of freed objects.
pub(crate) fn drain(w: &mut World) -> Check {
    let most = w.dice.one(&[0, 1, 3, usize::MAX, usize::MAX]);
    w.note(|| format!("drain_dead, at most {most}"));
    let model = w.model();
    let (mut dead, mut rest) = (Vec::new(), Vec::new());
    for (handle, token) in std::mem::take(&mut model.watches) {
        if dead.len() < most && !model.objects.contains_key(&handle) {
            dead.push(token);
        } else {
            rest.push((handle, token));
        }
    }
    model.watches = rest;
    let got: Vec<u64> = w.heap().drain_dead().take(most).collect();
    w.settle(Ok(got), Ok(dead)).map(drop)
}

/// Seals a cell.
pub(crate) fn seal(w: &mut World) -> Check {
    let foreign = w.dice.percent(3);
    let owner = if foreign { 1 - w.me } else { w.me };
    let key = w.dice.below(w.sides[owner].keys.len());
    let cell = w.any();
    w.note(|| format!("seal {cell:?} by key {key} of {owner}"));
    let want = match () {
        () if foreign => Err(vec![Error::WrongKey]),
        () if cell.kind().is_some() => open_error(w, cell),
        () => Ok(()),
    };
    let keys = std::mem::take(&mut w.sides[owner].keys);
    let got = w.heap().seal(cell, &keys[key]);
    w.sides[owner].keys = keys;
    let want = want.and_then(|()| got.map_err(|_| Vec::new()));
    if let Some(sealed) = w.settle_growing(got, want)? {
        w.adopt(sealed, crate::model::Object::Seal { key, value: decode(cell) })?;
    }
    Ok(())
}

/// Opens a sealed cell.
pub(crate) fn unseal(w: &mut World) -> Check {
    let cell = if w.dice.percent(85) { w.seal().unwrap_or(Cell::NULL) } else { w.odd() };
    let owner = if w.dice.percent(3) { 1 - w.me } else { w.me };
    let own = match w.model().find(cell) {
        Some(crate::model::Object::Seal { key, .. }) => Some(*key),
        _ => None,
    };
    let key = own.filter(|_| w.dice.percent(80)).unwrap_or_else(|| w.dice.below(2));
    w.note(|| format!("unseal {cell:?} by key {key} of {owner}"));
    let model = &w.sides[w.me].model;
    let want = match cell.kind() {
        Some(kind) if crate::model::is_seal(kind) => match model.find(cell) {
            None => Err(Error::Stale { kind }),
            Some(crate::model::Object::Seal { key: own, value }) => {
                let inner = match value {
                    Value::Handle(cell) => model.open_or_seal(*cell).map(drop),
                    _ => Ok(()),
                };
                let right = *own == key && owner == w.me;
                if right { inner.map(|()| value.clone()) } else { Err(Error::WrongKey) }
            }
            Some(other) => panic!("{other:?} is no seal"),
        },
        _ => Err(Error::NotSealed),
    };
    let got = w.sides[w.me].heap.unseal(cell, &w.sides[owner].keys[key]).map(decode);
    w.settle(got, want.map_err(|error| vec![error])).map(drop)
}

/// Sets another policy, and asks whether a collection is due.
pub(crate) fn policy(w: &mut World) -> Check {
    let policy = Policy::DEFAULT
        .with_bytes_min(w.dice.one(&[0, 1, 1000, 1 << 16, u64::MAX]))
        .with_growth_percent(w.dice.one(&[0, 50, 100, u16::MAX]))
        .with_compact_percent(w.dice.one(&[0, 1, 50, 100, u8::MAX]))
        .with_stress(w.dice.one(&[0, 0, 1, 7]));
    w.note(|| format!("{policy:?}"));
    w.heap().set_policy(policy);
    if w.heap().policy() != policy {
        return Err("the policy is another".into());
    }
    let _ = w.heap().should_collect();
    w.settle(Ok(()), Ok(())).map(drop)
}

/// Allocates an object that refers to a register, so that graphs get deep.
pub(crate) fn link(w: &mut World) -> Check {
    let place = w.dice.below(w.sides[w.me].registers.len());
    let first = w.side().registers[place];
    let second = w.any();
    let items = vec![decode(first), decode(second)];
    let want = crate::model::Object::Items { kind: Kind::PAIR, header: 0, items };
    made(w, segheap::Pair::of(first, second), Ok(want))
}
