//! Copies from and to text: validation, characters, `join`.

use proptest::collection::vec;
use proptest::prelude::*;
use segheap::{Bytes, Cell, Error, Heap, Kind, List, Settings, Str};

use super::Element::{self, Byte};
use super::Form::Convert;
use super::op::Op;
use super::recipe::pseudo_random;
use super::snapshot::{Snapshot, alloc, populated};
use super::source::{Source, char_of};
use super::{bounds, resolve};

/// An element of a list to join, and its text or the error that it causes.
type Part = (Cell, Result<String, Error>);

fn part(
    heap: &mut Heap,
    (len, seed, in_arena, variant): (usize, u64, bool, u8),
    freed: Cell,
    map: Cell,
) -> Part {
    let text: String = pseudo_random(seed, len).into_iter().map(char_of).collect();
    match variant {
        0 => (Cell::from(1), Err(Error::NotText)),
        1 => (freed, Err(Error::Stale { kind: Kind::STR })),
        2 => (map, Err(Error::WrongKind { found: Kind::MAP, wanted: Kind::STR })),
        // Short text may be allocated too.
        _ if in_arena => (heap.alloc(Str::new(&text)).unwrap().cell(), Ok(text)),
        _ => (heap.string(&text).unwrap(), Ok(text)),
    }
}

/// Whether two errors are equal, lengths of out-of-range errors aside.
fn same_error(got: Error, expected: Error) -> bool {
    match (got, expected) {
        (Error::OutOfRange { index, .. }, Error::OutOfRange { index: expected, .. }) => {
            index == expected
        }
        _ => got == expected,
    }
}

