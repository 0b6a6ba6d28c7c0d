//! Keys that were chosen to collide, in maps and sets.
//!
//! Without the seeds of a heap, chosen keys are no better than random ones. With them, keys
//! can be found whose probe sequences begin at one place: a table that gets too many of
//! these becomes a search tree, without any memory.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use segheap::{Bignum, Cell, Cursor, Error, Heap, Limits, List, Map, Set, Settings, Str};

const SEED: u64 = 0x0DD5;
/// Bits of the hash that choose the place in tables of up to 2^13 entries.
const PLACE: u32 = 0x3FFC;

fn int(value: i64) -> Cell {
    Cell::int(value).expect("48 bits")
}

/// Integers, of which the hashes agree in the bits that choose a place, in a heap whose seed
/// is known.
fn colliding_ints(heap: &Heap, count: usize) -> Vec<Cell> {
    let place = |cell: &Cell| heap.hash(*cell).expect("an integer") & PLACE;
    let wanted = place(&int(0));
    (0..).map(int).filter(|cell| place(cell) == wanted).take(count).collect()
}

/// Texts with the same property, as contents.
fn colliding_texts(heap: &mut Heap, count: usize) -> Vec<String> {
    let wanted = heap.hash(int(0)).expect("an integer") & PLACE;
    let names = (0..).map(|n| format!("name {n}"));
    let mut matches = |name: &String| {
        let text = heap.alloc(Str::new(name)).expect("no limit");
        let hash = heap.hash(text.cell()).expect("a live text");
        heap.free(text).expect("a live text");
        hash & PLACE == wanted
    };
    names.filter(|name| matches(name)).take(count).collect()
}

fn is_ordered(heap: &Heap, map: segheap::Handle<Map>) -> bool {
    format!("{:?}", heap.get(map).expect("a live map")).ends_with("ordered)")
}

fn native_word(bytes: &[u8]) -> u64 {
    u64::from_ne_bytes(bytes.try_into().expect("8 bytes"))
}

#[test]
fn hashes_depend_on_the_seed_and_on_the_class() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(SEED));
    let other = Heap::with(Settings::seeded(SEED).hash_seed(7));
    let (mut seeds, mut classes) = (0, 0);
    for n in 1..1_000_u32 {
        let (key, float) = (int(n.into()), Cell::float(f64::from_bits(n.into())));
        seeds += u32::from(heap.hash(key)? == other.hash(key)?);
        classes += u32::from(heap.hash(key)? == heap.hash(float)?);
        // The same bytes as a text, and as integers of both signs.
        let text = format!("{n:016}");
        let limbs: Vec<u64> = text.as_bytes().chunks(8).map(native_word).collect();
        let keys = [
            heap.alloc(Str::new(&text))?.cell(),
            heap.alloc(Bignum::of(false, &limbs))?.cell(),
            heap.alloc(Bignum::of(true, &limbs))?.cell(),
        ];
        let hashes = keys.map(|key| heap.hash(key).expect("a live key"));
        classes += u32::from(hashes[0] == hashes[1] || hashes[1] == hashes[2]);
    }
    assert!(seeds < 2 && classes < 2, "{seeds} and {classes} of 1,000");
    Ok(())
}

/// Generators of keys that collided under every seed while one seed was public: the last 8
/// bytes of a text, and the high limb of an integer, cancelled a constant.
fn cancelling_text(n: u32) -> String {
    let digit = |n: u32| char::from(33 + (n % 94) as u8);
    let constant = [0x17, 0x09, 0xE7, 0xB5, 0xB5, 0xD5, 0x84, 0x3F];
    let constant = str::from_utf8(&constant).expect("UTF-8");
    format!("aa{}{}{}aaa{constant}", digit(n), digit(n / 94), digit(n / 8_836))
}

#[test]
fn keys_that_cancel_a_public_seed_do_not_collide() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(7));
    let map = heap.alloc(Map::new())?;
    let mut hashes = std::collections::HashSet::new();
    for n in 0..30_000 {
        let text = heap.string(&cancelling_text(n))?;
        let large = heap.alloc(Bignum::of(false, &[n.into(), 0x3F84_D5B5_B547_0917]))?.cell();
        for key in [text, large] {
            hashes.insert(heap.hash(key)?);
            heap.get_mut(map)?.insert(key, Cell::NULL)?;
        }
    }
    assert!(!is_ordered(&heap, map));
    // Of 60,000 random hashes of 32 bits, less than one in a thousand is taken.
    assert!(hashes.len() > 59_940, "{} hashes", hashes.len());
    heap.verify().expect("sound");
    Ok(())
}

