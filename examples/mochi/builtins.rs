//! The built-in functions, as far as they have no instruction of their own.

use std::io::{BufRead, Write};
use std::rc::Rc;
use std::time::Instant;

use segheap::bstr::ByteSlice;
use segheap::{
    Bytes, Cell, F64Arr, Handle, Heap, I64Arr, Kind, List, Map, Pair, Set, Str, Struct, Unpacked,
};

use crate::types::{Shape, Type};
use crate::values::{self, Outcome, Style, Trap, trap};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    Print,
    Len,
    Str,
    Int,
    Float,
    Append,
    Concat,
    Contains,
    IndexOf,
    Substring,
    Slice,
    Lower,
    Upper,
    Trim,
    Split,
    Join,
    Replace,
    Repeat,
    StartsWith,
    EndsWith,
    PadStart,
    PadEnd,
    Reverse,
    Keys,
    Values,
    First,
    Last,
    Min,
    Max,
    Sum,
    Avg,
    Count,
    Exists,
    Distinct,
    Sort,
    Range,
    Input,
    Now,
    Json,
    Pow,
    Sqrt,
    Abs,
    Floor,
    Ceil,
    Round,
    Bytes,
    List,
    Ord,
    Chr,
    Sha256,
    Panic,
    ParseInt,
    ToJson,
    GetOr,
    // What the compiler calls.
    Pair,
    SortPairs,
    SkipTake,
    GroupAdd,
    Groups,
    CheckText,
    Clock,
    Bench,
}

use Builtin as B;

/// The names that programs call them by.
const NAMES: &[(&str, Builtin)] = &[
    ("print", B::Print),
    ("len", B::Len),
    ("str", B::Str),
    ("int", B::Int),
    ("float", B::Float),
    ("append", B::Append),
    ("push", B::Append),
    ("concat", B::Concat),
    ("contains", B::Contains),
    ("indexOf", B::IndexOf),
    ("substring", B::Substring),
    ("substr", B::Substring),
    ("slice", B::Slice),
    ("lower", B::Lower),
    ("upper", B::Upper),
    ("trim", B::Trim),
    ("split", B::Split),
    ("join", B::Join),
    ("replace", B::Replace),
    ("repeat", B::Repeat),
    ("startsWith", B::StartsWith),
    ("endsWith", B::EndsWith),
    ("padStart", B::PadStart),
    ("padEnd", B::PadEnd),
    ("reverse", B::Reverse),
    ("keys", B::Keys),
    ("values", B::Values),
    ("first", B::First),
    ("last", B::Last),
    ("min", B::Min),
    ("max", B::Max),
    ("sum", B::Sum),
    ("avg", B::Avg),
    ("count", B::Count),
    ("exists", B::Exists),
    ("distinct", B::Distinct),
    ("sort", B::Sort),
    ("range", B::Range),
    ("input", B::Input),
    ("now", B::Now),
    ("json", B::Json),
    ("pow", B::Pow),
    ("sqrt", B::Sqrt),
    ("abs", B::Abs),
    ("floor", B::Floor),
    ("ceil", B::Ceil),
    ("round", B::Round),
    ("bytes", B::Bytes),
    ("list", B::List),
    ("ord", B::Ord),
    ("chr", B::Chr),
    ("sha256", B::Sha256),
    ("panic", B::Panic),
    ("parseIntStr", B::ParseInt),
    ("to_json", B::ToJson),
    ("toJson", B::ToJson),
    ("get", B::GetOr),
    ("starts_with", B::StartsWith),
    ("ends_with", B::EndsWith),
];

/// What built-ins may use of the machine.
pub(crate) struct Context<'m> {
    pub(crate) heap: &'m mut Heap,
    pub(crate) shapes: &'m [Shape],
    pub(crate) out: &'m mut dyn Write,
    pub(crate) started: Instant,
}

impl Builtin {
    pub(crate) fn named(name: &str) -> Option<Builtin> {
        NAMES.iter().find(|(it, _)| *it == name).map(|(_, builtin)| *builtin)
    }

    /// Whether the value is a list that nobody else holds.
    pub(crate) fn makes_list(name: &str) -> bool {
        let lists = [
            B::Append,
            B::Concat,
            B::Slice,
            B::Split,
            B::Reverse,
            B::Keys,
            B::Values,
            B::Distinct,
            B::Sort,
            B::Range,
            B::List,
            B::Sha256,
        ];
        Builtin::named(name).is_some_and(|it| lists.contains(&it))
    }

