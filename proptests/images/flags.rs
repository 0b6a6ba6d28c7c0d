//! What flags say in an image: frozen objects, values, hashes of a VM, weak tables.

use segheap::{
    Bignum, Cell, Error, Fault, Heap, List, LoadError, Map, Pair, Set, Settings, Str, abi,
};

use super::{Words, load, one, save, settings};

/// The flags of a slot, in the word of its block.
const FROZEN: u64 = 1 << 63;
const VALUE: u64 = 1 << 62;
const SHARED: u64 = 1 << 61;
/// The flags of a table, in the word of its counts.
const OWN: u64 = 1 << 59;
const WEAK: u64 = 1 << 60;

fn int(n: i32) -> u64 {
    abi::bits(n.into())
}

fn seeded() -> Heap {
    Heap::with(Settings::seeded(5))
}

/// What is wrong with an image.
fn fault(words: &Words) -> Option<&'static str> {
    match words.load() {
        Ok(mut heap) => {
            heap.verify().unwrap();
            None
        }
        Err(LoadError::Broken(Fault { what, .. })) => Some(what),
        Err(error) => panic!("{error}"),
    }
}

/// What is wrong with the image of a heap once an object of `len` elements has these flags.
fn flagged(heap: &mut Heap, object: Cell, len: u64, flags: u64) -> Option<&'static str> {
    let mut words = Words::of(heap);
    let slot = abi::bits(object) >> 32 | len << 32;
    let place = words.0.iter().position(|&word| word == slot).expect("its slot");
    words.0[place + 1] = words.0[place + 1] & !(FROZEN | VALUE) | flags;
    fault(&words)
}

/// The words with counts of the tables of `len` entries, of which none was removed.
fn counts(words: &Words, len: u64) -> Vec<u64> {
    let is_header = |header: &&[u64]| {
        let capacity = header[0] >> 32 & ((1 << 27) - 1);
        header[0] & 0xFFFF_FFFF == len && header[1..] == [len, 0] && (len..64).contains(&capacity)
    };
    words.0.windows(3).filter(is_header).map(|header| header[0]).collect()
}

/// The handle of the object that a heap allocates next.
fn next(heap: &Heap, alloc: impl FnOnce(&mut Heap) -> Cell) -> u64 {
    abi::bits(alloc(&mut heap.try_clone().unwrap()))
}

#[test]
fn what_is_frozen_stays_frozen() {
    let mut heap = seeded();
    let list = heap.alloc(List::of(&[1.into()])).unwrap();
    let open = heap.alloc(List::of(&[2.into()])).unwrap();
    let name = heap.string("a name of some length").unwrap();
    let inner = heap.alloc_value(Pair::of(name, list.cell())).unwrap_err();
    assert_eq!(inner, Error::NotAValue);
    heap.freeze(list).unwrap();
    let inner = heap.alloc_value(Pair::of(name, list.cell())).unwrap().cell();
    let value = heap.alloc_value(List::of(&[inner, 0.0.into(), 7.into()])).unwrap().cell();
    let map = heap.alloc(Map::new()).unwrap();
    for (n, key) in (0..).zip([value, inner, list.cell(), open.cell(), name]) {
        heap.map_insert(map, key, Cell::from(n)).unwrap();
    }
    let set = heap.alloc(Set::new()).unwrap();
    heap.get_mut(set).unwrap().insert(value).unwrap();
    heap.freeze(map).unwrap();
    let image = save(&mut heap).unwrap();
    let mut loaded = load(&image, settings()).unwrap();
    loaded.verify().unwrap();
    assert_eq!(save(&mut loaded).unwrap(), image);
    for cell in [list.cell(), open.cell(), inner, value, map.cell(), set.cell(), name] {
        assert_eq!(loaded.is_frozen(cell), heap.is_frozen(cell));
        assert_eq!(loaded.is_value(cell), heap.is_value(cell));
    }
    assert_eq!(loaded.set_element(list, 0, 2.into()), Err(Error::Frozen));
    assert_eq!(loaded.map_insert(map, 1.into(), 2.into()), Err(Error::Frozen));
    loaded.get_mut(open).unwrap().push(1.into()).unwrap();
    // An equal value, made after it was loaded, is the same key.
    let name = loaded.string("a name of some length").unwrap();
    let inner = loaded.alloc_value(Pair::of(name, list.cell())).unwrap().cell();
    let same = loaded.alloc_value(List::of(&[inner, (-0.0).into(), 7.into()])).unwrap().cell();
    assert_eq!(loaded.map_get(map, same), Ok(Some(0.into())));
    assert_eq!(loaded.map_get(map, inner), Ok(Some(1.into())));
    assert_eq!(loaded.map_get(map, open.cell()), Ok(Some(3.into())));
    assert!(loaded.set_contains(set, same).unwrap());
}

