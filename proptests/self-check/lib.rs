//! A self-check of the heap: runs each part once and writes down what it returned.
//! The report is the same on every target, whatever its pointer width and features,
//! but for its last line.

mod exports;

use std::fmt::Write;

use segheap::memory::{Memory, MemoryType};
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Handle, Heap, I64Arr, Kind, Limits, List, Map,
    Pair, Set, Settings, Str, Struct, TextPart, U8Arr, memory,
};

type Result<T> = std::result::Result<T, Error>;
type Section = fn(&mut Heap, &mut String) -> Result<()>;

const SECTIONS: [(&str, Section); 8] = [
    ("kinds", kinds),
    ("collection", collection),
    ("copies", copies),
    ("hints", hints),
    ("text", text),
    ("errors", errors),
    ("memory", linear_memory),
    ("integers", integers),
];

/// Writes a line: the expression and its value.
macro_rules! line {
    ($out:expr, $label:expr, $value:expr) => {
        writeln!($out, "{}: {}", $label, $value).unwrap()
    };
}

/// What the report has to be.
pub fn expected() -> String {
    let product = "-28948022309329048855892746252171976963317496166410141009864396001978282409984";
    format!("{}product: {product}\n", include_str!("expected.txt"))
}

/// Runs all sections on a heap of constant seeds.
pub fn report() -> String {
    let mut out = String::new();
    for (name, section) in SECTIONS {
        let mut heap = Heap::with(Settings::seeded(7).limits(Limits::NONE.with_bytes(64 << 20)));
        writeln!(out, "[{name}]").unwrap();
        let done = section(&mut heap, &mut out);
        if done.is_err() || heap.verify().is_err() {
            line!(out, "failed", format_args!("{done:?}, {:?}", heap.verify()));
        }
    }
    out
}

/// The number of the first line that differs from the expected report, from 1.
pub fn first_difference(report: &str) -> Option<usize> {
    let expected = expected();
    let same = report.lines().zip(expected.lines()).take_while(|(a, b)| a == b).count();
    (report != expected).then_some(same + 1)
}

/// An object of every kind, in one list.
fn one_of_each(heap: &mut Heap) -> Result<Handle<List>> {
    let name = heap.string("a longer name")?;
    let map = heap.alloc(Map::new())?;
    let set = heap.alloc(Set::new())?;
    for (n, key) in ["one", "two", "three"].into_iter().enumerate() {
        let key = heap.string(key)?;
        heap.get_mut(map)?.insert(key, Cell::int(n as i64).unwrap_or(Cell::NULL))?;
        heap.get_mut(set)?.insert(key)?;
    }
    heap.get_mut(map)?.insert(name, 1.5.into())?;
    heap.get_mut(map)?.remove(1.into())?;
    let objects = [
        name,
        map.into(),
        set.into(),
        heap.alloc(Struct::of(3, &[1.into(), name]))?.into(),
        heap.alloc(Closure::of(4, &[map.into()]))?.into(),
        heap.alloc(Bignum::of(true, &[u64::MAX, 1]))?.into(),
        heap.alloc(Bytes::of(b"\x00\xff bytes"))?.into(),
        heap.alloc(Pair::of(Cell::NULL, true.into()))?.into(),
        heap.alloc(F64Arr::of(&[0.5, -0.0, f64::INFINITY]))?.into(),
        heap.alloc(I64Arr::of(&[i64::MIN, -1, i64::MAX]))?.into(),
        heap.alloc(U8Arr::of(&[0, 1, 255]))?.into(),
    ];
    heap.alloc(List::of(&objects))
}

fn kinds(heap: &mut Heap, out: &mut String) -> Result<()> {
    let list = one_of_each(heap)?;
    write!(out, "{}", heap.dump()).unwrap();
    line!(out, "kinds", Kind::COUNT);
    line!(out, "live", heap.usage().live());
    let copy = heap.alloc(List::new())?;
    heap.append_across(copy, list, ..)?;
    line!(out, "deep_eq", heap.deep_eq(list.into(), copy.into())?);
    let sum = heap.alloc(F64Arr::of(&[0.5; 1000]))?;
    line!(out, "sum", heap.get(sum)?.sum(..)?);
    let ints = heap.alloc(I64Arr::of(&[i64::MAX; 3]))?;
    line!(out, "sum", heap.get(ints)?.sum(..)?);
    let bytes = heap.alloc(Bytes::of(&[7; 4000]))?;
    heap.get_mut(bytes)?.set(3999, 9)?;
    line!(out, "find", heap.get(bytes)?.find(.., 9)?.unwrap_or(0));
    line!(out, "max", heap.get(bytes)?.max(..)?.unwrap_or(0));
    Ok(())
}

