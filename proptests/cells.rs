//! Cells: values round-trip, only handles read as handles, and forged bits cannot
//! break the heap.

use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Closure, Cursor, Error, F64Arr, Handle, Heap, I64Arr, Kind, List, Map,
    Pair, Resource, Set, Str, Struct, TextPart, U8Arr, Unpacked, abi,
};

use crate::machine::arenas;
use crate::support::{config, float_bits, forged, handle_bits, heap, integer};

/// Asserts that all accessors of a cell agree with `unpack`.
fn assert_accessors_agree(cell: Cell) {
    let unpacked = cell.unpack();
    let float = if let Unpacked::Float(x) = unpacked { Some(x.to_bits()) } else { None };
    assert_eq!(cell.as_float().map(f64::to_bits), float);
    assert_eq!(cell.as_int(), if let Unpacked::Int(i) = unpacked { Some(i) } else { None });
    assert_eq!(cell.as_bool(), if let Unpacked::Bool(b) = unpacked { Some(b) } else { None });
    assert_eq!(
        cell.as_short_str(),
        if let Unpacked::ShortStr(s) = unpacked { Some(s) } else { None }
    );
    assert_eq!(cell.is_null(), unpacked == Unpacked::Null);
    assert_eq!(cell.is_absent(), unpacked == Unpacked::Absent);
    let immediate = if let Unpacked::Immediate(value) = unpacked { Some(value) } else { None };
    assert_eq!(cell.as_immediate(), immediate);
    let int = |max| cell.as_int().filter(|int| (0..=max).contains(int));
    assert_eq!(cell.as_u32().map(i64::from), int(u32::MAX.into()));
    let index = int(i64::try_from(usize::MAX).unwrap_or(i64::MAX));
    assert_eq!(cell.as_index().map(|index| index as i64), index);
    match unpacked {
        Unpacked::Object(kind) => assert_eq!(cell.kind(), Some(kind)),
        // Their selectors are not in `Kind::ALL`.
        Unpacked::Host | Unpacked::Sealed => {
            assert!(cell.kind().is_some_and(|kind| !Kind::ALL.contains(&kind)));
        }
        _ => assert_eq!(cell.kind(), None),
    }
    assert_eq!(abi::cell(abi::bits(cell)), Some(cell));
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn integers(value in integer()) {
        let fits = (-(1_i64 << 47)..1 << 47).contains(&value);
        prop_assert_eq!(Cell::int(value).is_some(), fits);
        if let Some(cell) = Cell::int(value) {
            prop_assert_eq!(cell.unpack(), Unpacked::Int(value));
            assert_accessors_agree(cell);
        }
        prop_assert_eq!(Cell::from(value as i32).as_int(), Some(i64::from(value as i32)));
        prop_assert_eq!(Cell::from(value as u32).as_int(), Some(i64::from(value as u32)));
        prop_assert_eq!(Cell::from(value as i8).as_int(), Some(i64::from(value as i8)));
    }

    #[test]
    fn floats(bits in float_bits()) {
        let value = f64::from_bits(bits);
        let cell = Cell::float(value);
        let expected = if value.is_nan() { 0x7FF8 << 48 } else { bits };
        prop_assert_eq!(cell.as_float().map(f64::to_bits), Some(expected));
        prop_assert_eq!(abi::bits(cell), expected);
        prop_assert_eq!(cell.kind(), None);
        assert_accessors_agree(cell);
    }

    #[test]
    fn short_texts(chars in prop::collection::vec(any::<char>(), 0..7)) {
        let text: String = chars.into_iter().collect();
        let cell = Cell::short_str(&text);
        prop_assert_eq!(cell.is_some(), text.len() <= 5);
        if let Some(cell) = cell {
            let short = cell.as_short_str().unwrap();
            prop_assert!(cell.is_text());
            prop_assert_eq!((short.as_str(), short.as_bytes()), (text.as_str(), text.as_bytes()));
            prop_assert_eq!((short.len(), short.is_empty()), (text.len(), text.is_empty()));
            prop_assert_eq!(Cell::from(short), cell);
            assert_accessors_agree(cell);
        }
    }

    #[test]
    fn deopts(pc in prop_oneof![any::<u64>(), 0..1_u64 << 48, (1_u64 << 48) - 2..(1 << 48) + 2]) {
        let cell = Cell::deopt(pc);
        prop_assert_eq!(cell.is_some(), pc < 1 << 48);
        if let Some(cell) = cell {
            prop_assert_eq!(cell.unpack(), Unpacked::Deopt(pc));
            prop_assert_eq!(cell.as_float(), None);
            assert_accessors_agree(cell);
        }
    }

    #[test]
    fn immediates(value in any::<u32>()) {
        let cell = Cell::immediate(value);
        prop_assert_eq!(cell.unpack(), Unpacked::Immediate(value));
        prop_assert_ne!(cell, Cell::immediate(value ^ 1));
        prop_assert_ne!(cell, Cell::from(value));
        assert_accessors_agree(cell);
        // A value of its own, wherever cells are compared.
        let mut heap = heap(5);
        let set = heap.alloc(Set::new()).unwrap();
        let cells = [cell, Cell::ABSENT, Cell::NULL, Cell::from(value), Cell::immediate(!value)];
        for (n, &one) in cells.iter().enumerate() {
            prop_assert_eq!(heap.get_mut(set).unwrap().insert(one), Ok(true));
            for (m, &other) in cells.iter().enumerate() {
                prop_assert_eq!(heap.key_eq(one, other), Ok(n == m));
                prop_assert_eq!(heap.deep_eq(one, other), Ok(n == m));
            }
        }
        let list = heap.alloc(List::of(&[cell, cell])).unwrap();
        prop_assert_eq!(heap.sort(list), Err(Error::NoOrder));
        prop_assert!(heap.add(cell, cell).is_err() && heap.text(cell).is_err());
    }

    /// A cursor that goes through two cells at any of its steps meets what it would have met
    /// otherwise, though the object changes; another object is refused.
    #[test]
    fn cursors_in_cells(
        len in 0_i32..40,
        steps in prop::collection::vec((0_u8..8, 0_i32..60, any::<bool>()), 0..120),
    ) {
        let mut heap = heap(5);
        let (map, list) = (heap.alloc(Map::new()).unwrap(), heap.alloc(List::new()).unwrap());
        for key in 0..len {
            heap.get_mut(map).unwrap().insert(key.into(), Cell::NULL).unwrap();
            heap.get_mut(list).unwrap().push(key.into()).unwrap();
        }
        let (mut of_map, mut of_list) = ([Cursor::default(); 2], [Cursor::default(); 2]);
        for (step, key, stored) in steps {
            match step {
                0 => drop(heap.get_mut(map).unwrap().remove(key.into())),
                1 => drop(heap.get_mut(map).unwrap().insert(key.into(), Cell::NULL)),
                2 => drop(heap.get_mut(map).unwrap().shrink_to_fit()),
                3 => drop(heap.get_mut(list).unwrap().pop_front()),
                _ => {}
            }
            if stored {
                let cells = of_map[1].to_cells(map).unwrap();
                prop_assert_eq!(cells[0], map.cell());
                of_map[1] = Cursor::from_cells(cells, map).unwrap();
                prop_assert_eq!(Cursor::from_cells(cells, list), Err(Error::OtherObject));
                prop_assert_eq!(Cursor::from_cells([map.into(), Cell::NULL], map), Err(Error::NotAnInteger));
                prop_assert_eq!(Cursor::from_cells([map.into(), (-1).into()], map), Err(Error::NotAnInteger));
                let cells = of_list[1].to_cells(list).unwrap();
                of_list[1] = Cursor::from_cells(cells, list).unwrap();
            }
            let [one, other] = of_map.each_mut().map(|cursor| heap.get(map).unwrap().next(cursor));
            prop_assert_eq!(one, other);
            let [one, other] = of_list.each_mut().map(|cursor| heap.get(list).unwrap().next(cursor));
            prop_assert_eq!(one, other);
        }
        // A later object in the slot is another one.
        let cells = of_list[1].to_cells(list).unwrap();
        heap.free(list).unwrap();
        let next = heap.alloc(List::new()).unwrap();
        prop_assert_eq!(Cursor::from_cells(cells, next), Err(Error::OtherObject));
        prop_assert!(heap.get::<List>(cells[0]).is_err());
        prop_assert_eq!(Cursor::default().to_cells(Cell::NULL), Err(Error::NotAHandle));
    }

    /// Two cells are equal if and only if their bits are equal.
    #[test]
    fn equality_compares_bits(a in float_bits(), b in float_bits()) {
        if let (Some(x), Some(y)) = (abi::cell(a), abi::cell(b)) {
            prop_assert_eq!(x == y, a == b);
        }
    }

    /// `abi::cell` returns a cell with exactly these bits, or none.
    #[test]
    fn any_bits_are_a_cell_or_rejected(bits in any_bits()) {
        if let Some(cell) = abi::cell(bits) {
            prop_assert_eq!(abi::bits(cell), bits);
            assert_accessors_agree(cell);
            let _ = format!("{cell:?}");
        } else {
            // Rejected: reserved tags, invalid payloads, and non-canonical NaNs.
            prop_assert!(
                matches!(bits >> 48, 0xFFF9 | 0xFFFB..=0xFFFE) || f64::from_bits(bits).is_nan()
            );
        }
    }

    /// A forged cell refers to a live object of its arena, or every operation on it
    /// fails.
    #[test]
    fn forged_cells_are_harmless(
        seed in any::<u64>(),
        guesses in prop::collection::vec(
            prop_oneof![any_bits(), (0_u64..16, 0_u64..4096, 0_u32..4).prop_map(|(s, g, i)| {
                handle_bits(s, g, i)
            })],
            1..24,
        ),
    ) {
        let mut heap = heap(seed);
        let live = objects(&mut heap);
        for cell in guesses.into_iter().filter_map(abi::cell) {
            prop_assert_eq!(heap.contains(cell), live.contains(&cell));
            try_everything(&mut heap, cell, live.contains(&cell));
        }
        for cell in live {
            // The objects themselves remain intact.
            try_everything(&mut heap, cell, true);
            prop_assert!(heap.contains(cell));
        }
    }

    /// Neither the hash of a handle nor its `Debug` output depends on its generation.
    #[test]
    fn hash_and_debug_hide_the_generation(
        arena in 0..arenas().count(), slot in any::<u32>(), a in 0_u64..4096, b in 0_u64..4096,
    ) {
        let selector = arenas().nth(arena).unwrap().selector();
        let (one, other) = (forged(selector, a, slot), forged(selector, b, slot));
        prop_assert_eq!(hash(one), hash(other));
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
        prop_assert_eq!(format!("{:?}", one.unpack()), format!("{:?}", other.unpack()));
        prop_assert_eq!(one == other, a == b);
        if let (Ok(one), Ok(other)) = (one.to_handle::<List>(), other.to_handle::<List>()) {
            prop_assert_eq!(hash(one), hash(other));
            prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
        }
    }

    /// Errors do not depend on a generation.
    #[test]
    fn errors_hide_the_generation(
        arena in 0..arenas().count(), a in 0_u64..4096, b in 0_u64..4096,
    ) {
        let heap = heap(0);
        let selector = arenas().nth(arena).unwrap().selector();
        let errors = |generation| {
            let cell = forged(selector, generation, 0);
            (heap.get::<List>(cell).err(), heap.get::<Map>(cell).err(), heap.hash(cell).err())
        };
        prop_assert_eq!(errors(a), errors(b));
    }

    /// The `Debug` output of a heap does not depend on generations.
    #[test]
    fn debug_of_a_heap_hides_generations(one in any::<u64>(), other in any::<u64>()) {
        let print = |seed| {
            let settings = segheap::Settings::seeded(7).generation_seed(seed);
            let mut heap = Heap::with(settings);
            objects(&mut heap);
            format!("{settings:?} {heap:?}")
        };
        prop_assert_eq!(print(one), print(other));
    }
}

