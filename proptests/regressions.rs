//! Defects of an earlier heap of this design, and of this one, one test each: the
//! misuse, and the result that it must have.

use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, HasKind, Heap, I64Arr, KeyHint, Kind, List, Map,
    Pair, Set, Str, Struct, U8Arr, Unpacked, abi,
};

use crate::machine::{arenas, sealed};
use crate::programs::is_memory_error;
use crate::support::{beyond_bits, forged, handle_bits, heap, out_of_range};

fn stale(kind: Kind) -> Error {
    Error::Stale { kind }
}

#[test]
fn a_stale_text_is_not_the_one_that_reuses_its_slot() {
    let mut heap = heap(1);
    let old = heap.alloc(Str::new("old text")).unwrap();
    heap.free(old).unwrap();
    let new = heap.alloc(Str::new("NEW TEXT")).unwrap();
    assert_eq!(heap.get(old).err(), Some(stale(Kind::STR)));
    assert_eq!(heap.get(new).unwrap().text(), "NEW TEXT");
}

#[test]
fn a_write_through_a_stale_handle_does_not_reach_the_next_object() {
    let mut heap = heap(1);
    let old = heap.alloc(List::of(&[1.into()])).unwrap();
    heap.free(old).unwrap();
    let new = heap.alloc(List::of(&[2.into()])).unwrap();
    assert_eq!(heap.get_mut(old).err(), Some(stale(Kind::LIST)));
    assert_eq!(heap.windows_mut((old,)).err(), Some(stale(Kind::LIST)));
    assert_eq!(heap.get(new).unwrap().as_slice(), [2.into()]);
}

#[test]
fn a_double_free_fails_and_changes_nothing() {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[])).unwrap();
    assert_eq!(heap.free(list), Ok(()));
    assert_eq!(heap.free(list), Err(stale(Kind::LIST)));
    assert_eq!(heap.usage().live(), 0);
    let (a, b) = (heap.alloc(List::of(&[])).unwrap(), heap.alloc(List::of(&[])).unwrap());
    assert_ne!(format!("{a:?}"), format!("{b:?}"), "two objects share a slot");
}

#[test]
fn a_free_through_a_stale_handle_does_not_free_the_next_object() {
    let mut heap = heap(1);
    let old = heap.alloc(List::of(&[1.into()])).unwrap();
    heap.free(old).unwrap();
    let new = heap.alloc(List::of(&[2.into(), 3.into()])).unwrap();
    assert_eq!(heap.free(old), Err(stale(Kind::LIST)));
    assert_eq!(heap.get(new).unwrap().len(), 2);
    assert_eq!(heap.usage().live(), 1);
}

#[test]
fn a_stale_handle_stays_stale_however_often_its_slot_is_reused() {
    let mut heap = heap(1);
    let first = heap.alloc(Pair::of(1.into(), 2.into())).unwrap();
    heap.free(first).unwrap();
    for _ in 1..2 * 4096 {
        let next = heap.alloc(Pair::of(3.into(), 4.into())).unwrap();
        assert_ne!(next, first);
        assert!(!heap.contains(first));
        heap.free(next).unwrap();
    }
    assert_eq!(heap.usage().arena(Kind::PAIR).unwrap().retired, 2);
}

#[test]
fn clear_keeps_generations() {
    let mut heap = heap(1);
    let old = heap.alloc(Str::new("old text")).unwrap();
    heap.clear();
    assert_eq!(heap.get(old).err(), Some(stale(Kind::STR)));
    let new = heap.alloc(Str::new("old text")).unwrap();
    assert_ne!(new, old);
    assert_eq!(heap.get(old).err(), Some(stale(Kind::STR)));
}

/// Whether this is the error for an object of `usize::MAX` elements. On 32 bits an
/// object could have as many, but no arena has the pages.
fn is_too_large(error: Option<Error>) -> bool {
    match usize::BITS {
        // As many bytes, or bits of entries, fit into 2^29 words.
        32 => {
            matches!(error, Some(Error::ObjectTooLarge | Error::ArenaFull { .. } | Error::Limit(_)))
        }
        _ => error == Some(Error::ObjectTooLarge),
    }
}

