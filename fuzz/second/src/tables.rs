//! Operations on maps and sets.

use segheap::{Cell, Error, Kind, Map, Set};

use crate::dice::out_of_range;
use crate::model::{Entry, Object};
use crate::sequences::{made, new_walk};
use crate::value::{decode, encode};
use crate::world::{Check, World};

/// Tables grow to about so many entries.
const FULL: usize = 400;

fn kind(w: &mut World) -> Kind {
    w.dice.one(&[Kind::MAP, Kind::SET])
}

/// The entries of a table, and the position of a key in them.
fn found(
    w: &mut World,
    table: Cell,
    kind: Kind,
    key: Cell,
) -> Result<(Vec<Entry>, Option<usize>), Vec<Error>> {
    let model = w.model();
    let entries = model.entries(table, kind).map_err(|error| vec![error])?;
    let position = model.position(entries, &decode(key)).map_err(|error| vec![error])?;
    Ok((entries.clone(), position))
}

/// Allocates a map or a set.
pub(crate) fn alloc(w: &mut World) -> Check {
    let len = match w.dice.below(40) {
        0 => w.dice.one(&[1 << 32, usize::MAX, usize::MAX / 2]),
        _ => w.dice.one(&[0, 0, 0, 1, 4, 7, 60]),
    };
    let kind = kind(w);
    let want = match len {
        0..=60 => Ok(Object::Table { kind, entries: Vec::new() }),
        _ => Err(vec![Error::ObjectTooLarge]),
    };
    match (kind, len) {
        (Kind::MAP, 0) => made(w, Map::new(), want),
        (Kind::MAP, _) => made(w, Map::with_capacity(len), want),
        (_, 0) => made(w, Set::new(), want),
        (_, _) => made(w, Set::with_capacity(len), want),
    }
}

/// Inserts a key.
pub(crate) fn insert(w: &mut World) -> Check {
    let (kind, key, value) = (kind(w), w.key(), w.any());
    let table = w.pick(kind);
    if w.len_of(table) > FULL {
        return clear(w);
    }
    w.note(|| format!("insert {table:?} {key:?} {value:?}"));
    let found = found(w, table, kind, key);
    let old = found
        .clone()
        .map(|(entries, position)| position.map(|position| encode(&entries[position].value)));
    let got = match kind {
        Kind::MAP => w.heap().get_mut::<Map>(table).and_then(|mut map| map.insert(key, value)),
        _ => {
            let new = w.heap().get_mut::<Set>(table).and_then(|mut set| set.insert(key));
            new.map(|new| (!new).then_some(Cell::NULL))
        }
    };
    if w.settle_growing(got, old)?.is_none() {
        return Ok(());
    }
    let (mut entries, position) = found.expect("predicted");
    let value = if kind == Kind::MAP { decode(value) } else { crate::value::Value::Null };
    match position {
        Some(position) => entries[position].value = value,
        None => {
            let entry = w.model().entry(decode(key), value);
            entries.push(entry);
        }
    }
    w.model().set_entries(table, entries);
    Ok(())
}

/// Looks a key up.
pub(crate) fn look_up(w: &mut World) -> Check {
    let (kind, form) = (kind(w), w.dice.below(2));
    let table = w.pick(kind);
    let key = key_of(w, table, kind);
    w.note(|| format!("look up {form} {table:?} {key:?}"));
    let want = found(w, table, kind, key).map(|(entries, position)| {
        position.map(|position| match (kind, form) {
            (Kind::MAP, 0) => encode(&entries[position].value),
            _ => Cell::NULL,
        })
    });
    let heap = w.heap();
    let there = |there: bool| there.then_some(Cell::NULL);
    let got = match (kind, form) {
        (Kind::MAP, 0) => heap.get::<Map>(table).and_then(|map| map.get(key)),
        (Kind::MAP, _) => heap.get::<Map>(table).and_then(|map| map.contains(key)).map(there),
        (_, _) => heap.get::<Set>(table).and_then(|set| set.contains(key)).map(there),
    };
    w.settle(got, want).map(drop)
}