    /// How many arguments it takes: at least, at most.
    pub(crate) fn arity(self) -> (usize, usize) {
        match self {
            B::Print => (0, 100),
            B::Concat => (0, 100),
            B::Input | B::Now | B::Clock => (0, 0),
            B::Append
            | B::Contains
            | B::IndexOf
            | B::Repeat
            | B::StartsWith
            | B::EndsWith
            | B::Pow => (2, 2),
            B::Split => (1, 2),
            B::Join => (1, 2),
            B::Substring => (2, 3),
            B::Slice | B::Replace | B::PadStart | B::PadEnd => (3, 3),
            B::Min | B::Max => (1, 100),
            B::Round => (1, 2),
            B::Range => (1, 3),
            B::ParseInt => (1, 2),
            B::GetOr => (2, 3),
            B::Trim => (1, 2),
            _ => (1, 1),
        }
    }

    /// The type of the value, from those of the arguments.
    pub(crate) fn result(self, args: &[Type]) -> Type {
        let first = || args.first().cloned().unwrap_or(Type::Any);
        let element = || first().element().unwrap_or(Type::Any);
        let list = || match first() {
            Type::List(element) | Type::Group(element) => Type::List(element),
            _ => Type::list(Type::Any),
        };
        match self {
            B::Print | B::Json => Type::Null,
            B::Len | B::Int | B::IndexOf | B::Now | B::Count | B::Ord | B::ParseInt => Type::Int,
            B::Float | B::Sqrt => Type::Float,
            B::Avg => Type::Any,
            B::Contains | B::Exists | B::StartsWith | B::EndsWith => Type::Bool,
            B::Str
            | B::Substring
            | B::Lower
            | B::Upper
            | B::Trim
            | B::Join
            | B::Replace
            | B::Repeat
            | B::PadStart
            | B::PadEnd
            | B::Input
            | B::Chr
            | B::ToJson => Type::Text,
            B::Split => Type::list(Type::Text),
            B::Append => match (first(), args.get(1)) {
                (Type::List(element), Some(item)) if *element == *item => Type::List(element),
                (Type::List(element), Some(item)) => Type::list(element.join(item)),
                _ => Type::list(Type::Any),
            },
            B::Concat => args
                .iter()
                .cloned()
                .reduce(|a, b| a.join(&b))
                .filter(|ty| matches!(ty, Type::List(_)))
                .unwrap_or(Type::list(Type::Any)),
            B::Reverse | B::Slice => match first() {
                Type::Text => Type::Text,
                Type::Any => Type::Any,
                _ => list(),
            },
            B::Distinct | B::Sort | B::SkipTake | B::SortPairs => list(),
            B::Keys => match first() {
                Type::Map(key, _) => Type::List(key),
                _ => Type::list(Type::Any),
            },
            B::Values => match first() {
                Type::Map(_, value) => Type::List(value),
                _ => Type::list(Type::Any),
            },
            B::List => match first() {
                Type::Bytes => Type::list(Type::Int),
                Type::Text => Type::list(Type::Text),
                _ => list(),
            },
            B::Bytes => Type::Bytes,
            B::Range | B::Sha256 => Type::list(Type::Int),
            B::Sum => match element() {
                ty @ (Type::Int | Type::Float) => ty,
                _ => Type::Any,
            },
            B::Abs => match first() {
                ty @ (Type::Int | Type::Float) => ty,
                _ => Type::Any,
            },
            _ => Type::Any,
        }
    }

