//! Deep values as text: cycles are cut wherever they close, in linear time.

use std::fmt::{Result, Write};

use proptest::prelude::*;
use segheap::{Cell, DisplayStyle, Kind, List, Map, PlainStyle, Struct};

use crate::support::{config, heap};

/// Lists by number; each contains others by their numbers.
type Graph = Vec<Vec<usize>>;

/// A chain of lists, each with some references to others, before it or after it.
fn graph() -> impl Strategy<Value = Graph> {
    (2..60_usize).prop_flat_map(|len| {
        prop::collection::vec(prop::collection::vec(0..len, 0..2), len).prop_map(
            move |mut graph| {
                for (n, list) in graph.iter_mut().enumerate() {
                    list.extend((n + 1 < len).then_some(n + 1));
                    // The longest way first, so that most of it is not left out.
                    list.reverse();
                }
                graph
            },
        )
    })
}

fn write(graph: &Graph, n: usize, path: &mut Vec<usize>, limit: usize, out: &mut String) {
    if out.len() > limit {
        return;
    }
    if path.contains(&n) {
        *out += &format!("List#{n}");
        return;
    }
    path.push(n);
    *out += "[";
    for (place, &other) in graph[n].iter().enumerate() {
        *out += if place > 0 { ", " } else { "" };
        write(graph, other, path, limit, out);
    }
    *out += "]";
    path.pop();
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn cycles_are_cut(graph in graph(), limit in 0..3000_usize) {
        let mut heap = heap(3);
        let lists: Vec<Cell> =
            graph.iter().map(|_| heap.alloc(List::new()).unwrap().cell()).collect();
        for (list, elements) in lists.iter().zip(&graph) {
            for &element in elements {
                heap.get_mut::<List>(*list).unwrap().push(lists[element]).unwrap();
            }
        }
        let mut expected = String::new();
        write(&graph, 0, &mut Vec::new(), limit, &mut expected);
        if expected.len() > limit {
            expected.truncate(limit);
            expected.push('…');
        }
        prop_assert_eq!(heap.display(lists[0]).limit(limit).to_string(), expected);
    }
}

/// Would take an hour if each level were compared with all others.
#[test]
fn cost_is_linear_in_depth() {
    const DEPTH: usize = 1_000_000;
    let mut heap = heap(3);
    let innermost = heap.alloc(List::new()).unwrap();
    let mut list = innermost.cell();
    for _ in 1..DEPTH {
        list = heap.alloc(List::of(&[list])).unwrap().cell();
    }
    // A cycle through all of them.
    heap.get_mut(innermost).unwrap().push(list).unwrap();
    let text = heap.display(list).limit(usize::MAX).to_string();
    let cycle = format!("List#{}", DEPTH - 1);
    assert_eq!(text.len(), 2 * DEPTH + cycle.len());
    assert_eq!(text.trim_matches(['[', ']']), cycle);
}

/// An integer that is too long is shown by its size: 3^60000 has 95,098 bits.
#[test]
fn the_size_of_an_integer_is_exact() {
    let mut heap = heap(3);
    let power = heap.pow(3.into(), 60_000.into()).unwrap();
    assert_eq!(heap.display(power).to_string(), "integer of 95098 bits");
    for bits in 13_700..13_900_i32 {
        let power = heap.pow(2.into(), bits.into()).unwrap();
        let shown = heap.display(power).limit(30).to_string();
        assert_eq!(shown, format!("integer of {} bits", bits + 1));
        let less = heap.sub(power, 1.into()).unwrap();
        let shown = heap.display(less).limit(30).to_string();
        assert_eq!(shown, format!("integer of {bits} bits"));
    }
}

/// A style that marks what each of its methods writes, and writes it as by default.
struct Marked;

impl DisplayStyle for Marked {
    fn cell(&self, out: &mut dyn Write, cell: Cell) -> Result {
        out.write_char('c')?;
        PlainStyle.cell(out, cell)
    }
    fn float(&self, out: &mut dyn Write, float: f64) -> Result {
        out.write_char('f')?;
        PlainStyle.float(out, float)
    }
    fn text(&self, out: &mut dyn Write, text: &str) -> Result {
        out.write_char('t')?;
        PlainStyle.text(out, text)
    }
    fn cycle(&self, out: &mut dyn Write, object: Cell) -> Result {
        out.write_char('y')?;
        PlainStyle.cycle(out, object)
    }
    fn freed(&self, out: &mut dyn Write, object: Cell) -> Result {
        out.write_char('d')?;
        PlainStyle.freed(out, object)
    }
    fn open(&self, out: &mut dyn Write, kind: Kind, id: Option<u32>, bracket: &str) -> Result {
        out.write_char('o')?;
        PlainStyle.open(out, kind, id, bracket)
    }
    fn close(&self, out: &mut dyn Write, kind: Kind, bracket: &str) -> Result {
        out.write_char('e')?;
        PlainStyle.close(out, kind, bracket)
    }
}

/// Each value is written by the method for it, and the bound holds for what styles write.
#[test]
fn styles_write_all_values() {
    let mut heap = heap(3);
    let (long, freed) = (heap.string("long text").unwrap(), heap.alloc(List::new()).unwrap());
    heap.free(freed).unwrap();
    let map = heap.alloc(Map::new()).unwrap();
    heap.get_mut(map).unwrap().insert(Cell::short_str("a").unwrap(), 0.5.into()).unwrap();
    let cells = [long, 1.into(), Cell::ABSENT, Cell::immediate(7), map.into(), freed.into()];
    let shape = heap.alloc(Struct::of(3, &cells)).unwrap();
    heap.get_mut(map).unwrap().insert(Cell::NULL, shape.into()).unwrap();
    let shown = heap.display(shape).style(Marked).to_string();
    let expected = "oStruct<3>{t\"long text\", c1, cabsent, cimmediate@7, \
                    o{t\"a\": f0.5, cnull: yStruct#0e}, dgonee}";
    assert_eq!(shown, expected);
    for limit in 0..shown.len() {
        let cut = heap.display(shape).style(&Marked).limit(limit).to_string();
        assert_eq!(cut, format!("{}…", &expected[..limit]));
    }
}
