//! A heap that was saved and loaded is the heap that was saved; whatever the bytes of an
//! image are, they are refused or make a sound heap.

#[cfg(test)]
#[path = "images/flags.rs"]
mod flags;

use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, Fault, Heap, I64Arr, Kind, Limits, List, LoadError, Map,
    Pair, Resource, SaveError, SealKey, Settings, Str, abi,
};

use crate::forks::{fork, run};
use crate::machine::{Effect, Machine, Outcome, Step, example, kinds, operation};
use crate::support::{config, programs};

/// The image of a heap.
pub fn save(heap: &mut Heap) -> Result<Vec<u8>, Error> {
    let mut image = Vec::new();
    let saved = heap.save_with(|bytes| {
        image.extend_from_slice(bytes);
        Ok::<(), ()>(())
    });
    match saved {
        Ok(()) => Ok(image),
        Err(SaveError::Heap(error)) => Err(error),
        Err(error) => panic!("{error:?}"),
    }
}

/// The heap of an image; the error of the reader is how many bytes were left.
pub fn load(image: &[u8], settings: Settings) -> Result<Heap, LoadError<usize>> {
    let mut rest = image;
    let read = |bytes: &mut [u8]| {
        let (next, others) = rest.split_at_checked(bytes.len()).ok_or(rest.len())?;
        bytes.copy_from_slice(next);
        rest = others;
        Ok(())
    };
    Heap::load_with(read, settings)
}

/// What loading anything is done with: other seeds, and a limit.
fn settings() -> Settings {
    Settings::seeded(77).limits(Limits::NONE.with_bytes(64 << 20))
}

/// Reads everything in a heap, and has it collected. Returns how many objects it had.
fn exercise(heap: &mut Heap) -> u64 {
    heap.verify().unwrap();
    let live = heap.usage().live();
    let shown = heap.dump().to_string();
    assert_eq!(shown.lines().count() as u64, live + u64::from(heap.usage().seals.live));
    let lists: Vec<Cell> = heap.objects::<List>().map(|list| list.cell()).collect();
    let maps: Vec<Cell> = heap.objects::<Map>().map(|map| map.cell()).collect();
    for &map in &maps {
        let keys: Vec<Cell> = heap.get::<Map>(map).unwrap().iter().map(|(key, _)| key).collect();
        for key in keys {
            // A key that was freed is not found; each other one is.
            if let Ok(found) = heap.map_get(map, key) {
                assert!(found.is_some(), "{} is lost", heap.display(key));
            }
        }
        // The key may be there: the entry is replaced then.
        let _ = heap.map_insert(map, 7.into(), 8.into());
    }
    let _ = heap.alloc(List::of(&[1.into()]));
    heap.verify().unwrap();
    heap.drain_dead().for_each(drop);
    heap.collect(lists.into_iter().chain(maps).step_by(2)).unwrap();
    heap.verify().unwrap();
    heap.compact();
    heap.collect([Cell::NULL]).unwrap();
    heap.verify().unwrap();
    live
}

/// Loads bytes that may be an image. Returns whether they were.
pub fn is_refused_or_sound(image: &[u8]) -> bool {
    match load(image, settings()) {
        Ok(mut heap) => exercise(&mut heap) < u64::MAX,
        Err(error) => {
            assert!(!matches!(error, LoadError::Heap(Error::Corrupt)), "{error:?}");
            false
        }
    }
}

/// Frozen objects, values, a weak map, and one by hashes of the VM.
fn flagged(heap: &mut Heap, cell: Cell) {
    let frozen = heap.alloc(List::of(&[cell])).unwrap();
    heap.freeze(frozen).unwrap();
    let value = heap.alloc_value(Pair::of(frozen.cell(), 3.into())).unwrap().cell();
    let value = heap.alloc_value(List::of(&[value, 4.into()])).unwrap().cell();
    let weak = heap.alloc(Map::new().weak()).unwrap();
    heap.map_insert(weak, cell, value).unwrap();
    heap.map_insert(weak, value, cell).unwrap();
    let own = heap.alloc(Map::new()).unwrap();
    for key in [cell, value] {
        let by_bits = |_: &mut Heap, a: Cell, b: Cell| Ok::<bool, Error>(a == b);
        heap.map_insert_by(own, key, weak.cell(), 7, by_bits).unwrap();
    }
}

