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
