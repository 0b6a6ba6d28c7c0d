//! The built-in functions: a table of all that is known of them.

use std::cmp::Ordering;
use std::io::{BufRead, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use segheap::{Bytes, Cell, Heap, I64Arr, Kind, List, Map, Pair, Str, Struct, TextPart, Unpacked};

use crate::bytecode::ArithOp;
use crate::compile::GROUP;
use crate::show::Style;
use crate::types::Type;
use crate::values::*;

/// What the first argument has to be.
#[derive(Clone, Copy)]
enum Takes {
    Any,
    List,
    String,
    Map,
}

pub(crate) struct Row {
    /// What programs call it; none if only the compiler does.
    names: &'static [&'static str],
    takes: Takes,
    /// How many arguments: at least, at most.
    pub(crate) arity: (usize, usize),
    /// The type of the value, from those of the arguments.
    result: fn(&[Type]) -> Type,
    /// The code, which is given the first three arguments and all of them.
    code: fn(&mut Context, &[Cell]) -> Outcome<Cell>,
}

macro_rules! builtins {
    ($($Name:ident $names:tt $Takes:ident $arity:tt => $result:expr, $code:expr;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Builtin {
            $($Name),*
        }

        const TABLE: &[(Builtin, Row)] = &[$((Builtin::$Name, Row {
            names: &$names,
            takes: Takes::$Takes,
            arity: $arity,
            result: $result,
            code: |cx, args| {
                let code: fn(&mut Context, [Cell; 3], &[Cell]) -> Outcome<_> = $code;
                let first = [0, 1, 2].map(|n| args.get(n).copied().unwrap_or_default());
                code(cx, first, args)?.to_cell(cx)
            },
        })),*];
    };
}

/// More arguments than anybody writes.
const MANY: usize = 100;

// The name here, the names in programs, what the first argument is, how many there are: the type
// of the value, and the code.
builtins! {
    // Of any value.
    Print ["print"] Any (0, MANY) => |_| Type::Null, |cx, _, all| cx.print(all);
    Len ["len"] Any (1, 1) => |_| Type::Int, |cx, [x, ..], _| Ok(len(cx, x)? as i64);
    Str ["str"] Any (1, 1) => |_| Type::String, |cx, [x, ..], _| cx.str(x);
    Int ["int"] Any (1, 1) => |_| Type::Int, |cx, [x, ..], _| cx.cast(x, &Type::Int);
    Float ["float"] Any (1, 1) => |_| Type::Float, |cx, [x, ..], _| cx.cast(x, &Type::Float);
    Json ["json"] Any (1, 1) => |_| Type::Null,
        |cx, [x, ..], _| cx.line(&cx.format(x, Style::Json));
    ToJson ["to_json", "toJson"] Any (1, 1) => |_| Type::String,
        |cx, [x, ..], _| Ok(cx.format(x, Style::Compact));
    Panic ["panic"] Any (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| trap::<Cell>(cx.format(x, Style::Print));
    Exists ["exists"] Any (1, 1) => |_| Type::Bool,
        |cx, [x, ..], _| Ok((x.kind().is_some() || is_string(x)) && len(cx, x)? > 0);
    Contains ["contains"] Any (2, 2) => |_| Type::Bool, |cx, [x, y, _], _| cx.contains(x, y);
    IndexOf ["indexOf"] Any (2, 2) => |_| Type::Int, |cx, [x, y, _], _| index_of(cx, x, y);
    Reverse ["reverse"] Any (1, 1) => list_of, |cx, [x, ..], _| reversed(cx, x);
    Substring ["substring", "substr", "slice"] Any (2, 3) => list_of,
        |cx, [x, y, z], _| cx.slice(x, expect_int(cx, y)?, optional(cx, z, i64::MAX)?);

    // Texts.
    Lower ["lower"] String (1, 1) => |_| Type::String,
        |cx, [x, ..], _| Ok(cx.format(x, Style::Str).to_lowercase());
    Upper ["upper"] String (1, 1) => |_| Type::String,
        |cx, [x, ..], _| Ok(expect_string(cx, x)?.to_uppercase());
    Trim ["trim"] String (1, 2) => |_| Type::String, |cx, [x, y, _], _| {
        let (text, cut) = (expect_string(cx, x)?, if y.is_null() { None } else { Some(expect_string(cx, y)?) });
        let cuts = |c: char| cut.as_ref().map_or(c.is_whitespace(), |cut| cut.contains(c));
        Ok(text.trim_matches(cuts).to_owned())
    };
    Split ["split"] String (1, 2) => |_| Type::list(Type::String), |cx, [x, y, _], _| split(cx, x, y);
    Join ["join"] Any (1, 2) => |_| Type::String, |cx, [x, y, _], _| {
        let separator = if y.is_null() { String::new() } else { expect_string(cx, y)? };
        let mut texts = elements(cx, x)?;
        for cell in &mut texts {
            *cell = cx.str(*cell)?;
        }
        let texts = cx.alloc(List::of(&texts))?;
        Ok(cx.join(texts, .., &separator)?)
    };
    Replace ["replace"] Any (3, 3) => |_| Type::String,
        |cx, [x, y, z], _| Ok(expect_string(cx, x)?.replace(&expect_string(cx, y)?, &expect_string(cx, z)?));
    Repeat ["repeat"] Any (2, 2) => |_| Type::String, |cx, [x, y, _], _| {
        let (text, count) = (expect_string(cx, x)?, usize::try_from(expect_int(cx, y)?).unwrap_or(0));
        check_room(cx, text.len().saturating_mul(count))?;
        Ok(text.repeat(count))
    };
    StartsWith ["startsWith", "starts_with"] Any (2, 2) => |_| Type::Bool,
        |cx, [x, y, _], _| Ok(expect_string(cx, x)?.starts_with(&expect_string(cx, y)?));
    EndsWith ["endsWith", "ends_with"] Any (2, 2) => |_| Type::Bool,
        |cx, [x, y, _], _| Ok(expect_string(cx, x)?.ends_with(&expect_string(cx, y)?));
    PadStart ["padStart"] Any (3, 3) => |_| Type::String,
        |cx, args, _| Ok(padding(cx, args)? + &expect_string(cx, args[0])?);
    PadEnd ["padEnd"] Any (3, 3) => |_| Type::String,
        |cx, args, _| Ok(expect_string(cx, args[0])? + &padding(cx, args)?);
    Ord ["ord"] String (1, 1) => |_| Type::Int,
        |cx, [x, ..], _| Ok(expect_string(cx, x)?.chars().next().map_or(0, |c| i64::from(u32::from(c))));
    Chr ["chr"] Any (1, 1) => |_| Type::String, |cx, [x, ..], _| {
        let code = expect_int(cx, x)?;
        let c = u32::try_from(code).ok().and_then(char::from_u32);
        c.map_or_else(|| trap(format!("{code} is no character")), |c| Ok(c.to_string()))
    };
    ParseInt ["parseIntStr"] Any (1, 2) => |_| Type::Int, |cx, [x, y, _], _| {
        let (text, radix) = (expect_string(cx, x)?, optional(cx, y, 10)?);
        let radix = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix));
        let parsed = radix.and_then(|radix| i64::from_str_radix(&text, radix).ok());
        parsed.map_or_else(|| trap(format!("cannot read {text:?} as an integer")), Ok)
    };
    Input ["input"] Any (0, 0) => |_| Type::String, |cx, _, _| {
        cx.out.flush().ok();
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(_) => Ok(line.trim_end_matches(['\n', '\r']).to_owned()),
            Err(_) => trap("the input cannot be read as text"),
        }
    };

    // Lists, maps and bytes.
    Append ["append", "push"] List (2, 2) => appended, |cx, [x, y, _], _| {
        let copy = copy_list(cx, x)?;
        push(cx, copy, y)
    };
    Concat ["concat"] List (0, MANY) => |args| {
        args.iter().cloned().reduce(|a, b| a.join(&b)).unwrap_or(Type::Any)
    }, |cx, [x, ..], all| {
        let mut made = copy_list(cx, x)?;
        for &list in all.iter().skip(1) {
            made = concat_lists(cx, made, list)?;
        }
        Ok(made)
    };
    First ["first"] List (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| Ok(elements(cx, x)?.first().copied().unwrap_or_default());
    Last ["last"] List (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| Ok(elements(cx, x)?.last().copied().unwrap_or_default());
    Count ["count"] Any (1, 1) => |_| Type::Int, |cx, [x, ..], _| {
        if is_string(x) || is_int(x) { expected(cx, "list", x) } else { Ok(len(cx, x)? as i64) }
    };
    Distinct ["distinct"] List (1, 1) => list_of,
        |cx, [x, ..], _| cx.arith(ArithOp::Union, x, Cell::NULL);
    Sort ["sort"] List (1, 1) => list_of, |cx, [x, ..], _| {
        let cells = elements(cx, x)?;
        let list = cx.alloc(List::of(&cells))?;
        cx.sort_by(list, compare)?;
        convert_like(cx, list.into(), x)
    };
    Range ["range"] Any (1, 3) => |_| Type::list(Type::Int), |cx, [x, y, z], _| {
        let (start, end) = if y.is_null() { (0, expect_int(cx, x)?) } else { (expect_int(cx, x)?, expect_int(cx, y)?) };
        let step = optional(cx, z, 1)?;
        let inside = |at: &i64| if step > 0 { *at < end } else { step < 0 && *at > end };
        let list = cx.alloc(I64Arr::of(&[]))?;
        for at in std::iter::successors(Some(start), |at| at.checked_add(step)).take_while(inside) {
            cx.get_mut(list)?.push(at)?;
        }
        Ok(Cell::from(list))
    };
    Keys ["keys"] Map (1, 1) => |args| Type::list(args[0].index_types().map_or(Type::Any, |it| it.0)),
        |cx, [x, ..], _| entries(cx, x, |it| it.0);
    Values ["values"] Map (1, 1) => |args| Type::list(args[0].index_types().map_or(Type::Any, |it| it.1)),
        |cx, [x, ..], _| entries(cx, x, |it| it.1);
    GetOr ["get"] Any (2, 3) => |_| Type::Any, |cx, [x, y, z], _| match x.kind() {
        Some(Kind::MAP) => Ok(cx.lookup(x, y)?.unwrap_or(z)),
        _ => expected(cx, "map", x),
    };
    Bytes ["bytes"] Any (1, 1) => |_| Type::Bytes, |cx, [x, ..], _| {
        let source = object(cx, x)?;
        Ok(cx.convert_across_any(Kind::BYTES, source, ..)?)
    };
    List ["list"] Any (1, 1) => |args| match args {
        [Type::Bytes, ..] => Type::list(Type::Int),
        [Type::String, ..] => Type::list(Type::String),
        _ => list_of(args),
    }, |cx, [x, ..], _| {
        let list = iterated(cx, x)?;
        if list == x { copy_list(cx, x) } else { Ok(list) }
    };
    Sha256 ["sha256"] Any (1, 1) => |_| Type::list(Type::Int), |cx, [x, ..], _| {
        let source = object(cx, x)?;
        let bytes = cx.convert_across_any(Kind::BYTES, source, ..)?;
        let digest = hmac_sha256::Hash::hash(cx.get::<Bytes>(bytes)?.as_slice());
        Ok(Cell::from(cx.alloc(I64Arr::of(&digest.map(i64::from)))?))
    };

    // Numbers.
    Min ["min"] Any (1, MANY) => |_| Type::Any, |cx, _, all| best(cx, all, false);
    Max ["max"] Any (1, MANY) => |_| Type::Any, |cx, _, all| best(cx, all, true);
    Sum ["sum"] List (1, 1) => |args| match args {
        [Type::List(ty) | Type::Group(ty), ..] => number_or_any(&[(**ty).clone()]),
        _ => Type::Any,
    }, |cx, [x, ..], _| sum(cx, x);
    Avg ["avg"] List (1, 1) => |_| Type::Any, |cx, [x, ..], _| {
        let mut cells = elements(cx, x)?;
        cells.retain(|cell| !cell.is_null());
        let sum = cells.iter().try_fold(0.0, |sum, &it| Ok::<_, Trap>(sum + expect_float(cx, it)?))?;
        Ok(sum / cells.len().max(1) as f64)
    };
    Pow ["pow"] Any (2, 2) => |args| match args.contains(&Type::Float) {
        true => Type::Float,
        false => Type::Any,
    }, |cx, [x, y, _], _| match is_int(x) && is_int(y) {
        true => Ok(cx.pow(x, y)?),
        false => Ok(Cell::float(expect_float(cx, x)?.powf(expect_float(cx, y)?))),
    };
    Sqrt ["sqrt"] Any (1, 1) => |_| Type::Float, |cx, [x, ..], _| Ok(expect_float(cx, x)?.sqrt());
    Abs ["abs"] Any (1, 1) => number_or_any, |cx, [x, ..], _| match is_int(x) {
        true if cx.cmp_int(x, Cell::from(0))?.is_lt() => Ok(cx.neg(x)?),
        true => Ok(x),
        false => Ok(Cell::float(expect_float(cx, x)?.abs())),
    };
    Floor ["floor"] Any (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| if is_int(x) { Ok(x) } else { expect_float(cx, x)?.floor().to_cell(cx) };
    Ceil ["ceil"] Any (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| if is_int(x) { Ok(x) } else { expect_float(cx, x)?.ceil().to_cell(cx) };
    Round ["round"] Any (1, 2) => |_| Type::Any, |cx, [x, y, _], _| {
        let digits = optional(cx, y, 0)?;
        let factor = 10_f64.powi(digits.clamp(-400, 400) as i32);
        let rounded = (expect_float(cx, x)? * factor).round() / factor;
        Ok(if digits == 0 && is_int(x) { x } else { Cell::float(rounded) })
    };
    Now ["now"] Any (0, 0) => |_| Type::Int, |cx, _, _| Ok(now(cx));

    // What the compiler calls.
    Pair [] Any (2, 2) => |_| Type::Any,
        |cx, [x, y, _], _| Ok(Cell::from(cx.alloc(Pair::of(x, y))?));
    SortPairs [] List (1, 1) => list_of, |cx, [x, ..], _| sort_pairs(cx, x);
    SkipTake [] List (3, 3) => list_of, |cx, [x, y, z], _| {
        let (skip, take) = (optional(cx, y, 0)?.max(0), optional(cx, z, i64::MAX)?.max(0));
        cx.slice(x, skip, skip.saturating_add(take))
    };
    GroupAdd [] Map (3, 3) => |_| Type::Any, |cx, [x, y, z], _| {
        let key = cx.map_key(y)?;
        let known = cx.get::<Map>(x)?.get(key)?;
        let group = match known {
            Some(group) => group,
            None => {
                let items = alloc_list(cx, &[])?;
                let group = cx.alloc(Struct::of(u32::from(GROUP), &[y, items]))?.cell();
                cx.get_mut::<Map>(x)?.insert(key, group)?;
                group
            }
        };
        let items = unwrap_group(cx, group);
        cx.get_mut::<List>(items)?.push(z)?;
        Ok(Cell::NULL)
    };
    CheckString [] Any (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| if is_string(x) { Ok(x) } else { expected(cx, "string", x) };
    Bench [] Any (2, 2) => |_| Type::Null, |cx, [x, y, _], _| {
        let took = (now(cx) - expect_int(cx, y)?) / 1000;
        let (name, memory) = (cx.format(x, Style::Quoted), cx.usage().total_bytes);
        cx.line(&format!(
            "{{\n  \"duration_us\": {took},\n  \"memory_bytes\": {memory},\n  \"name\": {name}\n}}"
        ))
    };
}

/// A list of the same, or what may be no list.
fn list_of(args: &[Type]) -> Type {
    match args {
        [Type::List(element) | Type::Group(element), ..] => Type::List(element.clone()),
        [ty @ (Type::String | Type::Any), ..] => ty.clone(),
        _ => Type::list(Type::Any),
    }
}

fn appended(args: &[Type]) -> Type {
    match args {
        [Type::List(element), item] => Type::list(element.join(item)),
        _ => Type::list(Type::Any),
    }
}

fn number_or_any(args: &[Type]) -> Type {
    match args {
        [ty @ (Type::Int | Type::Float), ..] => ty.clone(),
        _ => Type::Any,
    }
}

impl Builtin {
    pub(crate) fn row(self) -> &'static Row {
        &TABLE[self as usize].1
    }

    pub(crate) fn named(name: &str) -> Option<Builtin> {
        TABLE.iter().find(|(_, row)| row.names.contains(&name)).map(|(builtin, _)| *builtin)
    }

    /// Whether the value is a list that nobody else holds: it is one if the argument is.
    pub(crate) fn makes_list(name: &str) -> bool {
        let result = Builtin::named(name).map(|it| it.result(&[Type::list(Type::Any)]));
        matches!(result, Some(Type::List(_)))
    }

    pub(crate) fn result(self, args: &[Type]) -> Type {
        (self.row().result)(args)
    }

    pub(crate) fn takes(self, first: &Type) -> bool {
        match (self.row().takes, first) {
            (Takes::Any, _) | (_, Type::Any | Type::Null) => true,
            (Takes::List, ty) => matches!(ty, Type::List(_) | Type::Group(_) | Type::Bytes),
            (Takes::String, ty) => *ty == Type::String,
            (Takes::Map, ty) => matches!(ty, Type::Map(..)),
        }
    }

    pub(crate) fn call(self, cx: &mut Context, args: &[Cell]) -> Outcome<Cell> {
        (self.row().code)(cx, args)
    }
}

impl Context {
    fn line(&mut self, text: &str) -> Outcome<Cell> {
        let written = writeln!(self.out, "{text}");
        written.map_or_else(|error| trap(format!("cannot write: {error}")), |()| Ok(Cell::NULL))
    }

    pub(crate) fn print(&mut self, args: &[Cell]) -> Outcome<Cell> {
        let format: Vec<_> = args.iter().map(|&cell| self.format(cell, Style::Print)).collect();
        let line = format.join(" ");
        self.line(if args.len() > 2 { line.trim() } else { &line })
    }

    fn str(&mut self, cell: Cell) -> Outcome<Cell> {
        match cell.to_handle::<Bytes>() {
            Ok(bytes) => {
                // A text of up to five bytes is to be in the cell.
                let text = self.convert_across::<Str>(bytes, ..)?;
                Ok(self.concat(&[TextPart::Whole(text.into())])?)
            }
            Err(_) if is_string(cell) => Ok(cell),
            Err(_) => self.format(cell, Style::Str).to_cell(self),
        }
    }

    /// The part of a list or a text between two places; negative ones count from the end, and
    /// what lies outside is cut off.
    pub(crate) fn slice(&mut self, base: Cell, start: i64, end: i64) -> Outcome<Cell> {
        let base = unwrap_group(self, base);
        match base.kind() {
            _ if is_string(base) => self.substring(base, start, end),
            Some(kind) if is_list(base) => {
                let (start, end) = clamp_range(len(self, base)?, start, end);
                Ok(self.convert_across_any(kind, base, start..end)?)
            }
            _ => trap(format!("{} cannot be sliced", type_name(self, base))),
        }
    }

    pub(crate) fn cast(&mut self, cell: Cell, ty: &Type) -> Outcome<Cell> {
        let made = match (ty, cell.unpack()) {
            (Type::Int, Unpacked::Null) => Some(Cell::from(0)),
            (Type::Float, Unpacked::Null) => Some(Cell::float(0.0)),
            (Type::Int, Unpacked::Float(float)) => Some(self.int(float as i64)?),
            (Type::BigInt, Unpacked::Float(float)) => {
                Some(self.parse_int(&format!("{:.0}", float.trunc()))?)
            }
            (Type::Int | Type::BigInt, _) if is_int(cell) => Some(cell),
            (Type::Int, _) => {
                let value = expect_string(self, cell).ok().and_then(|text| text.parse().ok());
                value.map(|value| self.int(value)).transpose()?
            }
            (Type::BigInt, _) => {
                expect_string(self, cell).ok().and_then(|it| self.parse_int(&it).ok())
            }
            (Type::Float, _) => {
                let read = || expect_string(self, cell).ok().and_then(|text| text.parse().ok());
                as_number(self, cell).or_else(read).map(Cell::float)
            }
            (Type::String, _) => is_string(cell).then_some(cell),
            (Type::Bool, _) => cell.as_bool().map(Cell::bool),
            (Type::Map(..), _) => (cell.kind() == Some(Kind::MAP)).then_some(cell),
            (Type::List(_), _) if !is_list(cell) => None,
            (Type::List(element), _) if **element != Type::Any => {
                let old = elements(self, cell)?;
                let made: Outcome<Vec<_>> = old.iter().map(|&it| self.cast(it, element)).collect();
                let made = made?;
                Some(if made == old { cell } else { alloc_list(self, &made)? })
            }
            (Type::Struct(record), _) => self.cast_to_struct(cell, record.shape)?,
            _ => Some(cell),
        };
        let refused = || {
            let found = expect_string(self, cell).map(|text| format!("{text:?}"));
            let found = found.unwrap_or(type_name(self, cell).to_owned());
            trap(format!("cannot cast {found} to {ty}"))
        };
        made.map_or_else(refused, Ok)
    }

    /// A record of a shape: the value itself, or one of the entries of a map.
    fn cast_to_struct(&mut self, cell: Cell, shape: u16) -> Outcome<Option<Cell>> {
        if is_shape(self, cell, shape) {
            return Ok(Some(cell));
        }
        let (Ok(map), Some(wanted)) =
            (cell.to_handle::<Map>(), self.shapes.get(usize::from(shape)).cloned())
        else {
            return Ok(None);
        };
        let mut fields = Vec::new();
        for (name, ty) in &wanted.fields {
            let key = self.string(name)?;
            match self.get(map)?.get(key)? {
                Some(value) => fields.push(self.cast(value, ty)?),
                None => return trap(format!("missing field {name} for {}", wanted.name)),
            }
        }
        Ok(Some(self.alloc(Struct::of(u32::from(shape), &fields))?.into()))
    }
}

/// An integer that may be left out.
pub(crate) fn optional(heap: &Heap, cell: Cell, default: i64) -> Outcome<i64> {
    if cell.is_null() { Ok(default) } else { expect_int(heap, cell) }
}

/// No text can be longer than this.
fn check_room(heap: &Heap, len: usize) -> Outcome<()> {
    let most = heap.limits().bytes.min(u32::MAX as usize);
    if len > most { trap("out of memory: this text would be too long") } else { Ok(()) }
}

/// What a text lacks to a width.
fn padding(heap: &Heap, [x, width, pad]: [Cell; 3]) -> Outcome<String> {
    let (width, pad) =
        (usize::try_from(expect_int(heap, width)?).unwrap_or(0), expect_string(heap, pad)?);
    let missing = width.saturating_sub(len(heap, x)?);
    check_room(heap, missing)?;
    let pad = if pad.is_empty() { " " } else { &pad };
    Ok(pad.chars().cycle().take(missing).collect())
}

fn split(heap: &mut Heap, whole: Cell, separator: Cell) -> Outcome<Cell> {
    let whole = expect_string(heap, whole)?;
    let separator =
        if separator.is_null() { " ".to_owned() } else { expect_string(heap, separator)? };
    let parts: Outcome<Vec<Cell>> = match separator.as_str() {
        "" => whole.chars().map(|c| String::from(c).to_cell(heap)).collect(),
        separator => whole.split(separator).map(|part| Ok(heap.string(part)?)).collect(),
    };
    alloc_list(heap, &parts?)
}

fn reversed(heap: &mut Heap, base: Cell) -> Outcome<Cell> {
    if is_string(base) {
        return expect_string(heap, base)?.chars().rev().collect::<String>().to_cell(heap);
    }
    let copy = copy_list(heap, base)?;
    dispatch_list!(copy, K => heap.get_mut::<K>(copy)?.reverse()?, {});
    Ok(copy)
}

/// A value as an object, also if it is a text that is short enough for a cell.
fn object(heap: &mut Heap, cell: Cell) -> Outcome<Cell> {
    let Some(short) = cell.as_short_str() else { return Ok(cell) };
    Ok(heap.alloc(Str::new(short.as_str()))?.into())
}

fn entries(heap: &mut Heap, map: Cell, which: fn((Cell, Cell)) -> Cell) -> Outcome<Cell> {
    let Ok(view) = heap.get::<Map>(map) else { return expected(heap, "map", map) };
    let cells: Vec<Cell> = view.iter().map(which).collect();
    alloc_list(heap, &cells)
}

/// What a `for` goes over, as a list.
pub(crate) fn iterated(heap: &mut Heap, cell: Cell) -> Outcome<Cell> {
    let cell = unwrap_group(heap, cell);
    match cell.kind() {
        _ if is_string(cell) => {
            let text = object(heap, cell)?.to_handle()?;
            Ok(heap.convert_chars(text, ..)?.into())
        }
        Some(Kind::BYTES) => Ok(heap.convert_across_any(Kind::I64ARR, cell, ..)?),
        Some(Kind::MAP) => entries(heap, cell, |(key, _)| key),
        _ if cell.is_null() => alloc_list(heap, &[]),
        _ if is_list(cell) => Ok(cell),
        _ => trap(format!("a `for` cannot go over {}", type_name(heap, cell))),
    }
}

/// The first of the values that is below all others, or above: of a list or of the arguments.
fn best(heap: &mut Heap, args: &[Cell], above: bool) -> Outcome<Cell> {
    let cells = if let [list] = args { elements(heap, *list)? } else { args.to_vec() };
    let mut best = cells.first().copied().unwrap_or(Cell::from(0));
    for cell in cells.into_iter().skip(1) {
        let (x, y) = if above { (best, cell) } else { (cell, best) };
        if less_than(heap, x, y, false)? {
            best = cell;
        }
    }
    Ok(best)
}

fn sum(heap: &mut Heap, list: Cell) -> Outcome<Cell> {
    if let Ok(ints) = heap.get::<I64Arr>(list) {
        let sum = ints.sum(..)?;
        return Ok(heap.int128(sum)?);
    }
    let mut cells = elements(heap, list)?.into_iter();
    cells.try_fold(Cell::from(0), |sum, cell| arithmetic(heap, ArithOp::Add, sum, cell))
}

/// Sorts pairs by what is first in them, and leaves what is second.
fn sort_pairs(heap: &mut Heap, list: Cell) -> Outcome<Cell> {
    heap.sort_by(list.to_handle::<List>()?, |heap, a, b| -> Outcome<Ordering> {
        let (a, b) = (heap.get::<Pair>(a)?.first()?, heap.get::<Pair>(b)?.first()?);
        compare(heap, a, b)
    })?;
    for n in 0..len(heap, list)? {
        let pair = heap.get::<List>(list)?.get(n)?;
        let value = heap.get::<Pair>(pair)?.second()?;
        heap.get_mut::<List>(list)?.set(n, value)?;
        heap.free(pair)?;
    }
    Ok(list)
}

/// Seconds are not enough for a clock: nanoseconds, or a row of numbers that a seed begins.
fn now(cx: &mut Context) -> i64 {
    if let Some(seed) = &mut cx.seed {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % 2_147_483_647;
        return *seed;
    }
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}