fn collection(heap: &mut Heap, out: &mut String) -> Result<()> {
    let kept = one_of_each(heap)?;
    let pinned = heap.alloc(List::of(&[kept.into()]))?;
    heap.pin(pinned)?;
    let region = heap.open_region()?;
    let temporary = heap.alloc(Str::new("of a region"))?;
    let escaped = heap.alloc(Str::new("kept by the region"))?;
    line!(out, "freed by region", heap.close_region(region, [escaped])?);
    line!(out, "contains", heap.contains(temporary));
    // A chain that is long, and garbage.
    let mut chain = Cell::NULL;
    for n in 0..10_000 {
        chain = heap.alloc(Pair::of(n.into(), chain))?.into();
    }
    heap.watch(chain, 41)?;
    let path = heap.path_from_roots([kept], kept.into())?.map_or(0, |path| path.len());
    line!(out, "path", path);
    let collected = heap.collect([escaped])?;
    line!(out, "live", collected.live);
    line!(out, "freed", collected.freed);
    line!(out, "upgrade", heap.upgrade(chain).is_some());
    line!(out, "tokens", format_args!("{:?}", heap.drain_dead().collect::<Vec<_>>()));
    heap.compact();
    let mut other = Heap::with(Settings::seeded(8));
    let copy = other.transplant(heap, kept.into())?;
    line!(out, "same text", other.display(copy).to_string() == heap.display(kept).to_string());
    line!(out, "verify", format_args!("{:?}", other.verify()));
    let key = heap.new_seal_key()?;
    let seal = heap.seal(kept, &key)?;
    line!(out, "sealed", format_args!("{:?}", heap.get::<List>(seal).map(drop)));
    line!(out, "unsealed", heap.unseal(seal, &key)? == kept.cell());
    heap.unpin(pinned);
    line!(out, "live", heap.collect::<[Cell; 0]>([])?.live);
    Ok(())
}

fn copies(heap: &mut Heap, out: &mut String) -> Result<()> {
    let bytes: Vec<u8> = (0..=255).collect();
    let bytes = heap.alloc(U8Arr::of(&bytes))?;
    let ints: Handle<I64Arr> = heap.convert_across(bytes, 250..)?;
    let floats: Handle<F64Arr> = heap.convert_across(bytes, 250..)?;
    let cells: Handle<List> = heap.convert_across(ints, ..)?;
    for cell in [ints.cell(), floats.cell(), cells.cell()] {
        line!(out, "copied", heap.display(cell));
    }
    heap.get_mut(cells)?.set(2, 0.5.into())?;
    line!(out, "converted", format_args!("{:?}", heap.convert_across::<I64Arr>(cells, ..)));
    heap.copy_across(ints, 1, bytes, 3..6)?;
    line!(out, "copied", heap.display(ints));
    let text = heap.alloc(Str::new("snow ☃ crab 🦀"))?;
    let raw: Handle<Bytes> = heap.convert_across(text, 5..8)?;
    line!(out, "bytes", heap.display(raw));
    line!(out, "chars", heap.convert_chars(text, ..).map(|list| heap.display(list).to_string())?);
    let (a, b) = heap.windows_mut((ints, (floats, 1..)))?;
    for (a, b) in a.iter_mut().zip(b) {
        *b += *a as f64;
        *a = 0;
    }
    line!(out, "windows", format_args!("{} {}", heap.display(ints), heap.display(floats)));
    heap.sort_by::<List, Error>(cells, |heap, a, b| {
        Ok(heap.display(b).to_string().cmp(&heap.display(a).to_string()))
    })?;
    line!(out, "sorted", heap.display(cells));
    Ok(())
}

fn hints(heap: &mut Heap, out: &mut String) -> Result<()> {
    let ints = heap.alloc(I64Arr::of(&[1, 2, 3, 4, 5]))?;
    let mut hint = heap.hint(ints, 1..)?;
    let mut inner = hint.narrow(1..3)?;
    hint.set(heap, 1, 30)?;
    line!(out, "hint", format_args!("{} {:?}", inner.get(heap, 0)?, inner.get(heap, 2)));
    for n in 0..100 {
        heap.get_mut(ints)?.push(n)?;
    }
    line!(out, "after growth", hint.get(heap, 3)?);
    heap.compact();
    line!(out, "after compaction", inner.get(heap, 1)?);
    heap.free(ints)?;
    line!(out, "after free", format_args!("{:?}", hint.get(heap, 0)));
    Ok(())
}