/// Any 64 bits; tags in use are frequent.
fn any_bits() -> impl Strategy<Value = u64> {
    let tagged = (0xFFF7_u64..=0xFFFF, prop_oneof![any::<u64>(), 0_u64..4])
        .prop_map(|(tag, payload)| tag << 48 | payload & ((1 << 48) - 1));
    let text = (0_u64..8, any::<u64>())
        .prop_map(|(len, bytes)| 0xFFF9 << 48 | len << 40 | bytes & ((1 << (8 * len.min(5))) - 1));
    let null = (0_u64..4, prop_oneof![any::<u32>(), 0_u32..2])
        .prop_map(|(sub, value)| 0xFFFC << 48 | sub << 32 | u64::from(value));
    prop_oneof![any::<u64>(), tagged, text, null, float_bits()]
}

/// Allocates at least one object of each kind.
fn objects(heap: &mut Heap) -> Vec<Cell> {
    vec![
        heap.alloc(Str::new("a longer text")).unwrap().into(),
        heap.alloc(Str::new("another text")).unwrap().into(),
        heap.alloc(List::of(&[1.into(), Cell::NULL])).unwrap().into(),
        heap.alloc(Map::new()).unwrap().into(),
        heap.alloc(Set::new()).unwrap().into(),
        heap.alloc(Struct::new(1, 2)).unwrap().into(),
        heap.alloc(Closure::of(1, &[Cell::TRUE])).unwrap().into(),
        heap.alloc(Bignum::of(true, &[1, 2])).unwrap().into(),
        heap.alloc(Bytes::of(b"bytes")).unwrap().into(),
        heap.alloc(Pair::of(1.into(), 2.into())).unwrap().into(),
        heap.alloc(F64Arr::of(&[0.5])).unwrap().into(),
        heap.alloc(I64Arr::of(&[5])).unwrap().into(),
        heap.alloc(U8Arr::of(&[5, 6])).unwrap().into(),
    ]
}