    pub(crate) fn call(self, cx: &mut Context<'_>, args: &[Cell]) -> Outcome<Cell> {
        let first = args.first().copied().unwrap_or(Cell::NULL);
        let second = args.get(1).copied().unwrap_or(Cell::NULL);
        let third = args.get(2).copied().unwrap_or(Cell::NULL);
        let heap = &mut *cx.heap;
        match self {
            B::Print => {
                cx.print(args)?;
                Ok(Cell::NULL)
            }
            B::Len => Ok(heap.int(values::len(heap, first)? as i64)?),
            B::Str => match first.kind() {
                _ if values::is_text(first) => Ok(first),
                Some(Kind::BYTES) => {
                    let bytes: Handle<Bytes> = first.to()?;
                    if heap.get(bytes)?.len() <= 5 {
                        let text = cx.text(first)?;
                        return Ok(cx.heap.string(&text)?);
                    }
                    Ok(heap.convert_across::<Str>(bytes, ..)?.into())
                }
                _ => {
                    let text = values::text(heap, cx.shapes, first);
                    Ok(heap.string(&text)?)
                }
            },
            B::Int => to_int(heap, first),
            B::Float => to_float(heap, first),
            B::Append => {
                if first.kind() == Some(Kind::STRUCT)
                    || !first.is_null()
                        && !values::is_list(first)
                        && first.kind() != Some(Kind::BYTES)
                {
                    return trap(format!(
                        "append expects a list, found {}",
                        values::type_name(heap, first)
                    ));
                }
                let copy = values::copied(heap, first)?;
                values::push(heap, copy, second)
            }
            B::Concat => {
                let mut all = heap.alloc(List::of(&[]))?.cell();
                let mut empty = true;
                for &list in args {
                    all = if empty {
                        values::copied(heap, list)?
                    } else {
                        values::joined(heap, all, list)?
                    };
                    empty = false;
                }
                Ok(all)
            }
            B::Contains => Ok(values::contains(heap, cx.shapes, first, second)?.into()),
            B::IndexOf => {
                if values::is_text(first) {
                    let (all, part) = (cx.text(first)?, cx.text(second)?);
                    let at = all.find(&part).map(|at| all[..at].chars().count() as i64);
                    return Ok(cx.heap.int(at.unwrap_or(-1))?);
                }
                for (n, element) in values::elements(heap, first)?.into_iter().enumerate() {
                    if values::equal(heap, element, second)? {
                        return Ok(heap.int(n as i64)?);
                    }
                }
                Ok(heap.int(-1)?)
            }
            B::Substring | B::Slice => slice(heap, first, second, third),
            B::Lower => {
                let text = values::text(heap, cx.shapes, first).to_lowercase();
                Ok(heap.string(&text)?)
            }
            B::Upper => {
                let text = cx.text(first)?.to_uppercase();
                Ok(cx.heap.string(&text)?)
            }
            B::Trim => {
                let text = cx.text(first)?;
                if second.is_null() {
                    return Ok(cx.heap.string(text.trim())?);
                }
                let cut: Vec<char> = cx.text(second)?.chars().collect();
                Ok(cx.heap.string(text.trim_matches(cut.as_slice()))?)
            }
            B::Split => cx.split(first, second),
            B::Join => {
                let separator = if second.is_null() { String::new() } else { cx.text(second)? };
                match first.kind() {
                    Some(Kind::LIST) => {
                        Ok(cx.heap.join(first, .., &separator).map_err(not_text)?)
                    }
                    _ => {
                        let cells = values::elements(cx.heap, first)?;
                        let texts: Vec<String> =
                            cells.iter().map(|&it| values::text(cx.heap, cx.shapes, it)).collect();
                        Ok(cx.heap.string(&texts.join(&separator))?)
                    }
                }
            }
            B::Replace => {
                let text = cx.text(first)?.replace(&cx.text(second)?, &cx.text(third)?);
                Ok(cx.heap.string(&text)?)
            }
            B::Repeat => {
                let (text, count) = (cx.text(first)?, values::int(cx.heap, second)?);
                let count = usize::try_from(count).unwrap_or(0);
                if text.len().saturating_mul(count) > cx.text_max() {
                    return trap("out of memory: this text would be too long");
                }
                Ok(cx.heap.string(&text.repeat(count))?)
            }
            B::StartsWith => Ok(cx.text(first)?.starts_with(&cx.text(second)?).into()),
            B::EndsWith => Ok(cx.text(first)?.ends_with(&cx.text(second)?).into()),
            B::PadStart | B::PadEnd => {
                let (text, width, pad) =
                    (cx.text(first)?, values::int(cx.heap, second)?, cx.text(third)?);
                let missing =
                    usize::try_from(width).unwrap_or(0).saturating_sub(text.chars().count());
                if missing > cx.text_max() {
                    return trap("out of memory: this text would be too long");
                }
                let pad = if pad.is_empty() { " " } else { &pad };
                let padding: String = pad.chars().cycle().take(missing).collect();
                let text = if self == B::PadStart { padding + &text } else { text + &padding };
                Ok(cx.heap.string(&text)?)
            }
            B::Reverse => {
                if values::is_text(first) {
                    let text: String = cx.text(first)?.chars().rev().collect();
                    return Ok(cx.heap.string(&text)?);
                }
                let copy = values::copied(heap, first)?;
                match copy.kind() {
                    Some(Kind::I64ARR) => heap.get_mut::<I64Arr>(copy)?.reverse()?,
                    Some(Kind::F64ARR) => heap.get_mut::<F64Arr>(copy)?.reverse()?,
                    Some(Kind::BYTES) => heap.get_mut::<Bytes>(copy)?.reverse()?,
                    _ => heap.get_mut::<List>(copy)?.reverse()?,
                }
                Ok(copy)
            }
            B::Keys | B::Values => match first.kind() {
                Some(Kind::MAP) => {
                    let which =
                        |(key, value): (Cell, Cell)| if self == B::Keys { key } else { value };
                    let cells: Vec<Cell> = heap.get::<Map>(first)?.iter().map(which).collect();
                    Ok(heap.alloc(List::of(&cells))?.into())
                }
                _ => trap(format!("expected a map, found {}", values::type_name(heap, first))),
            },
            B::First => {
                let cells = values::elements(heap, first)?;
                Ok(cells.first().copied().unwrap_or(Cell::NULL))
            }
            B::Last => {
                let cells = values::elements(heap, first)?;
                Ok(cells.last().copied().unwrap_or(Cell::NULL))
            }
            B::Min | B::Max => {
                let cells =
                    if args.len() > 1 { args.to_vec() } else { values::elements(heap, first)? };
                let mut best = None;
                for cell in cells {
                    let better = match best {
                        None => true,
                        Some(known) if self == B::Min => values::below(heap, cell, known, false)?,
                        Some(known) => values::below(heap, known, cell, false)?,
                    };
                    if better {
                        best = Some(cell);
                    }
                }
                Ok(best.unwrap_or(Cell::from(0)))
            }
            B::Sum => sum(heap, first),
            B::Avg => {
                let cells = values::elements(heap, first)?;
                let numbers: Vec<Cell> = cells.into_iter().filter(|cell| !cell.is_null()).collect();
                let mut sum = 0.0;
                for &cell in &numbers {
                    sum += values::float(heap, cell)?;
                }
                Ok(Cell::float(if numbers.is_empty() { 0.0 } else { sum / numbers.len() as f64 }))
            }
            B::Count => match first.kind() {
                Some(Kind::MAP) => Ok(heap.int(values::len(heap, first)? as i64)?),
                _ => {
                    if values::is_text(first) || values::is_int(first) {
                        return trap(format!(
                            "count expects a list, found {}",
                            values::type_name(heap, first)
                        ));
                    }
                    Ok(heap.int(values::len(heap, first)? as i64)?)
                }
            },
            B::Exists => Ok(match first.unpack() {
                Unpacked::Null | Unpacked::Int(_) | Unpacked::Float(_) | Unpacked::Bool(_) => {
                    Cell::FALSE
                }
                _ => Cell::bool(values::len(heap, first)? > 0),
            }),
            B::Distinct => {
                let cells = values::elements(heap, first)?;
                let seen = heap.alloc(Set::with_capacity(cells.len()))?;
                let kept = heap.alloc(List::of(&[]))?;
                for cell in cells {
                    let key = values::key(heap, cx.shapes, cell)?;
                    if heap.get_mut(seen)?.insert(key)? {
                        heap.get_mut(kept)?.push(cell)?;
                    }
                }
                heap.kill(seen)?;
                like(heap, kept, first)
            }
            B::Sort => {
                let cells = values::elements(heap, first)?;
                let list = heap.alloc(List::of(&cells))?;
                heap.sort_by(list, values::order)?;
                like(heap, list, first)
            }
            B::SortPairs => {
                heap.sort_by(first.to::<List>()?, |heap, a, b| -> Outcome<std::cmp::Ordering> {
                    let (a, b) = (heap.get::<Pair>(a)?.first()?, heap.get::<Pair>(b)?.first()?);
                    values::order(heap, a, b)
                })?;
                let pairs = heap.get::<List>(first)?.as_slice().to_vec();
                for (n, pair) in pairs.into_iter().enumerate() {
                    let value = heap.get::<Pair>(pair)?.second()?;
                    heap.get_mut::<List>(first)?.set(n, value)?;
                    heap.kill(pair)?;
                }
                Ok(first)
            }
            B::Pair => Ok(heap.alloc(Pair::of(first, second))?.into()),
            B::SkipTake => {
                let len = values::len(heap, first)? as i64;
                let skip =
                    if second.is_null() { 0 } else { values::int(heap, second)?.clamp(0, len) };
                let take = if third.is_null() { len } else { values::int(heap, third)?.max(0) };
                let end = Cell::int(skip.saturating_add(take).min(len)).unwrap_or(Cell::NULL);
                slice(heap, first, Cell::int(skip).unwrap_or(Cell::NULL), end)
            }
            B::GroupAdd => {
                let key = values::key(heap, cx.shapes, second)?;
                let known = heap.get::<Map>(first)?.get(key)?;
                let group = match known {
                    Some(group) => group,
                    None => {
                        let items = heap.alloc(List::of(&[]))?.cell();
                        let group = heap.alloc(Struct::of(0, &[second, items]))?.cell();
                        heap.get_mut::<Map>(first)?.insert(key, group)?;
                        group
                    }
                };
                let items = heap.get::<Struct>(group)?.get(1)?;
                heap.get_mut::<List>(items)?.push(third)?;
                Ok(Cell::NULL)
            }
            B::Groups => B::Values.call(cx, args),
            B::Range => {
                let part = |n: usize| args.get(n).map_or(Ok(0), |&cell| values::int(heap, cell));
                let (a, b, step) = (part(0)?, part(1)?, part(2)?);
                let (start, end) = if args.len() == 1 { (0, a) } else { (a, b) };
                let step = if args.len() < 3 { 1 } else { step };
                if step == 0 {
                    return trap("a range needs a step");
                }
                let list = heap.alloc(I64Arr::of(&[]))?;
                let mut at = start;
                while if step > 0 { at < end } else { at > end } {
                    heap.get_mut(list)?.push(at)?;
                    at = match at.checked_add(step) {
                        Some(next) => next,
                        None => break,
                    };
                }
                Ok(list.into())
            }
            B::Input => {
                cx.out.flush().ok();
                let mut line = String::new();
                if std::io::stdin().lock().read_line(&mut line).is_err() {
                    return trap("the input cannot be read as text");
                }
                Ok(heap.string(line.trim_end_matches(['\n', '\r']))?)
            }
            B::Now => Ok(heap.int(now())?),
            B::Json => {
                let text = values::shown(heap, cx.shapes, first, Style::Json);
                cx.line(&text)?;
                Ok(Cell::NULL)
            }
            B::Pow => {
                if values::is_int(first) && values::is_int(second) {
                    return Ok(heap.pow(first, second)?);
                }
                Ok(values::float(heap, first)?.powf(values::float(heap, second)?).into())
            }
            B::Sqrt => Ok(values::float(heap, first)?.sqrt().into()),
            B::Abs => {
                if values::is_int(first) {
                    let negative = heap.cmp_int(first, Cell::from(0))?.is_lt();
                    return Ok(if negative { heap.neg(first)? } else { first });
                }
                Ok(values::float(heap, first)?.abs().into())
            }
            B::Floor | B::Ceil => {
                if values::is_int(first) {
                    return Ok(first);
                }
                let float = values::float(heap, first)?;
                Ok((if self == B::Floor { float.floor() } else { float.ceil() }).into())
            }
            B::Round => {
                let digits = if second.is_null() { 0 } else { values::int(heap, second)? };
                let factor = 10_f64.powi(digits.clamp(-400, 400) as i32);
                let rounded = (values::float(heap, first)? * factor).round() / factor;
                if digits == 0 && values::is_int(first) { Ok(first) } else { Ok(rounded.into()) }
            }
            B::Bytes => {
                if values::is_text(first) {
                    let made = match first.kind() {
                        Some(_) => heap.convert_across::<Bytes>(first.to::<Str>()?, ..)?,
                        None => {
                            let text = cx.text(first)?;
                            cx.heap.alloc(Bytes::of(text.as_bytes()))?
                        }
                    };
                    return Ok(made.into());
                }
                match first.kind() {
                    Some(Kind::I64ARR | Kind::LIST | Kind::F64ARR | Kind::BYTES) => {
                        Ok(heap.convert_across_any(Kind::BYTES, first, ..).map_err(misfit)?)
                    }
                    _ => trap(format!(
                        "bytes expects text or a list, found {}",
                        values::type_name(heap, first)
                    )),
                }
            }
            B::List => match first.kind() {
                Some(Kind::BYTES) => Ok(heap.convert_across_any(Kind::I64ARR, first, ..)?),
                _ if values::is_text(first) => iterated(heap, first),
                Some(Kind::MAP) => iterated(heap, first),
                _ => values::copied(heap, first),
            },
            B::Ord => {
                let text = cx.text(first)?;
                Ok(cx.heap.int(text.chars().next().map_or(0, |c| i64::from(u32::from(c))))?)
            }
            B::Chr => {
                let code = values::int(heap, first)?;
                match u32::try_from(code).ok().and_then(char::from_u32) {
                    Some(c) => Ok(heap.string(c.encode_utf8(&mut [0; 4]))?),
                    None => trap(format!("{code} is no character")),
                }
            }
            B::Sha256 => {
                let bytes = if values::is_text(first) {
                    cx.text(first)?.into_bytes()
                } else {
                    let cells = values::elements(heap, first)?;
                    cells
                        .into_iter()
                        .map(|cell| Ok(values::int(heap, cell)? as u8))
                        .collect::<Outcome<_>>()?
                };
                let digest: Vec<i64> =
                    crate::sha256::digest(&bytes).iter().map(|&byte| i64::from(byte)).collect();
                Ok(cx.heap.alloc(I64Arr::of(&digest))?.into())
            }
            B::Panic => trap(values::shown(heap, cx.shapes, first, Style::Print)),
            B::ParseInt => {
                let radix = if second.is_null() { 10 } else { values::int(heap, second)? };
                let text = cx.text(first)?;
                let radix = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix));
                match radix.and_then(|radix| i64::from_str_radix(&text, radix).ok()) {
                    Some(value) => Ok(cx.heap.int(value)?),
                    None => trap(format!("cannot read {text:?} as an integer")),
                }
            }
            B::ToJson => {
                let text = values::shown(heap, cx.shapes, first, Style::Compact);
                Ok(heap.string(&text)?)
            }
            B::GetOr => match first.kind() {
                Some(Kind::MAP) => {
                    Ok(values::entry(heap, cx.shapes, first, second)?.unwrap_or(third))
                }
                _ => trap(format!("expected a map, found {}", values::type_name(heap, first))),
            },
            B::CheckText => {
                if values::is_text(first) {
                    return Ok(first);
                }
                trap(format!("type mismatch: + of string and {}", values::type_name(heap, first)))
            }
            B::Clock => Ok(heap.int(cx.started.elapsed().as_micros() as i64)?),
            B::Bench => {
                let took = cx.started.elapsed().as_micros() as i64 - values::int(heap, second)?;
                let memory = heap.usage().total_bytes;
                let name = cx.text(first)?;
                cx.line(&format!("{{\n  \"duration_us\": {took},\n  \"memory_bytes\": {memory},\n  \"name\": {name:?}\n}}"))?;
                Ok(Cell::NULL)
            }
        }
    }
}

