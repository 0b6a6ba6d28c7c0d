//! Text against an immutable `String`, which is sliced at character boundaries
//! only.

use std::ops::Bound::{Excluded, Included};

use proptest::prelude::*;
use segheap::bstr::ByteSlice;
use segheap::{Cell, Cursor, Error, Heap, Str, TextPart, Unpacked};

use crate::support::{
    Bounds, assert_same, bounds, config, heap, index, out_of_range, resolve, text,
};

/// Slices a text, or fails as the heap must.
fn slice(text: &str, bounds: Bounds) -> Result<&str, Error> {
    let range = resolve(bounds, text.len())?;
    for index in [range.start, range.end] {
        if !text.is_char_boundary(index) {
            return Err(Error::NotACharBoundary { index: index as u32 });
        }
    }
    Ok(&text[range])
}

/// Text of few characters, so that one occurs in another, with whitespace and letters of both
/// cases.
fn edited() -> impl Strategy<Value = String> {
    let few = prop::collection::vec(prop::sample::select(vec!['a', 'b']), 0..40);
    let all = vec![' ', '\n', 'A', 'z', 'É', 'ß', 'Σ', 'ı', '\u{2003}', '🦀', 'İ'];
    let all = prop::collection::vec(prop::sample::select(all), 0..14);
    prop_oneof![few, all].prop_map(|chars| chars.into_iter().collect())
}

