//! Sealed cells: only the key of a seal opens it, a reachable seal keeps its
//! contents live, and a freed seal is stale.

use segheap::{Bytes, Cell, Error, Heap, Kind, List, Settings, abi};

fn heap() -> Heap {
    Heap::with(Settings::seeded(11))
}

#[test]
fn a_freed_seal_is_stale() {
    let mut heap = heap();
    let key = heap.new_seal_key().unwrap();
    let list = heap.alloc(List::of(&[])).unwrap();
    let sealed = heap.seal(list, &key).unwrap();
    heap.collect([list.cell()]).unwrap();
    let stale = heap.unseal(sealed, &key);
    assert!(matches!(stale, Err(Error::Stale { .. })), "{stale:?}");
    let stale = heap.seal(sealed, &key);
    assert!(matches!(stale, Err(Error::Stale { .. })), "{stale:?}");
    assert!(!heap.contains(sealed) && heap.contains(list));
}

#[test]
fn a_seal_keeps_its_contents_live() {
    let mut heap = heap();
    let key = heap.new_seal_key().unwrap();
    let list = heap.alloc(List::of(&[])).unwrap();
    let inner = heap.seal(list, &key).unwrap();
    let outer = heap.seal(inner, &key).unwrap();
    heap.collect([outer]).unwrap();
    assert_eq!(heap.unseal(outer, &key), Ok(inner));
    assert_eq!(heap.unseal(inner, &key), Ok(list.cell()));
    assert_eq!(heap.path_from_roots([outer], list.into()).unwrap().unwrap().len(), 3);
    heap.free(list).unwrap();
    assert_eq!(heap.unseal(inner, &key), Err(Error::Stale { kind: Kind::LIST }));
    assert_eq!(heap.unseal(outer, &key), Ok(inner));
    assert_eq!(heap.free(outer), Err(Error::Sealed));
    heap.verify().unwrap();
}

#[test]
fn every_operation_rejects_a_sealed_cell() {
    let mut heap = heap();
    let (key, other) = (heap.new_seal_key().unwrap(), heap.new_seal_key().unwrap());
    let mut elsewhere = self::heap();
    let foreign = elsewhere.new_seal_key().unwrap();
    let list = heap.alloc(List::of(&[1.into()])).unwrap();
    let sealed = heap.seal(list, &key).unwrap();
    assert_eq!(heap.get::<List>(sealed).err(), Some(Error::Sealed));
    assert_eq!(heap.get_mut::<List>(sealed).err(), Some(Error::Sealed));
    assert_eq!(heap.free(sealed), Err(Error::Sealed));
    assert_eq!(heap.hint::<List>(sealed, ..).err(), Some(Error::Sealed));
    assert_eq!(heap.window::<List>(sealed, ..).err(), Some(Error::Sealed));
    assert_eq!(heap.edges(sealed).err(), Some(Error::Sealed));
    assert!(heap.text(sealed).is_err());
    assert_eq!(sealed.to_handle::<List>().err(), Some(Error::Sealed));
    assert_eq!(elsewhere.transplant(&heap, sealed), Err(Error::Sealed));
    for key in [&other, &foreign] {
        assert_eq!(heap.unseal(sealed, key), Err(Error::WrongKey));
    }
    assert_eq!(heap.seal(list, &foreign), Err(Error::WrongKey));
    assert_eq!(heap.unseal(list.into(), &key), Err(Error::NotSealed));
    assert_eq!(heap.unseal(Cell::NULL, &key), Err(Error::NotSealed));
    assert_ne!(heap.seal(list, &key).unwrap(), sealed);
    assert_eq!(heap.get(list).unwrap().as_slice(), [1.into()]);
    // It can be stored like any other value.
    heap.get_mut(list).unwrap().push(sealed).unwrap();
    assert_eq!(heap.collect([list.cell()]).unwrap().stale_roots, 0);
    assert!(abi::cell(abi::bits(sealed)).is_some_and(|cell| heap.contains(cell)));
}

#[test]
fn regions_free_seals() {
    let mut heap = heap();
    let key = heap.new_seal_key().unwrap();
    let region = heap.open_region().unwrap();
    let list = heap.alloc(List::of(&[])).unwrap();
    let (kept, freed) = (heap.seal(list, &key).unwrap(), heap.seal(list, &key).unwrap());
    assert_eq!(heap.close_region(region, [kept]), Ok(1));
    assert!(heap.contains(kept) && heap.contains(list) && !heap.contains(freed));
}

#[test]
fn operations_on_values_fail_with_sealed() {
    let mut heap = heap();
    let key = heap.new_seal_key().unwrap();
    let text = heap.string("a longer text").unwrap();
    let sealed = heap.seal(text, &key).unwrap();
    let bytes = heap.alloc(Bytes::zeroed(4)).unwrap().cell();
    assert_eq!(heap.text(sealed).err(), Some(Error::Sealed));
    assert_eq!(heap.concat(&[sealed.into()]), Err(Error::Sealed));
    assert_eq!(heap.as_int(sealed), Err(Error::Sealed));
    assert_eq!(heap.add(1.into(), sealed), Err(Error::Sealed));
    assert_eq!(heap.convert_across_any(Kind::BYTES, sealed, ..), Err(Error::Sealed));
    assert_eq!(heap.copy_across_any(bytes, 0, sealed, ..), Err(Error::Sealed));
    assert_eq!(heap.append_across_any(sealed, bytes, ..), Err(Error::Sealed));
}