#[test]
fn indices_and_sizes_are_checked() {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[1.into(), 2.into()])).unwrap();
    let minus_one = usize::MAX;
    for index in [2, minus_one] {
        let error = Err(out_of_range(index, 2));
        assert_eq!(heap.get(list).unwrap().get(index), error);
        assert_eq!(heap.get_mut(list).unwrap().set(index, Cell::NULL).err(), error.err());
        assert_eq!(heap.get_mut(list).unwrap().remove(index), error);
    }
    let record = heap.alloc(Struct::new(1, 2)).unwrap();
    assert_eq!(heap.get(record).unwrap().get(2), Err(out_of_range(2, 2)));
    assert!(is_too_large(heap.alloc(List::zeroed(minus_one)).err()));
    assert!(is_too_large(heap.alloc(Bytes::with_capacity(minus_one)).err()));
    assert!(is_too_large(heap.alloc(Struct::new(1, minus_one)).err()));
    assert!(is_too_large(heap.alloc(Map::with_capacity(minus_one)).err()));
    assert_eq!(heap.usage().live(), 2);
}

/// Allocates one object of each kind, in the order of `Kind::ALL`.
fn one_of_each(heap: &mut Heap) -> [Cell; 12] {
    [
        heap.alloc(Str::new("a longer text")).unwrap().into(),
        heap.alloc(List::of(&[1.into()])).unwrap().into(),
        heap.alloc(Map::new()).unwrap().into(),
        heap.alloc(Set::new()).unwrap().into(),
        heap.alloc(Struct::new(1, 1)).unwrap().into(),
        heap.alloc(Closure::of(1, &[])).unwrap().into(),
        heap.alloc(Bignum::of(false, &[0, 1])).unwrap().into(),
        heap.alloc(Bytes::of(b"b")).unwrap().into(),
        heap.alloc(Pair::of(1.into(), 2.into())).unwrap().into(),
        heap.alloc(F64Arr::of(&[1.0])).unwrap().into(),
        heap.alloc(I64Arr::of(&[1])).unwrap().into(),
        heap.alloc(U8Arr::of(&[1])).unwrap().into(),
    ]
}

macro_rules! errors {
    ($heap:expr, $cell:expr; $($Kind:ident)*) => {
        vec![$((
            <$Kind as HasKind>::KIND,
            $heap.get::<$Kind>($cell).err(),
            $heap.get_mut::<$Kind>($cell).err(),
            $cell.to_handle::<$Kind>().err(),
        )),*]
    };
}

/// A kind, and the errors of `get`, `get_mut` and `to_handle` as that kind.
type Errors = (Kind, Option<Error>, Option<Error>, Option<Error>);

fn errors(heap: &mut Heap, cell: Cell) -> Vec<Errors> {
    errors!(heap, cell; Str List Map Set Struct Closure Bignum Bytes Pair F64Arr I64Arr U8Arr)
}

#[test]
fn the_error_for_another_kind_names_both_kinds() {
    let mut heap = heap(1);
    let all = one_of_each(&mut heap);
    for (cell, kind) in all.into_iter().zip(Kind::ALL) {
        for (wanted, read, write, cast) in errors(&mut heap, cell) {
            let found = cell.kind().unwrap();
            let error = (kind != wanted).then_some(Error::WrongKind { found, wanted });
            assert_eq!((found, read, write, cast), (kind, error, error, error));
        }
    }
}

/// A handle with the right slot and generation but another kind is rejected: all
/// ordered pairs of kinds, and seals.
#[test]
fn a_handle_that_differs_in_kind_alone_is_rejected() {
    let mut heap = heap(1);
    let all = one_of_each(&mut heap);
    for (cell, kind) in all.into_iter().zip(Kind::ALL) {
        for found in arenas().filter(|&found| found != kind) {
            let bits = abi::bits(cell) & !(0xF << 44) | found.selector() << 44;
            let other = abi::cell(bits).unwrap();
            assert_eq!(other.kind(), Some(found));
            let error = if found == sealed() {
                Error::Sealed
            } else {
                Error::WrongKind { found, wanted: kind }
            };
            let mut errors = errors(&mut heap, other).into_iter();
            let (_, read, write, _) = errors.find(|errors| errors.0 == kind).unwrap();
            assert_eq!((read, write), (Some(error), Some(error)));
        }
    }
}

#[test]
fn a_list_is_not_a_map() {
    let mut heap = heap(1);
    let map = heap.alloc(Map::new()).unwrap();
    let list = heap.alloc(List::of(&[1.into()])).unwrap();
    let error = Error::WrongKind { found: Kind::LIST, wanted: Kind::MAP };
    // Both are in slot 0 of their arenas.
    let insert =
        heap.get_mut::<Map>(list.cell()).and_then(|mut map| map.insert(1.into(), 2.into()));
    assert_eq!(insert, Err(error));
    assert!(heap.get(map).unwrap().is_empty());
    assert_eq!(heap.get(list).unwrap().as_slice(), [1.into()]);
}

