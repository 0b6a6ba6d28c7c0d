//! The built-in functions, as one table.

mod cast;
mod joins;
mod lists;
mod strings;

use std::time::{SystemTime, UNIX_EPOCH};

use segheap::{Bytes, Cell, I64Arr, Kind, List, Pair};

use self::cast::to_object;
use self::joins::{index_add, index_get};
use self::lists::{entries, extremum, group_add, range, reversed, sort_pairs, sum};
use self::strings::{check_len, input, padding, split};
use crate::bytecode::ArithOp;
use crate::format::Style;
use crate::types::Type;
use crate::values::*;

pub(crate) use self::cast::optional_int;
pub(crate) use self::lists::to_list;

/// The static type of the first argument.
#[derive(Clone, Copy)]
enum Takes {
    Any,
    List,
    String,
    Map,
}

pub(crate) struct Row {
    /// Its names in programs. Those that only the compiler calls have none.
    names: &'static [&'static str],
    takes: Takes,
    /// The least and the greatest number of arguments.
    pub(crate) arity: (usize, usize),
    /// The result type for given argument types.
    result: fn(&[Type]) -> Type,
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

/// The arity limit of variadic functions.
const MANY: usize = 100;

// Each row: the name here, the names in programs, the type of the first argument, the arity, the
// result type, and the code. It gets the first three arguments, null if missing, and all of them.
builtins! {
    // Values of any type.
    Print ["print"] Any (0, MANY) => |_| Type::Null, |cx, _, all| cx.print(all);
    Len ["len"] Any (1, 1) => |_| Type::Int, |cx, [x, ..], _| Ok(len(cx, x)? as i64);
    Str ["str", "string"] Any (1, 1) => |_| Type::String, |cx, [x, ..], _| cx.str(x);
    Int ["int"] Any (1, 1) => |_| Type::Int, |cx, [x, ..], _| cx.cast(x, &Type::Int);
    Float ["float"] Any (1, 1) => |_| Type::Float, |cx, [x, ..], _| cx.cast(x, &Type::Float);
    Json ["json"] Any (1, 1) => |_| Type::Null,
        |cx, [x, ..], _| cx.line(&cx.format(x, Style::Json)?);
    ToJson ["to_json", "toJson"] Any (1, 1) => |_| Type::String,
        |cx, [x, ..], _| cx.format(x, Style::Compact);
    Panic ["panic"] Any (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| trap::<Cell>(cx.format(x, Style::Print)?);
    Exists ["exists"] Any (1, 1) => |_| Type::Bool,
        |cx, [x, ..], _| Ok((x.kind().is_some() || is_string(x)) && len(cx, x)? > 0);
    Contains ["contains"] Any (2, 2) => |_| Type::Bool, |cx, [x, y, _], _| cx.contains(x, y);
    IndexOf ["indexOf"] Any (2, 2) => |_| Type::Int, |cx, [x, y, _], _| index_of(cx, x, y);
    Reverse ["reverse"] Any (1, 1) => like_first, |cx, [x, ..], _| reversed(cx, x);
    Substring ["substring", "substr", "slice"] Any (2, 3) => like_first,
        |cx, [x, y, z], _| cx.slice(x, expect_int(cx, y)?, optional_int(cx, z, i64::MAX)?);

    // Strings.
    Lower ["lower"] String (1, 1) => |_| Type::String,
        |cx, [x, ..], _| Ok(cx.format(x, Style::Str)?.to_lowercase());
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
        check_len(cx, text.len().saturating_mul(count))?;
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
        c.map_or_else(|| trap(format!("{code} is not a Unicode code point")), |c| Ok(c.to_string()))
    };
    ParseInt ["parseIntStr"] Any (1, 2) => |_| Type::Int, |cx, [x, y, _], _| {
        let (text, radix) = (expect_string(cx, x)?, optional_int(cx, y, 10)?);
        let radix = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix));
        let parsed = radix.and_then(|radix| i64::from_str_radix(&text, radix).ok());
        let text = shortened(&text);
        parsed.map_or_else(|| trap(format!("cannot parse {text:?} as an integer")), Ok)
    };
    Input ["input"] Any (0, 0) => |_| Type::String, |cx, _, _| {
        cx.out.flush().ok();
        input()
    };

    // Lists, maps and bytes.
    Append ["append", "push"] List (2, 2) => appended, |cx, [x, y, _], _| append(cx, x, y, false);
    Concat ["concat"] List (0, MANY) => |args| {
        args.iter().cloned().reduce(|a, b| a.join(&b)).unwrap_or(Type::Any)
    }, |cx, [x, ..], all| {
        let mut result = copy_list(cx, x)?;
        let lens = all.iter().skip(1).map(|&list| len(cx, list)).collect::<Outcome<Vec<_>>>()?;
        reserve(cx, result, lens.into_iter().sum())?;
        for &list in all.iter().skip(1) {
            result = concat_lists(cx, result, list)?;
        }
        Ok(result)
    };
    First ["first"] List (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| Ok(elements(cx, x)?.first().copied().unwrap_or_default());
    Last ["last"] List (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| Ok(elements(cx, x)?.last().copied().unwrap_or_default());
    Count ["count"] Any (1, 1) => |_| Type::Int, |cx, [x, ..], _| {
        if is_string(x) || is_int(x) { expected(cx, "list", x) } else { Ok(len(cx, x)? as i64) }
    };
    Distinct ["distinct"] List (1, 1) => like_first,
        |cx, [x, ..], _| cx.arith(ArithOp::Union, x, Cell::NULL);
    Sort ["sort"] List (1, 1) => like_first, |cx, [x, ..], _| {
        let cells = elements(cx, x)?;
        let list = cx.alloc(List::of(&cells))?;
        cx.sort_by(list, compare)?;
        convert_like(cx, list.into(), x)
    };
    Range ["range"] Any (1, 3) => |_| Type::list(Type::Int), |cx, [x, y, z], _| {
        let (start, end) = if y.is_null() { (0, expect_int(cx, x)?) } else { (expect_int(cx, x)?, expect_int(cx, y)?) };
        let step = optional_int(cx, z, 1)?;
        range(cx, start, end, step)
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
        let source = to_object(cx, x)?;
        Ok(cx.convert_across_any(Kind::BYTES, source, ..)?)
    };
    List ["list"] Any (1, 1) => |args| match args {
        [Type::Bytes, ..] => Type::list(Type::Int),
        [Type::String, ..] => Type::list(Type::String),
        _ => like_first(args),
    }, |cx, [x, ..], _| {
        let list = to_list(cx, x)?;
        if list == x { copy_list(cx, x) } else { Ok(list) }
    };
    Sha256 ["sha256"] Any (1, 1) => |_| Type::list(Type::Int), |cx, [x, ..], _| {
        let source = to_object(cx, x)?;
        let bytes = cx.convert_across_any(Kind::BYTES, source, ..)?;
        let digest = hmac_sha256::Hash::hash(cx.get::<Bytes>(bytes)?.as_slice());
        Ok(Cell::from(cx.alloc(I64Arr::of(&digest.map(i64::from)))?))
    };

    // Numbers.
    Min ["min"] Any (1, MANY) => |_| Type::Any, |cx, _, all| extremum(cx, all, false);
    Max ["max"] Any (1, MANY) => |_| Type::Any, |cx, _, all| extremum(cx, all, true);
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
        let digits = optional_int(cx, y, 0)?;
        let factor = 10_f64.powi(digits.clamp(-400, 400) as i32);
        let rounded = (expect_float(cx, x)? * factor).round() / factor;
        Ok(if digits == 0 && is_int(x) { x } else { Cell::float(rounded) })
    };
    Now ["now"] Any (0, 0) => |_| Type::Int, |cx, _, _| Ok(now(cx));

    // Called by compiled code only.
    Pair [] Any (2, 2) => |_| Type::Any,
        |cx, [x, y, _], _| Ok(Cell::from(cx.alloc(Pair::of(x, y))?));
    SortPairs [] List (1, 1) => like_first, |cx, [x, ..], _| sort_pairs(cx, x);
    SkipTake [] List (3, 3) => like_first, |cx, [x, y, z], _| {
        let (skip, take) = (optional_int(cx, y, 0)?.max(0), optional_int(cx, z, i64::MAX)?.max(0));
        cx.slice(x, skip, skip.saturating_add(take))
    };
    GroupAdd [] Map (3, 3) => |_| Type::Any, |cx, [x, y, z], _| group_add(cx, x, y, z);
    IndexAdd [] Map (3, 3) => |_| Type::Any, |cx, [x, y, z], _| index_add(cx, x, y, z);
    IndexGet [] Map (2, 2) => |_| Type::list(Type::Any), |cx, [x, y, _], _| index_get(cx, x, y);
    CheckString [] Any (1, 1) => |_| Type::Any,
        |cx, [x, ..], _| if is_string(x) { Ok(x) } else { expected(cx, "string", x) };
    Bench [] Any (2, 2) => |_| Type::Null, |cx, [x, y, _], _| {
        let took = (now(cx) - expect_int(cx, y)?) / 1000;
        let (name, memory) = (cx.format(x, Style::Quoted)?, cx.usage().total_bytes);
        cx.line(&format!(
            "{{\n  \"duration_us\": {took},\n  \"memory_bytes\": {memory},\n  \"name\": {name}\n}}"
        ))
    };
}

