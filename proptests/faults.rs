//! Ways in which an earlier heap of this design went wrong, one test each: the
//! misuse, and the answer that this heap gives instead.

use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, HasKind, Heap, I64Arr, Kind, List, Map, Pair, Set,
    Str, Struct, U8Arr, Unpacked, abi,
};

use crate::programs::is_shortage;
use crate::support::{forged, handle_bits, heap, out_of_range};

fn stale(kind: Kind) -> Error {
    Error::Stale { kind }
}

#[test]
fn a_freed_text_is_not_the_one_that_took_its_slot() {
    let mut heap = heap(1);
    let old = heap.alloc(Str::new("old text")).unwrap();
    heap.free(old).unwrap();
    let new = heap.alloc(Str::new("NEW TEXT")).unwrap();
    assert_eq!(heap.get(old).err(), Some(stale(Kind::STR)));
    assert_eq!(heap.get(new).unwrap().text(), "NEW TEXT");
}

#[test]
fn a_write_through_a_stale_handle_does_not_reach_the_new_owner() {
    let mut heap = heap(1);
    let old = heap.alloc(List::of(&[1.into()])).unwrap();
    heap.free(old).unwrap();
    let new = heap.alloc(List::of(&[2.into()])).unwrap();
    assert_eq!(heap.get_mut(old).err(), Some(stale(Kind::LIST)));
    assert_eq!(heap.windows_mut((old,)).err(), Some(stale(Kind::LIST)));
    assert_eq!(heap.get(new).unwrap().as_slice(), [2.into()]);
}

#[test]
fn a_second_free_is_stale_and_counts_nothing() {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[])).unwrap();
    assert_eq!(heap.free(list), Ok(()));
    assert_eq!(heap.free(list), Err(stale(Kind::LIST)));
    assert_eq!(heap.usage().live(), 0);
    let (a, b) = (heap.alloc(List::of(&[])).unwrap(), heap.alloc(List::of(&[])).unwrap());
    assert_ne!(format!("{a:?}"), format!("{b:?}"), "two objects, two slots");
}

#[test]
fn a_free_through_a_stale_handle_leaves_the_new_owner_alone() {
    let mut heap = heap(1);
    let old = heap.alloc(List::of(&[1.into()])).unwrap();
    heap.free(old).unwrap();
    let new = heap.alloc(List::of(&[2.into(), 3.into()])).unwrap();
    assert_eq!(heap.free(old), Err(stale(Kind::LIST)));
    assert_eq!(heap.get(new).unwrap().len(), 2);
    assert_eq!(heap.usage().live(), 1);
}

#[test]
fn an_old_handle_is_stale_however_often_its_slot_is_used() {
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
fn a_reset_does_not_forget_generations() {
    let mut heap = heap(1);
    let old = heap.alloc(Str::new("old text")).unwrap();
    heap.clear();
    assert_eq!(heap.get(old).err(), Some(stale(Kind::STR)));
    let new = heap.alloc(Str::new("old text")).unwrap();
    assert_ne!(new, old);
    assert_eq!(heap.get(old).err(), Some(stale(Kind::STR)));
}

#[test]
fn indices_and_sizes_are_checked() {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[1.into(), 2.into()])).unwrap();
    let minus_one = usize::MAX;
    for index in [2, minus_one] {
        let refused = Err(out_of_range(index, 2));
        assert_eq!(heap.get(list).unwrap().get(index), refused);
        assert_eq!(heap.get_mut(list).unwrap().set(index, Cell::NULL).err(), refused.err());
        assert_eq!(heap.get_mut(list).unwrap().remove(index), refused);
    }
    let record = heap.alloc(Struct::new(1, 2)).unwrap();
    assert_eq!(heap.get(record).unwrap().get(2), Err(out_of_range(2, 2)));
    assert_eq!(heap.alloc(List::zeroed(minus_one)), Err(Error::ObjectTooLarge));
    assert_eq!(heap.alloc(Bytes::with_capacity(minus_one)), Err(Error::ObjectTooLarge));
    assert_eq!(heap.alloc(Struct::new(1, minus_one)), Err(Error::ObjectTooLarge));
    assert_eq!(heap.alloc(Map::with_capacity(minus_one)), Err(Error::ObjectTooLarge));
    assert_eq!(heap.usage().live(), 2);
}

/// One object of each kind.
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

macro_rules! refusals {
    ($heap:expr, $cell:expr; $($Kind:ident)*) => {
        vec![$((
            <$Kind as HasKind>::KIND,
            $heap.get::<$Kind>($cell).err(),
            $heap.get_mut::<$Kind>($cell).err(),
            $cell.to_handle::<$Kind>().err(),
        )),*]
    };
}