/// A heap with objects of each kind, a symbol, a seal, a pin, tokens, holes, and slots that are
/// free.
pub fn varied() -> Heap {
    let mut heap = Heap::with(Settings::seeded(5));
    let key = heap.new_seal_key().unwrap();
    let mut cells: Vec<Cell> = Vec::new();
    for (n, kind) in kinds().flat_map(|kind| [(0, kind), (1, kind)]) {
        cells.push(example(&mut heap, kind, n).unwrap());
    }
    flagged(&mut heap, cells[0]);
    let map = heap.alloc(Map::new()).unwrap();
    for (n, &cell) in cells.iter().enumerate().take(12) {
        let name = heap.string(&format!("name {n}")).unwrap();
        heap.map_insert(map, name, cell).unwrap();
        heap.map_insert(map, cell, name).unwrap();
    }
    // Holes, and sequence numbers once it was rebuilt.
    for n in [0, 1, 5] {
        heap.get_mut(map).unwrap().remove_nth(n).unwrap();
    }
    heap.get_mut(map).unwrap().reserve(40).unwrap();
    heap.get_mut(map).unwrap().remove_nth(3).unwrap();
    let symbol = heap.intern("a symbol").unwrap();
    let seal = heap.seal(symbol, &key).unwrap();
    heap.map_insert(map, seal, symbol).unwrap();
    let boxed = heap.alloc(Bignum::of(false, &[7])).unwrap();
    heap.map_insert(map, boxed.cell(), cells[0]).unwrap();
    heap.pin(map).unwrap();
    heap.pin(map).unwrap();
    heap.watch(map, 9).unwrap();
    for n in [3, 8] {
        heap.watch(cells[n], n as u64).unwrap();
        heap.free(cells[n]).unwrap();
    }
    heap
}

/// A program of which no outcome depends on the memory that is in use.
fn measures_nothing(step: &Step) -> bool {
    !operation(step).effects.contains(&Effect::ReadsUsage)
}

/// Runs a program; of collections, whose results have figures of memory, only whether they
/// fail.
fn outcomes(machine: &mut Machine, program: &[Step]) -> Vec<Outcome> {
    let run = |step: &Step| {
        let call = machine.resolve(step);
        let outcome = machine.run(&call);
        let measures = call.op.effects.contains(&Effect::Moves);
        outcome.map(|shown| if measures { String::new() } else { shown })
    };
    program.iter().map(run).collect()
}

/// Machines whose heap was forked, and saved and loaded, after the same program.
fn twins(seed: u64, program: &[Step], compact: bool) -> Option<[Machine; 2]> {
    let mut machines = [Machine::new(seed), Machine::new(seed)];
    for machine in &mut machines {
        run(machine, program);
        // No region is open in a fork.
        machine.heap = fork(machine)?;
        if compact {
            machine.heap.compact();
        }
    }
    let [_, machine] = &mut machines;
    let policy = machine.heap.policy();
    let image = save(&mut machine.heap).unwrap();
    machine.heap = load(&image, Settings::seeded(seed).limits(Machine::LIMITS)).unwrap();
    machine.heap.set_policy(policy);
    Some(machines)
}

proptest! {
    #![proptest_config(config(96))]

    /// Both go on alike, handle by handle.
    #[test]
    fn a_heap_and_its_loaded_twin_agree(
        seed in any::<u64>(),
        compact in any::<bool>(),
        first in programs(160),
        then in programs(160),
    ) {
        let Some(mut machines) = twins(seed, &first, compact) else { return Ok(()) };
        let then: Vec<Step> = then.into_iter().filter(measures_nothing).collect();
        let [one, other] = machines.each_mut().map(|machine| {
            machine.heap.verify().unwrap();
            let outcomes = outcomes(machine, &then);
            machine.heap.verify().unwrap();
            let bits = |cell: &Cell| (abi::bits(*cell), machine.heap.contains(*cell));
            let handles: Vec<_> = machine.handles.iter().map(bits).collect();
            (outcomes, handles, machine.heap.dump().to_string())
        });
        for (n, (one, other)) in one.0.iter().zip(&other.0).enumerate() {
            prop_assert_eq!(one, other, "{:?}", then[n]);
        }
        prop_assert_eq!(one.1, other.1);
        prop_assert_eq!(one.2, other.2);
    }

    /// Heaps with equal settings and history have equal images, and so has a heap that was
    /// loaded from one, whatever its hash seed.
    #[test]
    fn images_are_reproducible(seed in any::<u64>(), program in programs(160)) {
        let images = [(); 2].map(|()| {
            let mut machine = Machine::new(seed);
            run(&mut machine, &program);
            fork(&machine).map(|mut fork| save(&mut fork).unwrap())
        });
        prop_assert_eq!(&images[0], &images[1]);
        if let [Some(image), _] = images {
            let mut loaded = load(&image, Settings::seeded(!seed)).unwrap();
            loaded.verify().unwrap();
            prop_assert_eq!(save(&mut loaded).unwrap(), image);
        }
    }

    /// Damage to images of any heap: words replaced by others of the image, bits flipped,
    /// the end cut off.
    #[test]
    fn damaged_images_are_refused_or_sound(
        seed in any::<u64>(),
        program in programs(160),
        damage in prop::collection::vec((any::<u32>(), any::<u32>(), 0_u8..5), 1..4),
    ) {
        let mut machine = Machine::new(seed);
        run(&mut machine, &program);
        let Some(mut fork) = fork(&machine) else { return Ok(()) };
        let image = damaged(save(&mut fork).unwrap(), &damage);
        is_refused_or_sound(&image);
    }
}

