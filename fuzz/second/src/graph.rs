//! Graphs of objects: structural equality, copies into another heap, paths, inspection.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use segheap::{Cell, Error, Kind};

use crate::model::{Entry, Model, Object};
use crate::value::{Value, bits, decode, encode};
use crate::world::{Check, World};

/// Pairs that a comparison visits at most.
const PAIRS: usize = 3000;

/// What a comparison of two graphs found.
#[derive(Debug, Default)]
struct Findings {
    differ: bool,
    stale: Vec<Error>,
    work: Vec<(Value, Value)>,
    seen: BTreeSet<(u64, u64)>,
}

/// Structural equality.
pub(crate) fn deep_eq(w: &mut World) -> Check {
    let (a, b) = match w.dice.below(3) {
        0 => (w.any(), w.any()),
        _ => {
            let kind = w.dice.one(&Kind::ALL);
            (w.pick(kind), w.pick(kind))
        }
    };
    w.note(|| format!("deep_eq {a:?} {b:?}"));
    let mut found = Findings { work: vec![(decode(a), decode(b))], ..Findings::default() };
    while let Some((a, b)) = found.work.pop() {
        visit(w.model(), &mut found, a, b);
        if found.seen.len() > PAIRS {
            return Ok(());
        }
    }
    let got = w.heap().deep_eq(a, b);
    // Which of several differences is met first is not documented.
    let want = match (found.differ, got) {
        (true, Ok(_)) => Ok(false),
        (false, _) if found.stale.is_empty() => Ok(true),
        _ => Err(found.stale),
    };
    w.settle_growing(got, want).map(drop)
}

fn visit(model: &Model, found: &mut Findings, a: Value, b: Value) {
    let (left, right) = match (model.key(&a), model.key(&b)) {
        (Ok(left), Ok(right)) => (left, right),
        (left, right) => {
            return found.stale.extend([left.err(), right.err()].into_iter().flatten());
        }
    };
    if left == right {
        return;
    }
    let (Value::Handle(a), Value::Handle(b)) = (a, b) else { return found.differ = true };
    if !found.seen.insert((bits(a), bits(b))) {
        return;
    }
    match (&model.objects[&bits(a)], &model.objects[&bits(b)]) {
        (
            Object::Items { kind, header, items },
            Object::Items { kind: other, header: other_header, items: others },
        ) if (kind, header, items.len()) == (other, other_header, others.len()) => {
            if matches!(*kind, Kind::BYTES | Kind::U8ARR | Kind::I64ARR | Kind::F64ARR) {
                let same = |(a, b): (&Value, &Value)| model.key(a) == model.key(b);
                found.differ |= !items.iter().zip(others).all(same);
            } else {
                found.work.extend(items.iter().cloned().zip(others.iter().cloned()));
            }
        }
        (Object::Table { kind, entries }, Object::Table { kind: other, entries: others })
            if kind == other && entries.len() == others.len() =>
        {
            visit_tables(model, found, entries, others);
        }
        _ => found.differ = true,
    }
}

fn visit_tables(model: &Model, found: &mut Findings, entries: &[Entry], others: &[Entry]) {
    for entry in entries {
        match model.position(others, &entry.key) {
            Ok(Some(place)) => {
                found.work.push((entry.value.clone(), others[place].value.clone()));
            }
            Ok(None) => found.differ = true,
            Err(error) => found.stale.push(error),
        }
    }
}

/// Copies a graph from the other heap.
pub(crate) fn transplant(w: &mut World) -> Check {
    w.me = 1 - w.me;
    let root = w.any();
    w.me = 1 - w.me;
    w.note(|| format!("transplant {root:?}"));
    let source = &w.sides[1 - w.me].model;
    let (mut order, mut seen, mut errors) = (vec![root], BTreeSet::from([bits(root)]), Vec::new());
    let mut next = 0;
    while let Some(&cell) = order.get(next) {
        next += 1;
        match source.open_any(cell) {
            Ok(object) => order.extend(object.edges().filter(|cell| seen.insert(bits(*cell)))),
            Err(Error::NotAHandle) => {}
            Err(error) => errors.push(error),
        }
    }
    if order.len() > 500 {
        return Ok(());
    }
    let [a, b] = &mut w.sides;
    let (mine, other) = if w.me == 0 { (a, b) } else { (b, a) };
    let got = mine.heap.transplant(&other.heap, root);
    let want = match () {
        () if !errors.is_empty() => Err(errors),
        () if root.kind().is_none() => Ok(root),
        () => got.map_err(|_| Vec::new()),
    };
    let Some(copy) = w.settle_many(got, want)? else { return Ok(()) };
    if root.kind().is_some() {
        adopt_copy(w, root, copy, order.len())?;
    }
    Ok(())
}