/// For one kind: the kind, and how reading, changing and casting were refused.
type Refusals = (Kind, Option<Error>, Option<Error>, Option<Error>);

fn refusals(heap: &mut Heap, cell: Cell) -> Vec<Refusals> {
    refusals!(heap, cell; Str List Map Set Struct Closure Bignum Bytes Pair F64Arr I64Arr U8Arr)
}

#[test]
fn an_object_of_another_kind_is_refused_by_name() {
    let mut heap = heap(1);
    let all = one_of_each(&mut heap);
    for (cell, kind) in all.into_iter().zip(Kind::ALL) {
        for (wanted, read, write, cast) in refusals(&mut heap, cell) {
            let found = cell.kind().unwrap();
            let refused = (kind != wanted).then_some(Error::WrongKind { found, wanted });
            assert_eq!((found, read, write, cast), (kind, refused, refused, refused));
        }
    }
}

/// The selector of seals, behind those of all kinds.
const SEALED: u64 = 15;

/// The kind counts where slot and generation are the same, too: all ordered pairs,
/// and seals.
#[test]
fn the_kind_alone_is_enough_to_be_refused() {
    let mut heap = heap(1);
    let all = one_of_each(&mut heap);
    for (cell, kind) in all.into_iter().zip(Kind::ALL) {
        let selectors = Kind::ALL.map(Kind::selector).into_iter().chain([SEALED]);
        for selector in selectors.filter(|&selector| selector != kind.selector()) {
            let bits = abi::bits(cell) & !(0xF << 44) | selector << 44;
            let other = abi::cell(bits).unwrap();
            let found = other.kind().unwrap();
            let refused = match selector {
                SEALED => Error::Sealed,
                _ => Error::WrongKind { found, wanted: kind },
            };
            let mut answers = refusals(&mut heap, other).into_iter();
            let (_, read, write, _) = answers.find(|answer| answer.0 == kind).unwrap();
            assert_eq!((read, write), (Some(refused), Some(refused)));
        }
    }
}

#[test]
fn a_list_is_no_map() {
    let mut heap = heap(1);
    let map = heap.alloc(Map::new()).unwrap();
    let list = heap.alloc(List::of(&[1.into()])).unwrap();
    let refused = Error::WrongKind { found: Kind::LIST, wanted: Kind::MAP };
    // Both are in slot 0 of their arenas.
    let insert =
        heap.get_mut::<Map>(list.cell()).and_then(|mut map| map.insert(1.into(), 2.into()));
    assert_eq!(insert, Err(refused));
    assert!(heap.get(map).unwrap().is_empty());
    assert_eq!(heap.get(list).unwrap().as_slice(), [1.into()]);
}

#[test]
fn a_text_is_no_list() {
    let mut heap = heap(1);
    let list = heap.alloc(List::of(&[1.into()])).unwrap();
    let text = heap.alloc(Str::new("a longer text")).unwrap();
    let refused = Error::WrongKind { found: Kind::STR, wanted: Kind::LIST };
    assert_eq!(heap.get::<List>(text.cell()).err(), Some(refused));
    let sorted = heap.sort_by::<List, Error>(text.cell(), |_, _, _| unreachable!());
    assert_eq!(sorted, Err(refused));
    assert_eq!(heap.get(list).unwrap().as_slice(), [1.into()]);
}

#[test]
fn a_cell_without_a_handle_opens_nothing() {
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
        for (_, read, write, cast) in refusals(&mut heap, cell) {
            let refused = Some(Error::NotAHandle);
            assert_eq!((read, write, cast), (refused, refused, refused));
        }
        assert_eq!(heap.free(cell), Err(Error::NotAHandle));
    }
}

#[test]
fn spare_selectors_belong_to_no_kind() {
    let mut heap = heap(1);
    one_of_each(&mut heap);
    for generation in [0, 1, 4095] {
        // That of seals says so.
        let cell = forged(SEALED, generation, 0);
        assert_eq!(cell.unpack(), Unpacked::Sealed);
        assert!(!Kind::ALL.contains(&cell.kind().unwrap()));
        for (_, read, write, cast) in refusals(&mut heap, cell) {
            let refused = Some(Error::Sealed);
            assert_eq!((read, write, cast), (refused, refused, refused));
        }
        assert_eq!(heap.free(cell), Err(Error::Sealed));
        assert!(!heap.contains(cell));
        // The others are in no cell, made up or not.
        for selector in Kind::COUNT as u64..SEALED {
            assert_eq!(abi::cell(handle_bits(selector, generation, 0)), None);
        }
    }
}

