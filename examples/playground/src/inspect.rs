//! Looking at the heap of a program that has ended: roots, objects, and why they are alive.

use std::fmt::{self, Write};

use segheap::{
    Bytes, Cell, Closure, DisplayStyle, Error, F64Arr, Heap, I64Arr, Kind, List, Map, Pair, Set,
    Struct, U8Arr, abi,
};
use segheap_mochi::{Place, Session};

use crate::Run;
use crate::json::{list, quote, send};
use crate::sample::Sampler;

/// The elements, objects or roots in one reply.
const PAGE: usize = 50;
/// The bytes of a value that are shown.
const PREVIEW: usize = 90;

/// A named cell: an element of an object, or a root.
struct Entry {
    name: String,
    cell: Cell,
    /// The value, if it is no cell.
    text: Option<String>,
}

impl Entry {
    fn new(name: impl ToString, cell: Cell) -> Entry {
        Entry { name: name.to_string(), cell, text: None }
    }

    fn number(name: usize, text: impl ToString) -> Entry {
        Entry { name: name.to_string(), cell: Cell::NULL, text: Some(text.to_string()) }
    }
}

/// Replies to a request. Returns whether it is a known one.
pub(crate) fn reply(run: &mut Run, request: &[&str]) -> bool {
    let session = &mut run.session;
    match request {
        ["collect"] => {
            let roots = root_cells(session);
            // It fails only if a limit leaves no room for its bits; the sample tells.
            let _ = session.heap_mut().collect(roots);
            run.sampler.borrow_mut().send(session.heap_mut());
        }
        ["roots"] => send_roots(session),
        ["objects", kind, from] => {
            send_objects(session, &run.sampler.borrow(), kind, from.parse().unwrap_or(0));
        }
        ["object", cell, from] => {
            opened(session, cell, |session, cell| object(session, cell, from.parse().unwrap_or(0)))
        }
        ["why", cell] => opened(session, cell, why),
        _ => return false,
    }
    true
}

