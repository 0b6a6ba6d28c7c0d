//! Views of maps and sets.

use segheap::{Cell, Cursor, Error, Heap, KeyHint, Kind, Map, Set};

use super::{Table, rank, show};
use crate::machine::Effect::Changes;
use crate::machine::Takes::{Of, Value};
use crate::machine::{Effect, Takes};

pub fn rows(t: &mut Table) {
    maps(t);
    sets(t);
}

fn maps(t: &mut Table) {
    const MAP: &[Takes] = &[Of(Kind::MAP)];
    const KEY: &[Takes] = &[Of(Kind::MAP), Value];
    const CHANGES: &[Effect] = &[Changes(0)];
    t.row("View<Map>::len", MAP, &[], |m, c| show(m.heap.get::<Map>(c.cell(0))?.len()));
    t.row("View<Map>::is_weak", MAP, &[], |m, c| show(m.heap.get::<Map>(c.cell(0))?.is_weak()));
    t.row("View<Map>::is_empty", MAP, &[], |m, c| show(m.heap.get::<Map>(c.cell(0))?.is_empty()));
    t.row("View<Map>::nth", MAP, &[], |m, c| show(m.heap.get::<Map>(c.cell(0))?.nth(c.index())?));
    t.row("View<Map>::next", MAP, &[], |m, c| {
        let (map, mut cursor) = (m.heap.get::<Map>(c.cell(0))?, Cursor::default());
        show((map.next(&mut cursor), map.next(&mut cursor)))
    });
    t.row("View<Map>::iter", MAP, &[], |m, c| {
        show(m.heap.get::<Map>(c.cell(0))?.iter().collect::<Vec<_>>())
    });
    t.row("View<Map>::contains", KEY, &[], |m, c| {
        show(m.heap.get::<Map>(c.cell(0))?.contains(c.cell(1))?)
    });
    t.row("View<Map>::get", KEY, &[], |m, c| show(m.heap.get::<Map>(c.cell(0))?.get(c.cell(1))?));
    t.row("Heap::map_get", KEY, &[], |m, c| {
        let found = m.heap.map_get(c.cell(0), c.cell(1));
        assert_eq!(found, m.heap.get::<Map>(c.cell(0)).and_then(|map| map.get(c.cell(1))));
        show(found?)
    });
    t.row("Heap::map_get_with", &[Of(Kind::MAP), Value, Of(Kind::MAP)], &[], |m, c| {
        let mut hint = KeyHint::default();
        // A hint that is right for one map may be wrong for the other.
        let mut found = [None; 4];
        for (map, found) in [0, 2, 0, 2].into_iter().zip(&mut found) {
            *found = m.heap.map_get_with(c.cell(map), c.cell(1), &mut hint)?;
            assert_eq!(Ok(*found), m.heap.map_get(c.cell(map), c.cell(1)));
        }
        show(found)
    });
    t.row("Heap::map_insert", &[Of(Kind::MAP), Value, Value], CHANGES, |m, c| {
        let before = m.heap.map_get(c.cell(0), c.cell(1));
        let replaced = m.heap.map_insert(c.cell(0), c.cell(1), c.cell(2))?;
        assert_eq!(before, Ok(replaced));
        show((replaced, m.heap.map_get(c.cell(0), c.cell(1))?))
    });
    t.row("ViewMut<Map>::insert", &[Of(Kind::MAP), Value, Value], CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.insert(c.cell(1), c.cell(2))?)
    });
    t.row("ViewMut<Map>::remove", KEY, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.remove(c.cell(1))?)
    });
    t.row("ViewMut<Map>::remove_nth", MAP, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.remove_nth(c.index())?)
    });
    t.row("View<Map>::index_of", KEY, &[], |m, c| {
        show(m.heap.get::<Map>(c.cell(0))?.index_of(c.cell(1))?)
    });
    t.row("ViewMut<Map>::pop", MAP, CHANGES, |m, c| show(m.heap.get_mut::<Map>(c.cell(0))?.pop()?));
    t.row("ViewMut<Map>::pop_front", MAP, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.pop_front()?)
    });
    t.row("ViewMut<Map>::reserve", MAP, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.reserve(c.index())?)
    });
    t.row("ViewMut<Map>::shrink_to_fit", MAP, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.shrink_to_fit()?)
    });
    t.row("ViewMut<Map>::get_or_insert", &[Of(Kind::MAP), Value, Value], CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.get_or_insert(c.cell(1), c.cell(2))?)
    });
    t.row("ViewMut<Map>::extend", &[Of(Kind::MAP), Value, Value], CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.extend(&[(c.cell(1), c.cell(2)); 2])?)
    });
    t.row("Heap::map_extend", &[Of(Kind::MAP), Of(Kind::MAP)], CHANGES, |m, c| {
        show(m.heap.map_extend(c.cell(0), c.cell(1))?)
    });
    t.row("Heap::map_retain", MAP, CHANGES, |m, c| {
        let mut asked = c.small();
        let keeps = |heap: &mut Heap, key, _| {
            assert!(!heap.get::<Map>(c.cell(0))?.is_empty());
            asked = asked.checked_sub(1).ok_or(Error::NotDecimal)?;
            Ok::<_, Error>(rank(key).is_multiple_of(2))
        };
        show(m.heap.map_retain(c.cell(0), keeps)?)
    });
    t.row("ViewMut<Map>::update", &[Of(Kind::MAP), Value, Value], CHANGES, |m, c| {
        let before = m.heap.map_get(c.cell(0), c.cell(1));
        let new = m.heap.get_mut::<Map>(c.cell(0))?.update(c.cell(1), |old| {
            assert_eq!(before, Ok(old));
            c.cell(2)
        });
        show(new?)
    });
    t.row("ViewMut<Map>::replace", &[Of(Kind::MAP), Value, Value], CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.replace(c.cell(1), c.cell(2))?)
    });
    own_hashes(t);
    t.row("ViewMut<Map>::clear", MAP, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.clear()?)
    });
}