/// Keys that programs use, and whose bits follow a pattern: key `n` of set `set`.
fn plausible(heap: &mut Heap, set: u32, n: u32) -> Result<Cell, Error> {
    let wide = i64::from(n);
    Ok(match set {
        0 => int(wide),
        1 => int(-wide),
        2 => int(wide << 4),
        3 => int(wide << 16),
        4 => int(wide << 24),
        5 => int(wide << 32 >> 1),
        6 => int(wide * 1_000),
        7 => int(wide * 0xFFFF),
        8 => int(wide * wide),
        9 => int(0x7FFF_FFFF_FFFF - wide),
        10 => Cell::float(f64::from(n)),
        11 => Cell::float(f64::from(n) + 0.5),
        12 => Cell::float(f64::from(n) * 1e10),
        13 => Cell::float(1.0 / f64::from(n + 1)),
        14 => heap.string(&format!("key{n}"))?,
        15 => heap.string(&format!("{n:08}"))?,
        16 => heap.string(&format!("{n:016} with the same long end of thirty bytes"))?,
        17 => heap.string(&format!("the same long beginning of some forty bytes {n}"))?,
        18 => heap.string(&"x".repeat(n as usize % 2_000 + 1))?,
        19 => heap.alloc(List::new())?.cell(),
        20 => heap.alloc(Bignum::of(n.is_multiple_of(2), &[0, 0, n.into()]))?.cell(),
        _ => heap.alloc(Bignum::of(n.is_multiple_of(2), &[n.into(), 1]))?.cell(),
    })
}

/// No table of keys with a pattern becomes a tree, at any size and under any of some seeds.
#[test]
fn plausible_keys_do_not_collide() -> Result<(), Error> {
    let seeds = [0, 1, 2, 3, 4, 5, u64::MAX - 1, u64::MAX];
    for (set, seed) in (0..22).flat_map(|set| seeds.map(|seed| (set, seed))) {
        let mut heap = Heap::with(Settings::seeded(7).hash_seed(seed));
        let map = heap.alloc(Map::new())?;
        for n in 0..20_000_u32 {
            let key = plausible(&mut heap, set, n)?;
            heap.get_mut(map)?.insert(key, Cell::NULL)?;
            // As full as a table gets.
            if (n + 1).is_power_of_two() {
                assert!(!is_ordered(&heap, map), "set {set}, seed {seed}, {n} entries");
            }
        }
        assert!(!is_ordered(&heap, map), "set {set}, seed {seed}");
    }
    Ok(())
}

/// The time to insert keys, and to look each of them up.
fn time(heap: &mut Heap, keys: &[Cell]) -> Result<Duration, Error> {
    let started = Instant::now();
    let map = heap.alloc(Map::new())?;
    for &key in keys {
        heap.get_mut(map)?.insert(key, key)?;
    }
    for &key in keys {
        assert_eq!(heap.get(map)?.get(key)?, Some(key));
    }
    Ok(started.elapsed())
}

#[test]
fn keys_computed_from_a_known_seed_cost_a_logarithm() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(SEED));
    let keys = colliding_ints(&heap, 4_000);
    let others: Vec<Cell> = (0..4_000).map(int).collect();
    let best = |heap: &mut Heap, keys: &[Cell]| {
        (0..3)
            .map(|_| time(heap, keys))
            .collect::<Result<Vec<_>, _>>()
            .map(|times| times.into_iter().min().unwrap_or_default())
    };
    let (chosen, random) = (best(&mut heap, &keys)?, best(&mut heap, &others)?);
    // The number of comparisons is about 12 times as high; without a bound it is 2,000 times.
    assert!(chosen < random * 150, "{chosen:?}, random keys {random:?}");
    Ok(())
}