/// Sends the reply for a cell, or that it refers to no live object.
fn opened(
    session: &mut Session,
    bits: &str,
    reply: impl FnOnce(&mut Session, Cell) -> Result<String, Error>,
) {
    let cell = u64::from_str_radix(bits, 16).ok().and_then(abi::cell);
    match cell.ok_or(Error::NotAHandle).and_then(|cell| reply(session, cell)) {
        Ok(reply) => send(&reply),
        Err(error) => {
            send(&format!(r#"{{"type":"gone","message":{}}}"#, quote(&error.to_string())));
        }
    }
}

fn root_cells(session: &Session) -> Vec<Cell> {
    session.roots().into_iter().map(|root| root.cell).collect()
}

/// Sends the roots that refer to live objects, and the values of variables.
fn send_roots(session: &Session) {
    let is_shown = |place: &Place, cell: Cell| match place {
        Place::Global(_) | Place::Register { variable: Some(_), .. } => true,
        Place::Register { .. } | Place::Constant => session.heap().contains(cell),
    };
    let roots = session.roots();
    let roots = roots.iter().filter(|root| is_shown(&root.place, root.cell));
    let entries = roots.map(|root| shown(session, &Entry::new(place_name(&root.place), root.cell)));
    send(&format!(r#"{{"type":"roots","entries":{}}}"#, list(entries)));
}

fn place_name(place: &Place) -> String {
    match place {
        Place::Global(name) => format!("global {name}"),
        Place::Constant => "constant".to_owned(),
        Place::Register { function, variable, number, depth } => {
            let register = || format!("register {number}");
            let name = variable.clone().unwrap_or_else(register);
            match depth {
                0 => format!("{name} in the program"),
                _ => format!("{name} in {function}, call {depth}"),
            }
        }
    }
}

/// Sends live objects of a kind, in the order of their slots.
fn send_objects(session: &Session, sampler: &Sampler, kind: &str, from: usize) {
    let heap = session.heap();
    let kind = Kind::ALL.iter().copied().find(|it| it.name() == kind);
    let slots = |kind| sampler.slots_seen(kind);
    let objects = kind.map(|kind| live_objects(heap, kind, slots(kind), from)).unwrap_or_default();
    let total = kind.and_then(|kind| heap.usage().arena(kind).map(|arena| arena.live)).unwrap_or(0);
    let entries =
        objects.iter().map(|&cell| shown(session, &Entry::new(format!("{cell:?}"), cell)));
    send(&format!(
        r#"{{"type":"objects","kind":{},"from":{from},"total":{total},"entries":{}}}"#,
        quote(kind.map_or("", Kind::name)),
        list(entries)
    ));
}

/// Live objects of a kind whose slots lie below `slots`.
fn live_objects(heap: &Heap, kind: Kind, slots: u32, from: usize) -> Vec<Cell> {
    let live = |index| {
        let [key, ..] = abi::slot(heap, kind, index)?;
        // The key of a free slot makes no cell.
        abi::cell(u64::from(key) << 32 | u64::from(index))
    };
    (0..slots).filter_map(live).skip(from).take(PAGE).collect()
}

/// How the program would write the heads of its values.
struct Names<'s>(&'s Session);

impl DisplayStyle for Names<'_> {
    fn open(&self, out: &mut dyn Write, kind: Kind, id: Option<u32>, bracket: &str) -> fmt::Result {
        match (kind, id) {
            (Kind::STRUCT, Some(shape)) => {
                out.write_str(self.0.shape(shape).map_or("Struct", |shape| shape.0))?;
            }
            (Kind::CLOSURE, Some(function)) => {
                out.write_str(self.0.function(function).unwrap_or("Closure"))?;
            }
            _ => {}
        }
        out.write_str(bracket)
    }
}

/// A value as text.
fn preview(session: &Session, cell: Cell) -> String {
    session.heap().display(cell).quoted().limit(PREVIEW).style(Names(session)).to_string()
}

fn shown(session: &Session, entry: &Entry) -> String {
    let text = entry.text.clone().unwrap_or_else(|| preview(session, entry.cell));
    let (name, text) = (quote(&entry.name), quote(&text));
    if !session.heap().contains(entry.cell) {
        return format!(r#"{{"name":{name},"text":{text}}}"#);
    }
    let label = quote(&format!("{:?}", entry.cell));
    let bits = abi::bits(entry.cell);
    format!(r#"{{"name":{name},"text":{text},"cell":"{bits:x}","label":{label}}}"#)
}

/// The named elements of an object from an index on, and how many it has.
fn elements(
    session: &Session,
    cell: Cell,
    from: usize,
    max: usize,
) -> Result<(usize, Vec<Entry>), Error> {
    let heap = session.heap();
    let some = from..from.saturating_add(max);
    fn numbered<T: fmt::Display>(all: &[T], from: usize, max: usize) -> Vec<Entry> {
        all.iter().enumerate().skip(from).take(max).map(|(n, it)| Entry::number(n, it)).collect()
    }
    fn named(
        cells: &[Cell],
        from: usize,
        max: usize,
        name: impl Fn(usize) -> String,
    ) -> Vec<Entry> {
        let cells = cells.iter().enumerate().skip(from).take(max);
        cells.map(|(n, &cell)| Entry::new(name(n), cell)).collect()
    }
    Ok(match cell.kind() {
        Some(Kind::LIST) => {
            let cells = heap.get::<List>(cell)?.as_slice();
            (cells.len(), named(cells, from, max, |n| n.to_string()))
        }
        Some(Kind::STRUCT) => {
            let view = heap.get::<Struct>(cell)?;
            let fields = session.shape(view.shape()).map(|shape| shape.1).unwrap_or_default();
            let name =
                |n: usize| fields.get(n).map_or_else(|| n.to_string(), |it| (*it).to_owned());
            (view.len(), named(view.as_slice(), from, max, name))
        }
        Some(Kind::CLOSURE) => {
            let cells = heap.get::<Closure>(cell)?.as_slice();
            (cells.len(), named(cells, from, max, |n| format!("upvalue {n}")))
        }
        Some(Kind::PAIR) => {
            let cells = heap.get::<Pair>(cell)?.cells();
            let name = |n| if n == 0 { "first" } else { "second" }.to_owned();
            (cells.len(), named(&cells, from, max, name))
        }
        Some(Kind::MAP) => {
            let map = heap.get::<Map>(cell)?;
            let entries = map.iter().skip(some.start).take(max);
            let name = |key| preview(session, key);
            (map.len(), entries.map(|(key, value)| Entry::new(name(key), value)).collect())
        }
        Some(Kind::SET) => {
            let set = heap.get::<Set>(cell)?;
            let members = set.iter().skip(some.start).take(max);
            (set.len(), members.map(|member| Entry::new("member", member)).collect())
        }
        Some(Kind::I64ARR) => {
            let all = heap.get::<I64Arr>(cell)?.as_slice();
            (all.len(), numbered(all, from, max))
        }
        Some(Kind::F64ARR) => {
            let all = heap.get::<F64Arr>(cell)?.as_slice();
            (all.len(), numbered(all, from, max))
        }
        Some(Kind::U8ARR) => {
            let all = heap.get::<U8Arr>(cell)?.as_slice();
            (all.len(), numbered(all, from, max))
        }
        Some(Kind::BYTES) => {
            let all = heap.get::<Bytes>(cell)?.as_slice();
            (all.len(), numbered(all, from, max))
        }
        // Text and integers have none.
        _ => (0, Vec::new()),
    })
}

fn object(session: &mut Session, cell: Cell, from: usize) -> Result<String, Error> {
    let roots = root_cells(session);
    let retained = session.heap_mut().retained_size(roots, cell)?;
    let session = &*session;
    let shallow = session.heap().shallow_size(cell)?;
    let (total, entries) = elements(session, cell, from, PAGE)?;
    let entries = entries.iter().map(|entry| shown(session, entry));
    Ok(format!(
        r#"{{"type":"object","cell":"{:x}","label":{},"text":{},"shallow":{shallow},"retained":{retained},"from":{from},"total":{total},"entries":{}}}"#,
        abi::bits(cell),
        quote(&format!("{cell:?}")),
        quote(&preview(session, cell)),
        list(entries)
    ))
}

/// A shortest path from a root, each step with the name of the place in the one before.
fn why(session: &mut Session, cell: Cell) -> Result<String, Error> {
    let roots = root_cells(session);
    let path = session.heap_mut().path_from_roots(roots, cell)?;
    let session = &*session;
    let mut steps = Vec::new();
    let mut holder: Option<Cell> = None;
    for &cell in path.as_deref().unwrap_or_default() {
        let name = match holder {
            Some(holder) => name_in(session, holder, cell)?,
            None => root_name(session, cell),
        };
        steps.push(shown(session, &Entry::new(name, cell)));
        holder = Some(cell);
    }
    let label = quote(&format!("{cell:?}"));
    Ok(format!(
        r#"{{"type":"why","cell":"{:x}","label":{label},"path":{}}}"#,
        abi::bits(cell),
        list(steps)
    ))
}

/// The root that refers to an object: a variable, if there is one.
fn root_name(session: &Session, cell: Cell) -> String {
    let roots = session.roots();
    let mut roots: Vec<_> = roots.iter().filter(|root| root.cell == cell).collect();
    let is_variable = |place: &Place| {
        matches!(place, Place::Global(_) | Place::Register { variable: Some(_), .. })
    };
    roots.sort_by_key(|root| !is_variable(&root.place));
    roots.first().map_or_else(|| "pinned".to_owned(), |root| place_name(&root.place))
}

/// The name of a cell in an object.
fn name_in(session: &Session, holder: Cell, cell: Cell) -> Result<String, Error> {
    let (_, entries) = elements(session, holder, 0, usize::MAX)?;
    let found = entries.into_iter().find(|entry| entry.cell == cell && entry.text.is_none());
    // Of a map, what is no value is a key.
    Ok(found.map_or_else(|| "key".to_owned(), |entry| entry.name))
}
