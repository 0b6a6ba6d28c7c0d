//! The table of all operations: for each public function of the crate that is
//! about a heap, under its name, what it takes, what it may do, and how it is
//! called. `coverage` reads this file: a row's closure calls what its name says.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::OnceLock;

use segheap::{
    Bignum, Bytes, Cell, Closure, ConvertTo, CopyTo, Cursor, Error, F64Arr, Growable, Handle, Heap,
    I64Arr, Kind, Limits, List, Map, Mutable, Number, Object, Pair, Policy, Sequence, Set,
    Settings, Str, Struct, TextPart, U8Arr,
};

use super::{Answer, Call, Effect, Machine, Takes, sealed};
use Effect::{Changes, Copies, Frees, Makes, Measures, Moves, Reads, Sweeps};
use Takes::{Alive, Foreign, Integer, Of, Seal, Text, Value};

/// A public function, for certain kinds.
#[derive(Debug)]
pub struct Operation {
    pub name: &'static str,
    pub takes: Vec<Takes>,
    pub effects: Vec<Effect>,
    pub run: fn(&mut Machine, &Call) -> Answer,
}

/// All operations, by name: functions are equally likely, not kinds.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<&'static str, Vec<Operation>>);

pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::new)
}

impl Table {
    pub fn pick(&self, n: u16) -> &Operation {
        let n = usize::from(n);
        let rows = self.0.values().nth(n % self.0.len()).unwrap();
        &rows[n / self.0.len() % rows.len()]
    }

    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    pub fn rows(&self) -> impl Iterator<Item = &Operation> {
        self.0.values().flatten()
    }

    fn row(
        &mut self,
        name: &'static str,
        takes: &[Takes],
        effects: &[Effect],
        run: fn(&mut Machine, &Call) -> Answer,
    ) {
        let (takes, effects) = (takes.to_vec(), effects.to_vec());
        self.0.entry(name).or_default().push(Operation { name, takes, effects, run });
    }

    fn new() -> Table {
        let mut table = Table::default();
        let t = &mut table;
        heaps(t);
        constructors(t);
        values(t);
        texts(t);
        integers(t);
        lives(t);
        inspection(t);
        of_one_kind(t);
        maps(t);
        sets(t);
        of_any_kind(t);
        routes(t);
        routes_of_any_kind(t);
        table
    }
}

fn show(value: impl Debug) -> Answer {
    Ok(format!("{value:?}"))
}

/// Elements, made of an instruction's arguments.
trait Element: Copy + Debug {
    fn of(call: &Call) -> Self;
}

impl Element for Cell {
    fn of(call: &Call) -> Cell {
        call.cell(1)
    }
}

impl Element for u8 {
    fn of(call: &Call) -> u8 {
        call.int().to_le_bytes()[0]
    }
}

impl Element for u64 {
    fn of(call: &Call) -> u64 {
        call.int().cast_unsigned()
    }
}

impl Element for i64 {
    fn of(call: &Call) -> i64 {
        call.int()
    }
}

impl Element for f64 {
    fn of(call: &Call) -> f64 {
        call.float()
    }
}

/// Some equal elements.
fn elements<E: Element>(call: &Call) -> Vec<E> {
    vec![E::of(call); call.small()]
}

/// An order with many ties, which does not depend on generations.
fn rank(cell: Cell) -> usize {
    format!("{cell:?}").len() % 4
}

fn heaps(t: &mut Table) {
    t.row("Settings::seeded", &[], &[], |_, c| show(Settings::seeded(c.int().cast_unsigned())));
    #[cfg(feature = "std")]
    t.row("Settings::random", &[], &[], |_, _| show(Settings::random()));
    #[cfg(feature = "getrandom")]
    t.row("Settings::try_random", &[], &[], |_, _| show(Settings::try_random().unwrap()));
    t.row("Settings::generation_seed", &[], &[], |_, c| {
        show(Settings::seeded(1).generation_seed(c.int().cast_unsigned()))
    });
    t.row("Settings::hash_seed", &[], &[], |_, c| {
        show(Settings::seeded(1).hash_seed(c.int().cast_unsigned()))
    });
    t.row("Settings::limits", &[], &[], |_, _| show(Settings::seeded(1).limits(Limits::NONE)));
    #[cfg(feature = "std")]
    t.row("Heap::new", &[], &[], |_, _| show(Heap::new()));
    t.row("Heap::with", &[], &[], |_, _| show(Heap::with(Settings::seeded(1))));
    t.row("Heap::limits", &[], &[Measures], |m, _| show(m.heap.limits()));
    t.row("Heap::set_limits", &[], &[Measures], |m, c| {
        let usage = m.heap.usage();
        let bytes = usize::try_from(usage.total_bytes).unwrap_or(usize::MAX);
        let limits = Machine::LIMITS;
        m.short = 4;
        m.heap.set_limits(match c.numbers[0] % 3 {
            0 => limits.with_bytes(bytes + usize::from(c.numbers[1])),
            1 => limits.with_slots(u32::from(c.numbers[1] % 8)),
            _ => limits.with_pages(u32::from(c.numbers[1] % 2)),
        });
        show(())
    });
    t.row("Limits::with_pages", &[], &[], |_, c| show(Limits::NONE.with_pages(c.small() as u32)));
    t.row("Limits::with_slots", &[], &[], |_, c| show(Limits::NONE.with_slots(c.small() as u32)));
    t.row("Limits::with_bytes", &[], &[], |_, c| show(Limits::NONE.with_bytes(c.small())));
    t.row("Heap::fail_growth_after", &[], &[Measures], |m, c| {
        m.short = 4;
        m.heap.fail_growth_after(Some(u64::from(c.numbers[0] % 4)));
        show(())
    });
    t.row("Heap::usage", &[], &[Measures], |m, _| show(m.heap.usage()));
    t.row("Usage::arenas", &[], &[Measures], |m, _| show(m.heap.usage().arenas().to_vec()));
    t.row("Usage::live", &[], &[Measures], |m, _| show(m.heap.usage().live()));
    t.row("Usage::pages", &[], &[Measures], |m, _| show(m.heap.usage().pages()));
    t.row("Usage::arena", &[], &[Measures], |m, c| {
        let usage = m.heap.usage();
        show(usage.arena(Kind::ALL[c.small() % Kind::ALL.len()]))
    });
}

