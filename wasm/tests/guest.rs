//! Random calls of the guest in wasmtime: status, result and what is written are those of the
//! heap.
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

use segheap::{Heap, Settings};
use segheap_wasm::{Options, from_module};
use support::calls::{Call, FUNCTIONS, call};
use support::compare::assert_same;
use support::guest::{Guest, engine};
use support::heap::{Subject, subject};
use support::rng::Rng;

/// Makes `calls` random calls in the guest and in the heap, and compares what they leave.
fn compare(subject: &mut Subject, options: Options, seed: u64, calls: usize) {
    let module = options.to_module(&mut subject.heap).unwrap();
    let mut guest = Guest::new(&engine(), &module);
    let rng = &mut Rng(seed);
    for number in 0..calls {
        let expected = call(subject, rng);
        let found = guest.call(&expected);
        let Call { function, arguments, status, result } = expected;
        let name = FUNCTIONS[function].0;
        assert_eq!(found, (status, result), "call {number}: {name} {arguments:x?}");
    }
    let mut read = guest.heap().unwrap();
    read.verify().unwrap();
    assert_same(&subject.heap, &read);
}

#[test]
fn calls_of_a_guest_with_short_addresses_return_what_the_heap_returns() {
    for seed in 0..3 {
        compare(&mut subject(seed, 600), Options::new().hash_seed(seed), seed, 250_000);
    }
}

#[test]
fn calls_of_a_guest_with_long_addresses_return_what_the_heap_returns() {
    for seed in 10..12 {
        compare(&mut subject(seed, 600), Options::new().hash_seed(seed).wide(), seed, 200_000);
    }
}

#[test]
fn modules_are_read_back() {
    for seed in 20..40 {
        let mut subject = subject(seed, 300);
        let module = Options::new().to_module(&mut subject.heap).unwrap();
        let mut read = from_module(&module, Settings::seeded(1)).unwrap();
        read.verify().unwrap();
        assert_same(&subject.heap, &read);
        let mut image = Vec::new();
        let mut again = Vec::new();
        subject.heap.save(&mut image).unwrap();
        read.save(&mut again).unwrap();
        assert!(image == again, "an image of the heap from a module is the same");
    }
}

#[test]
fn an_empty_heap_is_a_module() {
    let mut heap = Heap::with(Settings::seeded(5));
    let module = segheap_wasm::to_module(&mut heap).unwrap();
    let guest = Guest::new(&engine(), &module);
    assert_same(&heap, &guest.heap().unwrap());
    assert_same(&heap, &from_module(&module, Settings::seeded(1)).unwrap());
}
