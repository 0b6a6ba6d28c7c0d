//! Texts, in the cell and in the arena.

use segheap::bstr::ByteSlice;
use segheap::{Cell, Error, Kind, Str, TextPart};

use crate::dice::{Bounds, resolve};
use crate::model::{Model, Object};
use crate::value::{Value, decode};
use crate::world::{Check, Made, World};

/// The text of a value.
pub(crate) fn text(model: &Model, cell: Cell) -> Result<String, Error> {
    match decode(cell) {
        Value::Text(text) => Ok(text),
        Value::Handle(_) => match model.open(cell, Kind::STR)? {
            Object::Text(text) => Ok(text.clone()),
            other => panic!("{other:?} is no text"),
        },
        _ => Err(Error::NotText),
    }
}

/// A text as a value.
pub(crate) fn result(text: String) -> Made {
    if text.len() <= 5 { Made::Value(Value::Text(text)) } else { Made::Object(Object::Text(text)) }
}

/// A part of a text, on character boundaries.
pub(crate) fn part(text: &str, bounds: Bounds) -> Result<String, Error> {
    let range = resolve(bounds, text.len())?;
    for index in [range.start, range.end] {
        if !text.is_char_boundary(index) {
            return Err(Error::NotACharBoundary { index: index as u32 });
        }
    }
    Ok(text[range].to_owned())
}

/// Allocates a text as a value or as an object.
pub(crate) fn alloc(w: &mut World) -> Check {
    let text = w.dice.text();
    match w.dice.below(3) {
        0 => {
            w.note(|| format!("string {text:?}"));
            let got = w.heap().string(&text);
            w.settle_made(got, Ok(result(text))).map(drop)
        }
        1 => crate::sequences::made(w, Str::new(&text), Ok(Object::Text(text.clone()))),
        _ => {
            let mut bytes = text.into_bytes();
            if !bytes.is_empty() && w.dice.percent(50) {
                let place = w.dice.below(bytes.len());
                bytes[place] = w.dice.word() as u8;
            }
            match (Str::from_utf8(&bytes), std::str::from_utf8(&bytes)) {
                (Ok(init), Ok(text)) => {
                    crate::sequences::made(w, init, Ok(Object::Text(text.to_owned())))
                }
                (Err(Error::NotUtf8 { valid_up_to }), Err(error))
                    if valid_up_to as usize == error.valid_up_to() =>
                {
                    Ok(())
                }
                (got, want) => Err(format!("{bytes:?} as UTF-8: {got:?}, expected {want:?}")),
            }
        }
    }
}

/// Reads a text and a part of it.
pub(crate) fn read(w: &mut World) -> Check {
    let cell = w.text_cell();
    let len = w.len_of(cell);
    let bounds = w.dice.bounds(len);
    w.note(|| format!("text {cell:?} {bounds:?}"));
    let want = text(w.model(), cell).map_err(|error| vec![error]);
    let got = w.heap().text(cell).map(|text| text.to_str().expect("UTF-8").to_owned());
    w.settle(got, want)?;
    let want = w.model().open(cell, Kind::STR).map(drop);
    let want = want.and_then(|()| part(&text(w.model(), cell)?, bounds));
    let view = w.heap().get::<Str>(cell);
    let got = view.and_then(|view| Ok(view.substr(bounds)?.to_str().expect("UTF-8").to_owned()));
    w.settle(got, want.map_err(|error| vec![error])).map(drop)
}