impl Context<'_> {
    fn text(&self, cell: Cell) -> Outcome<String> {
        match self.heap.text(cell) {
            Ok(text) => Ok(text.to_str_lossy().into_owned()),
            Err(_) => match cell.kind() {
                Some(Kind::BYTES) => {
                    match std::str::from_utf8(self.heap.get::<Bytes>(cell)?.as_slice()) {
                        Ok(text) => Ok(text.to_owned()),
                        Err(error) => {
                            trap(format!("these bytes are no text: byte {}", error.valid_up_to()))
                        }
                    }
                }
                _ => {
                    trap(format!("expected a string, found {}", values::type_name(self.heap, cell)))
                }
            },
        }
    }

    /// No text can be longer than this.
    fn text_max(&self) -> usize {
        self.heap.limits().bytes.min(u32::MAX as usize)
    }

    fn line(&mut self, text: &str) -> Outcome<()> {
        match writeln!(self.out, "{text}") {
            Ok(()) => Ok(()),
            Err(error) => trap(format!("cannot write: {error}")),
        }
    }

    /// Prints values with spaces between them.
    pub(crate) fn print(&mut self, args: &[Cell]) -> Outcome<()> {
        if let [only] = args
            && let Ok(text) = self.heap.text(*only)
        {
            let written = self.out.write_all(&text).and_then(|()| self.out.write_all(b"\n"));
            return written.map_err(|error| Trap::Message(format!("cannot write: {error}")));
        }
        let shown: Vec<String> = args
            .iter()
            .map(|&cell| values::shown(self.heap, self.shapes, cell, Style::Print))
            .collect();
        let line = shown.join(" ");
        self.line(if args.len() > 2 { line.trim() } else { &line })
    }

    fn split(&mut self, text: Cell, separator: Cell) -> Outcome<Cell> {
        let text = self.text(text)?;
        let list = self.heap.alloc(List::of(&[]))?;
        let separator = if separator.is_null() { " ".to_owned() } else { self.text(separator)? };
        let mut add = |part: &str| -> Outcome<()> {
            let cell = self.heap.string(part)?;
            Ok(self.heap.get_mut(list)?.push(cell)?)
        };
        if separator.is_empty() {
            text.chars().try_for_each(|c| add(c.encode_utf8(&mut [0; 4])))?;
        } else {
            text.split(&separator).try_for_each(add)?;
        }
        Ok(list.into())
    }
}