#[test]
fn wide_integers_lose_nothing() {
    let mut heap = heap(1);
    for wide in [1 << 47, 1 << 48, i64::MAX, -(1 << 47) - 1, i64::MIN] {
        assert_eq!(Cell::int(wide), None);
        let cell = heap.int(wide).unwrap();
        assert_eq!(cell.kind(), Some(Kind::BIGNUM));
        assert_eq!(heap.as_int(cell), Ok(Some(wide)));
        assert_eq!(heap.display(cell).to_string(), wide.to_string());
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
fn six_bytes_of_text_are_not_cut_to_five() {
    let mut heap = heap(1);
    assert_eq!(Cell::short_str("sixsix"), None);
    assert_eq!(Cell::short_str("aaaaé"), None);
    let text = heap.string("sixsix").unwrap();
    assert_eq!(text.kind(), Some(Kind::STR));
    assert_eq!(heap.text(text).unwrap().to_string(), "sixsix");
}

#[test]
fn the_deopt_sentinel_is_one_thing() {
    let deopt = Cell::deopt(7).unwrap();
    assert_eq!(deopt.unpack(), Unpacked::Deopt(7));
    assert_eq!((deopt.as_float(), deopt.as_int(), deopt.kind()), (None, None, None));
    // No float has its bits, not even the NaN that begins with them.
    assert_ne!(Cell::float(f64::from_bits(0xFFF8_0000_0000_0007)), deopt);
}

#[test]
fn fields_of_a_new_record_are_null() {
    let mut heap = heap(1);
    let dirty = heap.alloc(Struct::of(1, &[Cell::from(0.0); 4])).unwrap();
    heap.free(dirty).unwrap();
    let record = heap.alloc(Struct::new(1, 4)).unwrap();
    assert_eq!(heap.get(record).unwrap().as_slice(), [Cell::NULL; 4]);
    let list = heap.alloc(List::zeroed(4)).unwrap();
    assert_eq!(heap.get(list).unwrap().as_slice(), [Cell::NULL; 4]);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let refused = |valid_up_to| Some(Error::NotUtf8 { valid_up_to });
    assert_eq!(Str::from_utf8(b"\xFF\xFE").err(), refused(0));
    assert_eq!(Str::from_utf8(b"valid \xC3").err(), refused(6));
}

#[test]
fn an_absent_key_is_not_a_stored_zero() {
    let mut heap = heap(1);
    let map = heap.alloc(Map::new()).unwrap();
    assert_eq!(heap.get(map).unwrap().get(1.into()), Ok(None));
    heap.get_mut(map).unwrap().insert(1.into(), 0.into()).unwrap();
    assert_eq!(heap.get(map).unwrap().get(1.into()), Ok(Some(0.into())));
    assert_eq!(heap.get(map).unwrap().get(2.into()), Ok(None));
}

#[test]
fn a_key_beyond_48_bits_is_one_key() {
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
fn absurd_table_sizes_are_refused() {
    let mut heap = heap(1);
    for shift in [28, 30, 31, 32, 62, 63] {
        let map = heap.alloc(Map::with_capacity(1 << shift)).unwrap_err();
        let set = heap.alloc(Set::with_capacity(1 << shift)).unwrap_err();
        assert!(is_shortage(map) && is_shortage(set), "2^{shift}: {map}, {set}");
    }
    assert_eq!(heap.usage().total_bytes, 0);
}

#[test]
fn long_chains_need_no_stack() {
    let mut heap = heap(1);
    let mut ends = [Cell::NULL; 2];
    for end in &mut ends {
        for _ in 0..100_000 {
            *end = heap.alloc(Pair::of(1.into(), *end)).unwrap().into();
        }
    }
    let [a, b] = ends;
    // A thread whose stack could not hold a frame for every link.
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    let work = move || {
        assert_eq!(heap.deep_eq(a, b), Ok(true));
        assert!(heap.display(a).to_string().ends_with('…'));
    };
    thread.spawn(work).unwrap().join().unwrap();
}

#[test]
fn all_twelve_kinds_can_be_used() {
    let mut heap = heap(1);
    let all = one_of_each(&mut heap);
    let [_, _, map, set, record, closure, big, bytes, ..] = all;
    assert_eq!(heap.get_mut::<Map>(map).unwrap().insert(set, 1.into()), Ok(None));
    assert_eq!(heap.get_mut::<Set>(set).unwrap().insert(record), Ok(true));
    assert_eq!(heap.get::<Closure>(closure).unwrap().function(), 1);
    assert_eq!(heap.get::<Bignum>(big).unwrap().to_i128(), Some(1 << 64));
    heap.get_mut::<Bytes>(bytes).unwrap().push(7).unwrap();
    assert_eq!(heap.get::<Bytes>(bytes).unwrap().as_slice(), b"b\x07");
    let live = |row: &segheap::ArenaUsage| row.live == 1;
    assert!(heap.usage().arenas().iter().all(live));
}
