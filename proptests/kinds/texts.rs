//! Text: a `String` that is never changed, of which only whole characters can
//! be taken out.

use std::ops::Bound::{Excluded, Included};

use proptest::prelude::*;
use segheap::bstr::ByteSlice;
use segheap::{Cell, Cursor, Error, Heap, Str, TextPart, Unpacked};

use crate::support::{
    Bounds, assert_same, bounds, config, heap, index, out_of_range, resolve, text,
};

/// The part of a text, or why there is none.
fn part(text: &str, bounds: Bounds) -> Result<&str, Error> {
    let range = resolve(bounds, text.len())?;
    for index in [range.start, range.end] {
        if !text.is_char_boundary(index) {
            return Err(Error::NotACharBoundary { index: index as u32 });
        }
    }
    Ok(&text[range])
}

/// A cell that holds this text, in the form that was asked for if it can be.
fn value(heap: &mut Heap, text: &str, in_arena: bool) -> Cell {
    match in_arena {
        true => heap.alloc(Str::new(text)).unwrap().into(),
        false => heap.string(text).unwrap(),
    }
}

proptest! {
    #![proptest_config(config(128))]

    #[test]
    fn reads_as_a_string(
        twin in text(),
        indices in prop::collection::vec(index(), 4),
        ranges in prop::collection::vec(bounds(), 8),
    ) {
        let mut heap = heap(5);
        let object = heap.alloc(Str::new(&twin)).unwrap();
        let view = heap.get(object).unwrap();
        prop_assert_eq!((view.len(), view.is_empty()), (twin.len(), twin.is_empty()));
        prop_assert_eq!(view.text(), twin.as_str());
        prop_assert_eq!(view.to_str(), Ok(twin.as_str()));
        for index in indices {
            let byte = twin.as_bytes().get(index).copied();
            prop_assert_eq!(view.get(index), byte.ok_or(out_of_range(index, twin.len())));
        }
        for bounds in ranges {
            let bytes = resolve(bounds, twin.len()).map(|range| &twin.as_bytes()[range]);
            assert_same(view.slice(bounds), bytes, bounds);
            let got = view.substr(bounds);
            assert_same(got.map(|part| part.to_str().unwrap()), part(&twin, bounds), bounds);
        }
        let mut cursor = Cursor::default();
        for byte in twin.bytes() {
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

    /// A text value lies in the cell up to five bytes, and both forms read alike.
    #[test]
    fn values_pick_their_form(twin in text()) {
        let mut heap = heap(5);
        let value = heap.string(&twin).unwrap();
        prop_assert_eq!(matches!(value.unpack(), Unpacked::ShortStr(_)), twin.len() <= 5);
        let object = heap.alloc(Str::new(&twin)).unwrap().cell();
        for cell in [value, object] {
            let text = heap.text(cell).unwrap();
            prop_assert_eq!(text.as_bytes(), twin.as_bytes());
            prop_assert_eq!(text.to_string(), twin.clone());
        }
        prop_assert_eq!(heap.key_eq(value, object), Ok(true));
        prop_assert_eq!(heap.hash(value), heap.hash(object));
    }

    #[test]
    fn puts_pieces_together(
        pieces in prop::collection::vec((0_u8..4, text(), 0_usize..16, 0_usize..16), 0..5),
    ) {
        let mut heap = heap(5);
        let mut made = Vec::new();
        let mut wanted = Ok(String::new());
        for (form, text, start, end) in &pieces {
            let cell = value(&mut heap, text, *form == 1);
            let (piece, part) = match form {
                3 => (TextPart::Str(text), Ok(text.as_str())),
                2 => {
                    let range = *start..*end;
                    let naive = (Included(range.start), Excluded(range.end));
                    (TextPart::Range(cell, range), part(text, naive))
                }
                _ => (TextPart::Whole(cell), Ok(text.as_str())),
            };
            made.push(piece);
            wanted = wanted.and_then(|all| part.map(|part| all + part));
        }
        let live = heap.usage().live();
        match (heap.concat(&made), wanted) {
            (Ok(cell), Ok(text)) => {
                prop_assert_eq!(heap.text(cell).unwrap().to_string(), text.as_str());
                prop_assert_eq!(cell.kind().is_none(), text.len() <= 5);
                // One allocation, or none.
                prop_assert_eq!(heap.usage().live() - live, u64::from(text.len() > 5));
            }
            (Err(Error::OutOfRange { index, .. }), Err(Error::OutOfRange { index: wanted, .. })) => {
                prop_assert_eq!(index, wanted);
            }
            (got, wanted) => prop_assert_eq!(got.err(), wanted.err()),
        }
        for (piece, (_, text, ..)) in made.iter().zip(&pieces) {
            if let TextPart::Whole(cell) | TextPart::Range(cell, _) = piece {
                prop_assert_eq!(heap.text(*cell).unwrap().to_string(), text.as_str());
            }
        }
    }
}