fn not_text(error: segheap::Error) -> Trap {
    match error {
        segheap::Error::NotText | segheap::Error::WrongKind { .. } => {
            Trap::Message("join expects a list of strings".to_owned())
        }
        error => Trap::Heap(error),
    }
}

fn misfit(error: segheap::Error) -> Trap {
    match error {
        segheap::Error::Misfit { index, .. } => {
            Trap::Message(format!("element {index} is no byte"))
        }
        error => Trap::Heap(error),
    }
}

/// Seconds are not enough for a clock: nanoseconds, or a row of numbers that a seed begins.
fn now() -> i64 {
    use std::cell::Cell as Slot;
    thread_local!(static SEED: Slot<Option<i64>> = Slot::new(
        std::env::var("MOCHI_NOW_SEED").ok().and_then(|seed| seed.parse().ok())
    ));
    SEED.with(|slot| match slot.get() {
        Some(seed) => {
            let next = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % 2_147_483_647;
            slot.set(Some(next));
            next
        }
        None => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as i64),
    })
}

/// What the cells of a list make: an array again, if the list that they come from is one.
fn like(heap: &mut Heap, list: Handle<List>, source: Cell) -> Outcome<Cell> {
    match source.kind() {
        Some(kind @ (Kind::I64ARR | Kind::F64ARR)) => {
            let made = heap.convert_across_any(kind, list.into(), ..)?;
            heap.kill(list)?;
            Ok(made)
        }
        _ => Ok(list.into()),
    }
}

