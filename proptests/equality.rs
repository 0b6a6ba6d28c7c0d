//! Deep equality of graphs that are nearly equal. A graph is built twice from one
//! description, the second time with one change, and each object is compared with
//! its counterpart.

mod graphs;

use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Heap, I64Arr, List, Map, Pair, Set, Str, Struct,
    U8Arr,
};

use crate::reference::{Equality, Model, ReferenceHeap, big};
use crate::support::{config, heap, immediate};

#[derive(Clone, Copy, Debug)]
enum Item {
    Immediate(Cell),
    /// A node built before this one.
    Node(usize),
}

/// A kind, a header and elements.
#[derive(Clone, Debug)]
struct Node {
    kind: u8,
    head: u32,
    items: Vec<Item>,
}

/// The change in the second graph.
#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    Kind(u8),
    Head,
    Item(usize, Item),
    Shorter,
    /// Reverses the elements. The order of maps and sets does not count.
    Reversed,
    /// Frees the object.
    Freed,
    /// Stores the last node in one of the first: the graph becomes cyclic.
    Cycle,
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![2 => immediate().prop_map(Item::Immediate), 3 => any::<usize>().prop_map(Item::Node)]
}

fn node() -> impl Strategy<Value = Node> {
    (0_u8..12, 0_u32..2, prop::collection::vec(item(), 0..5)).prop_map(|(kind, head, items)| Node {
        kind,
        head,
        items,
    })
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => Just(Change::Nothing),
        1 => (0_u8..12).prop_map(Change::Kind),
        2 => Just(Change::Head),
        2 => (any::<usize>(), item()).prop_map(|(n, item)| Change::Item(n, item)),
        1 => Just(Change::Shorter),
        2 => Just(Change::Reversed),
        1 => Just(Change::Freed),
        2 => Just(Change::Cycle),
    ]
}

fn build_node(
    heap: &mut Heap,
    reference: &mut ReferenceHeap,
    node: &Node,
    built: &[Cell],
) -> Result<Cell, Error> {
    let cells: Vec<Cell> = node
        .items
        .iter()
        .map(|item| match *item {
            Item::Immediate(cell) => cell,
            Item::Node(n) => n.checked_rem(built.len()).map_or(Cell::NULL, |n| built[n]),
        })
        .collect();
    let numbers: Vec<u8> = node.items.iter().map(|item| format!("{item:?}").len() as u8).collect();
    let ints: Vec<i64> = numbers.iter().map(|&n| n.into()).collect();
    let limbs: Vec<u64> = numbers.iter().map(|&n| n.into()).collect();
    // Zeroes of either sign and NaNs, which floats compare specially.
    let floats: Vec<f64> = cells.iter().map(|cell| cell.as_float().unwrap_or(-0.0)).collect();
    let text = format!("{:?}{}", numbers, node.head);
    let (cell, model) = match node.kind {
        0 => (heap.alloc(Str::new(&text))?.cell(), Model::Str(text)),
        1 => (heap.alloc(List::of(&cells))?.cell(), Model::List(cells)),
        2 => build_map(heap, reference, &cells)?,
        3 => build_set(heap, reference, &cells)?,
        4 => (heap.alloc(Struct::of(node.head, &cells))?.cell(), Model::Struct(node.head, cells)),
        5 => (heap.alloc(Closure::of(node.head, &cells))?.cell(), Model::Closure(node.head, cells)),
        6 => {
            let negative = node.head == 1;
            let model = Model::Bignum(big(negative, &limbs));
            (heap.alloc(Bignum::of(negative, &limbs))?.cell(), model)
        }
        7 => (heap.alloc(Bytes::of(&numbers))?.cell(), Model::Bytes(numbers)),
        8 => {
            let pair = [0, 1].map(|n| cells.get(n).copied().unwrap_or_default());
            (heap.alloc(Pair::of(pair[0], pair[1]))?.cell(), Model::Pair(pair))
        }
        9 => {
            let bits = floats.iter().map(|x| x.to_bits()).collect();
            (heap.alloc(F64Arr::of(&floats))?.cell(), Model::Floats(bits))
        }
        10 => (heap.alloc(I64Arr::of(&ints))?.cell(), Model::Ints(ints)),
        _ => (heap.alloc(U8Arr::of(&numbers))?.cell(), Model::Octets(numbers)),
    };
    reference.objects.insert(cell, model);
    Ok(cell)
}