/// An image with some damage: where, from where, how.
pub fn damaged(mut image: Vec<u8>, damage: &[(u32, u32, u8)]) -> Vec<u8> {
    for &(at, other, how) in damage {
        // Beyond the first words, of which nearly all values are refused.
        let words = (image.len() / 8).saturating_sub(8).max(1);
        let place = |n: u32| 8 * (8 + n as usize % words);
        let (at, from) = (place(at), place(other));
        if image.len() < at.max(from) + 8 {
            return image;
        }
        match how {
            0 => image.copy_within(from..from + 8, at),
            1 => image[at + other as usize % 8] ^= 1 << (other / 8 % 8),
            2 => image[at..at + 8].copy_from_slice(&u64::from(other).to_le_bytes()),
            3 => image[at..at + 4].copy_from_slice(&(other % 16).to_le_bytes()),
            _ => image.truncate(image.len().min(at + other as usize % 8)),
        }
    }
    image
}

#[test]
fn every_byte_of_a_small_image() {
    let image = save(&mut varied()).unwrap();
    assert!(is_refused_or_sound(&image));
    let (mut sound, mut refused) = (0, 0);
    for at in 0..image.len() {
        for change in [1 << (at % 8), image[at].max(0x80)] {
            let mut image = image.clone();
            image[at] ^= change;
            let is_sound = is_refused_or_sound(&image);
            *(if is_sound { &mut sound } else { &mut refused }) += 1;
        }
    }
    assert!(sound > 1000 && refused > 1000, "{sound} sound, {refused} refused");
    for len in (0..image.len()).step_by(7) {
        assert!(!is_refused_or_sound(&image[..len]), "{len} bytes are no image");
    }
}

/// The words of an image, to be changed and loaded.
struct Words(Vec<u64>);

impl Words {
    fn of(heap: &mut Heap) -> Words {
        let image = save(heap).unwrap();
        Words(image.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect())
    }

    fn load(&self) -> Result<Heap, LoadError<usize>> {
        let image: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        load(&image, settings())
    }