#[test]
fn flags_of_slots_are_checked() {
    let mut heap = seeded();
    let list = heap.alloc(List::of(&[1.into(), 2.into()])).unwrap().cell();
    let outer = heap.alloc(List::of(&[list, 1.into(), 2.into()])).unwrap().cell();
    let map = heap.alloc(Map::new()).unwrap().cell();
    heap.map_insert(map, 1.into(), 2.into()).unwrap();
    let text = heap.alloc(Str::new("0123456789")).unwrap().cell();
    let big = heap.alloc(Bignum::of(false, &[77, 78])).unwrap().cell();
    let key = heap.new_seal_key().unwrap();
    let seal = heap.seal(1, &key).unwrap();
    let objects = [(list, 2), (outer, 3), (map, 1), (text, 10), (big, 2), (seal, 1)];
    let all = FROZEN | VALUE;
    for (object, len) in objects {
        assert_eq!(flagged(&mut heap, object, len, 0), None);
        assert_eq!(flagged(&mut heap, object, len, VALUE), Some("a value is not frozen"));
    }
    for (object, len) in objects {
        let what = Some("an object of an image shares its block");
        assert_eq!(flagged(&mut heap, object, len, SHARED), what);
    }
    for (object, len) in [(list, 2), (outer, 3), (map, 1)] {
        assert_eq!(flagged(&mut heap, object, len, FROZEN), None);
    }
    for (object, len) in [(text, 10), (big, 2), (seal, 1)] {
        for flags in [FROZEN, all] {
            let what = Some("an object that never changes is frozen");
            assert_eq!(flagged(&mut heap, object, len, flags), what);
        }
    }
    assert_eq!(flagged(&mut heap, list, 2, all), None);
    assert_eq!(flagged(&mut heap, map, 1, all), Some("a value is no sequence"));
    assert_eq!(flagged(&mut heap, outer, 3, all), Some("a value has a part that can change"));
    heap.freeze(list).unwrap();
    assert_eq!(flagged(&mut heap, outer, 3, all), None);
}

#[test]
fn parts_of_values_are_checked() {
    let mut heap = seeded();
    let key = heap.new_seal_key().unwrap();
    let old_seal = heap.seal(1, &key).unwrap();
    heap.collect([Cell::NULL]).unwrap();
    let seal = heap.seal(1, &key).unwrap();
    let [open, frozen, freed] = [(); 3].map(|()| heap.alloc(List::new()).unwrap().cell());
    heap.freeze(frozen).unwrap();
    let text = heap.alloc(Str::new("0123456789")).unwrap().cell();
    let value = heap.alloc_value(Pair::of(1.into(), 2.into())).unwrap().cell();
    heap.alloc_value(Pair::of(77.into(), 78.into())).unwrap();
    heap.free(freed).unwrap();
    let later = next(&heap, |heap| heap.alloc(List::new()).unwrap().cell());
    let beyond = abi::bits(open) & !0xFFFF_FFFF | 5000;
    let mut with = |part: u64| Words::of(&mut heap).changed(int(77), part);
    for part in [int(79), abi::bits(frozen), abi::bits(text), abi::bits(value), abi::bits(freed)] {
        assert_eq!(with(part), None);
    }
    assert_eq!(with(abi::bits(open)), Some("a value has a part that can change"));
    for part in [seal, old_seal] {
        assert_eq!(with(abi::bits(part)), Some("a value has a part that is sealed"));
    }
    for part in [later, beyond] {
        assert_eq!(with(part), Some("a value has a part that is not allocated yet"));
    }
}

/// A text that is allocated later would be a key under another hash.
#[test]
fn keys_were_allocated() {
    let mut heap = seeded();
    let freed = heap.alloc(Str::new("0123456789")).unwrap().cell();
    let map = heap.alloc(Map::new()).unwrap();
    heap.map_insert(map, 77.into(), 1.into()).unwrap();
    heap.free(freed).unwrap();
    let later = next(&heap, |heap| heap.alloc(Str::new("0123456789")).unwrap().cell());
    assert_eq!(Words::of(&mut heap).changed(int(77), abi::bits(freed)), None);
    let what = Some("a key is not allocated yet");
    assert_eq!(Words::of(&mut heap).changed(int(77), later), what);
}

