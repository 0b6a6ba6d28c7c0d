//! Copies on all routes.

use core::ops::Bound;

use proptest::collection::vec;
use proptest::prelude::*;
use segheap::{Bytes, Cell, Error, Heap, Kind, Limits, List, Settings, abi};

use super::Element::Byte;
use super::Form::{Append, Overwrite};
use super::op::Op;
use super::recipe::{copy, lens, pseudo_random, recipe, run};
use super::snapshot::{Snapshot, alloc, populated, read, zeroes};
use super::source::Source;
use super::{ALL, Element, FORMS, KINDS, bounds, has_route, index, is_bytes, resolve, routes};
use crate::machine::sealed;
use crate::support::forged;

proptest! {
    /// All pairs of kinds, forms and functions, with few elements.
    #[test]
    fn every_pair_and_form(recipe in recipe(0..20_usize)) {
        let (mut heap, handles) = populated();
        for (n, from) in KINDS.into_iter().enumerate() {
            for (m, to) in KINDS.into_iter().enumerate() {
                for form in FORMS {
                    let routed = has_route(from, to, form);
                    // Alternates between the typed and the untyped function.
                    let typed = (recipe.at as usize >> 20).wrapping_add(n + m) & 1 == 0;
                    recipe.check(&mut heap, (from, to, form), &handles, routed && typed);
                }
            }
        }
    }

    /// Lengths near multiples of the blocks in which elements are converted.
    #[test]
    fn lengths_around_blocks(copies in vec(copy(), 4)) {
        run(&copies);
    }

    /// Copies within one object, and appends of an object to itself.
    #[test]
    fn source_and_target_are_one_object(
        kind in 1..6_usize,
        len in lens(),
        seed in any::<u64>(),
        copies in vec((any::<[u64; 2]>(), any::<u64>(), any::<bool>(), any::<bool>()), 1..6),
    ) {
        let kind = KINDS[kind];
        let (mut heap, handles) = populated();
        let elements = Source::new(kind, kind, &handles).elements(&pseudo_random(seed, len));
        let source = alloc(&mut heap, kind, &elements).unwrap();
        for (raw, at, append, typed) in copies {
            let len = read(&heap, source).unwrap().len();
            if len > 4000 {
                break;
            }
            let bounds = bounds(raw, len);
            let last = resolve(bounds, len).map_or(0, |range| len - range.len());
            let (any_index, raw) = (at & 15 == 0, at >> 8);
            let at = if any_index { index(raw, len) } else { raw as usize % (last + 1) };
            let form = if append { Append } else { Overwrite };
            let (to, target) = (kind, source);
            Op { form, typed, to, target, at, source, bounds }.check(&mut heap, false);
        }
    }

    /// A copy that fails for lack of memory changes nothing, and succeeds once there is
    /// memory.
    #[test]
    fn limited_memory(
        route in any::<prop::sample::Index>(),
        typed in any::<bool>(),
        recipe in recipe(lens()),
        extra in 0..9_usize,
        full in any::<bool>(),
        hole in 0..14_usize,
        bytes in 0..70_000_usize,
        // The kind of limit: bytes (twice), pages, slots, number of growths.
        which in 0..5_usize,
    ) {
        let routes: Vec<_> = routes().collect();
        let route = *route.get(&routes);
        let (mut heap, handles) = populated();
        let op = recipe.prepare(&mut heap, route, &handles, typed);
        let to = op.to;
        for _ in 0..extra {
            alloc(&mut heap, to, &[]).unwrap();
        }
        if full {
            fill(&mut heap, to, hole);
        }
        let usage = heap.usage();
        let arena = *usage.arena(to).unwrap();
        let none = Limits::default();
        let total = usage.total_bytes as usize;
        let limits = match which {
            0 => none.with_bytes(total),
            1 => none.with_bytes(total + bytes),
            2 => none.with_pages(arena.pages as u32),
            3 => none.with_slots(arena.live + arena.free + arena.retired),
            _ => none,
        };
        let growths = if which == 4 { 0..12 } else { 0..1 };
        for n in growths {
            heap.set_limits(limits);
            heap.fail_growth_after((which == 4).then_some(n));
            let failed = op.check(&mut heap, true);
            heap.set_limits(none);
            heap.fail_growth_after(None);
            if !failed {
                return Ok(());
            }
        }
        prop_assert!(which != 4, "a copy grows twelve times");
        op.check(&mut heap, false);
    }
}

/// Fills the pages of an arena, and then frees one of the blocks.
fn fill(heap: &mut Heap, kind: Kind, hole: usize) {
    let pages = heap.usage().arena(kind).unwrap().pages as u32;
    heap.set_limits(Limits::NONE.with_pages(pages.max(1)));
    let mut fillers = Vec::new();
    for words in (0..14).rev().map(|n| 1_usize << n) {
        let len = if is_bytes(kind) { words * 8 } else { words };
        let elements = zeroes(kind, len);
        while let Ok(filler) = alloc(heap, kind, &elements) {
            fillers.push(filler);
        }
    }
    heap.set_limits(Limits::default());
    if let Some(&filler) = fillers.get(hole) {
        heap.free(filler).unwrap();
    }
}

