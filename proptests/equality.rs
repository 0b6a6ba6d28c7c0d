//! Deep equality of graphs that are nearly the same: each is built twice from
//! one recipe, the second time with one thing changed, and every object of the
//! one is compared with its counterpart.

use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Heap, I64Arr, List, Map, Pair, Set, Str, Struct,
    U8Arr,
};

use crate::naive::{Equality, Model, Naive, big};
use crate::support::{config, heap, plain};

#[derive(Clone, Copy, Debug)]
enum Item {
    Plain(Cell),
    /// A node made before this one.
    Node(usize),
}

/// A kind, a header, and what is inside.
#[derive(Clone, Debug)]
struct Node {
    kind: u8,
    head: u32,
    items: Vec<Item>,
}

/// What the second graph has otherwise.
#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    Kind(u8),
    Head,
    Item(usize, Item),
    Shorter,
    /// Maps and sets have no order; all else has.
    Reversed,
    /// An object that is gone.
    Dead,
    /// The last node is put into one of the first, which closes a circle.
    Circle,
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![2 => plain().prop_map(Item::Plain), 3 => any::<usize>().prop_map(Item::Node)]
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
        1 => Just(Change::Dead),
        2 => Just(Change::Circle),
    ]
}

fn make(heap: &mut Heap, naive: &mut Naive, node: &Node, made: &[Cell]) -> Result<Cell, Error> {
    let cells: Vec<Cell> = node
        .items
        .iter()
        .map(|item| match *item {
            Item::Plain(cell) => cell,
            Item::Node(n) => n.checked_rem(made.len()).map_or(Cell::NULL, |n| made[n]),
        })
        .collect();
    let numbers: Vec<u8> = node.items.iter().map(|item| format!("{item:?}").len() as u8).collect();
    let wide: Vec<i64> = numbers.iter().map(|&n| n.into()).collect();
    let limbs: Vec<u64> = numbers.iter().map(|&n| n.into()).collect();
    // Zeroes of either sign and NaNs are what floats compare specially.
    let floats: Vec<f64> = cells.iter().map(|cell| cell.as_float().unwrap_or(-0.0)).collect();
    let text = format!("{:?}{}", numbers, node.head);
    let (cell, model) = match node.kind {
        0 => (heap.alloc(Str::new(&text))?.cell(), Model::Str(text)),
        1 => (heap.alloc(List::of(&cells))?.cell(), Model::List(cells)),
        2 => {
            let map = heap.alloc(Map::new())?;
            let mut entries: Vec<(Cell, Cell)> = Vec::new();
            for (n, &key) in cells.iter().enumerate() {
                let value = cells[(n + 1) % cells.len()];
                heap.get_mut(map)?.insert(key, value)?;
                match naive.find(entries.iter().map(|&(key, _)| key), key)? {
                    Some(n) => entries[n].1 = value,
                    None => entries.push((key, value)),
                }
            }
            (map.cell(), Model::Map(entries))
        }
        3 => {
            let set = heap.alloc(Set::new())?;
            let mut members: Vec<Cell> = Vec::new();
            for key in cells {
                heap.get_mut(set)?.insert(key)?;
                if naive.find(members.iter().copied(), key)?.is_none() {
                    members.push(key);
                }
            }
            (set.cell(), Model::Set(members))
        }
        4 => (heap.alloc(Struct::of(node.head, &cells))?.cell(), Model::Struct(node.head, cells)),
        5 => (heap.alloc(Closure::of(node.head, &cells))?.cell(), Model::Closure(node.head, cells)),
        6 => {
            let negative = node.head == 1;
            let model = Model::Bignum(big(negative, &limbs));
            (heap.alloc(Bignum::of(negative, &limbs))?.cell(), model)
        }
        7 => (heap.alloc(Bytes::of(&numbers))?.cell(), Model::Bytes(numbers)),
        8 => {
            let at = |n: usize| cells.get(n).copied().unwrap_or_default();
            let pair = [at(0), at(1)];
            (heap.alloc(Pair::of(pair[0], pair[1]))?.cell(), Model::Pair(pair))
        }
        9 => {
            let bits = floats.iter().map(|x| x.to_bits()).collect();
            (heap.alloc(F64Arr::of(&floats))?.cell(), Model::Floats(bits))
        }
        10 => (heap.alloc(I64Arr::of(&wide))?.cell(), Model::Ints(wide)),
        _ => (heap.alloc(U8Arr::of(&numbers))?.cell(), Model::Octets(numbers)),
    };
    naive.objects.insert(cell, model);
    Ok(cell)
}

fn build(heap: &mut Heap, naive: &mut Naive, nodes: &[Node]) -> Vec<Cell> {
    let mut made = Vec::new();
    for node in nodes {
        let cell = make(heap, naive, node, &made).unwrap();
        made.push(cell);
    }
    made
}

/// Puts the last object into the first list or record there is.
fn close_a_circle(heap: &mut Heap, naive: &mut Naive, made: &[Cell]) {
    for &cell in made {
        let last = *made.last().unwrap();
        match naive.objects.get_mut(&cell) {
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
    fn agrees_with_the_naive_comparison(
        nodes in prop::collection::vec(node(), 1..9),
        place in any::<usize>(),
        change in change(),
    ) {
        let (mut heap, mut naive) = (heap(5), Naive::default());
        let one = build(&mut heap, &mut naive, &nodes);
        let mut nodes = nodes;
        let place = place % nodes.len();
        let node = &mut nodes[place];
        match change {
            Change::Kind(kind) => node.kind = kind,
            Change::Head => node.head ^= 1,
            Change::Item(n, item) => {
                let len = node.items.len();
                if let Some(place) = n.checked_rem(len).and_then(|n| node.items.get_mut(n)) {
                    *place = item;
                }
            }
            Change::Shorter => drop(node.items.pop()),
            Change::Reversed => node.items.reverse(),
            _ => {}
        }
        let other = build(&mut heap, &mut naive, &nodes);
        match change {
            Change::Dead => {
                heap.free(other[place]).unwrap();
                naive.objects.remove(&other[place]);
            }
            Change::Circle => {
                close_a_circle(&mut heap, &mut naive, &one);
                close_a_circle(&mut heap, &mut naive, &other);
            }
            _ => {}
        }
        for (&a, &b) in one.iter().zip(&other) {
            for (a, b) in [(a, b), (b, a), (a, a)] {
                let got = heap.deep_eq(a, b);
                match naive.deep_eq(a, b) {
                    Equality::Equal => prop_assert_eq!(got, Ok(true)),
                    Equality::Different => prop_assert_eq!(got, Ok(false)),
                    Equality::Stale => assert!(matches!(got, Err(Error::Stale { .. }))),
                    Equality::Both => {
                        assert!(matches!(got, Ok(false) | Err(Error::Stale { .. })));
                    }
                }
            }
        }
    }
}

/// 2^64 paths, 64 pairs: each pair of objects is looked at once.
#[test]
fn doubled_pairs() {
    let mut heap = heap(1);
    let mut tower = |bottom: Cell| {
        (0..64).fold(bottom, |below, _| heap.alloc(Pair::of(below, below)).unwrap().cell())
    };
    let (one, same, other) = (tower(1.into()), tower(1.into()), tower(2.into()));
    assert_eq!(heap.deep_eq(one, same), Ok(true));
    assert_eq!(heap.deep_eq(one, other), Ok(false));
    assert!(heap.display(one).to_string().ends_with('…'));
}