fn constructors(t: &mut Table) {
    t.row("Heap::alloc", &[Value, Value], &[Makes(Kind::PAIR)], |m, c| {
        let pair = m.heap.alloc(Pair::of(c.cell(0), c.cell(1)))?;
        m.keep(pair)
    });
    t.row("Pair::of", &[Value, Value], &[Makes(Kind::PAIR)], |m, c| {
        let pair = m.heap.alloc(Pair::of(c.cell(1), c.cell(0)))?;
        m.keep(pair)
    });
    t.row("Str::new", &[], &[Makes(Kind::STR)], |m, c| {
        let text = m.heap.alloc(Str::new(&c.text()))?;
        m.keep(text)
    });
    t.row("Str::from_utf8", &[], &[Makes(Kind::STR)], |m, c| {
        let mut bytes = c.text().into_bytes();
        bytes.truncate(c.index());
        let text = m.heap.alloc(Str::from_utf8(&bytes)?)?;
        m.keep(text)
    });
    t.row("Struct::new", &[], &[Makes(Kind::STRUCT)], |m, c| {
        let made = m.heap.alloc(Struct::new(9, c.index()))?;
        m.keep(made)
    });
    t.row("Struct::of", &[Value, Value], &[Makes(Kind::STRUCT)], |m, c| {
        let made = m.heap.alloc(Struct::of(c.numbers[0].into(), &c.cells))?;
        m.keep(made)
    });
    t.row("Closure::of", &[Value, Value], &[Makes(Kind::CLOSURE)], |m, c| {
        let made = m.heap.alloc(Closure::of(c.numbers[0].into(), &c.cells))?;
        m.keep(made)
    });
    t.row("Bignum::of", &[], &[Makes(Kind::BIGNUM)], |m, c| {
        let limbs = elements::<u64>(c);
        let made = m.heap.alloc(Bignum::of(c.int() < 0, &limbs))?;
        m.keep(made)
    });
    t.row("Map::new", &[], &[Makes(Kind::MAP)], |m, _| {
        let made = m.heap.alloc(Map::new())?;
        m.keep(made)
    });
    t.row("Map::with_capacity", &[], &[Makes(Kind::MAP)], |m, c| {
        let made = m.heap.alloc(Map::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("Set::new", &[], &[Makes(Kind::SET)], |m, _| {
        let made = m.heap.alloc(Set::new())?;
        m.keep(made)
    });
    t.row("Set::with_capacity", &[], &[Makes(Kind::SET)], |m, c| {
        let made = m.heap.alloc(Set::with_capacity(c.index()))?;
        m.keep(made)
    });
    array_constructors(t);
}

fn array_constructors(t: &mut Table) {
    t.row("List::new", &[], &[Makes(Kind::LIST)], |m, _| {
        let made = m.heap.alloc(List::new())?;
        m.keep(made)
    });
    t.row("List::of", &[Value, Value, Value], &[Makes(Kind::LIST)], |m, c| {
        let made = m.heap.alloc(List::of(&c.cells))?;
        m.keep(made)
    });
    t.row("List::zeroed", &[], &[Makes(Kind::LIST)], |m, c| {
        let made = m.heap.alloc(List::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("List::with_capacity", &[], &[Makes(Kind::LIST)], |m, c| {
        let made = m.heap.alloc(List::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("Bytes::new", &[], &[Makes(Kind::BYTES)], |m, _| {
        let made = m.heap.alloc(Bytes::new())?;
        m.keep(made)
    });
    t.row("Bytes::of", &[], &[Makes(Kind::BYTES)], |m, c| {
        let made = m.heap.alloc(Bytes::of(c.text().as_bytes()))?;
        m.keep(made)
    });
    t.row("Bytes::zeroed", &[], &[Makes(Kind::BYTES)], |m, c| {
        let made = m.heap.alloc(Bytes::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("Bytes::with_capacity", &[], &[Makes(Kind::BYTES)], |m, c| {
        let made = m.heap.alloc(Bytes::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("F64Arr::new", &[], &[Makes(Kind::F64ARR)], |m, _| {
        let made = m.heap.alloc(F64Arr::new())?;
        m.keep(made)
    });
    t.row("F64Arr::of", &[], &[Makes(Kind::F64ARR)], |m, c| {
        let made = m.heap.alloc(F64Arr::of(&elements(c)))?;
        m.keep(made)
    });
    t.row("F64Arr::zeroed", &[], &[Makes(Kind::F64ARR)], |m, c| {
        let made = m.heap.alloc(F64Arr::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("F64Arr::with_capacity", &[], &[Makes(Kind::F64ARR)], |m, c| {
        let made = m.heap.alloc(F64Arr::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("I64Arr::new", &[], &[Makes(Kind::I64ARR)], |m, _| {
        let made = m.heap.alloc(I64Arr::new())?;
        m.keep(made)
    });
    t.row("I64Arr::of", &[], &[Makes(Kind::I64ARR)], |m, c| {
        let made = m.heap.alloc(I64Arr::of(&elements(c)))?;
        m.keep(made)
    });
    t.row("I64Arr::zeroed", &[], &[Makes(Kind::I64ARR)], |m, c| {
        let made = m.heap.alloc(I64Arr::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("I64Arr::with_capacity", &[], &[Makes(Kind::I64ARR)], |m, c| {
        let made = m.heap.alloc(I64Arr::with_capacity(c.index()))?;
        m.keep(made)
    });
    t.row("U8Arr::new", &[], &[Makes(Kind::U8ARR)], |m, _| {
        let made = m.heap.alloc(U8Arr::new())?;
        m.keep(made)
    });
    t.row("U8Arr::of", &[], &[Makes(Kind::U8ARR)], |m, c| {
        let made = m.heap.alloc(U8Arr::of(&elements(c)))?;
        m.keep(made)
    });
    t.row("U8Arr::zeroed", &[], &[Makes(Kind::U8ARR)], |m, c| {
        let made = m.heap.alloc(U8Arr::zeroed(c.index()))?;
        m.keep(made)
    });
    t.row("U8Arr::with_capacity", &[], &[Makes(Kind::U8ARR)], |m, c| {
        let made = m.heap.alloc(U8Arr::with_capacity(c.index()))?;
        m.keep(made)
    });
}

fn values(t: &mut Table) {
    t.row("Heap::key_eq", &[Value, Value], &[], |m, c| show(m.heap.key_eq(c.cell(0), c.cell(1))?));
    t.row("Heap::hash", &[Value], &[], |m, c| show(m.heap.hash(c.cell(0))?));
    t.row("Heap::deep_eq", &[Value, Value], &[], |m, c| {
        show(m.heap.deep_eq(c.cell(0), c.cell(1))?)
    });
    t.row("Heap::display", &[Value], &[], |m, c| Ok(m.heap.display(c.cell(0)).to_string()));
    t.row("DisplayValue::quoted", &[Value], &[], |m, c| {
        Ok(m.heap.display(c.cell(0)).quoted().to_string())
    });
    t.row("DisplayValue::limit", &[Value], &[], |m, c| {
        Ok(m.heap.display(c.cell(0)).limit(c.index()).to_string())
    });
    t.row("Heap::contains", &[Value], &[], |m, c| show(m.heap.contains(c.cell(0))));
    t.row("Heap::upgrade", &[Value], &[], |m, c| show(m.heap.upgrade(c.cell(0))));
    t.row("Heap::union", &[Of(Kind::SET), Of(Kind::SET)], &[Makes(Kind::SET)], |m, c| {
        let made = m.heap.union(c.cell(0), c.cell(1))?;
        m.keep(made)
    });
    t.row("Heap::intersection", &[Of(Kind::SET), Of(Kind::SET)], &[Makes(Kind::SET)], |m, c| {
        let made = m.heap.intersection(c.cell(0), c.cell(1))?;
        m.keep(made)
    });
    t.row("Heap::difference", &[Of(Kind::SET), Of(Kind::SET)], &[Makes(Kind::SET)], |m, c| {
        let made = m.heap.difference(c.cell(0), c.cell(1))?;
        m.keep(made)
    });
}

fn texts(t: &mut Table) {
    const MAKES: &[Effect] = &[Makes(Kind::STR)];
    t.row("Heap::string", &[], MAKES, |m, c| {
        let text = m.heap.string(&c.text())?;
        m.keep(text)
    });
    t.row("Heap::text", &[Text], &[], |m, c| show(m.heap.text(c.cell(0))?));
    t.row("Heap::concat", &[Text, Text], MAKES, |m, c| {
        let range = 0..c.small() % 4;
        let text = c.text();
        let pieces =
            [TextPart::Whole(c.cell(0)), TextPart::Str(&text), TextPart::Range(c.cell(1), range)];
        let text = m.heap.concat(&pieces)?;
        m.keep(text)
    });
    t.row("Heap::join", &[Of(Kind::LIST)], MAKES, |m, c| {
        let text = m.heap.join(c.cell(0), c.range(), &c.text())?;
        m.keep(text)
    });
    t.row("Heap::convert_chars", &[Of(Kind::STR)], &[Makes(Kind::LIST)], |m, c| {
        let list = m.heap.convert_chars(c.cell(0), c.range())?;
        m.keep(list)
    });
    t.row("View<Str>::text", &[Of(Kind::STR)], &[], |m, c| {
        show(m.heap.get::<Str>(c.cell(0))?.text())
    });
    t.row("View<Str>::to_str", &[Of(Kind::STR)], &[], |m, c| {
        show(m.heap.get::<Str>(c.cell(0))?.to_str()?)
    });
    t.row("View<Str>::substr", &[Of(Kind::STR)], &[], |m, c| {
        show(m.heap.get::<Str>(c.cell(0))?.substr(c.range())?)
    });
}

fn integers(t: &mut Table) {
    const MAKES: &[Effect] = &[Makes(Kind::BIGNUM)];
    const TWO: &[Takes] = &[Integer, Integer];
    t.row("Heap::int", &[], MAKES, |m, c| {
        let int = m.heap.int(c.int())?;
        m.keep(int)
    });
    t.row("Heap::int128", &[], MAKES, |m, c| {
        let int = m.heap.int128(i128::from(c.int()) << c.small())?;
        m.keep(int)
    });
    t.row("Heap::parse_int", &[], MAKES, |m, c| {
        let sign = ["", "-", "+", " "][c.small() % 4];
        let text = format!("{sign}{}", "123456789".repeat(c.small() / 4));
        let int = m.heap.parse_int(&text)?;
        m.keep(int)
    });
    t.row("Heap::as_int", &[Integer], &[], |m, c| show(m.heap.as_int(c.cell(0))?));
    t.row("Heap::cmp_int", TWO, &[], |m, c| show(m.heap.cmp_int(c.cell(0), c.cell(1))?));
    t.row("Heap::add", TWO, MAKES, |m, c| {
        let int = m.heap.add(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::sub", TWO, MAKES, |m, c| {
        let int = m.heap.sub(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::mul", TWO, MAKES, |m, c| {
        let int = m.heap.mul(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::div", TWO, MAKES, |m, c| {
        let int = m.heap.div(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::rem", TWO, MAKES, |m, c| {
        let int = m.heap.rem(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::pow", TWO, MAKES, |m, c| {
        let int = m.heap.pow(c.cell(0), c.cell(1))?;
        m.keep(int)
    });
    t.row("Heap::neg", &[Integer], MAKES, |m, c| {
        let int = m.heap.neg(c.cell(0))?;
        m.keep(int)
    });
    const BIG: &[Takes] = &[Of(Kind::BIGNUM)];
    t.row("View<Bignum>::is_negative", BIG, &[], |m, c| {
        show(m.heap.get::<Bignum>(c.cell(0))?.is_negative())
    });
    t.row("View<Bignum>::limbs", BIG, &[], |m, c| show(m.heap.get::<Bignum>(c.cell(0))?.limbs()));
    t.row("View<Bignum>::to_i64", BIG, &[], |m, c| show(m.heap.get::<Bignum>(c.cell(0))?.to_i64()));
    t.row("View<Bignum>::to_i128", BIG, &[], |m, c| {
        show(m.heap.get::<Bignum>(c.cell(0))?.to_i128())
    });
}

fn lives(t: &mut Table) {
    t.row("Heap::free", &[Takes::Object], &[Frees(0)], |m, c| show(m.heap.free(c.cell(0))?));
    t.row("Heap::clear", &[], &[Sweeps], |m, _| {
        m.heap.clear();
        show(())
    });
    t.row("Heap::pin", &[Alive], &[], |m, c| show(m.heap.pin(c.cell(0))?));
    t.row("Heap::unpin", &[Value], &[], |m, c| show(m.heap.unpin(c.cell(0))));
    t.row("Heap::watch", &[Alive], &[], |m, c| {
        show(m.heap.watch(c.cell(0), c.int().cast_unsigned())?)
    });
    t.row("Heap::drain_dead", &[], &[], |m, c| {
        show(m.heap.drain_dead().take(c.small()).collect::<Vec<_>>())
    });
    t.row("Heap::new_seal_key", &[], &[], |m, _| {
        let key = m.heap.new_seal_key()?;
        m.keys.push(key);
        show(m.keys.len())
    });
    t.row("Heap::seal", &[Value], &[Makes(sealed())], |m, c| {
        let key = &m.keys[c.small() % m.keys.len()];
        let seal = m.heap.seal(c.cell(0), key)?;
        m.keep(seal)
    });
    t.row("Heap::unseal", &[Seal], &[], |m, c| {
        let key = &m.keys[c.small() % m.keys.len()];
        show(m.heap.unseal(c.cell(0), key)?)
    });
    t.row("Heap::open_region", &[], &[], |m, _| {
        let region = m.heap.open_region()?;
        m.regions.push(region);
        show(m.regions.len())
    });
    t.row("Heap::close_region", &[Value, Value], &[Sweeps], |m, c| {
        let Some(n) = c.small().checked_rem(m.regions.len()) else { return show(()) };
        let region = m.regions.swap_remove(n);
        show(m.heap.close_region(region, c.cells.clone())?)
    });
    t.row("Policy::with_growth_percent", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_growth_percent(c.numbers[0]))
    });
    t.row("Policy::with_bytes_min", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_bytes_min(u64::from(c.numbers[0])))
    });
    t.row("Policy::with_compact_percent", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_compact_percent(c.numbers[0].to_le_bytes()[0]))
    });
    t.row("Policy::with_stress", &[], &[], |_, c| {
        show(Policy::DEFAULT.with_stress(u32::from(c.numbers[0])))
    });
    t.row("Heap::should_collect", &[], &[Measures], |m, _| show(m.heap.should_collect()));
    t.row("Heap::policy", &[], &[], |m, _| show(m.heap.policy()));
    t.row("Heap::set_policy", &[], &[], |m, c| {
        let compact_percent = c.numbers[0].to_le_bytes()[0] % 101;
        let stress = u32::from(c.numbers[1] % 2);
        m.heap
            .set_policy(Policy::DEFAULT.with_compact_percent(compact_percent).with_stress(stress));
        show(())
    });
    t.row("Heap::collect", &[], &[Sweeps, Moves], |m, c| {
        let roots = m.roots(c);
        show(m.heap.collect(roots)?)
    });
    t.row("Heap::collect_and_recycle", &[], &[Sweeps, Moves], |m, c| {
        let roots = m.roots(c);
        show(m.heap.collect_and_recycle(roots, m.handles.iter().copied())?)
    });
    t.row("Heap::compact", &[], &[Moves], |m, _| {
        m.heap.compact();
        show(())
    });
    t.row("Heap::transplant", &[Foreign], &[Copies(0)], |m, c| {
        let copy = m.heap.transplant(&m.other, c.cell(0))?;
        m.keep(copy)
    });
}

fn inspection(t: &mut Table) {
    t.row("Heap::edges", &[Takes::Object], &[], |m, c| {
        show(m.heap.edges(c.cell(0))?.collect::<Vec<_>>())
    });
    t.row("Heap::path_from_roots", &[Alive, Value], &[], |m, c| {
        show(m.heap.path_from_roots([c.cell(1)], c.cell(0))?)
    });
    t.row("Heap::dump", &[], &[Measures], |m, _| Ok(m.heap.dump().to_string()));
    t.row("Heap::graphviz", &[], &[Measures], |m, _| Ok(m.heap.graphviz().to_string()));
    t.row("Heap::verify", &[], &[], |m, _| {
        m.heap.verify().expect("a sound heap");
        show(())
    });
}

fn of_one_kind(t: &mut Table) {
    t.row("View<Struct>::shape", &[Of(Kind::STRUCT)], &[], |m, c| {
        show(m.heap.get::<Struct>(c.cell(0))?.shape())
    });
    t.row("View<Closure>::function", &[Of(Kind::CLOSURE)], &[], |m, c| {
        show(m.heap.get::<Closure>(c.cell(0))?.function())
    });
    t.row("View<Pair>::first", &[Of(Kind::PAIR)], &[], |m, c| {
        show(m.heap.get::<Pair>(c.cell(0))?.first()?)
    });
    t.row("View<Pair>::second", &[Of(Kind::PAIR)], &[], |m, c| {
        show(m.heap.get::<Pair>(c.cell(0))?.second()?)
    });
    sortable::<List>(t);
    sortable::<Struct>(t);
    sortable::<Closure>(t);
    sortable::<Pair>(t);
    windows::<I64Arr, I64Arr>(t);
    windows::<Bytes, List>(t);
    windows::<F64Arr, U8Arr>(t);
    windows::<Struct, Closure>(t);
    windows::<Pair, List>(t);
}

fn sortable<K: Mutable<Element = Cell>>(t: &mut Table) {
    t.row("Heap::sort_by", &[Of(K::KIND)], &[Changes(0)], |m, c| {
        let mut left = c.small() * 2;
        let compare = |_: &mut Heap, a, b| {
            left = left.checked_sub(1).ok_or(Error::NotDecimal)?;
            Ok::<_, Error>(rank(a).cmp(&rank(b)))
        };
        show(m.heap.sort_by::<K, Error>(c.cell(0), compare)?)
    });
    // A comparison that runs the VM.
    t.row("Heap::sort_by", &[Of(K::KIND)], &[Changes(0), Makes(Kind::BYTES)], |m, c| {
        let compare = |heap: &mut Heap, a, b| {
            let _ = heap.alloc(Bytes::of(b"garbage"));
            Ok::<_, Error>(rank(b).cmp(&rank(a)))
        };
        show(m.heap.sort_by::<K, Error>(c.cell(0), compare)?)
    });
}

fn windows<A: Mutable, B: Mutable>(t: &mut Table) {
    let takes = [Of(A::KIND), Of(B::KIND)];
    t.row("Heap::windows_mut", &takes, &[Changes(0), Changes(1)], |m, c| {
        let (a, b) = (c.cell(0).to_handle::<A>()?, c.cell(1).to_handle::<B>()?);
        let (a, b) = m.heap.windows_mut(((a, c.range()), (b, c.small() % 4..)))?;
        a.reverse();
        b.reverse();
        show((a.len(), b.len()))
    });
}

fn maps(t: &mut Table) {
    const MAP: &[Takes] = &[Of(Kind::MAP)];
    const KEY: &[Takes] = &[Of(Kind::MAP), Value];
    const CHANGES: &[Effect] = &[Changes(0)];
    t.row("View<Map>::len", MAP, &[], |m, c| show(m.heap.get::<Map>(c.cell(0))?.len()));
    t.row("View<Map>::is_empty", MAP, &[], |m, c| show(m.heap.get::<Map>(c.cell(0))?.is_empty()));
    t.row("View<Map>::nth", MAP, &[], |m, c| show(m.heap.get::<Map>(c.cell(0))?.nth(c.index())?));
    t.row("View<Map>::next", MAP, &[], |m, c| {
        let (map, mut cursor) = (m.heap.get::<Map>(c.cell(0))?, Cursor::default());
        show((map.next(&mut cursor), map.next(&mut cursor)))
    });
    t.row("View<Map>::iter", MAP, &[], |m, c| {
        show(m.heap.get::<Map>(c.cell(0))?.iter().collect::<Vec<_>>())
    });
    t.row("View<Map>::contains", KEY, &[], |m, c| {
        show(m.heap.get::<Map>(c.cell(0))?.contains(c.cell(1))?)
    });
    t.row("View<Map>::get", KEY, &[], |m, c| show(m.heap.get::<Map>(c.cell(0))?.get(c.cell(1))?));
    t.row("ViewMut<Map>::insert", &[Of(Kind::MAP), Value, Value], CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.insert(c.cell(1), c.cell(2))?)
    });
    t.row("ViewMut<Map>::remove", KEY, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.remove(c.cell(1))?)
    });
    t.row("ViewMut<Map>::remove_nth", MAP, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.remove_nth(c.index())?)
    });
    t.row("ViewMut<Map>::clear", MAP, CHANGES, |m, c| {
        show(m.heap.get_mut::<Map>(c.cell(0))?.clear()?)
    });
}

fn sets(t: &mut Table) {
    const SET: &[Takes] = &[Of(Kind::SET)];
    const KEY: &[Takes] = &[Of(Kind::SET), Value];
    const CHANGES: &[Effect] = &[Changes(0)];
    t.row("View<Set>::len", SET, &[], |m, c| show(m.heap.get::<Set>(c.cell(0))?.len()));
    t.row("View<Set>::is_empty", SET, &[], |m, c| show(m.heap.get::<Set>(c.cell(0))?.is_empty()));
    t.row("View<Set>::nth", SET, &[], |m, c| show(m.heap.get::<Set>(c.cell(0))?.nth(c.index())?));
    t.row("View<Set>::next", SET, &[], |m, c| {
        let (set, mut cursor) = (m.heap.get::<Set>(c.cell(0))?, Cursor::default());
        show((set.next(&mut cursor), set.next(&mut cursor)))
    });
    t.row("View<Set>::iter", SET, &[], |m, c| {
        show(m.heap.get::<Set>(c.cell(0))?.iter().collect::<Vec<_>>())
    });
    t.row("View<Set>::contains", KEY, &[], |m, c| {
        show(m.heap.get::<Set>(c.cell(0))?.contains(c.cell(1))?)
    });
    t.row("ViewMut<Set>::insert", KEY, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.insert(c.cell(1))?)
    });
    t.row("ViewMut<Set>::remove", KEY, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.remove(c.cell(1))?)
    });
    t.row("ViewMut<Set>::remove_nth", SET, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.remove_nth(c.index())?)
    });
    t.row("ViewMut<Set>::clear", SET, CHANGES, |m, c| {
        show(m.heap.get_mut::<Set>(c.cell(0))?.clear()?)
    });
}

fn of_any_kind(t: &mut Table) {
    object::<Map>(t);
    object::<Set>(t);
    sequence::<Str>(t);
    sequence::<Bignum>(t);
    mutable::<Struct>(t);
    mutable::<Closure>(t);
    mutable::<Pair>(t);
    growable::<List>(t);
    growable::<Bytes>(t);
    growable::<F64Arr>(t);
    growable::<I64Arr>(t);
    growable::<U8Arr>(t);
    ordered::<Str>(t);
    ordered::<Bignum>(t);
    numbers::<Bytes>(t);
    numbers::<F64Arr>(t);
    numbers::<I64Arr>(t);
    numbers::<U8Arr>(t);
}

fn object<K: Object>(t: &mut Table) {
    let takes = [Of(K::KIND)];
    t.row("Heap::get", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?));
    t.row("Heap::get_mut", &takes, &[], |m, c| show(m.heap.get_mut::<K>(c.cell(0))?));
    t.row("ViewMut::view", &takes, &[], |m, c| show(m.heap.get_mut::<K>(c.cell(0))?.view()?));
    t.row("Heap::objects", &[], &[Reads(K::KIND)], |m, _| {
        show(m.heap.objects::<K>().collect::<Vec<Handle<K>>>())
    });
}

fn sequence<K: Sequence<Element: Element>>(t: &mut Table) {
    object::<K>(t);
    let (takes, with_element) = ([Of(K::KIND)], [Of(K::KIND), Value]);
    t.row("View::len", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.len()));
    t.row("View::is_empty", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.is_empty()));
    t.row("View::as_slice", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.as_slice()));
    t.row("View::get", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.get(c.index())?));
    t.row("View::slice", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.slice(c.range())?));
    t.row("View::next", &takes, &[], |m, c| {
        let (view, mut cursor) = (m.heap.get::<K>(c.cell(0))?, Cursor::default());
        show((view.next(&mut cursor), view.next(&mut cursor)))
    });
    t.row("View::find", &with_element, &[], |m, c| {
        show(m.heap.get::<K>(c.cell(0))?.find(c.range(), K::Element::of(c))?)
    });
    t.row("Heap::window", &takes, &[], |m, c| show(m.heap.window::<K>(c.cell(0), c.range())?));
    t.row("Heap::hint", &takes, &[], |m, c| {
        let hint = m.heap.hint::<K>(c.cell(0), c.range())?;
        m.hints.push((c.cell(0), Box::new(hint)));
        show(hint)
    });
    t.row("RangeHint::len", &takes, &[], |m, c| show(m.hint::<K>(c.cell(0))?.len()));
    t.row("RangeHint::is_empty", &takes, &[], |m, c| show(m.hint::<K>(c.cell(0))?.is_empty()));
    t.row("RangeHint::narrow", &takes, &[], |m, c| {
        let hint = m.hint::<K>(c.cell(0))?.narrow(c.range())?;
        m.hints.push((c.cell(0), Box::new(hint)));
        show(hint)
    });
    t.row("RangeHint::get", &takes, &[], |m, c| {
        show(m.hint::<K>(c.cell(0))?.get(&m.heap, c.index())?)
    });
}

fn mutable<K: Mutable<Element: Element>>(t: &mut Table) {
    sequence::<K>(t);
    let (takes, with_element) = ([Of(K::KIND)], [Of(K::KIND), Value]);
    let changes = [Changes(0)];
    t.row("ViewMut::as_mut_slice", &with_element, &changes, |m, c| {
        m.heap.get_mut::<K>(c.cell(0))?.as_mut_slice()?.fill(K::Element::of(c));
        show(())
    });
    t.row("ViewMut::slice_mut", &with_element, &changes, |m, c| {
        m.heap.get_mut::<K>(c.cell(0))?.slice_mut(c.range())?.fill(K::Element::of(c));
        show(())
    });
    t.row("Heap::window_mut", &with_element, &changes, |m, c| {
        m.heap.window_mut::<K>(c.cell(0), c.range())?.fill(K::Element::of(c));
        show(())
    });
    t.row("RangeHint::set", &with_element, &changes, |m, c| {
        let mut hint = m.hint::<K>(c.cell(0))?;
        show(hint.set(&mut m.heap, c.index(), K::Element::of(c))?)
    });
    t.row("ViewMut::set", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.set(c.index(), K::Element::of(c))?)
    });
    t.row("ViewMut::fill", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.fill(c.range(), K::Element::of(c))?)
    });
    t.row("ViewMut::copy_within", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.copy_within(c.range(), c.small() % 5)?)
    });
    t.row("ViewMut::reverse", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.reverse()?)
    });
}