/// An inconvertible element at the first or last position of a block or of the source,
/// on each route that has any, after elements at the edge of the conversion.
#[test]
fn inconvertible_elements_at_block_boundaries() {
    let (mut heap, handles) = populated();
    for (from, to, form) in routes() {
        let kinds = Source::new(from, to, &handles);
        for (len, indices) in [
            (1, &[0][..]),
            (512, &[0, 511]),
            (513, &[512]),
            (1026, &[0, 510, 511, 512, 513, 1023, 1024, 1025]),
        ] {
            for &index in indices {
                let raw = index as u64;
                let mut elements: Vec<Element> = (0..len as u64)
                    .map(|n| if kinds.is_text() { Byte(b'a') } else { kinds.edge(n + raw) })
                    .collect();
                kinds.insert_inconvertible(&mut elements, index, raw);
                kinds.insert_inconvertible(&mut elements, index + 1 + index % 3, raw + 1);
                let source = alloc(&mut heap, from, &elements).unwrap();
                let target = alloc(&mut heap, to, &zeroes(to, len + 2)).unwrap();
                let start = index.min(3);
                for bounds in [ALL, (Bound::Included(start), Bound::Unbounded)] {
                    let typed = index & 1 == 0;
                    Op { form, typed, to, target, at: 1, source, bounds }.check(&mut heap, false);
                }
                heap.free(source).unwrap();
                heap.free(target).unwrap();
            }
        }
    }
}

/// Each edge case on each route, alone and among other elements.
#[test]
fn edge_cases_on_each_route() {
    let (mut heap, handles) = populated();
    for (from, to, form) in routes() {
        let kinds = Source::new(from, to, &handles);
        for (n, &edge) in kinds.convertible.iter().chain(&kinds.inconvertible).enumerate() {
            if kinds.is_text() {
                continue;
            }
            let mut many = vec![kinds.edge(0); 9];
            many[n % 9] = edge;
            for elements in [&[edge][..], &many] {
                let source = alloc(&mut heap, from, elements).unwrap();
                let target = alloc(&mut heap, to, &zeroes(to, 9)).unwrap();
                for typed in [true, false] {
                    Op { form, typed, to, target, at: 0, source, bounds: ALL }
                        .check(&mut heap, false);
                }
                heap.free(source).unwrap();
                heap.free(target).unwrap();
            }
        }
    }
}

/// Immediates, kinds without routes, and seals.
#[test]
fn copies_without_a_route_fail() {
    let (mut heap, objects) = populated();
    let mut handles = objects.clone();
    handles.push(forged(sealed().selector(), 0, 0));
    let immediates = [Cell::NULL, Cell::TRUE, 1.into(), 1.5.into(), Cell::short_str("a").unwrap()];
    let before = Snapshot::of(&heap);
    for &source in &handles {
        let from = source.kind().unwrap();
        for &target in &handles {
            let to = target.kind().unwrap();
            let sealed = !Kind::ALL.contains(&from) || !Kind::ALL.contains(&to);
            let no_route = Err(if sealed { Error::Sealed } else { Error::NoRoute { from, to } });
            let bounds = (Bound::Included(usize::MAX), Bound::Unbounded);
            for form in FORMS {
                let op = Op { form, typed: false, to, target, at: 0, source, bounds };
                let result = op.run(&mut heap);
                if has_route(from, to, form) {
                    assert!(matches!(result, Err(Error::OutOfRange { .. })), "{op:?}: {result:?}");
                } else {
                    assert_eq!(result, no_route, "{op:?}");
                }
            }
        }
        for cell in immediates {
            let error = Err(Error::NotAHandle);
            assert_eq!(heap.copy_across_any(cell, 0, source, ..), error);
            assert_eq!(heap.copy_across_any(source, 0, cell, ..), error);
            assert_eq!(heap.append_across_any(cell, source, ..), error);
            assert_eq!(heap.append_across_any(source, cell, ..), error);
            assert_eq!(heap.convert_across_any(from, cell, ..), Err(Error::NotAHandle));
        }
    }
    assert!(before == Snapshot::of(&heap));
}

/// A conversion that fails does not split free blocks.
#[test]
fn a_failed_conversion_leaves_free_blocks_whole() {
    let limits = Limits::NONE.with_pages(1);
    let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    let large = heap.alloc(Bytes::zeroed(4096 * 8)).unwrap();
    heap.alloc(Bytes::zeroed(3584 * 8)).unwrap();
    let mut cells = vec![Cell::from(1); 512 * 8];
    cells.push(Cell::NULL);
    let list = heap.alloc(List::of(&cells)).unwrap();
    heap.free(large).unwrap();
    let error = Error::NotConvertible { index: 512 * 8, to: Kind::BYTES };
    let memory = |heap: &Heap| abi::memory(heap, Kind::BYTES).unwrap().bytes().to_vec();
    let before = memory(&heap);
    assert_eq!(heap.convert_across::<Bytes>(list, ..).map(drop), Err(error));
    // A block that was split could be joined again, but only when memory grows.
    assert!(memory(&heap) == before);
    assert_eq!(heap.alloc(Bytes::zeroed(4096 * 8)).map(drop), Ok(()));
}