/// Follows the copy from its root, and takes its objects into the model.
fn adopt_copy(w: &mut World, root: Cell, copy: Cell, count: usize) -> Check {
    let (mut copies, mut work) = (BTreeMap::from([(bits(root), copy)]), vec![(root, copy)]);
    let mut found = Vec::new();
    while let Some((from, to)) = work.pop() {
        let object = w.sides[1 - w.me].model.objects[&bits(from)].clone();
        let new = w.read(to)?;
        let (olds, news) = (object.cells().len(), new.cells().len());
        if olds != news {
            return Err(format!("{to:?}, the copy of {from:?}, has {news} cells of {olds}"));
        }
        for (old, new) in object.edges().zip(new.edges()) {
            let copy = *copies.entry(bits(old)).or_insert_with(|| {
                work.push((old, new));
                new
            });
            if copy != new {
                return Err(format!("{old:?} has the copies {copy:?} and {new:?}"));
            }
        }
        found.push((to, translate(w, object, &copies)));
        if found.last().map(|(_, object)| object) != Some(&new) {
            return Err(format!("{to:?} is {new:?}, a copy of {from:?}"));
        }
    }
    if found.len() != count {
        return Err(format!("{} objects were copied of {count}", found.len()));
    }
    for (cell, object) in found {
        w.model().allocated(cell, object)?;
    }
    w.keep(copy);
    Ok(())
}

fn translate(w: &mut World, object: Object, copies: &BTreeMap<u64, Cell>) -> Object {
    let value = |value: Value| match value {
        Value::Handle(cell) => Value::Handle(copies[&bits(cell)]),
        value => value,
    };
    match object {
        Object::Items { kind, header, items } => {
            Object::Items { kind, header, items: items.into_iter().map(value).collect() }
        }
        Object::Table { kind, entries } => {
            let mut new = Vec::new();
            for entry in entries {
                new.push(w.model().entry(value(entry.key), value(entry.value)));
            }
            Object::Table { kind, entries: new }
        }
        object => object,
    }
}

/// A shortest path from the roots to an object.
pub(crate) fn path(w: &mut World) -> Check {
    let roots: Vec<Cell> = (0..w.dice.below(5)).map(|_| w.any()).collect();
    let object = match w.dice.percent(90) {
        true => w.live_any().or_else(|| w.seal()).unwrap_or(Cell::NULL),
        false => w.odd(),
    };
    w.note(|| format!("path_from_roots {roots:?} {object:?}"));
    let model = w.model();
    let want = model.open_or_seal(object).map(|_| {
        let pins = model.pins.keys().copied();
        let all: BTreeSet<u64> = roots.iter().copied().map(bits).chain(pins).collect();
        let mut work: VecDeque<(u64, usize)> = all.iter().map(|&root| (root, 1)).collect();
        let mut seen = all.clone();
        while let Some((handle, len)) = work.pop_front() {
            let Some(found) = model.objects.get(&handle) else { continue };
            if handle == bits(object) {
                return Some((len, all));
            }
            let new = found.edges().map(bits).filter(|edge| seen.insert(*edge));
            work.extend(new.map(|edge| (edge, len + 1)));
        }
        None
    });
    let path = w.heap().path_from_roots(roots, object);
    let got = path.as_ref().map(|path| path.as_ref().map(|path| path.len()));
    let len = want.clone().map(|found| found.map(|(len, _)| len)).map_err(|error| vec![error]);
    w.settle_growing(got.map_err(|error| *error), len)?;
    if let (Ok(Some(path)), Ok(Some((_, roots)))) = (path, want) {
        let edge = |pair: &[Cell]| {
            w.sides[w.me].model.objects[&bits(pair[0])].edges().any(|edge| edge == pair[1])
        };
        let starts = path.first().is_some_and(|first| roots.contains(&bits(*first)));
        if !starts || path.last() != Some(&object) || !path.windows(2).all(edge) {
            return Err(format!("{path:?} is no path"));
        }
    }
    Ok(())
}

/// The handles in an object.
pub(crate) fn edges(w: &mut World) -> Check {
    let cell = if w.dice.percent(90) { w.live_any().unwrap_or(Cell::NULL) } else { w.odd() };
    w.note(|| format!("edges {cell:?}"));
    let want = w.model().open_any(cell).map(|object| object.edges().collect::<Vec<_>>());
    let got = w.heap().edges(cell).map(|edges| edges.collect::<Vec<_>>());
    w.settle(got, want.map_err(|error| vec![error])).map(drop)
}

