//! Chains of appends are linear: what is copied is counted, and the memory in use.

use segheap::{Bytes, Cell, Growable, Handle, HasKind, Heap, Kind, List, abi};

use crate::support::heap;

const STEPS: usize = 100_000;

/// Where an object lies, and its length.
fn place(heap: &Heap, kind: Kind, cell: Cell) -> (u32, u32) {
    let [_, len, off, _] = abi::slot(heap, kind, abi::bits(cell) as u32).unwrap();
    (off, len)
}

/// Appends again and again; returns the elements that were copied, and all versions that
/// are left.
fn chain(
    heap: &mut Heap,
    kind: Kind,
    first: Cell,
    keeps: bool,
    append: impl Fn(&mut Heap, Cell, usize) -> Cell,
) -> (u64, Vec<Cell>) {
    let (mut last, mut kept, mut copied) = (first, Vec::new(), 0);
    for n in 0..STEPS {
        let next = append(heap, last, n);
        let ((old, len), (new, _)) = (place(heap, kind, last), place(heap, kind, next));
        copied += if old == new { 0 } else { u64::from(len) };
        if keeps {
            kept.push(last)
        } else {
            heap.free(last).unwrap()
        }
        last = next;
    }
    kept.push(last);
    (copied, kept)
}

/// Checks a chain whose versions have `size` elements more each.
fn is_linear(heap: &mut Heap, kind: Kind, size: usize, (copied, kept): (u64, Vec<Cell>)) {
    let total = (STEPS * size) as u64;
    assert!(copied <= 2 * total, "{copied} elements were copied");
    let word = if kind == Kind::LIST { 8 } else { 1 };
    let payload = |heap: &Heap| heap.usage().arena(kind).unwrap().payload_bytes;
    assert!(payload(heap) <= 5 * word * total, "{} bytes", payload(heap));
    heap.compact();
    assert!(payload(heap) <= 3 * word * total, "{} bytes", payload(heap));
    // Each version is verified with all its elements: few are left for that.
    let few = |n: usize| n.is_multiple_of(4_000);
    for (n, &version) in kept.iter().enumerate().rev() {
        if !few(n) {
            heap.free(version).unwrap();
        }
    }
    heap.verify().unwrap();
    kept.iter().step_by(4_000).for_each(|&version| heap.free(version).unwrap());
    heap.verify().unwrap();
    assert_eq!(payload(heap), 0);
}

fn sequences<K: Growable + HasKind>(first: Handle<K>, mut heap: Heap, element: K::Element) {
    for keeps in [true, false] {
        let first = heap.append::<K>(first, element).unwrap().cell();
        let chain = chain(&mut heap, K::KIND, first, keeps, |heap, last, _| {
            heap.append::<K>(last, element).unwrap().cell()
        });
        is_linear(&mut heap, K::KIND, 1, chain);
    }
}

#[test]
fn appends_to_a_list_are_linear() {
    let mut heap = heap(1);
    let empty = heap.alloc(List::new()).unwrap();
    sequences::<List>(empty, heap, Cell::TRUE);
}

#[test]
fn appends_to_bytes_are_linear() {
    let mut heap = heap(1);
    let empty = heap.alloc(Bytes::new()).unwrap();
    sequences::<Bytes>(empty, heap, 7);
}

#[test]
fn appends_to_a_text_are_linear() {
    let mut heap = heap(1);
    for keeps in [true, false] {
        let first = heap.string("a text ").unwrap();
        let chain = chain(&mut heap, Kind::STR, first, keeps, |heap, last, n| {
            heap.append_text(last, if n % 2 == 0 { "é" } else { "ab" }).unwrap()
        });
        let (_, kept) = &chain;
        let (&last, len) = (kept.last().unwrap(), "a text ".len() + 2 * STEPS);
        assert_eq!(heap.text(last).unwrap().len(), len);
        is_linear(&mut heap, Kind::STR, 2, chain);
    }
}