#[test]
fn a_table_becomes_ordered_without_memory() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(SEED));
    let keys = colliding_ints(&heap, 1_000);
    let map = heap.alloc(Map::with_capacity(keys.len()))?;
    let bytes = heap.usage().total_bytes;
    heap.fail_growth_after(Some(0));
    for (n, &key) in keys.iter().enumerate() {
        assert_eq!(heap.get_mut(map)?.insert(key, int(n as i64))?, None);
    }
    assert!(is_ordered(&heap, map));
    assert_eq!(heap.usage().total_bytes, bytes);
    for (n, &key) in keys.iter().enumerate() {
        assert_eq!(heap.get(map)?.get(key)?, Some(int(n as i64)));
    }
    heap.verify().expect("sound");
    for &key in &keys {
        assert!(heap.get_mut(map)?.remove(key)?.is_some());
    }
    assert!(!is_ordered(&heap, map), "an empty table has an index again");
    Ok(())
}

/// A map whose index was squeezed into the last bytes of a limit has no room for a tree:
/// colliding keys are refused, and cost no more than others until then.
#[test]
fn a_dense_table_refuses_colliding_keys() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(SEED).limits(Limits::NONE.with_bytes(150_000)));
    let keys = colliding_ints(&heap, 400);
    let map = heap.alloc(Map::new())?;
    let mut filled = 0;
    while heap.map_insert(map, int(-1 - filled), Cell::NULL).is_ok() {
        filled += 1;
    }
    for key in 0..400 {
        heap.get_mut(map)?.remove(int(-1 - key))?;
    }
    let inserts = |heap: &mut Heap| {
        keys.iter().take_while(|&&key| heap.map_insert(map, key, key).is_ok()).count()
    };
    let accepted = inserts(&mut heap);
    assert!((32..=128).contains(&accepted), "{accepted}");
    let refused = heap.map_insert(map, keys[accepted], Cell::NULL);
    assert!(matches!(refused, Err(Error::Limit { .. })), "{refused:?}");
    heap.verify().expect("sound");
    assert_eq!(heap.get(map)?.len(), usize::try_from(filled).expect("small") - 400 + accepted);
    assert!(heap.map_insert(map, int(-1), Cell::NULL)?.is_none(), "others still fit");

    heap.set_limits(Limits::NONE);
    assert_eq!(inserts(&mut heap), keys.len());
    assert!(is_ordered(&heap, map));
    assert!((400..filled).all(|key| heap.map_get(map, int(-1 - key)).is_ok_and(|v| v.is_some())));
    heap.verify().expect("sound");
    Ok(())
}

/// An integer in an arena is the same key as in a cell, also if the table was ordered when
/// it was inserted, and no longer is.
#[test]
fn an_ordered_table_remembers_integers_in_an_arena() -> Result<(), Error> {
    for remembered in [false, true] {
        let mut heap = Heap::with(Settings::seeded(SEED));
        let keys = colliding_ints(&heap, 200);
        let map = heap.alloc(Map::new())?;
        let boxed = heap.alloc(Bignum::of(false, &[5]))?.cell();
        let insert = |heap: &mut Heap| heap.get_mut(map)?.insert(boxed, Cell::TRUE);
        if remembered {
            insert(&mut heap)?;
        }
        for &key in &keys {
            heap.get_mut(map)?.insert(key, Cell::NULL)?;
        }
        assert!(is_ordered(&heap, map));
        insert(&mut heap)?;
        assert_eq!(heap.get(map)?.get(int(5))?, Some(Cell::TRUE));
        for &key in &keys {
            heap.get_mut(map)?.remove(key)?;
        }
        assert!(!is_ordered(&heap, map), "a table of few entries has an index again");
        assert_eq!(heap.get(map)?.get(int(5))?, Some(Cell::TRUE));
        assert_eq!(heap.get_mut(map)?.insert(int(5), Cell::NULL)?, Some(Cell::TRUE));
        assert_eq!(heap.get(map)?.len(), 1);
    }
    Ok(())
}

/// The buckets of removed entries in full groups are freed with the last entry.
#[test]
fn a_table_that_is_emptied_again_and_again_stays_an_index() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(SEED));
    let map = heap.alloc(Map::with_capacity(600))?;
    for keys in KEYS.0.chunks_exact(10) {
        for &key in keys {
            assert_eq!(heap.get_mut(map)?.insert(key, key)?, None);
        }
        heap.verify().expect("sound");
        assert!(!is_ordered(&heap, map));
        for &key in keys {
            assert_eq!(heap.get_mut(map)?.remove(key)?, Some((key, key)));
        }
    }
    Ok(())
}