fn to_int(heap: &mut Heap, cell: Cell) -> Outcome<Cell> {
    match cell.unpack() {
        Unpacked::Int(_) => Ok(cell),
        Unpacked::Null => Ok(Cell::from(0)),
        Unpacked::Float(float) => Ok(heap.int(float as i64)?),
        Unpacked::Object(Kind::BIGNUM) => Ok(cell),
        _ => match heap.text(cell) {
            Ok(text) => {
                let text = text.to_str_lossy().into_owned();
                match text.parse::<i64>() {
                    Ok(value) => Ok(heap.int(value)?),
                    Err(_) => trap(format!("cannot cast {text:?} to int")),
                }
            }
            Err(_) => trap(format!("cannot cast {} to int", values::type_name(heap, cell))),
        },
    }
}

fn to_float(heap: &mut Heap, cell: Cell) -> Outcome<Cell> {
    if cell.is_null() {
        return Ok(Cell::float(0.0));
    }
    if let Ok(text) = heap.text(cell) {
        let text = text.to_str_lossy().into_owned();
        return match text.parse::<f64>() {
            Ok(value) => Ok(Cell::float(value)),
            Err(_) => trap(format!("cannot cast {text:?} to float")),
        };
    }
    match values::float(heap, cell) {
        Ok(float) => Ok(Cell::float(float)),
        Err(_) => trap(format!("cannot cast {} to float", values::type_name(heap, cell))),
    }
}

