//! Modules and memories that anyone may have written: an error, or a sound heap.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may panic"
)]

mod support;

use segheap::{Cell, Heap, Limits, List, Settings, abi};
use segheap_wasm::{FromModuleError, Options, from_memories, from_module};
use support::calls::call;
use support::compare::assert_same;
use support::guest::{Guest, engine};
use support::heap::subject;
use support::rng::Rng;

/// The memories of a module with a random heap, after some calls.
fn memories(seed: u64) -> Vec<Vec<u8>> {
    let mut subject = subject(seed, 60);
    let module = Options::new().hash_seed(seed).to_module(&mut subject.heap).unwrap();
    let mut guest = Guest::new(&engine(), &module);
    let rng = &mut Rng(seed);
    for _ in 0..300 {
        let call = call(&mut subject, rng);
        guest.call(&call);
    }
    guest.memories()
}

fn settings() -> Settings {
    Settings::seeded(4).limits(Limits::NONE.with_bytes(64 << 20))
}

/// Whether a heap is loaded, which is sound then.
fn is_loaded(loaded: Result<Heap, FromModuleError>) -> bool {
    let Ok(mut heap) = loaded else { return false };
    heap.verify().unwrap();
    heap.collect(core::iter::empty::<Cell>()).unwrap();
    heap.verify().unwrap();
    true
}

#[test]
fn damaged_memories_are_an_error_or_a_sound_heap() {
    let (mut loaded, mut refused) = (0, 0);
    for seed in 0..4 {
        let whole = memories(seed);
        assert!(is_loaded(from_memories(&whole, settings())));
        let rng = &mut Rng(seed);
        for _ in 0..1500 {
            let mut memories = whole.clone();
            for _ in 0..1 + rng.below(3) {
                let memory = if rng.one_in(2) { 12 + rng.below(5) } else { rng.below(17) };
                let bytes = &mut memories[memory];
                let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 9);
                if bytes.is_empty() {
                    continue;
                }
                let at = rng.below(used.min(bytes.len()));
                match rng.below(4) {
                    0 => bytes[at] ^= 1 << rng.below(8),
                    1 => bytes[at] = rng.next() as u8,
                    2 => bytes[at..].iter_mut().take(8).for_each(|byte| *byte = 0xFF),
                    _ => bytes.truncate(at),
                }
            }
            let is_loaded = is_loaded(from_memories(&memories, settings()));
            *(if is_loaded { &mut loaded } else { &mut refused }) += 1;
        }
    }
    println!("{loaded} loaded, {refused} refused");
    assert!(loaded > 200 && refused > 200);
}

#[test]
fn damaged_modules_are_an_error_or_a_sound_heap() {
    let mut subject = subject(9, 20);
    let module = Options::new().hash_seed(1).to_module(&mut subject.heap).unwrap();
    let rng = &mut Rng(9);
    let mut refused = 0;
    for number in 0..4000 {
        let mut bytes = module.clone();
        if number % 4 == 0 {
            bytes.truncate(rng.below(bytes.len()));
        } else {
            let at = rng.below(bytes.len());
            bytes[at] = rng.next() as u8;
        }
        refused += usize::from(!is_loaded(from_module(&bytes, settings())));
    }
    println!("{refused} of 4000 refused");
    assert!(refused > 200);
}

/// The table of slots loses its pages at the end, but for some; new objects of the guest get
/// slots beyond all of them.
#[test]
fn a_table_of_slots_that_lost_pages_is_kept() {
    let mut heap = Heap::with(Settings::seeded(1));
    let lists: Vec<Cell> =
        (0..150_000).map(|n| heap.alloc(List::of(&[n.into()])).unwrap().into()).collect();
    let kept: Vec<Cell> = [3, 70_000, 100_000, 149_999].map(|n| lists[n]).into();
    heap.collect(kept.iter().copied()).unwrap();
    assert!(abi::slots(&heap, segheap::Kind::LIST).unwrap().len() < 150_000, "pages are gone");
    let module = Options::new().to_module(&mut heap).unwrap();
    assert!(module.len() < 100_000, "a page that is gone takes no room: {}", module.len());
    let mut guest = Guest::new(&engine(), &module);
    let [get, new] = ["list_get", "list_new"].map(|name| guest.function(name));
    for &list in &kept {
        assert_eq!(guest.plain(get, &[abi::bits(list), 0]).0, 0);
    }
    for &list in lists.iter().filter(|list| !kept.contains(list)) {
        assert_eq!(guest.plain(get, &[abi::bits(list), 0]).0, 5, "stale");
    }
    let made: Vec<u64> = (0..3000).map(|_| guest.plain(new, &[1]).1).collect();
    let mut read = guest.heap().unwrap();
    read.verify().unwrap();
    for cell in kept.iter().copied().chain(made.iter().map(|&bits| abi::cell(bits).unwrap())) {
        assert!(read.contains(cell));
    }
    // No stale handle opens what is allocated later.
    for _ in 0..160_000 {
        read.alloc(List::new()).unwrap();
    }
    assert!(lists.iter().all(|&list| kept.contains(&list) || !read.contains(list)));
    read.verify().unwrap();
}

#[test]
fn a_module_states_sizes_that_cost_nothing() {
    let mut heap = Heap::with(Settings::seeded(1));
    heap.alloc(List::of(&[1.into()])).unwrap();
    let module = Options::new().to_module(&mut heap).unwrap();
    assert_same(&heap, &from_module(&module, settings()).unwrap());
    let guest = Guest::new(&engine(), &module);
    let mut memories = guest.memories();
    // The list has 2^29 words.
    memories[14][12..16].copy_from_slice(&(1_u32 << 29).to_le_bytes());
    let refused = from_memories(&memories, settings()).err();
    assert!(matches!(refused, Some(FromModuleError::NotAHeap(_) | FromModuleError::Load(_))));
}