/// Texts of one length, in pairs of one hash: they differ in their bytes only.
fn texts_of_one_hash(heap: &mut Heap) -> Result<Vec<[Cell; 2]>, Error> {
    let (mut known, mut pairs) = (HashMap::new(), Vec::new());
    for n in 0..400_000_u32 {
        let text = heap.alloc(Str::new(&format!("text {n:07}")))?.cell();
        let hash = heap.hash(text)?;
        match known.remove(&hash) {
            Some(other) => pairs.push([other, text]),
            None => drop(known.insert(hash, text)),
        }
    }
    assert!(pairs.len() > 5, "{} pairs of texts", pairs.len());
    Ok(pairs)
}

/// Keys of all classes, in pairs of one hash: the older one first.
fn pairs_of_one_hash(heap: &mut Heap) -> Result<Vec<[Cell; 2]>, Error> {
    let (mut known, mut pairs) = (HashMap::new(), Vec::new());
    for n in 0..120_000_u32 {
        let keys = [
            int(n.into()),
            Cell::float(f64::from(n) + 0.5),
            heap.string(&format!("{n}"))?,
            heap.string(&format!("a longer text {n}"))?,
            heap.alloc(Bignum::of(n.is_multiple_of(2), &[n.into(), 1]))?.cell(),
            heap.alloc(List::new())?.cell(),
        ];
        for key in keys {
            let hash = heap.hash(key)?;
            match known.remove(&hash) {
                Some(other) => pairs.push([other, key]),
                None => drop(known.insert(hash, key)),
            }
        }
    }
    pairs.extend(texts_of_one_hash(heap)?);
    Ok(pairs)
}

/// In an ordered table, keys of one hash are in the order of their values.
#[test]
fn keys_of_one_hash_are_told_apart() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(SEED));
    let pairs = pairs_of_one_hash(&mut heap)?;
    assert!(pairs.len() > 30, "{} pairs", pairs.len());
    for swap in [false, true] {
        let map = heap.alloc(Map::new())?;
        for &key in &KEYS.0 {
            heap.get_mut(map)?.insert(key, Cell::NULL)?;
        }
        assert!(is_ordered(&heap, map));
        for &[a, b] in &pairs {
            for key in if swap { [b, a] } else { [a, b] } {
                assert_eq!(heap.get_mut(map)?.insert(key, key)?, None);
            }
        }
        for &[a, b] in &pairs {
            assert_eq!(heap.get(map)?.get(a)?, Some(a));
            assert_eq!(heap.get_mut(map)?.remove(b)?, Some((b, b)));
            assert_eq!(heap.get(map)?.get(a)?, Some(a));
            assert_eq!(heap.get_mut(map)?.insert(b, a)?, None);
            assert_eq!(heap.get(map)?.get(b)?, Some(a));
        }
        heap.verify().expect("sound");
    }
    Ok(())
}