/// Handles of pages of slots that were dropped after a peak.
#[test]
fn keys_of_a_peak_were_allocated() {
    let mut heap = seeded();
    let peak: Vec<Cell> = (0..1 << 17).map(|_| heap.alloc(List::of(&[])).unwrap().cell()).collect();
    let map = heap.alloc(Map::new()).unwrap();
    heap.map_insert(map, 77.into(), 1.into()).unwrap();
    heap.collect([map.cell(), peak[3], peak[(1 << 17) - 1]]).unwrap();
    let of_peak = abi::bits(peak[100_000]);
    assert_eq!(Words::of(&mut heap).changed(int(77), of_peak), None);
    let later = of_peak & !(0xFFF << 32) | (of_peak + (1 << 32)) & 0xFFF << 32;
    let what = Some("a key is not allocated yet");
    assert_eq!(Words::of(&mut heap).changed(int(77), later), what);
}

/// No program makes one; hashing it ends.
#[test]
fn a_value_that_reaches_itself_is_no_key() {
    for part in [77, 78] {
        let mut heap = seeded();
        let value = heap.alloc_value(Pair::of(77.into(), 78.into())).unwrap().cell();
        let other = heap.alloc_value(Pair::of(1.into(), value)).unwrap().cell();
        let mut words = Words::of(&mut heap);
        let place = words.0.iter().rposition(|&word| word == int(part)).unwrap();
        words.0[place] = abi::bits(value);
        let mut loaded = words.load().unwrap();
        loaded.verify().unwrap();
        for value in [value, other] {
            assert_eq!(loaded.hash(value), Err(Error::KeyTooLarge));
        }
        assert_eq!(loaded.key_eq(value, other), Err(Error::KeyTooLarge));
        let map = loaded.alloc(Map::new()).unwrap();
        assert_eq!(loaded.map_insert(map, value, 1.into()), Err(Error::KeyTooLarge));
        loaded.collect([map.cell(), other]).unwrap();
        loaded.verify().unwrap();
        let map = heap.alloc(Map::new()).unwrap();
        heap.map_insert(map, value, 1.into()).unwrap();
        let words = Words::of(&mut heap);
        assert_eq!(words.changed(int(part), abi::bits(value)), Some("a key is too large"));
    }
}

/// Texts are keys by their first byte.
fn equal(heap: &mut Heap, a: Cell, b: Cell) -> Result<bool, Error> {
    let first = |text| heap.text(text).map(|text| text.first().copied());
    Ok(first(a)? == first(b)?)
}

/// A map by hashes of a VM: 250 keys, of which some have hash 0; then each third is removed.
fn own_map(colliding: u64) -> (Heap, Cell, Vec<(Cell, u64)>) {
    let mut heap = seeded();
    let map = heap.alloc(Map::new()).unwrap();
    let mut keys = Vec::new();
    for n in 0..100_u64 {
        let byte = u32::try_from(n).unwrap() + 20;
        let text = format!("{} is the key", char::from_u32(byte).unwrap());
        let key = heap.alloc(Str::new(&text)).unwrap().cell();
        let hash = if n < colliding { 0 } else { n << 40 };
        heap.map_insert_by(map, key, Cell::from(byte), hash, equal).unwrap();
        keys.push((key, hash));
    }
    for &(key, hash) in keys.iter().step_by(3) {
        assert!(heap.map_remove_by(map, key, hash, equal).unwrap().is_some());
    }
    (heap, map.cell(), keys)
}

#[test]
fn hashes_of_a_vm_come_back() {
    for colliding in [0, 3, 90] {
        let (mut heap, map, keys) = own_map(colliding);
        let image = save(&mut heap).unwrap();
        let mut loaded = load(&image, settings()).unwrap();
        loaded.verify().unwrap();
        assert_eq!(save(&mut loaded).unwrap(), image);
        let found = keys.iter().filter(|&&(key, hash)| {
            let [one, other] = [&mut heap, &mut loaded]
                .map(|heap| heap.map_get_by(map, key, hash, equal).unwrap());
            assert_eq!(one, other);
            one.is_some()
        });
        assert_eq!(found.count(), 66);
        assert_eq!(loaded.map_get(map, keys[1].0), Err(Error::OtherHash));
        for &(key, hash) in keys.iter().rev() {
            for heap in [&mut heap, &mut loaded] {
                heap.map_insert_by(map, key, Cell::from(7), hash, equal).unwrap();
            }
        }
        loaded.verify().unwrap();
        let shown = |heap: &Heap| heap.display(map).to_string();
        assert_eq!(shown(&heap), shown(&loaded));
        assert_eq!(save(&mut heap), save(&mut loaded));
    }
}