/// Makes a text cell, allocated if `in_arena` is set or the text is long.
fn value(heap: &mut Heap, text: &str, in_arena: bool) -> Cell {
    match in_arena {
        true => heap.alloc(Str::new(text)).unwrap().into(),
        false => heap.string(text).unwrap(),
    }
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn agrees_with_a_string(
        model in text(),
        indices in prop::collection::vec(index(), 4),
        ranges in prop::collection::vec(bounds(), 8),
    ) {
        let mut heap = heap(5);
        let object = heap.alloc(Str::new(&model)).unwrap();
        let view = heap.get(object).unwrap();
        prop_assert_eq!((view.len(), view.is_empty()), (model.len(), model.is_empty()));
        prop_assert_eq!(view.text(), model.as_str());
        prop_assert_eq!(view.to_str(), Ok(model.as_str()));
        for index in indices {
            let byte = model.as_bytes().get(index).copied();
            prop_assert_eq!(view.get(index), byte.ok_or(out_of_range(index, model.len())));
        }
        for bounds in ranges {
            let bytes = resolve(bounds, model.len()).map(|range| &model.as_bytes()[range]);
            assert_same(view.slice(bounds), bytes, bounds);
            let got = view.substr(bounds);
            let got = got.map(|part| part.to_str().unwrap());
            assert_same(got, slice(&model, bounds), bounds);
        }
        let mut cursor = Cursor::default();
        for byte in model.bytes() {
            prop_assert_eq!(view.next(&mut cursor), Some(byte));
        }
        prop_assert_eq!(view.next(&mut cursor), None);
    }

    #[test]
    fn only_utf8_is_text(bytes in prop::collection::vec(any::<u8>(), 0..12), valid in text()) {
        let mut heap = heap(5);
        let mut all = valid.into_bytes();
        all.extend(bytes);
        match std::str::from_utf8(&all) {
            Ok(text) => {
                let object = heap.alloc(Str::from_utf8(&all).unwrap()).unwrap();
                prop_assert_eq!(heap.get(object).unwrap().to_str(), Ok(text));
            }
            Err(error) => {
                let valid_up_to = error.valid_up_to() as u32;
                prop_assert_eq!(Str::from_utf8(&all).err(), Some(Error::NotUtf8 { valid_up_to }));
            }
        }
    }

    /// Text of up to five bytes is immediate. Immediate and allocated text read alike.
    #[test]
    fn short_text_is_immediate(model in text()) {
        let mut heap = heap(5);
        let value = heap.string(&model).unwrap();
        prop_assert_eq!(matches!(value.unpack(), Unpacked::ShortStr(_)), model.len() <= 5);
        let object = heap.alloc(Str::new(&model)).unwrap().cell();
        for cell in [value, object] {
            let text = heap.text(cell).unwrap();
            prop_assert_eq!(text.as_bytes(), model.as_bytes());
            prop_assert_eq!(text.to_string(), model.clone());
        }
        prop_assert_eq!(heap.key_eq(value, object), Ok(true));
        prop_assert_eq!(heap.hash(value), heap.hash(object));
    }

    #[test]
    fn edits_agree_with_a_string(
        model in edited(), pattern in edited(), to in text(), in_arena in any::<[bool; 3]>(), n in 0_usize..9,
    ) {
        let mut heap = heap(5);
        let pattern: String = pattern.chars().take(n % 3).collect();
        let cell = value(&mut heap, &model, in_arena[0]);
        let wanted = value(&mut heap, &pattern, in_arena[1]);
        let other = value(&mut heap, &to, in_arena[2]);
        let starts = heap.text_starts_with(cell, wanted);
        prop_assert_eq!(starts, Ok(model.starts_with(&pattern)));
        let ends = heap.text_ends_with(cell, wanted);
        prop_assert_eq!(ends, Ok(model.ends_with(&pattern)));
        prop_assert_eq!(heap.text_eq(cell, other), Ok(model == to));
        prop_assert_eq!(heap.text_eq(cell, wanted), Ok(model == pattern));
        let chars = |each: fn(char) -> String| model.chars().map(each).collect::<String>();
        let results = [
            (heap.text_trim(cell), model.trim().to_owned()),
            (heap.text_replace(cell, wanted, other), model.replace(&pattern, &to)),
            (heap.text_repeat(cell, n), model.repeat(n)),
            (heap.text_to_lowercase(cell), chars(|char| char.to_lowercase().to_string())),
            (heap.text_to_uppercase(cell), chars(|char| char.to_uppercase().to_string())),
        ];
        for (got, expected) in results {
            let got = got.unwrap();
            prop_assert_eq!(heap.text(got).unwrap().to_string(), expected.as_str());
            prop_assert_eq!(got.kind().is_none(), expected.len() <= 5);
            prop_assert!(got.is_text());
        }
        // What has not changed is not copied.
        for edit in [Heap::text_trim, Heap::text_to_lowercase, Heap::text_to_uppercase] {
            let live = heap.usage().live();
            let once = edit(&mut heap, cell).unwrap();
            prop_assert_eq!(edit(&mut heap, once), Ok(once));
            prop_assert!(heap.usage().live() - live <= 1);
        }
        let live = heap.usage().live();
        let list = heap.text_split(cell, wanted).unwrap();
        let expected: Vec<&str> = model.split(&pattern).collect();
        let parts = heap.get(list).unwrap().as_slice().to_vec();
        prop_assert_eq!(parts.len(), expected.len());
        for (part, expected) in parts.iter().zip(&expected) {
            prop_assert_eq!(heap.text(*part).unwrap().to_string(), *expected);
            prop_assert_eq!(part.kind().is_none(), expected.len() <= 5);
        }
        let long = expected.iter().filter(|part| part.len() > 5 && part.len() < model.len()).count();
        prop_assert_eq!(heap.usage().live() - live, 1 + long as u64);
        prop_assert_eq!(heap.text(cell).unwrap().to_string(), model);
        heap.verify().unwrap();
    }

    /// If one part cannot be allocated, none is.
    #[test]
    fn a_split_allocates_all_parts_or_none(growths in 0_u64..7, parts in 1_usize..900) {
        let mut heap = heap(5);
        let text = vec!["a longer part"; parts].join(",");
        let (text, comma) = (heap.string(&text).unwrap(), heap.string(",").unwrap());
        let _region = heap.open_region().unwrap();
        let charged = |heap: &Heap| heap.usage().total_bytes - heap.usage().scratch_bytes;
        let before = (heap.usage().live(), charged(&heap));
        heap.fail_growth_after(Some(growths));
        let result = heap.text_split(text, comma);
        heap.fail_growth_after(None);
        heap.verify().unwrap();
        match result {
            Ok(list) => prop_assert_eq!(heap.get(list).unwrap().len(), parts),
            Err(error) => {
                prop_assert!(matches!(error, Error::OutOfMemory | Error::Limit(_)));
                prop_assert_eq!((heap.usage().live(), charged(&heap)), before);
            }
        }
    }

    #[test]
    fn edits_of_what_is_no_text(cell in crate::support::immediate()) {
        if cell.is_text() {
            return Ok(());
        }
        let mut heap = heap(5);
        let list = heap.alloc(segheap::List::new()).unwrap().cell();
        let freed = heap.string("a longer text").unwrap();
        heap.free(freed).unwrap();
        let wrong_kind = Error::WrongKind { found: segheap::Kind::LIST, wanted: segheap::Kind::STR };
        let stale = Error::Stale { kind: segheap::Kind::STR };
        let text = heap.string("another text").unwrap();
        for (cell, error) in [(cell, Error::NotText), (list, wrong_kind), (freed, stale)] {
            prop_assert_eq!(cell.is_text(), cell == freed);
            for (a, b) in [(cell, text), (text, cell), (cell, cell)] {
                prop_assert_eq!(heap.text_eq(a, b), Err(error));
                prop_assert_eq!(heap.text_starts_with(a, b), Err(error));
                prop_assert_eq!(heap.text_ends_with(a, b), Err(error));
                prop_assert_eq!(heap.text_split(a, b), Err(error));
                prop_assert_eq!(heap.text_replace(a, b, text), Err(error));
                prop_assert_eq!(heap.text_replace(a, text, b), Err(error));
            }
            prop_assert_eq!(heap.text_trim(cell), Err(error));
            prop_assert_eq!(heap.text_repeat(cell, 0), Err(error));
            prop_assert_eq!(heap.text_to_lowercase(cell), Err(error));
            prop_assert_eq!(heap.text_to_uppercase(cell), Err(error));
        }
        prop_assert_eq!(heap.text_repeat(text, usize::MAX), Err(Error::ObjectTooLarge));
        prop_assert_eq!(heap.text_repeat(text, 1 << 31), Err(Error::ObjectTooLarge));
    }

    #[test]
    fn concatenates_parts(
        pieces in prop::collection::vec((0_u8..4, text(), 0_usize..16, 0_usize..16), 0..5),
    ) {
        let mut heap = heap(5);
        let mut parts = Vec::new();
        let mut expected = Ok(String::new());
        for (form, text, start, end) in &pieces {
            let cell = value(&mut heap, text, *form == 1);
            let (part, text) = match form {
                3 => (TextPart::Str(text), Ok(text.as_str())),
                2 => {
                    let range = *start..*end;
                    let bounds = (Included(range.start), Excluded(range.end));
                    (TextPart::Range(cell, range), slice(text, bounds))
                }
                _ => (TextPart::Whole(cell), Ok(text.as_str())),
            };
            parts.push(part);
            expected = expected.and_then(|all| text.map(|text| all + text));
        }
        let live = heap.usage().live();
        match (heap.concat(&parts), expected) {
            (Ok(cell), Ok(text)) => {
                prop_assert_eq!(heap.text(cell).unwrap().to_string(), text.as_str());
                prop_assert_eq!(cell.kind().is_none(), text.len() <= 5);
                // At most one allocation.
                prop_assert_eq!(heap.usage().live() - live, u64::from(text.len() > 5));
            }
            (Err(Error::OutOfRange { index, .. }), Err(Error::OutOfRange { index: expected, .. })) => {
                prop_assert_eq!(index, expected);
            }
            (got, expected) => prop_assert_eq!(got.err(), expected.err()),
        }
        for (part, (_, text, ..)) in parts.iter().zip(&pieces) {
            if let TextPart::Whole(cell) | TextPart::Range(cell, _) = part {
                prop_assert_eq!(heap.text(*cell).unwrap().to_string(), text.as_str());
            }
        }
    }
}

/// All parts of a split belong to the open region.
#[test]
fn the_parts_of_a_split_are_of_the_region() {
    let mut heap = heap(5);
    let text = heap.string("a first part,a second part,a third part").unwrap();
    let comma = Cell::short_str(",").unwrap();
    for kept in 0..4 {
        let region = heap.open_region().unwrap();
        let list = heap.text_split(text, comma).unwrap();
        let keep = heap.get(list).unwrap().get(kept).unwrap_or(Cell::NULL);
        heap.close_region(region, [keep]).unwrap();
        assert_eq!(heap.usage().live(), 1 + u64::from(kept < 3), "part {kept}");
        if kept < 3 {
            heap.free(keep).unwrap();
        }
    }
}