/// An entry of which the key was freed is no other key, and hides none.
#[test]
fn a_freed_key_of_an_ordered_table_hides_no_other() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(SEED));
    let pairs = pairs_of_one_hash(&mut heap)?;
    let map = heap.alloc(Map::new())?;
    let freed = heap.string("freed before the table is ordered")?;
    heap.get_mut(map)?.insert(freed, Cell::NULL)?;
    heap.free(freed)?;
    for &key in &KEYS.0 {
        heap.get_mut(map)?.insert(key, Cell::NULL)?;
    }
    pairs.as_flattened().iter().try_for_each(|&key| {
        assert_eq!(heap.get_mut(map)?.insert(key, key)?, None);
        Ok::<(), Error>(())
    })?;
    assert!(is_ordered(&heap, map));
    let mut count = heap.get(map)?.len();
    for &[a, b] in pairs.iter().filter(|pair| pair[0].kind().is_some()) {
        heap.free(a)?;
        assert_eq!(heap.get(map)?.get(b)?, Some(b));
        assert_eq!(heap.get_mut(map)?.insert(b, Cell::NULL)?, Some(b));
        assert_eq!(heap.get_mut(map)?.remove(b)?, Some((b, Cell::NULL)));
        assert_eq!(heap.get_mut(map)?.insert(b, b)?, None);
        assert_eq!(heap.get(map)?.get(b)?, Some(b));
        // In the slot of the freed one.
        let list = heap.alloc(List::new())?.cell();
        assert_eq!(heap.get_mut(map)?.insert(list, list)?, None);
        assert_eq!(heap.get(map)?.get(list)?, Some(list));
        count += 1;
    }
    heap.verify().expect("sound");
    assert_eq!(heap.get(map)?.len(), count);
    // One that no descent has met since.
    let text = heap.string("freed and removed")?;
    heap.get_mut(map)?.insert(text, Cell::NULL)?;
    heap.free(text)?;
    assert_eq!(heap.get_mut(map)?.remove_nth(count)?, (text, Cell::NULL));
    heap.verify().expect("sound");
    for n in (1..=count).rev() {
        heap.get_mut(map)?.remove_nth(n / 2)?;
    }
    heap.verify().expect("sound");
    Ok(())
}

#[test]
fn zeroes_are_one_key_of_an_ordered_table() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(SEED));
    for (stored, other) in [(0.0, -0.0), (-0.0, 0.0)] {
        let map = heap.alloc(Map::new())?;
        for &key in &KEYS.0 {
            heap.get_mut(map)?.insert(key, Cell::NULL)?;
        }
        heap.get_mut(map)?.insert(Cell::float(stored), Cell::TRUE)?;
        assert_eq!(heap.get(map)?.get(Cell::float(other))?, Some(Cell::TRUE));
    }
    Ok(())
}

/// A map and a set with keys of which many collide, and the entries that they should have.
struct Model {
    heap: Heap,
    map: segheap::Handle<Map>,
    set: segheap::Handle<Set>,
    entries: Vec<(Cell, Cell)>,
    cursor: Cursor,
    ahead: Vec<Cell>,
}

impl Model {
    fn new(capacity: usize) -> Result<Model, Error> {
        let mut heap = Heap::with(Settings::seeded(SEED));
        let map = heap.alloc(Map::with_capacity(capacity))?;
        let set = heap.alloc(Set::with_capacity(capacity))?;
        let (entries, cursor, ahead) = (Vec::new(), Cursor::default(), Vec::new());
        Ok(Model { heap, map, set, entries, cursor, ahead })
    }

    fn insert(&mut self, key: Cell, value: Cell) -> Result<(), Error> {
        let old = self.entries.iter_mut().find(|entry| entry.0 == key);
        assert_eq!(self.heap.get_mut(self.set)?.insert(key)?, old.is_none());
        let replaced = self.heap.get_mut(self.map)?.insert(key, value)?;
        assert_eq!(replaced, old.as_ref().map(|entry| entry.1));
        match old {
            Some(entry) => entry.1 = value,
            None => {
                self.entries.push((key, value));
                self.ahead.push(key);
            }
        }
        Ok(())
    }

    fn remove_nth(&mut self, n: usize) -> Result<(), Error> {
        let removed = self.heap.get_mut(self.map)?.remove_nth(n).ok();
        assert_eq!(self.heap.get_mut(self.set)?.remove_nth(n).ok(), removed.map(|entry| entry.0));
        assert_eq!(removed, self.entries.get(n).copied());
        if let Some((key, _)) = removed {
            self.entries.remove(n);
            self.ahead.retain(|&other| other != key);
        }
        Ok(())
    }

    fn remove(&mut self, key: Cell) -> Result<(), Error> {
        let n = self.entries.iter().position(|entry| entry.0 == key);
        let wanted = n.map(|n| self.entries.remove(n));
        self.ahead.retain(|&other| other != key);
        assert_eq!(self.heap.get_mut(self.map)?.remove(key)?, wanted);
        assert_eq!(self.heap.get_mut(self.set)?.remove(key)?, wanted.map(|entry| entry.0));
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.heap.get_mut(self.map)?.clear()?;
        self.heap.get_mut(self.set)?.clear()?;
        self.entries.clear();
        self.ahead.clear();
        Ok(())
    }