fn growable<K: Growable<Element: Element>>(t: &mut Table) {
    mutable::<K>(t);
    let (takes, with_element) = ([Of(K::KIND)], [Of(K::KIND), Value]);
    let changes = [Changes(0)];
    t.row("ViewMut::push", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.push(K::Element::of(c))?)
    });
    t.row("ViewMut::reserve", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.reserve(c.index())?)
    });
    t.row("ViewMut::extend", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.extend(&elements(c))?)
    });
    t.row("ViewMut::insert", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.insert(c.index(), K::Element::of(c))?)
    });
    t.row("ViewMut::remove", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.remove(c.index())?)
    });
    t.row("ViewMut::pop", &takes, &changes, |m, c| show(m.heap.get_mut::<K>(c.cell(0))?.pop()?));
    t.row("ViewMut::truncate", &takes, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.truncate(c.index())?)
    });
    t.row("ViewMut::resize", &with_element, &changes, |m, c| {
        show(m.heap.get_mut::<K>(c.cell(0))?.resize(c.index(), K::Element::of(c))?)
    });
}

fn ordered<K: Sequence<Element: PartialOrd>>(t: &mut Table) {
    t.row("View::compare", &[Of(K::KIND), Of(K::KIND)], &[], |m, c| {
        let (one, other) = (m.heap.get::<K>(c.cell(0))?, m.heap.get::<K>(c.cell(1))?);
        show(one.compare(c.range(), other, ..)?)
    });
}