/// An equality of the VM's own.
fn equal(_: &mut Heap, a: Cell, b: Cell) -> Result<bool, Error> {
    Ok(rank(a) == rank(b))
}

/// [`own_hashes`] of sets.
fn own_hashes_of_sets(t: &mut Table) {
    const KEY: &[Takes] = &[Of(Kind::SET), Value];
    t.row("Heap::set_insert_by", KEY, &[Changes(0)], |m, c| {
        let (set, key, hash) = (c.cell(0), c.cell(1), c.int().cast_unsigned());
        let inserted = m.heap.set_insert_by(set, key, hash, equal);
        if inserted == Err(Error::OtherHash) {
            return show(inserted);
        }
        assert!(inserted.is_err() || m.heap.set_contains(set, key) == Err(Error::OtherHash));
        show(inserted?)
    });
    t.row("Heap::set_get_by", KEY, &[], |m, c| {
        match m.heap.set_get_by(c.cell(0), c.cell(1), c.int().cast_unsigned(), equal) {
            Err(Error::OtherHash) => show(Error::OtherHash),
            got => show(got?),
        }
    });
    t.row("Heap::set_remove_by", KEY, &[Changes(0)], |m, c| {
        match m.heap.set_remove_by(c.cell(0), c.cell(1), c.int().cast_unsigned(), equal) {
            Err(Error::OtherHash) => show(Error::OtherHash),
            removed => show(removed?),
        }
    });
}

/// Maps by hashes of the VM, which a map becomes that other operations have emptied. Keys are
/// equal if they are ranked alike: contradictory where hashes differ.
fn own_hashes(t: &mut Table) {
    const OWN: &[Takes] = &[Of(Kind::MAP), Value, Value];
    const KEY: &[Takes] = &[Of(Kind::MAP), Value];
    t.row("Heap::map_insert_by", OWN, &[Changes(0)], |m, c| {
        let (map, key, hash) = (c.cell(0), c.cell(1), c.int().cast_unsigned());
        let inserted = m.heap.map_insert_by(map, key, c.cell(2), hash, equal);
        if inserted == Err(Error::OtherHash) {
            return show(inserted);
        }
        assert!(inserted.is_err() || m.heap.map_get(map, key) == Err(Error::OtherHash));
        show(inserted?)
    });
    t.row("Heap::map_get_by", KEY, &[], |m, c| {
        match m.heap.map_get_by(c.cell(0), c.cell(1), c.int().cast_unsigned(), equal) {
            Err(Error::OtherHash) => show(Error::OtherHash),
            got => show(got?),
        }
    });
    t.row("Heap::map_remove_by", KEY, &[Changes(0)], |m, c| {
        match m.heap.map_remove_by(c.cell(0), c.cell(1), c.int().cast_unsigned(), equal) {
            Err(Error::OtherHash) => show(Error::OtherHash),
            removed => show(removed?),
        }
    });
}