/// Concatenates parts.
pub(crate) fn concat(w: &mut World) -> Check {
    let count = w.dice.below(5);
    let host: Vec<String> = (0..count).map(|_| w.dice.text()).collect();
    let mut parts = Vec::new();
    let mut want = Ok(String::new());
    for host in &host {
        let cell = w.text_cell();
        let model = text(w.model(), cell);
        let (part, expected) = match w.dice.below(3) {
            0 => (TextPart::Whole(cell), model),
            1 => {
                let len = model.as_ref().map_or(3, String::len);
                let (start, end) = (w.dice.index(len + 1), w.dice.index(len + 1));
                let (start, end) = if w.dice.percent(90) {
                    (start.min(end), start.max(end))
                } else {
                    (start, end)
                };
                let bounds = (std::ops::Bound::Included(start), std::ops::Bound::Excluded(end));
                let expected = model.and_then(|text| self::part(&text, bounds));
                (TextPart::Range(cell, start..end), expected)
            }
            _ => (TextPart::Str(host), Ok(host.clone())),
        };
        parts.push(part);
        want = want.and_then(|text: String| Ok(text + &expected?));
    }
    w.note(|| format!("concat {parts:?}"));
    if want.as_ref().is_ok_and(|text| text.len() > 4000) {
        return Ok(());
    }
    let got = w.heap().concat(&parts);
    w.settle_made(got, want.map(result).map_err(|error| vec![error])).map(drop)
}

/// Joins the texts of a list.
pub(crate) fn join(w: &mut World) -> Check {
    let list = if w.dice.percent(70) { list_of_texts(w)? } else { w.pick(Kind::LIST) };
    let len = w.len_of(list);
    let (bounds, separator) = (w.dice.bounds(len), w.dice.one(&["", ", ", "漢", "a long one"]));
    w.note(|| format!("join {list:?} {bounds:?} {separator:?}"));
    let model = w.model();
    let want = model.items(list, Kind::LIST).and_then(|items| {
        let items = &items[resolve(bounds, items.len())?];
        let texts = items.iter().map(|item| text(model, crate::value::encode(item)));
        Ok(texts.collect::<Result<Vec<_>, _>>()?.join(separator))
    });
    if want.as_ref().is_ok_and(|text| text.len() > 4000) {
        return Ok(());
    }
    let got = w.heap().join(list, bounds, separator);
    w.settle_made(got, want.map(result).map_err(|error| vec![error])).map(drop)
}

fn list_of_texts(w: &mut World) -> Check<Cell> {
    let items: Vec<Cell> = (0..w.dice.below(8)).map(|_| w.text_cell()).collect();
    let items_model = crate::value::values(&items);
    w.note(|| format!("alloc a list of {items:?}"));
    let got = w.heap().alloc(segheap::List::of(&items)).map(Cell::from);
    let want = Object::Items { kind: Kind::LIST, header: 0, items: items_model };
    let list = w.settle_made(got, Ok(Made::Object(want)))?;
    w.before = w.heap().usage();
    Ok(list.unwrap_or(Cell::NULL))
}

/// The characters of a text as a list.
pub(crate) fn chars(w: &mut World) -> Check {
    let cell = w.pick(Kind::STR);
    let len = w.len_of(cell);
    let bounds = w.dice.bounds(len);
    w.note(|| format!("convert_chars {cell:?} {bounds:?}"));
    let want = w.model().open(cell, Kind::STR).map(drop);
    let want = want.and_then(|()| part(&text(w.model(), cell)?, bounds)).map(|text| {
        let items = text.chars().map(|char| Value::Text(char.into())).collect();
        Made::Object(Object::Items { kind: Kind::LIST, header: 0, items })
    });
    let got = w.heap().convert_chars(cell, bounds).map(Cell::from);
    w.settle_made(got, want.map_err(|error| vec![error])).map(drop)
}

/// Equality and hashes of keys.
pub(crate) fn keys(w: &mut World) -> Check {
    let (a, b) = (w.key(), if w.dice.percent(50) { w.key() } else { w.text_cell() });
    w.note(|| format!("key_eq {a:?} {b:?}"));
    let model = w.model();
    let (left, right) = (decode(a), decode(b));
    let want = model.key(&left).and_then(|left| Ok(left == model.key(&right)?));
    let hash = model.key(&left).map(drop);
    let (same, hashes) = (w.heap().key_eq(a, b), (w.heap().hash(a), w.heap().hash(b)));
    if want == Ok(true) && hashes.0 != hashes.1 {
        return Err(format!("equal keys have hashes {hashes:?}"));
    }
    w.settle(hashes.0.map(drop), hash.map_err(|error| vec![error]))?;
    w.settle(same, want.map_err(|error| vec![error])).map(drop)
}