fn numbers<K>(t: &mut Table)
where
    K: Sequence<Element: Number<Sum: Debug> + Debug>,
{
    ordered::<K>(t);
    let takes = [Of(K::KIND)];
    t.row("View::sum", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.sum(c.range())?));
    t.row("View::min", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.min(c.range())?));
    t.row("View::max", &takes, &[], |m, c| show(m.heap.get::<K>(c.cell(0))?.max(c.range())?));
    t.row("View::dot", &[Of(K::KIND), Of(K::KIND)], &[], |m, c| {
        let (one, other) = (m.heap.get::<K>(c.cell(0))?, m.heap.get::<K>(c.cell(1))?);
        show(one.dot(c.range(), other, c.small() % 4)?)
    });
}

/// Every route of the crate's table.
fn routes(t: &mut Table) {
    into_new::<Str, Str>(t);
    into_new::<Bytes, Str>(t);
    into_new::<U8Arr, Str>(t);
    route::<Str, Bytes>(t);
    route::<Str, U8Arr>(t);
    route::<Bytes, Bytes>(t);
    route::<Bytes, U8Arr>(t);
    route::<Bytes, I64Arr>(t);
    route::<Bytes, List>(t);
    route::<U8Arr, Bytes>(t);
    route::<U8Arr, U8Arr>(t);
    route::<U8Arr, I64Arr>(t);
    route::<U8Arr, F64Arr>(t);
    route::<U8Arr, List>(t);
    route::<I64Arr, Bytes>(t);
    route::<I64Arr, U8Arr>(t);
    route::<I64Arr, I64Arr>(t);
    route::<I64Arr, F64Arr>(t);
    route::<I64Arr, List>(t);
    route::<F64Arr, U8Arr>(t);
    route::<F64Arr, I64Arr>(t);
    route::<F64Arr, F64Arr>(t);
    route::<F64Arr, List>(t);
    route::<List, Bytes>(t);
    route::<List, U8Arr>(t);
    route::<List, I64Arr>(t);
    route::<List, F64Arr>(t);
    route::<List, List>(t);
}