fn sum(heap: &mut Heap, list: Cell) -> Outcome<Cell> {
    match list.kind() {
        Some(Kind::I64ARR) => {
            let sum = heap.get::<I64Arr>(list)?.sum(..)?;
            return Ok(heap.int128(sum)?);
        }
        Some(Kind::F64ARR) => {
            let floats = heap.get::<F64Arr>(list)?.as_slice();
            return Ok(Cell::float(floats.iter().sum()));
        }
        _ => {}
    }
    let (mut ints, mut floats, mut all_ints) = (Cell::from(0), 0.0, true);
    for cell in values::elements(heap, list)? {
        if values::is_int(cell) {
            ints = heap.add(ints, cell)?;
        } else {
            all_ints = false;
            floats += values::float(heap, cell)?;
        }
    }
    if all_ints { Ok(ints) } else { Ok(Cell::float(floats + values::float(heap, ints)?)) }
}

/// The part of a list or a text between two places; negative ones count from the end, and what
/// lies outside is cut off.
pub(crate) fn slice(heap: &mut Heap, base: Cell, start: Cell, end: Cell) -> Outcome<Cell> {
    let len = if base.kind() == Some(Kind::MAP) || base.is_null() {
        return trap(format!("{} cannot be sliced", values::type_name(heap, base)));
    } else {
        values::len(heap, base)? as i64
    };
    let start = if start.is_null() { 0 } else { values::int(heap, start)? };
    let end = if end.is_null() { len } else { values::int(heap, end)? };
    let (start, end) = clamp(len, start, end);
    match base.kind() {
        Some(kind @ (Kind::LIST | Kind::I64ARR | Kind::F64ARR | Kind::BYTES)) => {
            Ok(heap.convert_across_any(kind, base, start..end)?)
        }
        _ if values::is_text(base) => part(heap, base, start, end),
        _ => {
            let cells = values::elements(heap, base)?;
            Ok(heap.alloc(List::of(cells.get(start..end).unwrap_or_default()))?.into())
        }
    }
}

pub(crate) fn clamp(len: i64, start: i64, end: i64) -> (usize, usize) {
    let from_end = |at: i64| if at < 0 { at + len } else { at };
    let (start, end) = (from_end(start).clamp(0, len), from_end(end).min(len));
    (start.min(end.max(0)) as usize, end.max(0) as usize)
}

/// The characters of a text from `start` to `end`, which lie inside it.
fn part(heap: &mut Heap, text: Cell, start: usize, end: usize) -> Outcome<Cell> {
    let bytes = heap.text(text)?;
    let mut places = bytes.char_indices().map(|(at, _, _)| at).chain([bytes.len()]);
    let from = places.nth(start).unwrap_or(bytes.len());
    let to = if end > start { places.nth(end - start - 1).unwrap_or(bytes.len()) } else { from };
    Ok(heap.concat(&[segheap::Piece::Part(text, from..to)])?)
}