#[test]
fn a_text_is_not_a_list() {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[1.into()])).unwrap();
    let text = heap.alloc(Str::new("a longer text")).unwrap();
    let error = Error::WrongKind { found: Kind::STR, wanted: Kind::LIST };
    assert_eq!(heap.get::<List>(text.cell()).err(), Some(error));
    let sorted = heap.sort_by::<List, Error>(text.cell(), |_, _, _| unreachable!());
    assert_eq!(sorted, Err(error));
    assert_eq!(heap.get(list).unwrap().as_slice(), [1.into()]);
}

#[test]
fn an_immediate_is_not_a_handle() {
    let mut heap = heap(1);
    one_of_each(&mut heap);
    let cells = [
        Cell::from(0),
        Cell::NULL,
        Cell::from(0.0),
        Cell::from(f64::NAN),
        Cell::TRUE,
        Cell::short_str("text").unwrap(),
        Cell::deopt(0).unwrap(),
    ];
    for cell in cells {
        for (_, read, write, cast) in errors(&mut heap, cell) {
            let error = Some(Error::NotAHandle);
            assert_eq!((read, write, cast), (error, error, error));
        }
        assert_eq!(heap.free(cell), Err(Error::NotAHandle));
    }
}

#[test]
fn spare_selectors_belong_to_no_kind() {
    let mut heap = heap(1);
    one_of_each(&mut heap);
    for generation in [0, 1, 4095] {
        // The selector of seals is in no kind, and operations report it.
        let cell = forged(sealed().selector(), generation, 0);
        assert_eq!(cell.unpack(), Unpacked::Sealed);
        assert!(!Kind::ALL.contains(&cell.kind().unwrap()));
        for (_, read, write, cast) in errors(&mut heap, cell) {
            let error = Some(Error::Sealed);
            assert_eq!((read, write, cast), (error, error, error));
        }
        assert_eq!(heap.free(cell), Err(Error::Sealed));
        assert!(!heap.contains(cell));
        // The others are in no cell, not even a forged one.
        let spare = |&selector: &u64| arenas().all(|arena| arena.selector() != selector);
        for selector in (0..16).filter(spare) {
            assert_eq!(abi::cell(handle_bits(selector, generation, 0)), None);
        }
    }
}

#[test]
fn integers_beyond_48_bits_are_exact() {
    let mut heap = heap(1);
    for int in [1 << 47, 1 << 48, i64::MAX, -(1 << 47) - 1, i64::MIN] {
        assert_eq!(Cell::int(int), None);
        let cell = heap.int(int).unwrap();
        assert_eq!(cell.kind(), Some(Kind::BIGNUM));
        assert_eq!(heap.as_int(cell), Ok(Some(int)));
        assert_eq!(heap.display(cell).to_string(), int.to_string());
    }
}

#[test]
fn factorials_do_not_wrap() {
    let mut heap = heap(1);
    let mut product = Cell::from(1);
    for n in 1..=17 {
        product = heap.mul(product, n.into()).unwrap();
    }
    assert_eq!(heap.as_int(product), Ok(Some(355_687_428_096_000)));
}

#[test]
fn text_of_six_bytes_is_not_truncated() {
    let mut heap = heap(1);
    assert_eq!(Cell::short_str("sixsix"), None);
    assert_eq!(Cell::short_str("aaaaé"), None);
    let text = heap.string("sixsix").unwrap();
    assert_eq!(text.kind(), Some(Kind::STR));
    assert_eq!(heap.text(text).unwrap().to_string(), "sixsix");
}

#[test]
fn a_deopt_cell_is_no_other_value() {
    let deopt = Cell::deopt(7).unwrap();
    assert_eq!(deopt.unpack(), Unpacked::Deopt(7));
    assert_eq!((deopt.as_float(), deopt.as_int(), deopt.kind()), (None, None, None));
    // No float has its bits, not even a NaN with the same high half.
    assert_ne!(Cell::float(f64::from_bits(0xFFF8_0000_0000_0007)), deopt);
}

#[test]
fn fields_of_a_new_struct_are_null() {
    let mut heap = heap(1);
    let dirty = heap.alloc(Struct::of(1, &[Cell::from(0.0); 4])).unwrap();
    heap.free(dirty).unwrap();
    let record = heap.alloc(Struct::new(1, 4)).unwrap();
    assert_eq!(heap.get(record).unwrap().as_slice(), [Cell::NULL; 4]);
    let list = heap.alloc(List::zeroed(4)).unwrap();
    assert_eq!(heap.get(list).unwrap().as_slice(), [Cell::NULL; 4]);
}