fn build_map(
    heap: &mut Heap,
    reference: &ReferenceHeap,
    cells: &[Cell],
) -> Result<(Cell, Model), Error> {
    let map = heap.alloc(Map::new())?;
    let mut entries: Vec<(Cell, Cell)> = Vec::new();
    for (n, &key) in cells.iter().enumerate() {
        let value = cells[(n + 1) % cells.len()];
        heap.get_mut(map)?.insert(key, value)?;
        match reference.find(entries.iter().map(|&(key, _)| key), key)? {
            Some(n) => entries[n].1 = value,
            None => entries.push((key, value)),
        }
    }
    Ok((map.cell(), Model::Map(entries)))
}

fn build_set(
    heap: &mut Heap,
    reference: &ReferenceHeap,
    cells: &[Cell],
) -> Result<(Cell, Model), Error> {
    let set = heap.alloc(Set::new())?;
    let mut members: Vec<Cell> = Vec::new();
    for &key in cells {
        heap.get_mut(set)?.insert(key)?;
        if reference.find(members.iter().copied(), key)?.is_none() {
            members.push(key);
        }
    }
    Ok((set.cell(), Model::Set(members)))
}

fn build(heap: &mut Heap, reference: &mut ReferenceHeap, nodes: &[Node]) -> Vec<Cell> {
    let mut built = Vec::new();
    for node in nodes {
        let cell = build_node(heap, reference, node, &built).unwrap();
        built.push(cell);
    }
    built
}

/// Stores the last object in the first list or struct.
fn make_cyclic(heap: &mut Heap, reference: &mut ReferenceHeap, built: &[Cell]) {
    for &cell in built {
        let last = *built.last().unwrap();
        match reference.objects.get_mut(&cell) {
            Some(Model::List(list)) => {
                heap.get_mut::<List>(cell).unwrap().push(last).unwrap();
                return list.push(last);
            }
            Some(Model::Struct(_, fields)) if !fields.is_empty() => {
                heap.get_mut::<Struct>(cell).unwrap().set(0, last).unwrap();
                fields[0] = last;
                return;
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(config(384))]

    #[test]
    fn deep_eq_agrees_with_the_reference(
        nodes in prop::collection::vec(node(), 1..9),
        index in any::<usize>(),
        change in change(),
    ) {
        let (mut heap, mut reference) = (heap(5), ReferenceHeap::default());
        let one = build(&mut heap, &mut reference, &nodes);
        let mut nodes = nodes;
        let index = index % nodes.len();
        let node = &mut nodes[index];
        match change {
            Change::Kind(kind) => node.kind = kind,
            Change::Head => node.head ^= 1,
            Change::Item(n, item) => {
                let len = node.items.len();
                if let Some(old) = n.checked_rem(len).and_then(|n| node.items.get_mut(n)) {
                    *old = item;
                }
            }
            Change::Shorter => drop(node.items.pop()),
            Change::Reversed => node.items.reverse(),
            _ => {}
        }
        let other = build(&mut heap, &mut reference, &nodes);
        match change {
            Change::Freed => {
                heap.free(other[index]).unwrap();
                reference.objects.remove(&other[index]);
            }
            Change::Cycle => {
                make_cyclic(&mut heap, &mut reference, &one);
                make_cyclic(&mut heap, &mut reference, &other);
            }
            _ => {}
        }
        for (&a, &b) in one.iter().zip(&other) {
            for (a, b) in [(a, b), (b, a), (a, a)] {
                let got = heap.deep_eq(a, b);
                match reference.deep_eq(a, b) {
                    Equality::Equal => prop_assert_eq!(got, Ok(true)),
                    Equality::Different => prop_assert_eq!(got, Ok(false)),
                    Equality::Stale => assert!(matches!(got, Err(Error::Stale { .. }))),
                    Equality::Either => {
                        assert!(matches!(got, Ok(false) | Err(Error::Stale { .. })));
                    }
                }
            }
        }
    }
}

/// 2^64 paths through 64 pairs: each pair of objects is compared once.
#[test]
fn shared_pairs_are_compared_once() {
    let mut heap = heap(1);
    let mut chain =
        |end: Cell| (0..64).fold(end, |next, _| heap.alloc(Pair::of(next, next)).unwrap().cell());
    let (one, same, other) = (chain(1.into()), chain(1.into()), chain(2.into()));
    assert_eq!(heap.deep_eq(one, same), Ok(true));
    assert_eq!(heap.deep_eq(one, other), Ok(false));
    assert!(heap.display(one).to_string().ends_with('…'));
}