fn sets(t: &mut Table) {
    const SET: &[Takes] = &[Of(Kind::SET)];
    const KEY: &[Takes] = &[Of(Kind::SET), Value];
    const CHANGES: &[Effect] = &[Changes(0)];
    t.row("View<Set>::len", SET, &[], |m, c| show(m.heap.get::<Set>(c.cell(0))?.len()));
    t.row("View<Set>::is_weak", SET, &[], |m, c| show(m.heap.get::<Set>(c.cell(0))?.is_weak()));
    t.row("View<Set>::is_empty", SET, &[], |m, c| show(m.heap.get::<Set>(c.cell(0))?.is_empty()));
    t.row("View<Set>::nth", SET, &[], |m, c| show(m.heap.get::<Set>(c.cell(0))?.nth(c.index())?));
    t.row("View<Set>::next", SET, &[], |m, c| {
        let (set, mut cursor) = (m.heap.get::<Set>(c.cell(0))?, Cursor::default());
        show((set.next(&mut cursor), set.next(&mut cursor)))
    });
    t.row("View<Set>::iter", SET, &[], |m, c| {
        show(m.heap.get::<Set>(c.cell(0))?.iter().collect::<Vec<_>>())
    });
    t.row("Heap::set_contains", KEY, &[], |m, c| {
        let found = m.heap.set_contains(c.cell(0), c.cell(1));
        assert_eq!(found, m.heap.get::<Set>(c.cell(0)).and_then(|set| set.contains(c.cell(1))));
        show(found?)
    });
    t.row("View<Set>::contains", KEY, &[], |m, c| {
        show(m.heap.get::<Set>(c.cell(0))?.contains(c.cell(1))?)
    });
    t.row("ViewMut<Set>::insert", KEY, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.insert(c.cell(1))?)
    });
    t.row("ViewMut<Set>::remove", KEY, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.remove(c.cell(1))?)
    });
    t.row("ViewMut<Set>::remove_nth", SET, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.remove_nth(c.index())?)
    });
    t.row("View<Set>::index_of", KEY, &[], |m, c| {
        show(m.heap.get::<Set>(c.cell(0))?.index_of(c.cell(1))?)
    });
    t.row("ViewMut<Set>::pop", SET, CHANGES, |m, c| show(m.heap.get_mut::<Set>(c.cell(0))?.pop()?));
    t.row("ViewMut<Set>::pop_front", SET, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.pop_front()?)
    });
    t.row("ViewMut<Set>::reserve", SET, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.reserve(c.index())?)
    });
    t.row("ViewMut<Set>::shrink_to_fit", SET, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.shrink_to_fit()?)
    });
    t.row("ViewMut<Set>::get_or_insert", KEY, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.get_or_insert(c.cell(1))?)
    });
    t.row("ViewMut<Set>::extend", KEY, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.extend(&[c.cell(1); 2])?)
    });
    t.row("Heap::set_extend", &[Of(Kind::SET), Of(Kind::SET)], CHANGES, |m, c| {
        show(m.heap.set_extend(c.cell(0), c.cell(1))?)
    });
    t.row("Heap::set_retain", SET, CHANGES, |m, c| {
        let mut asked = c.small();
        let keeps = |heap: &mut Heap, key| {
            assert!(!heap.get::<Set>(c.cell(0))?.is_empty());
            asked = asked.checked_sub(1).ok_or(Error::NotDecimal)?;
            Ok::<_, Error>(rank(key).is_multiple_of(2))
        };
        show(m.heap.set_retain(c.cell(0), keeps)?)
    });
    t.row("View<Set>::get", KEY, &[], |m, c| show(m.heap.get::<Set>(c.cell(0))?.get(c.cell(1))?));
    own_hashes_of_sets(t);
    t.row("ViewMut<Set>::clear", SET, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.clear()?)
    });
}