#[test]
fn invalid_utf8_is_rejected() {
    let error = |valid_up_to| Some(Error::NotUtf8 { valid_up_to });
    assert_eq!(Str::from_utf8(b"\xFF\xFE").err(), error(0));
    assert_eq!(Str::from_utf8(b"valid \xC3").err(), error(6));
}

#[test]
fn a_missing_key_is_not_a_stored_zero() {
    let mut heap = heap(1);
    let map = heap.alloc(Map::new()).unwrap();
    assert_eq!(heap.get(map).unwrap().get(1.into()), Ok(None));
    heap.get_mut(map).unwrap().insert(1.into(), 0.into()).unwrap();
    assert_eq!(heap.get(map).unwrap().get(1.into()), Ok(Some(0.into())));
    assert_eq!(heap.get(map).unwrap().get(2.into()), Ok(None));
}

#[test]
fn equal_keys_beyond_48_bits_are_one_key() {
    let mut heap = heap(1);
    let map = heap.alloc(Map::new()).unwrap();
    for value in [5, 6] {
        let key = heap.int(1 << 50).unwrap();
        heap.get_mut(map).unwrap().insert(key, value.into()).unwrap();
    }
    let key = heap.int(1 << 50).unwrap();
    assert_eq!(heap.get(map).unwrap().len(), 1);
    assert_eq!(heap.get(map).unwrap().get(key), Ok(Some(6.into())));
}

#[test]
fn table_capacities_beyond_memory_fail() {
    let mut heap = heap(1);
    for shift in [28, 30, 31, 32, 62, 63] {
        let map = heap.alloc(Map::with_capacity(beyond_bits(shift))).unwrap_err();
        let set = heap.alloc(Set::with_capacity(beyond_bits(shift))).unwrap_err();
        assert!(is_memory_error(map) && is_memory_error(set), "2^{shift}: {map}, {set}");
    }
    assert_eq!(heap.usage().total_bytes, 0);
}

#[test]
fn deep_equality_does_not_recurse() {
    let mut heap = heap(1);
    let mut ends = [Cell::NULL; 2];
    for end in &mut ends {
        for _ in 0..100_000 {
            *end = heap.alloc(Pair::of(1.into(), *end)).unwrap().into();
        }
    }
    let [a, b] = ends;
    // The stack of this thread could not hold a frame for each link.
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    let work = move || {
        assert_eq!(heap.deep_eq(a, b), Ok(true));
        assert!(heap.display(a).to_string().ends_with('…'));
    };
    thread.spawn(work).unwrap().join().unwrap();
}

#[test]
fn every_kind_can_be_used() {
    let mut heap = heap(1);
    let all = one_of_each(&mut heap);
    let [_, _, map, set, record, closure, big, bytes, ..] = all;
    assert_eq!(heap.get_mut::<Map>(map).unwrap().insert(set, 1.into()), Ok(None));
    assert_eq!(heap.get_mut::<Set>(set).unwrap().insert(record), Ok(true));
    assert_eq!(heap.get::<Closure>(closure).unwrap().function(), 1);
    assert_eq!(heap.get::<Bignum>(big).unwrap().to_i128(), Some(1 << 64));
    heap.get_mut::<Bytes>(bytes).unwrap().push(7).unwrap();
    assert_eq!(heap.get::<Bytes>(bytes).unwrap().as_slice(), b"b\x07");
    let usage = heap.usage();
    let live = |cell: Cell| usage.arena(cell.kind().unwrap()).unwrap().live;
    assert_eq!(all.map(live), [1; 12]);
}

/// A hint refers to a place, whatever has become of the entry there.
#[test]
fn a_key_hint_finds_live_entries_only() -> Result<(), Error> {
    let mut heap = heap(1);
    let map = heap.alloc(Map::new())?;
    let key = Cell::from(heap.alloc(Pair::of(Cell::NULL, Cell::NULL))?);
    let mut hint = KeyHint::default();
    heap.map_insert(map, key, 1.into())?;
    assert_eq!(heap.map_get_with(map, key, &mut hint)?, Some(1.into()));
    // The words of the entry are still there.
    heap.get_mut(map)?.clear()?;
    assert_eq!(heap.map_get_with(map, key, &mut hint)?, None);

    heap.map_insert(map, key, 2.into())?;
    assert_eq!(heap.map_get_with(map, key, &mut hint)?, Some(2.into()));
    heap.free(key)?;
    let stale = heap.map_get_with(map, key, &mut hint);
    assert_eq!(stale, Err(Error::Stale { kind: Kind::PAIR }));
    Ok(())
}

