//! The life cycle of an object of each kind: allocated, written, read, freed. After
//! that each use of its handle is stale, even when its slot is reused.

use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Handle, Heap, I64Arr, Kind, List, Map, Object,
    ObjectInit, Pair, Set, Str, Struct, TextPart, U8Arr, WindowTarget,
};

use crate::support::heap;

/// Frees the object and checks that its handle is stale, before and after another
/// object reuses the slot.
fn free_and_reuse<I: ObjectInit>(heap: &mut Heap, handle: Handle<I::Kind>, successor: I) {
    let cell = handle.cell();
    let kind = cell.kind().unwrap();
    assert!(heap.contains(handle));
    assert_eq!(cell.to_handle::<I::Kind>(), Ok(handle));
    assert_eq!(heap.free(handle), Ok(()));
    assert_stale::<I::Kind>(heap, cell, kind);
    let next = heap.alloc(successor).unwrap();
    assert_eq!(format!("{next:?}"), format!("{handle:?}"), "the slot is not reused");
    assert_ne!(next, handle);
    assert_stale::<I::Kind>(heap, cell, kind);
    assert!(heap.contains(next));
}

fn assert_stale<K: Object>(heap: &mut Heap, cell: Cell, kind: Kind) {
    let stale = Error::Stale { kind };
    let text = if kind == Kind::STR { stale } else { wrong_kind(kind, Kind::STR) };
    let integer = if kind == Kind::BIGNUM { stale } else { wrong_kind(kind, Kind::BIGNUM) };
    let set = if kind == Kind::SET { stale } else { wrong_kind(kind, Kind::SET) };
    assert!(!heap.contains(cell));
    assert_eq!(heap.get::<K>(cell).err(), Some(stale));
    assert_eq!(heap.get_mut::<K>(cell).err(), Some(stale));
    assert_eq!(heap.free(cell), Err(stale));
    assert_eq!(heap.key_eq(cell, 1.into()), Err(stale));
    assert_eq!(heap.key_eq(1.into(), cell), Err(stale));
    assert_eq!(heap.deep_eq(cell, cell), Err(stale));
    assert_eq!(heap.hash(cell), Err(stale));
    assert_eq!(heap.display(cell).to_string(), "gone");
    assert_eq!(heap.text(cell).err(), Some(text));
    assert_eq!(heap.concat(&[TextPart::Str("longer text"), cell.into()]), Err(text));
    assert_eq!(heap.as_int(cell), Err(integer));
    assert_eq!(heap.add(1.into(), cell), Err(integer));
    assert_eq!(heap.cmp_int(cell, cell), Err(integer));
    assert_eq!(heap.union(cell, cell), Err(set));
    let map = heap.alloc(Map::new()).unwrap();
    assert_eq!(heap.get_mut(map).unwrap().insert(cell, Cell::NULL), Err(stale));
    assert_eq!(heap.get(map).unwrap().get(cell), Err(stale));
    heap.free(map).unwrap();
    // Kind errors take precedence over stale handles.
    if kind != Kind::LIST {
        assert_eq!(heap.get::<List>(cell).err(), Some(wrong_kind(kind, Kind::LIST)));
        let sorted = heap.sort_by::<List, Error>(cell, |_, _, _| unreachable!());
        assert_eq!(sorted, Err(wrong_kind(kind, Kind::LIST)));
    }
}

fn wrong_kind(found: Kind, wanted: Kind) -> Error {
    Error::WrongKind { found, wanted }
}

fn assert_no_window<K: segheap::Object>(heap: &mut Heap, handle: Handle<K>)
where
    Handle<K>: WindowTarget,
{
    let kind = handle.cell_kind();
    assert_eq!(heap.windows_mut((handle,)).err(), Some(Error::Stale { kind }));
}

trait CellKind {
    fn cell_kind(self) -> Kind;
}

impl<K> CellKind for Handle<K> {
    fn cell_kind(self) -> Kind {
        Cell::from(self).kind().unwrap()
    }
}

#[test]
fn str() {
    let mut heap = heap(5);
    let text = heap.alloc(Str::new("a first text")).unwrap();
    assert_eq!(heap.get(text).unwrap().to_str(), Ok("a first text"));
    free_and_reuse(&mut heap, text, Str::new("another text"));
}

macro_rules! arrays {
    ($($name:ident: $Kind:ident, $one:expr, $two:expr;)*) => {$(
        #[test]
        fn $name() {
            let mut heap = heap(5);
            let array = heap.alloc($Kind::of(&[$one, $one])).unwrap();
            let mut view = heap.get_mut(array).unwrap();
            view.push($two).unwrap();
            view.set(0, $two).unwrap();
            assert_eq!(heap.get(array).unwrap().as_slice(), [$two, $one, $two]);
            free_and_reuse(&mut heap, array, $Kind::of(&[$one, $one]));
            assert_no_window(&mut heap, array);
        }
    )*};
}
arrays! {
    list: List, Cell::TRUE, Cell::NULL;
    bytes: Bytes, 1, 255;
    f64arr: F64Arr, 0.5, -0.0;
    i64arr: I64Arr, 1, i64::MIN;
    u8arr: U8Arr, 1, 255;
}

#[test]
fn map() {
    let mut heap = heap(5);
    let map = heap.alloc(Map::new()).unwrap();
    assert_eq!(heap.get_mut(map).unwrap().insert(1.into(), 2.into()), Ok(None));
    assert_eq!(heap.get(map).unwrap().get(1.into()), Ok(Some(2.into())));
    free_and_reuse(&mut heap, map, Map::with_capacity(4));
}

#[test]
fn set() {
    let mut heap = heap(5);
    let set = heap.alloc(Set::new()).unwrap();
    assert_eq!(heap.get_mut(set).unwrap().insert(1.into()), Ok(true));
    assert_eq!(heap.get(set).unwrap().contains(1.into()), Ok(true));
    free_and_reuse(&mut heap, set, Set::with_capacity(4));
}

#[test]
fn structs() {
    let mut heap = heap(5);
    let record = heap.alloc(Struct::new(7, 2)).unwrap();
    heap.get_mut(record).unwrap().set(1, 4.into()).unwrap();
    assert_eq!(heap.get(record).unwrap().as_slice(), [Cell::NULL, 4.into()]);
    free_and_reuse(&mut heap, record, Struct::new(7, 2));
    assert_no_window(&mut heap, record);
}

#[test]
fn closure() {
    let mut heap = heap(5);
    let closure = heap.alloc(Closure::of(7, &[1.into()])).unwrap();
    heap.get_mut(closure).unwrap().set(0, 4.into()).unwrap();
    assert_eq!(heap.get(closure).unwrap().as_slice(), [4.into()]);
    free_and_reuse(&mut heap, closure, Closure::of(7, &[1.into()]));
    assert_no_window(&mut heap, closure);
}

#[test]
fn bignum() {
    let mut heap = heap(5);
    let big = heap.alloc(Bignum::of(true, &[0, 1])).unwrap();
    assert_eq!(heap.get(big).unwrap().to_i128(), Some(-(1 << 64)));
    free_and_reuse(&mut heap, big, Bignum::of(false, &[1, 1]));
}

#[test]
fn pair() {
    let mut heap = heap(5);
    let pair = heap.alloc(Pair::of(1.into(), 2.into())).unwrap();
    heap.get_mut(pair).unwrap().set(1, 4.into()).unwrap();
    assert_eq!(heap.get(pair).unwrap().second(), Ok(4.into()));
    free_and_reuse(&mut heap, pair, Pair::of(1.into(), 2.into()));
    assert_no_window(&mut heap, pair);
}