/// Uses a cell in all operations. They succeed only if it refers to a live object.
fn try_everything(heap: &mut Heap, cell: Cell, live: bool) {
    macro_rules! open {
        ($($Kind:ident)*) => {$({
            let is_kind = cell.kind() == Some(<$Kind as segheap::HasKind>::KIND);
            assert_eq!(heap.get::<$Kind>(cell).is_ok(), live && is_kind);
            assert_eq!(heap.get_mut::<$Kind>(cell).is_ok(), live && is_kind);
            assert_eq!(cell.to_handle::<$Kind>().is_ok(), is_kind);
        })*};
    }
    open!(Str List Map Set Struct Closure Bignum Bytes Pair F64Arr I64Arr U8Arr);
    // A sealed cell can be compared and stored while its seal is live.
    let sealed = cell.unpack() == Unpacked::Sealed;
    let stale = cell.kind().is_some() && !live;
    assert_eq!(heap.key_eq(cell, cell).is_ok(), !stale);
    assert_eq!(heap.hash(cell).is_ok(), !stale);
    assert_eq!(heap.deep_eq(cell, cell), heap.key_eq(cell, cell));
    let _ = heap.display(cell).to_string();
    assert_eq!(heap.text(cell).is_ok(), heap.concat(&[TextPart::Whole(cell)]).is_ok());
    assert_eq!(heap.as_int(cell).is_ok(), heap.cmp_int(cell, 0.into()).is_ok());
    assert_eq!(heap.union(cell, cell).is_ok(), live && cell.kind() == Some(Kind::SET));
    let map = heap.alloc(Map::new()).unwrap();
    // One forged handle in 4,096 refers to the new map.
    let stale = stale && !heap.contains(cell);
    assert_eq!(heap.get_mut(map).unwrap().insert(cell, cell).is_ok(), !stale);
    heap.free(map).unwrap();
    let list = heap.alloc(List::of(&[cell])).unwrap();
    assert_eq!(heap.get(list).unwrap().get(0), Ok(cell));
    heap.free(list).unwrap();
    if let Ok(handle) = cell.to_handle::<Pair>() {
        assert_eq!(heap.windows_mut((handle,)).is_ok(), live);
    }
    if !live {
        let expected = match cell.kind() {
            Some(_) if sealed => Error::Sealed,
            Some(kind) => Error::Stale { kind },
            None => Error::NotAHandle,
        };
        assert_eq!(heap.free(cell), Err(expected));
    }
}