/// More keys of one hash than a look-up visits buckets.
#[test]
fn keys_without_a_bucket_come_back() {
    let mut heap = seeded();
    let by_bits = |_: &mut Heap, a: Cell, b: Cell| Ok::<bool, Error>(a == b);
    let map = heap.alloc(Map::new()).unwrap();
    for n in 0..600 {
        heap.map_insert_by(map, Cell::from(n), Cell::from(n), 7, by_bits).unwrap();
    }
    let image = save(&mut heap).unwrap();
    let mut loaded = load(&image, settings()).unwrap();
    loaded.verify().unwrap();
    for n in 0..600 {
        let found = loaded.map_get_by(map, Cell::from(n), 7, by_bits);
        assert_eq!(found, Ok(Some(Cell::from(n))));
    }
    assert_eq!(loaded.map_remove_by(map, 5.into(), 7, by_bits), Ok(Some((5.into(), 5.into()))));
    loaded.verify().unwrap();
}

#[test]
fn no_hash_of_a_removed_entry_is_in_an_image() {
    let image = |hash: u64| {
        let by_bits = |_: &mut Heap, a: Cell, b: Cell| Ok::<bool, Error>(a == b);
        let mut heap = seeded();
        let map = heap.alloc(Map::new()).unwrap();
        for n in 0..3 {
            let hash = if n == 0 { hash } else { 7 };
            heap.map_insert_by(map, n.into(), n.into(), hash, by_bits).unwrap();
        }
        heap.map_remove_by(map, 0.into(), hash, by_bits).unwrap();
        save(&mut heap).unwrap()
    };
    assert_eq!(image(1), image(1 << 40));
}

#[test]
fn flags_of_tables_are_checked() {
    let by_bits = |_: &mut Heap, a: Cell, b: Cell| Ok::<bool, Error>(a == b);
    let own = || {
        one(|heap| {
            let map = heap.alloc(Map::new())?;
            heap.map_insert_by(map, 77.into(), 1.into(), 7, by_bits)?;
            heap.map_insert_by(map, 78.into(), 1.into(), 7, by_bits).map(drop)
        })
    };
    let set = || {
        one(|heap| {
            let set = heap.alloc(Set::new())?;
            heap.get_mut(set)?.insert(77.into())?;
            heap.get_mut(set)?.insert(78.into()).map(drop)
        })
    };
    let what = Some("hashes of a VM in a weak table");
    let [of_own] = counts(&own(), 2)[..] else { panic!("a table") };
    assert!(of_own & OWN != 0 && of_own & WEAK == 0);
    assert_eq!(own().changed(of_own, of_own | WEAK), what);
    assert_eq!(own().changed(of_own, of_own & !OWN), None);
    // A key may be there twice: only the VM knows.
    assert_eq!(own().changed(int(78), int(77)), None);
    let [of_set] = counts(&set(), 2)[..] else { panic!("a table") };
    assert_eq!(set().changed(of_set, of_set | OWN | WEAK), what);
    assert_eq!(set().changed(of_set, of_set | OWN), None);
    assert_eq!(set().changed(of_set, of_set | WEAK), None);
}

#[test]
fn weak_tables_stay_weak() {
    let mut heap = seeded();
    let [kept, garbage, freed] = [(); 3].map(|()| heap.alloc(List::new()).unwrap().cell());
    let map = heap.alloc(Map::new().weak()).unwrap();
    let set = heap.alloc(Set::new().weak()).unwrap();
    let empty = heap.alloc(Map::new().weak()).unwrap();
    let plain = heap.alloc(Map::new()).unwrap();
    for key in [kept, garbage, freed] {
        heap.map_insert(map, key, 1.into()).unwrap();
        heap.get_mut(set).unwrap().insert(key).unwrap();
    }
    heap.free(freed).unwrap();
    let image = save(&mut heap).unwrap();
    let mut loaded = load(&image, settings()).unwrap();
    loaded.verify().unwrap();
    assert_eq!(save(&mut loaded).unwrap(), image);
    for heap in [&mut heap, &mut loaded] {
        assert!(heap.get(map).unwrap().is_weak() && heap.get(set).unwrap().is_weak());
        assert!(heap.get(empty).unwrap().is_weak() && !heap.get(plain).unwrap().is_weak());
        heap.collect([kept, map.cell(), set.cell()]).unwrap();
        heap.verify().unwrap();
        assert!(!heap.contains(garbage));
        assert_eq!(heap.get(map).unwrap().len(), 1);
        assert_eq!(heap.get(set).unwrap().len(), 1);
    }
}
