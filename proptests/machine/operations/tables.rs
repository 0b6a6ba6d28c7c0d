//! Views of maps and sets.

use segheap::{Cursor, KeyHint, Kind, Map, Set};

use super::{Table, show};
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
        // The hint is right, if at all, for the first map only.
        for map in [c.cell(0), c.cell(0), c.cell(2), c.cell(0)] {
            let found = m.heap.map_get_with(map, c.cell(1), &mut hint);
            assert_eq!(found, m.heap.map_get(map, c.cell(1)));
        }
        show(m.heap.map_get_with(c.cell(0), c.cell(1), &mut hint)?)
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
    t.row("ViewMut<Map>::clear", MAP, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.clear()?)
    });
}

fn sets(t: &mut Table) {
    const SET: &[Takes] = &[Of(Kind::SET)];
    const KEY: &[Takes] = &[Of(Kind::SET), Value];
    const CHANGES: &[Effect] = &[Changes(0)];
    t.row("View<Set>::len", SET, &[], |m, c| show(m.heap.get::<Set>(c.cell(0))?.len()));
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
    t.row("ViewMut<Set>::clear", SET, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.clear()?)
    });
}