fn text(heap: &mut Heap, out: &mut String) -> Result<()> {
    let name = heap.string("segmented")?;
    let joined = heap.concat(&[TextPart::Range(name, 0..3), "-☃-".into(), name.into()])?;
    line!(out, "concat", heap.text(joined)?);
    line!(out, "short", heap.string("five!")? == Cell::short_str("five!").unwrap_or(Cell::NULL));
    let parts = heap.alloc(List::of(&[name, joined, name]))?;
    let joined = heap.join(parts, .., ", ")?;
    line!(out, "join", heap.text(joined)?);
    // Long enough for every path of the validation.
    for len in [0, 15, 16, 63, 64, 300] {
        let mut bytes = vec![b'a'; len];
        bytes.extend("é☃🦀".bytes());
        let valid = Str::from_utf8(&bytes).is_ok();
        bytes[len] = 0xFF;
        line!(out, "UTF-8", format_args!("{valid} {:?}", Str::from_utf8(&bytes).map(drop)));
    }
    let twin = heap.string("segmented")?;
    line!(out, "key_eq", heap.key_eq(name, twin)?);
    line!(out, "hash", heap.hash(name)? == heap.hash(twin)?);
    Ok(())
}

fn errors(heap: &mut Heap, out: &mut String) -> Result<()> {
    let list = heap.alloc(List::of(&[1.into()]))?;
    line!(out, "index", format_args!("{:?}", heap.get(list)?.get(u32::MAX as usize)));
    line!(out, "range", format_args!("{:?}", heap.get(list)?.slice(2..).map(drop)));
    line!(out, "size", format_args!("{:?}", heap.alloc(Bytes::zeroed(1 << 31)).map(drop)));
    line!(out, "size", format_args!("{:?}", heap.alloc(F64Arr::zeroed(1 << 29)).map(drop)));
    line!(out, "kind", format_args!("{:?}", heap.get::<Str>(list.cell()).map(drop)));
    line!(out, "handle", format_args!("{:?}", heap.get::<Str>(Cell::from(1)).map(drop)));
    heap.free(list)?;
    line!(out, "stale", format_args!("{:?}", heap.get(list).map(drop)));
    heap.set_limits(Limits::NONE.with_slots(0));
    line!(out, "slots", format_args!("{:?}", heap.alloc(Str::new("text")).map(drop)));
    heap.set_limits(Limits::NONE);
    heap.fail_growth_after(Some(0));
    line!(out, "growth", format_args!("{:?}", heap.alloc(Bytes::zeroed(1 << 20)).map(drop)));
    heap.fail_growth_after(None);
    Ok(())
}

fn linear_memory(_: &mut Heap, out: &mut String) -> Result<()> {
    let kind = MemoryType::new(memory::IndexType::I64, 1, Some(3));
    let Some(mut memory) = Memory::new(kind) else { return Err(Error::OutOfMemory) };
    line!(out, "stored", format_args!("{:?}", memory.store_u64(65_528, 0, 0x0102_0304_0506_0708)));
    line!(out, "loaded", format_args!("{:?}", memory.load_u32(65_528, 4)));
    line!(out, "outside", format_args!("{:?}", memory.load_u64(65_529, 0)));
    line!(out, "outside", format_args!("{:?}", memory.load_u64(1 << 32, 0)));
    line!(out, "grown", format_args!("{:?}", memory.grow(2)));
    line!(out, "grown", format_args!("{:?}", memory.grow(1 << 47)));
    Ok(())
}

fn integers(heap: &mut Heap, out: &mut String) -> Result<()> {
    let widest = heap.int128(i128::MIN)?;
    let (one, wide) = (Cell::from(1), heap.int(-1 << 46)?);
    line!(out, "i64::MIN", heap.int(i64::MIN).map(|int| heap.display(int).to_string())?);
    let product = heap.mul(wide, wide)?;
    line!(out, "product", heap.display(product));
    let below = heap.sub(widest, one)?;
    line!(out, "difference", heap.display(below));
    let sum = heap.add(below, below)?;
    line!(out, "sum", heap.display(sum));
    let back = heap.sub(sum, below)?;
    line!(out, "equal", heap.key_eq(back, below)?);
    line!(out, "order", format_args!("{:?}", heap.cmp_int(sum, widest)?));
    let ten = heap.int(10_000_000_000)?;
    let (quotient, remainder) = (heap.div(widest, ten)?, heap.rem(widest, ten)?);
    line!(out, "quotient", heap.display(quotient));
    line!(out, "remainder", heap.display(remainder));
    let power = heap.pow(3.into(), 80.into())?;
    line!(out, "power", heap.display(power));
    let parsed = heap.parse_int("-170141183460469231731687303715884105728")?;
    line!(out, "parsed", heap.key_eq(parsed, widest)?);
    let half = heap.int128(1 << 126)?;
    let half = heap.add(half, half)?;
    let product = heap.mul(widest, half);
    match product {
        Ok(product) => line!(out, "product", heap.display(product)),
        Err(error) => line!(out, "product", error),
    }
    Ok(())
}

#[test]
fn the_report_is_as_expected() {
    assert_eq!(report(), expected());
}