/// What a `for` goes over, as a list.
pub(crate) fn iterated(heap: &mut Heap, cell: Cell) -> Outcome<Cell> {
    match cell.kind() {
        Some(Kind::LIST | Kind::I64ARR | Kind::F64ARR) => Ok(cell),
        Some(Kind::BYTES) => Ok(heap.convert_across_any(Kind::I64ARR, cell, ..)?),
        Some(Kind::MAP) => {
            let keys: Vec<Cell> = heap.get::<Map>(cell)?.iter().map(|(key, _)| key).collect();
            Ok(heap.alloc(List::of(&keys))?.into())
        }
        Some(Kind::STR) => Ok(heap.convert_chars(cell, ..)?.into()),
        Some(Kind::STRUCT) if heap.get::<Struct>(cell)?.shape() == 0 => {
            Ok(heap.get::<Struct>(cell)?.get(1)?)
        }
        _ if cell.is_null() => Ok(heap.alloc(List::of(&[]))?.into()),
        _ => match cell.as_short_str() {
            Some(text) => {
                let chars =
                    |c: char| Cell::short_str(c.encode_utf8(&mut [0; 4])).unwrap_or_default();
                let cells: Vec<Cell> = text.as_str().chars().map(chars).collect();
                Ok(heap.alloc(List::of(&cells))?.into())
            }
            None => trap(format!("a `for` cannot go over {}", values::type_name(heap, cell))),
        },
    }
}

/// A value as one of another type.
pub(crate) fn cast(heap: &mut Heap, shapes: &[Shape], cell: Cell, ty: &Type) -> Outcome<Cell> {
    let wrong = |heap: &Heap, wanted: &str| {
        trap(format!("cannot cast {} to {wanted}", values::type_name(heap, cell)))
    };
    match ty {
        Type::Int => to_int(heap, cell),
        Type::Float => to_float(heap, cell),
        Type::BigInt => match cell.as_float() {
            Some(float) => {
                let text = format!("{:.0}", float.trunc());
                Ok(heap.parse_int(&text)?)
            }
            None if values::is_text(cell) => {
                let text = heap.text(cell)?.to_str_lossy().into_owned();
                heap.parse_int(&text).or_else(|_| trap(format!("cannot cast {text:?} to bigint")))
            }
            None if values::is_int(cell) => Ok(cell),
            None => wrong(heap, "bigint"),
        },
        Type::Text if values::is_text(cell) => Ok(cell),
        Type::Text => wrong(heap, "string"),
        Type::Bool if cell.as_bool().is_some() => Ok(cell),
        Type::Bool => wrong(heap, "bool"),
        Type::List(element) if values::is_list(cell) => {
            if **element == Type::Any {
                return Ok(cell);
            }
            for item in values::elements(heap, cell)? {
                if cast(heap, shapes, item, element)? != item {
                    return cast_elements(heap, shapes, cell, element);
                }
            }
            Ok(cell)
        }
        Type::List(_) => wrong(heap, "list"),
        Type::Map(..) if cell.kind() == Some(Kind::MAP) => Ok(cell),
        Type::Map(..) => wrong(heap, "map"),
        Type::Struct(shape) => match cell.kind() {
            Some(Kind::STRUCT) if heap.get::<Struct>(cell)?.shape() == u32::from(*shape) => {
                Ok(cell)
            }
            Some(Kind::MAP) => {
                let Some(shape_of) = shapes.get(usize::from(*shape)) else {
                    return wrong(heap, "struct");
                };
                let mut fields = Vec::new();
                for (name, ty) in &shape_of.fields {
                    let key = heap.string(name)?;
                    match heap.get::<Map>(cell)?.get(key)? {
                        Some(value) => fields.push(cast(heap, shapes, value, ty)?),
                        None => return trap(format!("missing field {name} for {}", shape_of.name)),
                    }
                }
                Ok(heap.alloc(Struct::of(u32::from(*shape), &fields))?.into())
            }
            _ => wrong(heap, "struct"),
        },
        _ => Ok(cell),
    }
}

fn cast_elements(heap: &mut Heap, shapes: &[Shape], list: Cell, ty: &Rc<Type>) -> Outcome<Cell> {
    let made = heap.alloc(List::of(&[]))?;
    for item in values::elements(heap, list)? {
        let item = cast(heap, shapes, item, ty)?;
        heap.get_mut(made)?.push(item)?;
    }
    Ok(made.into())
}