#[test]
fn constants() {
    assert_eq!(Cell::bool(true), Cell::TRUE);
    assert_eq!(Cell::bool(false).unpack(), Unpacked::Bool(false));
    assert_eq!(Cell::default().unpack(), Unpacked::Null);
    assert_eq!(Cell::ABSENT.unpack(), Unpacked::Absent);
    for cell in [Cell::TRUE, Cell::FALSE, Cell::NULL, Cell::ABSENT] {
        assert_accessors_agree(cell);
    }
    assert_eq!((size_of::<Cell>(), size_of::<Option<Handle<List>>>()), (8, 8));
}

/// What operations fail with if an argument has the wrong type, and nothing else.
#[test]
fn type_errors() {
    let mut heap = heap(5);
    let list = heap.alloc(List::of(&[Cell::NULL, 1.into()])).unwrap();
    let map = heap.alloc(Map::new()).unwrap();
    let wrong = [
        heap.get::<List>(Cell::NULL).unwrap_err(),
        heap.get::<List>(Cell::from(map)).unwrap_err(),
        heap.text(1.into()).unwrap_err(),
        heap.as_int(Cell::TRUE).unwrap_err(),
        heap.sort(list).unwrap_err(),
        heap.convert_across_any(Kind::MAP, list.into(), ..).unwrap_err(),
    ];
    assert!(wrong.iter().all(|error| error.is_type_error()), "{wrong:?}");
    let others = [
        heap.get(list).unwrap().get(2).unwrap_err(),
        heap.div(1.into(), 0.into()).unwrap_err(),
        heap.parse_int("x").unwrap_err(),
        heap.free(map).and_then(|()| heap.free(map)).unwrap_err(),
    ];
    assert!(!others.iter().any(|error| error.is_type_error()), "{others:?}");
    let memory =
        [Error::Limit(Resource::Bytes), Error::OutOfMemory, Error::ArenaFull { kind: Kind::MAP }];
    assert!(memory.iter().all(|error| error.is_memory_error()), "{memory:?}");
    assert!(![&wrong[..], &others].concat().iter().any(|error| error.is_memory_error()));
    assert!(!Error::Limit(Resource::IntegerBits).is_memory_error());
}