    /// What is wrong with the image once a word at a place has changed to another one.
    fn changed(mut self, from: u64, to: u64) -> Option<&'static str> {
        let place = self.0.iter().rposition(|&word| word == from).expect("such a word");
        self.0[place] = to;
        match self.load() {
            Ok(mut heap) => {
                heap.verify().unwrap();
                None
            }
            Err(LoadError::Broken(Fault { what, .. })) => Some(what),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A heap with one object.
fn one(alloc: impl FnOnce(&mut Heap) -> Result<(), Error>) -> Words {
    let mut heap = Heap::with(Settings::seeded(5));
    alloc(&mut heap).unwrap();
    Words::of(&mut heap)
}

#[test]
fn each_object_is_checked() {
    let list = |cell: i64| {
        move |heap: &mut Heap| heap.alloc(List::of(&[Cell::int(cell).unwrap()])).map(drop)
    };
    let int = |n: i64| abi::bits(Cell::int(n).unwrap());
    let no_cell = Some("a word is no cell");
    assert_eq!(one(list(77)).changed(int(77), int(78)), None);
    // A NaN that is not canonical, a hole, the key of a free slot, a spare selector.
    for word in [0x7FF8 << 48 | 1, 0xFFFD << 48, 0xFFFE << 48, 0xFFFF << 48 | 13 << 44] {
        let expected =
            if word == 0xFFFF << 48 | 13 << 44 && Kind::COUNT > 13 { None } else { no_cell };
        assert_eq!(one(list(77)).changed(int(77), word), expected, "{word:x}");
    }
    let text = |heap: &mut Heap| heap.alloc(Str::new("eight by")).map(drop);
    let bytes = u64::from_le_bytes(*b"eight by");
    assert_eq!(one(text).changed(bytes, bytes ^ 0x80), Some("text is not UTF-8"));
    let big = |heap: &mut Heap| heap.alloc(Bignum::of(false, &[77, 78])).map(drop);
    assert_eq!(one(big).changed(78, 79), None);
    assert_eq!(one(big).changed(78, 0), Some("an integer is not normalised"));
    let pair = |heap: &mut Heap| heap.alloc(Pair::of(77.into(), 78.into())).map(drop);
    let seal = |heap: &mut Heap| {
        let keys: Vec<SealKey> = (0..80).map(|_| heap.new_seal_key().unwrap()).collect();
        heap.seal(1, &keys[76]).map(drop)
    };
    assert_eq!(one(seal).changed(77, 80), None);
    assert_eq!(one(seal).changed(77, 81), Some("a seal is of a key that does not exist"));
    assert_eq!(one(pair).changed(int(77), int(79)), None);
}

/// The words of a slot: of the first object of its kind in a heap with this seed.
#[test]
fn each_slot_is_checked() {
    let mut heap = Heap::with(Settings::seeded(5));
    let key = |cell: Cell| abi::bits(cell) >> 32;
    let pair = key(heap.alloc(Pair::of(1.into(), 2.into())).unwrap().cell());
    let text = key(heap.alloc(Str::new("0123456789")).unwrap().cell());
    let closure = key(heap.alloc(Closure::of(77, &[])).unwrap().cell());
    let seal_key = heap.new_seal_key().unwrap();
    let seal = key(heap.seal(1, &seal_key).unwrap());
    let slot = |key: u64, len: u64| key | len << 32;
    let cap = |cap: u64| cap << 32;
    let mut words = || Words::of(&mut heap);
    let fits = Some("the object does not fit into its block");
    // Pairs and seals have one length; a text of 24 bytes needs three words.
    assert_eq!(words().changed(slot(pair, 2), slot(pair, 1)), fits);
    assert_eq!(words().changed(slot(seal, 1), slot(seal, 0)), fits);
    assert_eq!(words().changed(slot(text, 10), slot(text, 9)), None);
    assert_eq!(words().changed(slot(text, 10), slot(text, 24)), fits);
    // A closure has a header, also if there is no more of it.
    let mut without = words();
    let place = without.0.iter().position(|&word| word == slot(closure, 0)).unwrap();
    without.0[place + 1] = 0;
    assert!(matches!(without.load(), Err(LoadError::Broken(Fault { slot: Some(0), .. }))));
    assert_eq!(words().changed(77, 1 << 32), Some("the header is too large"));
    // Blocks of nine words are of no size class.
    let mut odd = words();
    let place = odd.0.iter().position(|&word| word == slot(text, 10)).unwrap();
    odd.0[place + 1] = cap(9);
    let what = "a block is of no size class";
    assert!(
        matches!(odd.load(), Err(LoadError::Broken(Fault { what: found, .. })) if found == what)
    );
    // Another selector, a tag that is neither live nor free.
    let no_key = Some("the key is of no slot of this arena");
    assert_eq!(words().changed(slot(pair, 2), slot(pair ^ 1 << 12, 2)), no_key);
    assert_eq!(words().changed(slot(pair, 2), slot(pair ^ 2 << 16, 2)), no_key);
    assert_eq!(words().changed(slot(pair, 2), slot(pair ^ 1, 2)), None);
}

/// The lists of a heap: which slots are free, symbols, pins, tokens.
#[test]
fn each_list_is_checked() {
    let mut heap = Heap::with(Settings::seeded(5));
    let lists = [(); 3].map(|()| heap.alloc(List::of(&[])).unwrap().cell());
    let symbols = ["a symbol", "another one"].map(|name| heap.intern(name).unwrap());
    let text = heap.alloc(Str::new("a symbol")).unwrap().cell();
    let short = heap.alloc(Str::new("short")).unwrap().cell();
    lists.iter().for_each(|&list| heap.pin(list).unwrap());
    heap.watch(lists[0], 77).unwrap();
    let end = |words: &Words, back: usize| words.0.len() - back;
    let with = |heap: &mut Heap, back: usize, word: u64| {
        let mut words = Words::of(heap);
        let place = end(&words, back);
        words.0[place] = word;
        words.load().map(|mut heap| heap.verify().unwrap()).is_ok()
    };
    let slot = |cell: Cell| abi::bits(cell) & 0xFFFF_FFFF;
    // From the end: a token, three pins, two symbols.
    assert!(with(&mut heap, 2, abi::bits(lists[1])) && with(&mut heap, 1, 78));
    assert!(!with(&mut heap, 2, abi::bits(Cell::NULL)));
    assert!(!with(&mut heap, 2, 0xFFFF << 48 | 13 << 44) || Kind::COUNT > 13);
    assert!(!with(&mut heap, 4, abi::bits(lists[1])) && !with(&mut heap, 3, 0));
    assert!(with(&mut heap, 3, u64::MAX) && with(&mut heap, 4, abi::bits(text)));
    assert_eq!(Words::of(&mut heap).0[end(&Words::of(&mut heap), 9)], slot(symbols[1]));
    for refused in [slot(symbols[0]), slot(text), slot(short), 40, 1 << 32] {
        assert!(!with(&mut heap, 9, refused), "symbol {refused}");
    }
    // A free list that is too short, that goes round, that has a slot in use.
    for list in lists {
        heap.free(list).unwrap();
    }
    let words = Words::of(&mut heap);
    let place = words.0.iter().rposition(|&word| word == 2).expect("the head of the list");
    for head in [1, u64::from(u32::MAX), 70, 1 << 32] {
        let mut words = Words(words.0.clone());
        words.0[place] = head;
        assert!(matches!(words.load(), Err(LoadError::Broken(_))), "{head}");
    }
}

/// A host object has a value, which is in no image.
#[test]
fn a_host_object_in_an_image() {
    let mut heap = Heap::with(Settings::seeded(5));
    let host = heap.host(7).map_err(|refused| refused.error).unwrap();
    let live = abi::bits(host) >> 32;
    heap.free(host).unwrap();
    let mut words = Words::of(&mut heap);
    // The first arena: its four words, then the slot that is free again, the others behind it.
    assert_eq!([words.0[8], words.0[11]], [14, 0]);
    words.0[11] = words.0[13] & 0xFFFF_FFFF;
    (words.0[12], words.0[13]) = (live, 0);
    assert!(matches!(words.load(), Err(LoadError::Broken(_))));
}

/// Spare capacity, ends of texts, removed entries, freed objects.
#[test]
fn what_was_freed_is_in_no_image() {
    const SECRET: [u8; 8] = *b"\x05secret\x05";
    let word = i64::from_le_bytes(SECRET);
    let mut heap = Heap::with(Settings::seeded(5));
    let ints = heap.alloc(I64Arr::of(&[word, word, 1])).unwrap();
    heap.get_mut(ints).unwrap().truncate(1).unwrap();
    heap.get_mut(ints).unwrap().set(0, 1).unwrap();
    let bytes = heap.alloc(Bytes::of(&[SECRET, SECRET].concat())).unwrap();
    heap.get_mut(bytes).unwrap().truncate(1).unwrap();
    let freed = heap.alloc(Bytes::of(&SECRET.repeat(9))).unwrap();
    let map = heap.alloc(Map::new()).unwrap();
    let secret = Cell::short_str("secrt").unwrap();
    for n in 0..9 {
        heap.map_insert(map, n.into(), secret).unwrap();
    }
    for n in 0..5 {
        heap.get_mut(map).unwrap().remove(n.into()).unwrap();
    }
    let list = heap.alloc(List::of(&[secret; 9])).unwrap();
    for n in 5..9 {
        assert_eq!(heap.map_insert(map, n.into(), 1.into()), Ok(Some(secret)));
    }
    heap.get_mut(map).unwrap().clear().unwrap();
    heap.get_mut(list).unwrap().truncate(0).unwrap();
    let keep = heap.alloc(Bytes::of(b"the last one")).unwrap();
    heap.free(freed).unwrap();
    let image = save(&mut heap).unwrap();
    for part in [&SECRET[1..5], b"secrt"] {
        assert!(!image.windows(part.len()).any(|bytes| bytes == part));
    }
    let loaded = load(&image, settings()).unwrap();
    assert_eq!(loaded.get(keep).unwrap().as_slice(), b"the last one");
    // Spare capacity comes back as well.
    let payload =
        |heap: &Heap| heap.usage().arena(Kind::LIST).map_or(0, |lists| lists.payload_bytes);
    assert_eq!(payload(&loaded), payload(&heap));
}

/// A map of two texts; `Words::changed` makes them one.
#[test]
fn a_key_is_in_a_table_once() {
    let map = |heap: &mut Heap| {
        let map = heap.alloc(Map::new())?;
        for text in ["eight by", "eight bz"] {
            let key = heap.alloc(Str::new(text))?;
            heap.map_insert(map, key.cell(), 1.into())?;
        }
        heap.map_insert(map, 77.into(), 1.into())?;
        heap.map_insert(map, 78.into(), 1.into()).map(drop)
    };
    let [one_text, other] = [*b"eight by", *b"eight bz"].map(u64::from_le_bytes);
    let twice = Some("a key is in a table twice");
    assert_eq!(one(map).changed(other, one_text), twice);
    assert_eq!(one(map).changed(other, one_text ^ 1), None);
    let int = |n: i32| abi::bits(n.into());
    assert_eq!(one(map).changed(int(78), int(77)), twice);
    assert_eq!(one(map).changed(int(78), abi::bits(77.0.into())), None);
}

/// Removed entries, integers in an arena, and the number of the next entry.
#[test]
fn the_entries_of_a_table_are_checked() {
    let map = |heap: &mut Heap| {
        let map = heap.alloc(Map::new())?;
        for n in 70..76 {
            heap.map_insert(map, n.into(), 7.into())?;
        }
        heap.get_mut(map)?.remove(72.into()).map(drop)
    };
    let no_cell = Some("a word is no cell");
    let int = |n: i32| abi::bits(n.into());
    let hole = 0xFFFD << 48;
    assert_eq!(one(map).changed(int(7), int(8)), None);
    // A hole as a value; something beside the hole.
    assert_eq!(one(map).changed(int(7), hole | 2), no_cell);
    let with = |from: &[u64], to: &[u64]| {
        let mut words = one(map);
        let place = words.0.windows(from.len()).rposition(|words| words == from).expect("words");
        words.0[place..place + to.len()].copy_from_slice(to);
        words.load().map(|mut heap| heap.verify().unwrap())
    };
    let removed = [hole | 2, abi::bits(Cell::NULL)];
    assert!(with(&removed, &removed).is_ok());
    assert!(with(&removed, &[removed[0], hole]).is_err());
    assert!(with(&removed, &[removed[0], int(1)]).is_err());
    assert!(with(&removed, &[hole | 4, removed[1]]).is_err());
    // Eight positions, five entries; six numbers were used.
    let counts = [8 << 32 | 5, 6, 0];
    assert!(with(&counts, &[8 << 32 | 5, 7, 0]).is_ok());
    for next in [0, 5, u64::MAX, 1 << 63] {
        assert!(with(&counts, &[8 << 32 | 5, next, 0]).is_err(), "{next}");
    }
    for counts_word in [8 << 32 | 6, 7 << 32 | 5, 5 << 32 | 5, 9 << 32 | 5, 1 << 61 | 8 << 32 | 5] {
        let _ = with(&counts, &[counts_word, 6, 0]);
    }
    let boxed = |heap: &mut Heap| {
        let map = heap.alloc(Map::new())?;
        let boxed = heap.alloc(Bignum::of(false, &[77]))?;
        heap.map_insert(map, boxed.cell(), 1.into()).map(drop)
    };
    let words = one(boxed);
    let flagged = words.0.iter().find(|&&word| word & !(1 << 62) == 8 << 32 | 1).copied();
    let flagged = flagged.expect("a flag");
    assert_eq!(one(boxed).changed(flagged, flagged), None);
    let what = "an integer that a table would look for in cells only";
    assert_eq!(one(boxed).changed(flagged, flagged & !(1 << 62)), Some(what));
}

#[test]
fn what_does_not_come_with_a_heap() {
    let mut heap = varied();
    let list = heap.objects::<List>().next().unwrap();
    let key = heap.new_seal_key().unwrap();
    let sealed = heap.seal(list, &key).unwrap();
    let mut hint = heap.hint::<List>(list, ..).unwrap();
    let image = save(&mut heap).unwrap();
    let mut loaded = load(&image, settings()).unwrap();
    assert!(hint.get(&heap, 0).is_ok());
    assert!(matches!(hint.get(&loaded, 0), Err(Error::Stale { .. })));
    assert_eq!(loaded.unseal(sealed, &key), Err(Error::WrongKey));
    for _ in 0..4 {
        let own = loaded.new_seal_key().unwrap();
        assert_eq!(loaded.unseal(sealed, &own), Err(Error::WrongKey));
    }
    assert_eq!(loaded.limits().bytes, 64 << 20);
    // The tokens of freed objects come with it, those of live ones and pins as well.
    assert_eq!(loaded.drain_dead().collect::<Vec<_>>(), [3, 8]);
    loaded.collect([Cell::NULL]).unwrap();
    let map = loaded.objects::<Map>().last().unwrap();
    assert!(loaded.unpin(map) && loaded.unpin(map) && !loaded.unpin(map));
    loaded.collect([Cell::NULL]).unwrap();
    assert_eq!(loaded.drain_dead().collect::<Vec<_>>(), [9]);
}

#[test]
fn what_cannot_be_saved() {
    let mut heap = Heap::with(Settings::seeded(5));
    let region = heap.open_region().unwrap();
    assert_eq!(save(&mut heap), Err(Error::RegionOpen));
    heap.close_region(region, [Cell::NULL]).unwrap();
    let host = heap.host(7).map_err(|refused| refused.error).unwrap();
    assert_eq!(save(&mut heap), Err(Error::NoHostCopy));
    heap.free(host).unwrap();
    let image = save(&mut heap).unwrap();
    for len in [0, image.len() - 1] {
        let mut room = len;
        let refused = heap.save_with(|bytes| {
            room = room.checked_sub(bytes.len()).ok_or("full")?;
            Ok(())
        });
        assert_eq!(refused, Err(SaveError::Write("full")));
    }
    // The slot of the host object is in its second generation.
    let mut loaded = load(&image, settings()).unwrap();
    let next = [&mut heap, &mut loaded].map(|heap| heap.host(8).map_err(|r| r.error).unwrap());
    assert_eq!(abi::bits(next[0]), abi::bits(next[1]));
}

#[test]
fn the_first_words_say_what_it_is() {
    let image = Words::of(&mut varied());
    let with = |n: usize, word: u64| {
        let mut words = Words(image.0.clone());
        words.0[n] = word;
        words.load().map(drop)
    };
    assert_eq!(with(0, image.0[0] ^ 1), Err(LoadError::NotAnImage));
    assert_eq!(with(1, 2), Err(LoadError::Version(2)));
    assert_eq!(with(2, image.0[2] ^ 1), Err(LoadError::OtherKinds));
    assert!(matches!(with(4, u64::MAX), Err(LoadError::Broken(_))));
}

/// Nothing is reserved for lengths that an image only states.
#[test]
fn lengths_cost_nothing() {
    let image = Words::of(&mut varied());
    // The counts of symbols, pins and tokens, and those of the first slots.
    for place in 5..12 {
        for length in [1 << 20, u64::from(u32::MAX), 1 << 32, 1 << 60, u64::MAX] {
            let mut words = Words(image.0.clone());
            if core::mem::replace(&mut words.0[place], length) == length {
                continue;
            }
            let bytes: Vec<u8> = words.0.iter().flat_map(|word| word.to_le_bytes()).collect();
            let (mut rest, mut most) = (&bytes[..], 0);
            let read = |bytes: &mut [u8]| {
                most = most.max(bytes.len());
                let (next, others) = rest.split_at_checked(bytes.len()).ok_or(())?;
                bytes.copy_from_slice(next);
                rest = others;
                Ok(())
            };
            let limits = Limits::NONE.with_bytes(4 << 20);
            let loaded = Heap::load_with(read, Settings::seeded(1).limits(limits));
            let refused = matches!(loaded, Err(LoadError::Read(()) | LoadError::Broken(_)));
            assert!(refused, "{place} {length}: {loaded:?}");
            assert!(most <= 1 << 14, "{most} bytes at once");
        }
    }
}

/// Nor for lengths of objects and of tables of slots that have come in part.
#[test]
fn lengths_of_parts_cost_nothing() {
    let mut heap = Heap::with(Settings::seeded(5));
    let lists: Vec<Cell> =
        (0..3000).map(|_| heap.alloc(List::of(&[7.into(); 7])).unwrap().cell()).collect();
    let key = abi::bits(lists[0]) >> 32;
    let image = Words::of(&mut heap);
    let refused = |words: &Words| {
        let bytes: Vec<u8> = words.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        load(&bytes, Settings::seeded(1).limits(Limits::NONE.with_bytes(4 << 20))).err()
    };
    assert_eq!(refused(&image), None);
    let slot = image.0.iter().position(|&word| word == 7 << 32 | key).unwrap();
    let mut words = Words(image.0.clone());
    words.0[slot + 1] = 1 << 58;
    assert!(matches!(refused(&words), Some(LoadError::Read(_))));
    let mut words = Words(image.0);
    let table = &mut words.0[slot - 4..slot - 1];
    assert_eq!(table[0], abi::bits(lists[0]) >> 44 & 15);
    table[1..].fill(1 << 24);
    assert!(matches!(refused(&words), Some(LoadError::Broken(_) | LoadError::Read(_))));
}

/// What is read in several parts: lists of symbols, pins and tokens, words of one arena.
#[test]
fn long_lists_come_back() {
    let mut heap = Heap::with(Settings::seeded(5));
    for n in 0..5000_u64 {
        let symbol = heap.intern(&format!("symbol {n}")).unwrap();
        heap.pin(symbol).unwrap();
        heap.watch(symbol, n).unwrap();
    }
    let image = save(&mut heap).unwrap();
    let mut loaded = load(&image, settings()).unwrap();
    loaded.verify().unwrap();
    assert_eq!(save(&mut loaded).unwrap(), image);
    let long = |heap: &mut Heap| {
        let mut cells = [Cell::TRUE; 5000];
        cells[2] = 77.into();
        heap.alloc(List::of(&cells)).map(drop)
    };
    let bits = abi::bits(77.into());
    assert_eq!(one(long).changed(bits, bits + 1), None);
    assert_eq!(one(long).changed(bits, 0xFFFD << 48), Some("a word is no cell"));
}

/// Phases do not overlap, and reading is all that the reader did.
#[cfg(feature = "std")]
#[test]
fn times_of_phases() {
    use std::time::{Duration, Instant};
    const PAUSE: Duration = Duration::from_millis(2);
    let image = save(&mut varied()).unwrap();
    let (mut rest, mut calls) = (&image[..], 0);
    let begin = Instant::now();
    let read = |bytes: &mut [u8]| {
        calls += 1;
        std::thread::sleep(PAUSE);
        let (next, others) = rest.split_at_checked(bytes.len()).ok_or(())?;
        bytes.copy_from_slice(next);
        rest = others;
        Ok::<(), ()>(())
    };
    let (mut loaded, times) = Heap::load_timed(read, settings()).unwrap();
    let all = begin.elapsed();
    loaded.verify().unwrap();
    assert_eq!(save(&mut loaded).unwrap(), image);
    assert!(calls > 40 && times.read >= PAUSE * calls, "{calls} calls, {times:?}");
    assert!(times.read + times.slots + times.verify + times.indices <= all, "{times:?}, {all:?}");
}

/// All or nothing, within the limits; and the same heap where there is room.
#[test]
fn a_limit_refuses_an_image() {
    let mut heap = Heap::with(Settings::seeded(5));
    let list = heap.alloc(List::zeroed(100_000)).unwrap();
    let image = save(&mut heap).unwrap();
    let with = |limits| load(&image, Settings::seeded(5).limits(limits));
    let bytes = with(Limits::NONE.with_bytes(1 << 18));
    assert!(matches!(bytes, Err(LoadError::Heap(Error::Limit(Resource::Bytes)))));
    let pages = with(Limits::NONE.with_pages(8));
    assert!(matches!(pages, Err(LoadError::Heap(Error::Limit(Resource::Pages(_))))));
    let slots = with(Limits::NONE.with_slots(0));
    assert!(matches!(slots, Err(LoadError::Heap(Error::Limit(Resource::Slots(_))))));
    let mut loaded = with(Limits::NONE.with_bytes(2 << 20)).unwrap();
    assert!(loaded.usage().total_bytes <= heap.usage().total_bytes + 4096);
    assert_eq!(loaded.get(list).unwrap().len(), 100_000);
    loaded.verify().unwrap();
}

/// Keys that collide under the seed of the heap that loads them: their table is a tree, or
/// needs more memory for one.
#[test]
fn keys_that_collide_where_they_are_loaded() {
    let flooded = Heap::with(Settings::seeded(77));
    let place = |cell: &Cell| flooded.hash(*cell).unwrap() & 0x3FFC;
    let wanted = place(&0.into());
    let ints = (0..).map(|n| Cell::int(n).unwrap()).filter(|cell| place(cell) == wanted);
    let keys: Vec<Cell> = ints.take(600).collect();
    let mut heap = Heap::with(Settings::seeded(5));
    let map = heap.alloc(Map::new()).unwrap();
    for (n, &key) in (0..).zip(&keys) {
        heap.map_insert(map, key, Cell::from(n)).unwrap();
    }
    let mut words = Words::of(&mut heap);
    let mut loaded = words.load().unwrap();
    loaded.verify().unwrap();
    let is_ordered = |heap: &Heap| format!("{:?}", heap.get(map).unwrap()).ends_with("ordered)");
    assert!(is_ordered(&loaded) && !is_ordered(&heap));
    for (n, &key) in (0..).zip(&keys) {
        assert_eq!(loaded.map_get(map, key), Ok(Some(Cell::from(n))));
    }
    let [one, other] = [keys[500], keys[77]].map(abi::bits);
    let place = words.0.iter().position(|&word| word == one).unwrap();
    words.0[place] = other;
    assert!(matches!(words.load(), Err(LoadError::Broken(_))));
}

/// A table of slots that was folded after a peak: what its dropped pages know comes back.
#[test]
fn slots_of_a_peak() {
    let mut heap = Heap::with(Settings::seeded(5));
    let peak: Vec<Cell> = (0..1 << 17).map(|_| heap.alloc(List::of(&[])).unwrap().cell()).collect();
    let kept = [peak[3], peak[100_000], peak[(1 << 17) - 1]];
    heap.collect(kept).unwrap();
    let image = save(&mut heap).unwrap();
    assert!(image.len() < 1 << 17, "{} bytes: it was not folded", image.len());
    let mut loaded = load(&image, settings()).unwrap();
    loaded.verify().unwrap();
    assert!(peak.iter().all(|&cell| loaded.contains(cell) == kept.contains(&cell)));
    for heap in [&mut heap, &mut loaded] {
        heap.free(kept[1]).unwrap();
    }
    for _ in 0..1 << 17 {
        let next = [&mut heap, &mut loaded].map(|heap| heap.alloc(List::of(&[])).unwrap());
        assert_eq!(abi::bits(next[0].into()), abi::bits(next[1].into()));
    }
    assert!(peak.iter().all(|&cell| loaded.contains(cell) == heap.contains(cell)));
    loaded.verify().unwrap();
    let (mut words, used) = (Words::of(&mut heap), 4096);
    assert!(words.load().is_ok());
    let folded =
        Words(image.chunks(8).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect());
    // Each page of the directory that a slot of the peak has left.
    let page = folded.0.windows(2).position(|pages| pages == [1, 1]).expect("dropped pages");
    words.0 = folded.0;
    words.0[page] = used;
    assert!(matches!(words.load(), Err(LoadError::Broken(_))));
}

/// Garbage that a collection in steps has found is not saved; what it has not, is.
#[test]
fn a_collection_in_steps_is_ended() {
    let (mut sweeping, mut unswept) = (0, 0);
    for steps in 1..96 {
        let mut heap = Heap::with(Settings::seeded(5));
        let list = |_| heap.alloc(List::of(&[])).unwrap().cell();
        let lists: Vec<Cell> = (0..1000).map(list).collect();
        let hosts: Vec<Cell> = (0..3000_u32).map(|n| heap.host(n).unwrap()).collect();
        let mut finished = false;
        for _ in 0..steps {
            finished |= heap.step(lists.iter().copied().step_by(2), 1024).unwrap().finished;
        }
        let usable: Vec<bool> = lists.iter().map(|&list| heap.contains(list)).collect();
        // Of host objects only garbage is left, once it has been found.
        let found = !heap.contains(hosts[0]);
        assert_eq!(heap.try_clone().err(), (!found).then_some(Error::NoHostCopy));
        if !found {
            assert_eq!(save(&mut heap), Err(Error::NoHostCopy));
            continue;
        }
        unswept += usize::from(heap.usage().hosts.live > 0);
        sweeping += usize::from(!finished && usable.contains(&false));
        let image = save(&mut heap).unwrap();
        let loaded = load(&image, settings()).unwrap();
        assert!(lists.iter().zip(&usable).all(|(&list, &is)| loaded.contains(list) == is));
        heap.verify().unwrap();
    }
    assert!(sweeping > 3, "{sweeping} heaps were saved while a collection swept");
    assert!(unswept > 3, "{unswept} heaps were saved with host objects that were garbage");
}