/// A key, mostly one that a table has.
fn key_of(w: &mut World, table: Cell, kind: Kind) -> Cell {
    let entries = w.model().entries(table, kind).cloned().unwrap_or_default();
    if entries.is_empty() || w.dice.percent(30) {
        return w.key();
    }
    encode(&entries[w.dice.below(entries.len())].key)
}

/// Removes a key.
pub(crate) fn remove(w: &mut World) -> Check {
    let kind = kind(w);
    let table = w.pick(kind);
    let key = key_of(w, table, kind);
    w.note(|| format!("remove {table:?} {key:?}"));
    let found = found(w, table, kind, key);
    let want =
        found.clone().map(|(entries, position)| position.map(|position| cells(&entries[position])));
    let heap = w.heap();
    let got = match kind {
        Kind::MAP => heap.get_mut::<Map>(table).and_then(|mut map| map.remove(key)),
        _ => {
            let removed = heap.get_mut::<Set>(table).and_then(|mut set| set.remove(key));
            removed.map(|removed| removed.map(|key| (key, Cell::NULL)))
        }
    };
    if let Some(Some(_)) = w.settle(got, want)? {
        let (mut entries, position) = found.expect("predicted");
        entries.remove(position.expect("predicted"));
        w.model().set_entries(table, entries);
    }
    Ok(())
}

fn cells(entry: &Entry) -> (Cell, Cell) {
    (encode(&entry.key), encode(&entry.value))
}

/// Reads or removes an entry by its position.
pub(crate) fn nth(w: &mut World) -> Check {
    let kind = kind(w);
    let table = w.pick(kind);
    let len = w.len_of(table);
    let (n, remove) = (w.dice.index(len), w.dice.percent(50));
    w.note(|| format!("nth {table:?} {n}, remove: {remove}"));
    let entries = w.model().entries(table, kind).cloned();
    let want = entries.clone().and_then(|entries| {
        let entry = entries.get(n).ok_or_else(|| out_of_range(n, entries.len()))?;
        Ok(cells(entry))
    });
    let heap = w.heap();
    let whole = |key: Cell| (key, Cell::NULL);
    let got = match (kind, remove) {
        (Kind::MAP, false) => heap.get::<Map>(table).and_then(|map| map.nth(n)),
        (Kind::MAP, true) => heap.get_mut::<Map>(table).and_then(|mut map| map.remove_nth(n)),
        (_, false) => heap.get::<Set>(table).and_then(|set| set.nth(n)).map(whole),
        (_, true) => heap.get_mut::<Set>(table).and_then(|mut set| set.remove_nth(n)).map(whole),
    };
    let done = w.settle(got, want.map_err(|error| vec![error]))?.is_some();
    if done && remove {
        let mut entries = entries.expect("predicted");
        entries.remove(n);
        w.model().set_entries(table, entries);
    }
    Ok(())
}

/// Removes all entries.
pub(crate) fn clear(w: &mut World) -> Check {
    let kind = kind(w);
    let table = w.pick(kind);
    w.note(|| format!("clear {table:?}"));
    let want = w.model().entries(table, kind).map(drop).map_err(|error| vec![error]);
    let got = match kind {
        Kind::MAP => w.heap().get_mut::<Map>(table).and_then(|mut map| map.clear()),
        _ => w.heap().get_mut::<Set>(table).and_then(|mut set| set.clear()),
    };
    if w.settle(got, want)?.is_some() {
        w.model().set_entries(table, Vec::new());
    }
    Ok(())
}