fn into_new<S: ConvertTo<D>, D: Object>(t: &mut Table) {
    t.row("Heap::convert_across", &[Of(S::KIND)], &[Makes(D::KIND)], |m, c| {
        let made = m.heap.convert_across::<D>(c.cell(0).to_handle::<S>()?, c.range())?;
        m.keep(made)
    });
}

fn route<S: CopyTo<D>, D: Growable>(t: &mut Table) {
    into_new::<S, D>(t);
    let takes = [Of(D::KIND), Of(S::KIND)];
    t.row("Heap::copy_across", &takes, &[Changes(0)], |m, c| {
        let (target, source) = (c.cell(0).to_handle::<D>()?, c.cell(1).to_handle::<S>()?);
        show(m.heap.copy_across(target, c.small() % 5, source, c.range())?)
    });
    t.row("Heap::append_across", &takes, &[Changes(0)], |m, c| {
        let (target, source) = (c.cell(0).to_handle::<D>()?, c.cell(1).to_handle::<S>()?);
        show(m.heap.append_across(target, source, c.range())?)
    });
}

/// Copies between whatever the cells name.
fn routes_of_any_kind(t: &mut Table) {
    const BOTH: &[Takes] = &[Takes::Object, Takes::Object];
    t.row("Heap::copy_across_any", BOTH, &[Changes(0)], |m, c| {
        show(m.heap.copy_across_any(c.cell(0), c.small() % 5, c.cell(1), c.range())?)
    });
    t.row("Heap::append_across_any", BOTH, &[Changes(0)], |m, c| {
        show(m.heap.append_across_any(c.cell(0), c.cell(1), c.range())?)
    });
    convert_any::<Str>(t);
    convert_any::<List>(t);
    convert_any::<Bytes>(t);
    convert_any::<F64Arr>(t);
    convert_any::<I64Arr>(t);
    convert_any::<U8Arr>(t);
}

fn convert_any<D: Object>(t: &mut Table) {
    t.row("Heap::convert_across_any", &[Takes::Object], &[Makes(D::KIND)], |m, c| {
        let made = m.heap.convert_across_any(D::KIND, c.cell(0), c.range())?;
        m.keep(made)
    });
}