/// The result type of functions that return a value like their first argument.
fn like_first(args: &[Type]) -> Type {
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

    /// The built-in function that a method of this name is, on a value whose type is not known
    /// before it runs. Any other name is a key that holds a function.
    pub(crate) fn method_of_any(name: &str) -> Option<Builtin> {
        use Builtin::*;
        let methods = [
            Contains, Keys, Values, GetOr, StartsWith, EndsWith, Lower, Upper, Trim, Split,
            Replace, Repeat, PadStart, PadEnd, IndexOf, Substring,
        ];
        Builtin::named(name).filter(|found| methods.contains(found))
    }

    /// The built-in function of this name.
    pub(crate) fn named(name: &str) -> Option<Builtin> {
        TABLE.iter().find(|(_, row)| row.names.contains(&name)).map(|(builtin, _)| *builtin)
    }

    /// The names of all.
    #[cfg(feature = "cli")]
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().flat_map(|(_, row)| row.names.iter().copied())
    }

    /// Whether the built-in function, applied to a list, returns a list that nothing else references.
    pub(crate) fn makes_list(name: &str) -> bool {
        let result = Builtin::named(name).map(|it| it.result(&[Type::list(Type::Any)]));
        matches!(result, Some(Type::List(_)))
    }

    pub(crate) fn result(self, args: &[Type]) -> Type {
        (self.row().result)(args)
    }

    /// Whether the first argument may have this type.
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

/// The clock in nanoseconds, or the next number of a linear congruential generator if it is seeded.
fn now(cx: &mut Context) -> i64 {
    if let Some(seed) = &mut cx.seed {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) % 2_147_483_647;
        return *seed;
    }
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64)
}