/// Advances a cursor in a table: a new one, or an old one.
pub(crate) fn step(w: &mut World) -> Check {
    let kind = kind(w);
    let walks = &w.side().walks;
    let old = walks.iter().position(|walk| walk.object.kind() == Some(kind));
    let place = match old.filter(|_| w.dice.percent(85)) {
        Some(place) => place,
        None => new_walk(w, kind),
    };
    let mut walk = w.side().walks[place];
    w.note(|| format!("next {walk:?}"));
    let entries = w.model().entries(walk.object, kind).map_err(|error| vec![error]);
    let want = entries.map(|entries| entries.iter().find(|entry| entry.serial > walk.at).cloned());
    let heap = w.heap();
    let got = match kind {
        Kind::MAP => heap.get::<Map>(walk.object).map(|map| map.next(&mut walk.cursor)),
        _ => heap
            .get::<Set>(walk.object)
            .map(|set| set.next(&mut walk.cursor).map(|key| (key, Cell::NULL))),
    };
    if let Ok(Some(entry)) = &want {
        walk.at = entry.serial;
    }
    w.side().walks[place] = walk;
    w.settle(got, want.map(|entry| entry.as_ref().map(cells))).map(drop)
}

/// Inserts many keys whose hashes collide, or neighbouring integers.
pub(crate) fn flood(w: &mut World) -> Check {
    let flood = w.side().flood.clone();
    let len = w.dice.below(if flood.is_empty() { 100 } else { 260 });
    let first = w.dice.below(flood.len().max(200));
    let keys: Vec<i64> = match flood.is_empty() {
        true => (0..len).map(|n| (first + n) as i64).collect(),
        false => (0..len).map(|n| flood[(first + n) % flood.len()]).collect(),
    };
    let table = w.pick(Kind::MAP);
    w.note(|| format!("flood {table:?} {keys:?}"));
    if w.len_of(table) > FULL {
        return clear(w);
    }
    for key in keys {
        let key = Cell::int(key).expect("48 bits");
        let found = found(w, table, Kind::MAP, key);
        let want = found
            .clone()
            .map(|(entries, position)| position.map(|position| encode(&entries[position].value)));
        let got = w.heap().get_mut::<Map>(table).and_then(|mut map| map.insert(key, key));
        if w.settle_growing(got, want)?.is_none() {
            w.outcome = crate::world::Outcome::Done;
            return Ok(());
        }
        let (mut entries, position) = found.expect("predicted");
        match position {
            Some(position) => entries[position].value = decode(key),
            None => {
                let entry = w.model().entry(decode(key), decode(key));
                entries.push(entry);
            }
        }
        w.model().set_entries(table, entries);
    }
    if let Ok(map) = w.heap().get::<Map>(table) {
        let ordered = format!("{map:?}").contains("ordered");
        w.ordered += u64::from(ordered);
    }
    Ok(())
}

/// The union, the intersection or the difference of two sets.
pub(crate) fn combine(w: &mut World) -> Check {
    let (a, b, form) = (w.pick(Kind::SET), w.pick(Kind::SET), w.dice.below(3));
    if w.len_of(a) + w.len_of(b) > 2 * FULL {
        return clear(w);
    }
    w.note(|| format!("combine {form} {a:?} {b:?}"));
    let model = w.model();
    let want = model.entries(a, Kind::SET).and_then(|left| {
        let right = model.entries(b, Kind::SET)?;
        let live = |entry: &&Entry| model.key(&entry.key).is_ok();
        let has = |entries: &[Entry], entry: &Entry| {
            model.position(entries, &entry.key).is_ok_and(|position| position.is_some())
        };
        let left = left.iter().filter(live);
        let all: Vec<Entry> = match form {
            0 => {
                let more = right.iter().filter(live);
                let first: Vec<Entry> = left.cloned().collect();
                let more = more.filter(|entry| !has(&first, entry)).cloned();
                first.iter().cloned().chain(more).collect()
            }
            1 => left.filter(|entry| has(right, entry)).cloned().collect(),
            _ => left.filter(|entry| !has(right, entry)).cloned().collect(),
        };
        Ok(all)
    });
    let heap = w.heap();
    let got = match form {
        0 => heap.union(a, b),
        1 => heap.intersection(a, b),
        _ => heap.difference(a, b),
    };
    let want = match want {
        Ok(entries) => {
            let entries =
                entries.into_iter().map(|entry| w.model().entry(entry.key, entry.value)).collect();
            Ok(crate::world::Made::Object(Object::Table { kind: Kind::SET, entries }))
        }
        Err(error) => Err(vec![error]),
    };
    w.settle_made(got.map(Cell::from), want).map(drop)
}