#[test]
fn kinds_have_selectors_and_names() {
    for (n, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind.selector(), n as u64);
        assert_eq!(forged(kind.selector(), 1, 2).kind(), Some(kind));
        assert_eq!(format!("{kind}#2 {kind:?}"), format!("{0}#2 {0}", kind.name()));
    }
    assert_eq!([Kind::STR, Kind::MAP, Kind::U8ARR].map(Kind::name), ["Str", "Map", "U8Arr"]);
}

#[test]
fn payloads_at_the_bounds_of_each_tag() {
    // The first and last payload of each of the upper tags, and near fields in them.
    for tag in 0xFFF0_u64..=0xFFFF {
        for payload in [0, 1, (1 << 48) - 1, 1 << 47, 1 << 40, 5 << 40, 6 << 40] {
            let bits = tag << 48 | payload;
            if let Some(cell) = abi::cell(bits) {
                assert_eq!(abi::bits(cell), bits);
                assert_accessors_agree(cell);
            }
        }
    }
}

/// Nothing observable about a sealed cell depends on the generation of its seal.
#[test]
fn sealed_cells_hide_the_generation() {
    let observe = |seed| {
        let mut heap = Heap::with(segheap::Settings::seeded(7).generation_seed(seed));
        let key = heap.new_seal_key().unwrap();
        let list = heap.alloc(List::of(&[])).unwrap();
        let sealed = heap.seal(list, &key).unwrap();
        let shown = format!("{sealed:?} {:?} {}", sealed.unpack(), heap.display(sealed));
        (shown, hash(sealed), heap.hash(sealed))
    };
    assert_eq!(observe(0), observe(1));
}