proptest! {
    /// Lengths near multiples of the blocks in which text is validated, with characters
    /// of each length across the block boundaries.
    #[test]
    fn validation_around_blocks(
        shift in 0..8_usize,
        len in prop_oneof![4085..4110_usize, 8180..8205_usize, 12270..12300_usize, 0..64_usize],
        char in prop_oneof![Just('é'), Just('€'), Just('😀'), Just('x')],
        others in vec((0..13_000_usize, any::<u64>()), 0..4),
        invalid in prop_oneof![
            1 => Just(None),
            1 => (prop_oneof![
                4080..4105_usize, 8176..8200_usize, 0..8_usize, 0..13_000_usize, Just(usize::MAX)
            ], any::<u64>()).prop_map(Some),
        ],
        cut in prop_oneof![Just([0, 0]), any::<[u64; 2]>()],
        from in prop_oneof![Just(Kind::BYTES), Just(Kind::U8ARR), Just(Kind::STR)],
        typed in any::<bool>(),
    ) {
        let mut text = "a".repeat(shift);
        while text.len() < len {
            text.push(char);
        }
        for (index, raw) in others {
            let index = index % (text.len() + 1);
            if text.is_char_boundary(index) {
                text.insert(index, char_of(raw));
            }
        }
        let kinds = Source::new(from, Kind::STR, &[]);
        let mut elements: Vec<Element> = text.bytes().map(Byte).collect();
        if let Some((index, raw)) = invalid {
            kinds.insert_inconvertible(&mut elements, index, raw);
        }
        let mut heap = Heap::with(Settings::seeded(5));
        let source = alloc(&mut heap, from, &elements).unwrap();
        let bounds = bounds(cut, elements.len());
        let to = Kind::STR;
        let (form, target, at) = (Convert, source, 0);
        Op { form, typed, to, target, at, source, bounds }.check(&mut heap, false);
    }

    /// `convert_chars` splits a text into characters, and `join` is its inverse.
    #[test]
    fn characters(
        raws in vec(any::<u64>(), 0..200),
        cut in any::<[u64; 2]>(),
        limit in prop_oneof![2 => Just(None), 1 => (0..4_u64).prop_map(Some)],
    ) {
        let (mut heap, _) = populated();
        let text: String = raws.iter().map(|&raw| char_of(raw)).collect();
        let source = heap.alloc(Str::new(&text)).unwrap();
        let bounds = bounds(cut, text.len());
        let expected = resolve(bounds, text.len()).and_then(|range| {
            let inside = [range.start, range.end].into_iter().find(|&n| !text.is_char_boundary(n));
            match inside {
                Some(index) => Err(Error::NotACharBoundary { index: index as u32 }),
                None => Ok(text[range].chars().map(|char| char.to_string()).collect::<Vec<_>>()),
            }
        });
        let before = Snapshot::of(&heap);
        heap.fail_growth_after(limit);
        let result = heap.convert_chars(source, bounds);
        heap.fail_growth_after(None);
        let after = Snapshot::of(&heap);
        match (result, expected) {
            (Ok(list), Ok(expected)) => {
                let cells = heap.get(list).unwrap().as_slice().to_vec();
                prop_assert!(cells.iter().all(|cell| cell.kind().is_none()));
                let chars: Vec<String> =
                    cells.iter().map(|&cell| heap.text(cell).unwrap().to_string()).collect();
                prop_assert_eq!(chars, expected.clone());
                prop_assert_eq!(before.assert_others_unchanged(&after, list.cell()), 1);
                let joined = heap.join(list, .., "").unwrap();
                prop_assert_eq!(heap.text(joined).unwrap().to_string(), expected.concat());
            }
            (Err(Error::OutOfMemory), _) if limit.is_some() => prop_assert!(before == after),
            (Err(error), Err(expected)) => {
                prop_assert!(before == after);
                prop_assert!(same_error(error, expected), "{:?}, not {:?}", error, expected);
            }
            (result, expected) => prop_assert!(false, "{:?}, not {:?}", result, expected),
        }
    }

    /// Joins texts of all lengths, immediate and allocated.
    #[test]
    fn joins(
        parts in vec((0..12_usize, any::<u64>(), any::<bool>(), 0..24_u8), 0..40),
        separator in prop_oneof![Just(""), Just(", "), Just("€"), Just("a long separator")],
        cut in any::<[u64; 2]>(),
        limit in prop_oneof![3 => Just(None), 1 => (0..3_u64).prop_map(Some)],
    ) {
        let (mut heap, handles) = populated();
        let freed = heap.alloc(Str::new("freed text")).unwrap().cell();
        let (cells, texts): (Vec<Cell>, Vec<Result<String, Error>>) =
            parts.into_iter().map(|raw| part(&mut heap, raw, freed, handles[1])).unzip();
        heap.free(freed).unwrap();
        let list = heap.alloc(List::of(&cells)).unwrap();
        let bounds = bounds(cut, cells.len());
        let expected = resolve(bounds, cells.len()).and_then(|range| {
            let texts: Result<Vec<String>, Error> = texts[range].iter().cloned().collect();
            Ok(texts?.join(separator))
        });
        let before = Snapshot::of(&heap);
        heap.fail_growth_after(limit);
        let joined = heap.join(list, bounds, separator);
        heap.fail_growth_after(None);
        let after = Snapshot::of(&heap);
        prop_assert_eq!(heap.get(list).unwrap().as_slice(), &cells[..]);
        match (joined, expected) {
            (Ok(cell), Ok(expected)) => {
                prop_assert_eq!(heap.text(cell).unwrap().to_string(), expected.clone());
                let short = Cell::short_str(&expected);
                prop_assert!(short.is_none_or(|short| short == cell));
                let written = if expected.len() > 5 { cell } else { list.cell() };
                let new = before.assert_others_unchanged(&after, written);
                prop_assert_eq!(new, usize::from(expected.len() > 5));
            }
            (joined, expected) => {
                // Scratch memory may have grown.
                prop_assert!(before.usage.arenas() == after.usage.arenas());
                prop_assert!(before.slots == after.slots && before.objects == after.objects);
                match (joined, expected) {
                    (Err(Error::Limit(_) | Error::OutOfMemory), _) if limit.is_some() => {}
                    (Err(error), Err(expected)) => {
                        prop_assert!(same_error(error, expected), "{:?}, not {:?}", error, expected);
                    }
                    (joined, expected) => prop_assert_eq!(joined.err(), expected.err()),
                }
            }
        }
    }
}

/// A block for the text is free: the bytes are validated while they are copied.
#[test]
fn invalid_utf8_in_a_later_block_is_counted_from_the_start() {
    let mut heap = Heap::with(Settings::seeded(5));
    let free = heap.alloc(Str::new(&"a".repeat(20_000))).unwrap();
    heap.free(free).unwrap();
    let mut bytes = vec![b'a'; 20_000];
    bytes[18_000] = 0xFF;
    let source = heap.alloc(Bytes::of(&bytes)).unwrap();
    for start in [0, 1, 5_000] {
        let error = Err(Error::NotUtf8 { valid_up_to: 18_000 });
        assert_eq!(heap.convert_across::<Str>(source, start..).map(drop), error);
    }
}