    fn step(&mut self) -> Result<(), Error> {
        let met = self.heap.get(self.map)?.next(&mut self.cursor);
        assert_eq!(met.map(|entry| entry.0), self.ahead.first().copied());
        self.ahead.drain(..usize::from(met.is_some()));
        Ok(())
    }

    /// Frees a text that is a key: its entry stays, and matches no key.
    fn free(&mut self, n: usize) -> Result<(), Error> {
        let texts = self.entries.iter().filter(|entry| self.heap.contains(entry.0));
        if let Some(key) = texts.map(|entry| entry.0).nth(n) {
            self.heap.free(key)?;
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), Error> {
        self.heap.verify().expect("sound");
        assert!(self.heap.get(self.map)?.iter().eq(self.entries.iter().copied()));
        let keys = self.entries.iter().map(|entry| entry.0);
        assert!(self.heap.get(self.set)?.iter().eq(keys));
        for &(key, value) in &self.entries {
            let found = self.heap.get(self.map)?.get(key);
            if key.refers_to_freed(&self.heap) {
                assert!(matches!(found, Err(Error::Stale { .. })));
            } else {
                assert_eq!(found?, Some(value));
                assert!(self.heap.get(self.set)?.contains(key)?);
            }
        }
        Ok(())
    }

    /// A copy in another heap, where the keys hash alike, is equal.
    fn copy(&self) -> Result<(), Error> {
        let mut other = Heap::with(Settings::seeded(SEED));
        match other.transplant(&self.heap, self.map.cell()) {
            Ok(copy) => {
                other.verify().expect("sound");
                assert_eq!(other.get::<Map>(copy)?.len(), self.entries.len());
                let again = other.transplant(&self.heap, self.map.cell())?;
                assert!(other.deep_eq(copy, again)?);
            }
            Err(error) => assert!(matches!(error, Error::Stale { .. })),
        }
        Ok(())
    }
}

trait Freed {
    fn refers_to_freed(self, heap: &Heap) -> bool;
}

impl Freed for Cell {
    fn refers_to_freed(self, heap: &Heap) -> bool {
        self.kind().is_some() && !heap.contains(self)
    }
}

/// Keys that collide in each heap of this seed: integers, and contents of texts.
static KEYS: LazyLock<(Vec<Cell>, Vec<String>)> = LazyLock::new(|| {
    let mut heap = Heap::with(Settings::seeded(SEED));
    (colliding_ints(&heap, 300), colliding_texts(&mut heap, 100))
});

fn program(capacity: usize, ops: &[(u8, usize)]) -> Result<(), Error> {
    let mut model = Model::new(capacity)?;
    let (ints, names) = &*KEYS;
    for (n, &(op, number)) in ops.iter().enumerate() {
        let value = int(n as i64);
        match op {
            0 => model.insert(ints[number % ints.len()], value)?,
            1 => {
                for &key in &ints[..number % ints.len()] {
                    model.insert(key, value)?;
                }
            }
            2 => {
                // A name may be there already, as another text.
                let text = model.heap.string(&names[number % names.len()])?;
                let map = model.heap.get(model.map)?;
                let found = map.iter().find(|&(key, _)| model.heap.key_eq(key, text) == Ok(true));
                let key = found.map_or(text, |(key, _)| key);
                assert_eq!(map.get(text)?, found.map(|(_, value)| value));
                model.insert(key, value)?;
            }
            3 => model.insert(int(number as i64), value)?,
            4 => model.remove(ints[number % ints.len()])?,
            5 => model.remove_nth(0)?,
            6 => model.remove_nth(model.entries.len().saturating_sub(1))?,
            7 => model.remove_nth(number % (model.entries.len() + 1))?,
            8 => (0..number % 200).try_for_each(|_| model.remove_nth(0))?,
            9 => model.step()?,
            10 => model.free(number % 8)?,
            11 => model.copy()?,
            12 if number < 200 => model.clear()?,
            _ => model.check()?,
        }
    }
    model.check()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tables_with_colliding_keys_agree_with_a_list(
        capacity in prop_oneof![Just(0), Just(600)],
        ops in prop::collection::vec((0..13_u8, 0..1_000_usize), 0..60),
    ) {
        program(capacity, &ops).map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}