/// The live objects as text and as a graph.
pub(crate) fn dump(w: &mut World) -> Check {
    w.note(|| "dump".into());
    let objects = w.model().objects.len();
    let lines = w.heap().dump().to_string().lines().count();
    if lines != objects {
        return Err(format!("a dump of {objects} objects has {lines} lines"));
    }
    let model = w.model();
    let live = |cell: &Cell| model.find(*cell).is_some();
    let edges: usize =
        model.objects.values().map(|object| object.edges().filter(live).count()).sum();
    let drawn = w.heap().graphviz().to_string().lines().count();
    w.settle(Ok(drawn), Ok(objects + edges + 3)).map(drop)
}

/// Displays a value.
pub(crate) fn display(w: &mut World) -> Check {
    let cell = if w.dice.percent(90) { w.any() } else { w.odd() };
    let (quoted, limit) = (w.dice.percent(30), w.dice.one(&[0, 1, 7, 40, 300, 4096]));
    w.note(|| format!("display {cell:?} quoted: {quoted}, limit: {limit}"));
    let mut shown = Shown { model: w.model(), text: String::new(), most: limit, path: Vec::new() };
    match (crate::texts::text(shown.model, cell), quoted) {
        (Ok(text), false) => shown.text = text,
        _ => shown.value(&decode(cell)),
    }
    let mut want = shown.text;
    if want.len() > limit {
        let end = (0..=limit).rev().find(|&end| want.is_char_boundary(end)).unwrap_or(0);
        want.truncate(end);
        want.push('…');
    }
    let display = w.heap().display(cell).limit(limit);
    let got = if quoted { display.quoted().to_string() } else { display.to_string() };
    w.settle(Ok(got), Ok(want)).map(drop)
}

/// A value as text, up to some bytes more than are shown.
struct Shown<'m> {
    model: &'m Model,
    text: String,
    most: usize,
    path: Vec<u64>,
}

impl Shown<'_> {
    fn value(&mut self, value: &Value) {
        if self.text.len() > self.most {
            return;
        }
        let Value::Handle(cell) = value else {
            return self.text += &match value {
                Value::Text(text) => format!("{text:?}"),
                value => format!("{:?}", encode(value)),
            };
        };
        if self.path.contains(&bits(*cell)) || cell.kind().is_some_and(crate::model::is_seal) {
            return self.text += &format!("{cell:?}");
        }
        let Some(object) = self.model.find(*cell) else { return self.text += "gone" };
        self.path.push(bits(*cell));
        self.object(object);
        self.path.pop();
    }

    fn object(&mut self, object: &Object) {
        match object {
            Object::Text(text) => self.text += &format!("{text:?}"),
            Object::Integer(int) => self.integer(int),
            Object::Items { kind, header, items } => match *kind {
                Kind::LIST => self.all("[", items, "]"),
                Kind::PAIR => self.all("(", items, ")"),
                Kind::STRUCT => self.all(&format!("Struct<{header}>{{"), items, "}"),
                Kind::CLOSURE => self.all(&format!("Closure<{header}>("), items, ")"),
                kind => self.all(&format!("{kind}["), items, "]"),
            },
            Object::Table { kind, entries } => {
                self.text += if *kind == Kind::MAP { "{" } else { "#{" };
                for (n, entry) in entries.iter().enumerate() {
                    self.text += if n > 0 { ", " } else { "" };
                    self.value(&entry.key);
                    if *kind == Kind::MAP {
                        self.text += ": ";
                        self.value(&entry.value);
                    }
                }
                self.text += "}";
            }
            Object::Seal { .. } => panic!("a seal is opaque"),
        }
    }

    fn integer(&mut self, int: &num_bigint::BigInt) {
        let (left, limbs) = (self.most - self.text.len(), int.bits().div_ceil(64) as usize);
        self.text += &if limbs.saturating_sub(1) * 19 > left {
            format!("integer of {} bits", int.bits())
        } else {
            int.to_string()
        };
    }

    fn all(&mut self, open: &str, items: &[Value], close: &str) {
        self.text += open;
        for (n, item) in items.iter().enumerate() {
            self.text += if n > 0 { ", " } else { "" };
            match item {
                // In an array of numbers, too wide for a cell.
                Value::Int(int) => self.text += &int.to_string(),
                item => self.value(item),
            }
        }
        self.text += close;
    }
}