/// A version that is left alone owns the block again: others than the last one are continued
/// in place, too, and changed without a copy.
#[test]
fn the_last_version_takes_its_block_over() {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[1.into(), 2.into(), 2.into(), 2.into()])).unwrap();
    let first = heap.append(list, 3.into()).unwrap();
    let off = |heap: &Heap, list: Handle<List>| place(heap, Kind::LIST, list.cell()).0;
    let block = off(&heap, first);
    assert_ne!(block, off(&heap, list)); // full
    for _ in 0..100 {
        let second = heap.append(first, 4.into()).unwrap();
        assert_eq!(off(&heap, second), block);
        let other = heap.append(first, 5.into()).unwrap();
        assert_ne!(off(&heap, other), block);
        assert_eq!(heap.display(second).to_string(), "[1, 2, 2, 2, 3, 4]");
        heap.free(second).unwrap();
        heap.free(other).unwrap();
    }
    let second = heap.append(first, 6.into()).unwrap();
    heap.free(first).unwrap();
    heap.get_mut(second).unwrap().set(0, 7.into()).unwrap();
    assert_eq!(off(&heap, second), block);
    heap.verify().unwrap();
    // While there are two, the one that is changed moves.
    let third = heap.append(second, 8.into()).unwrap();
    let mut hint = heap.hint(second, ..).unwrap();
    heap.get_mut(second).unwrap().set(0, 9.into()).unwrap();
    assert_eq!(hint.get(&heap, 0), Ok(9.into())); // where it lies now
    assert!(off(&heap, third) == block && off(&heap, second) != block);
    assert_eq!(heap.display(third).to_string(), "[7, 2, 2, 2, 3, 6, 8]");
    assert_eq!(heap.display(second).to_string(), "[9, 2, 2, 2, 3, 6]");
    heap.verify().unwrap();
}

/// Compiled code writes to a version as `get_mut` does, and a hint of one goes on as it is changed.
#[test]
fn compiled_code_writes_to_no_other_version() {
    let mut heap = heap(1);
    let list = heap.alloc(List::zeroed(5)).unwrap();
    let first = heap.append(list, 1.into()).unwrap();
    let second = heap.append(first, 2.into()).unwrap();
    abi::write_barrier(&mut heap, first.cell()).unwrap()[0] = Cell::TRUE;
    assert_eq!(heap.get(first).unwrap().get(0), Ok(Cell::TRUE));
    assert_eq!(heap.get(second).unwrap().get(0), Ok(Cell::NULL));
    heap.verify().unwrap();
}

/// Where a limit has no room for more than is needed, that is allocated.
#[test]
fn a_version_needs_no_more_than_it_has() {
    let mut heap = heap(1);
    let list = heap.alloc(List::zeroed(6_000)).unwrap();
    let full = heap.capacity(list).unwrap();
    heap.get_mut(list).unwrap().resize(full, Cell::NULL).unwrap();
    let limits = heap.limits();
    heap.set_limits(limits.with_pages(2));
    let longer = heap.append(list, 1.into()).unwrap();
    assert_eq!(heap.get(longer).unwrap().len(), full + 1);
    heap.verify().unwrap();
}

/// The parts of a block add up to it.
#[test]
fn versions_account_for_equal_parts_of_their_block() {
    let mut heap = heap(1);
    let list = heap.alloc(List::with_capacity(64)).unwrap();
    heap.get_mut(list).unwrap().push(1.into()).unwrap();
    let alone = heap.shallow_size(list).unwrap();
    let longer = heap.append(list, 2.into()).unwrap();
    let sizes = [list, longer].map(|version| heap.shallow_size(version).unwrap());
    assert_eq!(sizes.map(|size| size - 16), [(alone - 16) / 2; 2]);
    assert_eq!(heap.capacity(longer), Ok(2));
    let payload = heap.usage().arena(Kind::LIST).unwrap().payload_bytes;
    assert_eq!(payload, alone - 16);
}