#[test]
fn a_product_with_zero_is_not_refused_for_its_size() {
    let mut heap = heap(1);
    let large = heap.alloc(Bignum::of(false, &[1; 9])).unwrap().cell();
    heap.set_limits(heap.limits().with_integer_bits(200));
    assert_eq!(heap.mul(0.into(), large), Ok(0.into()));
    assert_eq!(heap.mul(large, 0.into()), Ok(0.into()));
    let refused = Err(Error::Limit(segheap::Resource::IntegerBits));
    assert_eq!(heap.mul(large, 1.into()), refused);
}

#[test]
fn only_the_whole_dot_product_has_to_fit() {
    let mut heap = heap(1);
    let (least, most) = (i64::MIN, i64::MAX);
    // Two products of 2^126 each, which leave the range together.
    let a = heap.alloc(I64Arr::of(&[least, least, least, most])).unwrap();
    let b = heap.alloc(I64Arr::of(&[least, least, most, least])).unwrap();
    let dot =
        |range: core::ops::RangeTo<usize>| heap.get(a).unwrap().dot(range, heap.get(b).unwrap(), 0);
    assert_eq!(dot(..2), Err(Error::Overflow));
    let wide = |a, b| i128::from(a) * i128::from(b);
    assert_eq!(dot(..3), Ok(wide(least, least) + (wide(least, most) + wide(least, least))));
    assert_eq!(dot(..4), Ok(2 * (wide(least, most) + wide(least, least))));
}

#[test]
fn of_two_wrong_operands_the_first_decides() {
    let mut heap = heap(1);
    let list = heap.alloc(List::new()).unwrap().cell();
    let wrong = |wanted| Error::WrongKind { found: Kind::LIST, wanted };
    assert_eq!(heap.pow(list, Cell::TRUE), Err(wrong(Kind::BIGNUM)));
    assert_eq!(heap.pow(Cell::TRUE, list), Err(Error::NotAnInteger));
    assert_eq!(heap.pow(list, (-1).into()), Err(wrong(Kind::BIGNUM)));
    let mut fails = |a: Cell, b: Cell| {
        let (union, both) = (heap.union(a, b), heap.intersection(a, b));
        [union, both, heap.difference(a, b)].map(Result::err)
    };
    assert_eq!(fails(list, Cell::NULL), [Some(wrong(Kind::SET)); 3]);
    assert_eq!(fails(Cell::NULL, list), [Some(Error::NotAHandle); 3]);
}

#[test]
fn the_edges_of_a_freed_seal_are_sealed() {
    let mut heap = heap(1);
    let key = heap.new_seal_key().unwrap();
    let sealed = heap.seal(1, &key).unwrap();
    assert_eq!(heap.edges(sealed).err(), Some(Error::Sealed));
    heap.clear();
    assert_eq!(heap.edges(sealed).err(), Some(Error::Sealed));
}

#[test]
fn a_text_is_displayed_alike_in_the_cell_and_in_the_arena() {
    let mut heap = heap(1);
    for text in ["\u{7f}x", "\u{200b}", "a\0b", "\u{301}", "\u{1b}[", "\"\\\n'"] {
        let object = heap.alloc(Str::new(text)).unwrap();
        let value = heap.string(text).unwrap();
        assert_eq!(value.kind(), None);
        let list = heap.alloc(List::of(&[object.into(), value])).unwrap();
        assert_eq!(heap.display(list).to_string(), format!("[{text:?}, {text:?}]"));
    }
}

/// Beyond the last element, there may be room.
#[test]
fn elements_past_the_end_are_neither_read_nor_written() {
    let mut heap = heap(1);
    let list = heap.alloc(List::with_capacity(8)).unwrap();
    heap.get_mut(list).unwrap().extend(&[1.into(), 2.into(), 3.into()]).unwrap();
    heap.get_mut(list).unwrap().pop().unwrap();
    for at in [2, 3, 7, 8, usize::MAX] {
        let past = Error::OutOfRange { index: at as u64, len: 2 };
        assert_eq!(heap.element(list, at), Err(past));
        assert_eq!(heap.set_element(list, at, 5.into()), Err(past));
        assert_eq!(heap.update_element(list, at, |_| 5.into()).err(), Some(past));
        assert_eq!(heap.get(list).unwrap().get(at), Err(past));
    }
    assert_eq!(heap.get(list).unwrap().as_slice(), [1.into(), 2.into()]);
}
