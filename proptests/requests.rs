//! What a heap requests from the global allocator is what it counts, and within the limit
//! at each request: whatever operation grows, and whatever beside it.

use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Collected, Error, Handle, Heap, I64Arr, Kind, Limits, List, Map, Region,
    Set, Settings, Str, TextPart,
};

use crate::allocator::requested;
use crate::support::config;

const NONE: [Cell; 0] = [];

/// A heap, and the bytes that it has requested.
struct Measured {
    heap: Heap,
    bytes: isize,
}

impl Measured {
    /// Runs an operation, in which only the heap may request memory.
    fn run<T>(&mut self, name: &str, work: impl FnOnce(&mut Heap) -> T) -> T {
        let before = self.bytes;
        let limit = self.heap.limits().bytes;
        let (result, bytes, peak) = requested(|| work(&mut self.heap));
        self.bytes += bytes;
        let peak = usize::try_from(before + peak).unwrap();
        let allowed = limit.max(usize::try_from(before).unwrap());
        assert!(peak <= allowed, "{name}: {peak} bytes, {allowed} allowed");
        let counted = self.heap.usage().total_bytes;
        assert_eq!(u64::try_from(self.bytes), Ok(counted), "{name}: bytes requested, counted");
        result
    }
}

/// An operation by number, with two operands by number and a size.
type Step = (u8, usize, usize, usize);

/// The cells of a program, and what its operations take beside them. Vectors are filled
/// before an operation, which requests nothing but the heap's memory.
struct Program {
    heap: Measured,
    cells: Vec<Cell>,
    source: Heap,
    graphs: Vec<Cell>,
    regions: Vec<Region>,
    numbers: Vec<i64>,
    fill: Vec<Cell>,
    text: String,
}

impl Program {
    fn new(limits: Limits) -> Program {
        let (source, graphs) = source();
        Program {
            heap: Measured { heap: Heap::with(Settings::seeded(3).limits(limits)), bytes: 0 },
            cells: vec![Cell::NULL],
            source,
            graphs,
            regions: Vec::with_capacity(200),
            numbers: (0..4000).collect(),
            fill: (0..4000).map(|n: u32| n.into()).collect(),
            text: "0123456789".repeat(800),
        }
    }

    fn step(&mut self, (operation, a, b, size): Step) {
        let [a, b] = [a, b].map(|n| self.cells[n % self.cells.len()]);
        let made = self.allocate(operation, size).or_else(|| self.derive(operation, a, b, size));
        match made {
            Some(Ok(cell)) => self.cells.push(cell),
            Some(Err(_)) => {}
            None => self.manage(operation, a, size),
        }
        let heap = &self.heap.heap;
        self.cells.retain(|&cell| cell.kind().is_none() || heap.contains(cell));
        self.cells.push(Cell::NULL);
    }

    fn allocate(&mut self, operation: u8, size: usize) -> Option<Result<Cell, Error>> {
        let Program { heap, numbers, fill, text, .. } = self;
        let numbers = &numbers[..size.min(numbers.len())];
        let limbs: Vec<u64> = numbers.iter().map(|&n| n as u64 ^ 0x5555_5555_5555_5555).collect();
        let few = &limbs[..limbs.len() / 8];
        Some(match operation {
            0 => heap.run("list", |h| h.alloc(List::of(&fill[..size])).map(Cell::from)),
            1 => heap.run("string", |h| h.string(&text[..size])),
            2 => heap.run("i64s", |h| h.alloc(I64Arr::of(numbers)).map(Cell::from)),
            3 => heap.run("map", |h| h.alloc(Map::with_capacity(size / 4)).map(Cell::from)),
            4 => heap.run("set", |h| h.alloc(Set::with_capacity(size / 4)).map(Cell::from)),
            5 => heap.run("bignum", |h| {
                h.alloc(Bignum::of(size.is_multiple_of(2), few)).map(Cell::from)
            }),
            6 => heap.run("bytes", |h| h.alloc(Bytes::zeroed(size * 10)).map(Cell::from)),
            7 => heap.run("parse_int", |h| h.parse_int(&text[1..=size.min(900)])),
            _ => return None,
        })
    }

    /// Operations that make a value of others.
    fn derive(
        &mut self,
        operation: u8,
        a: Cell,
        b: Cell,
        size: usize,
    ) -> Option<Result<Cell, Error>> {
        let Program { heap, source, graphs, text, .. } = self;
        let exponent = Cell::from((size % 9) as u32);
        let graph = graphs[size % graphs.len()];
        let as_cell = |set: Result<Handle<Set>, Error>| set.map(Cell::from);
        Some(match operation {
            8 => heap.run("concat", |h| {
                h.concat(&[a.into(), TextPart::Str(&text[..size]), b.into(), a.into()])
            }),
            9 => heap.run("join", |h| h.join(a, .., ", and ")),
            10 => heap.run("transplant", |h| h.transplant(source, graph)),
            11 => heap.run("add", |h| h.add(a, b)),
            12 => heap.run("sub", |h| h.sub(a, b)),
            13 => heap.run("mul", |h| h.mul(a, b)),
            14 => heap.run("div", |h| h.div(a, b)),
            15 => heap.run("rem", |h| h.rem(b, a)),
            16 => heap.run("pow", |h| h.pow(a, exponent)),
            17 => heap.run("union", |h| as_cell(h.union(a, b))),
            18 => heap.run("intersection", |h| as_cell(h.intersection(a, b))),
            19 => heap.run("convert", |h| h.convert_across_any(Kind::LIST, a, ..)),
            20 => heap.run("convert floats", |h| h.convert_across_any(Kind::F64ARR, a, ..)),
            21 => heap.run("chars", |h| h.convert_chars(a, ..).map(Cell::from)),
            22 => heap.run("append", |h| h.append_across_any(a, b, ..).map(|()| Cell::NULL)),
            23 => heap.run("seal", |h| h.new_seal_key().and_then(|key| h.seal(a, &key))),
            _ => return None,
        })
    }

    /// Operations that change or free objects, or the heap.
    fn manage(&mut self, operation: u8, a: Cell, size: usize) {
        let Program { heap, cells, regions, fill, text, .. } = self;
        let some = &fill[..size.min(300)];
        match operation {
            24 => drop(heap.run("extend", |h| h.get_mut::<List>(a)?.extend(&fill[..size]))),
            25 => drop(heap.run("push text", |h| h.get_mut::<Bytes>(a)?.extend(text.as_bytes()))),
            26 => drop(heap.run("insert", |h| {
                some.iter().try_for_each(|&n| h.get_mut::<Map>(a)?.insert(n, n).map(drop))
            })),
            27 => drop(heap.run("insert", |h| {
                some.iter().try_for_each(|&n| h.get_mut::<Set>(a)?.insert(n).map(drop))
            })),
            28 => drop(heap.run("free", |h| h.free(a))),
            29 => drop(heap.run("sort", |h| {
                h.sort_by::<List, Error>(a, |h, a, b| {
                    // What the comparison does counts beside the scratch memory.
                    h.string(&text[..100])?;
                    h.add(a, b)?;
                    h.cmp_int(b, a)
                })
            })),
            30 => drop(heap.run("deep_eq", |h| h.deep_eq(a, cells[size % cells.len()]))),
            31 => {
                if let Ok(region) = heap.run("open", |h| h.open_region()) {
                    regions.push(region);
                }
            }
            32 => {
                if let Some(region) = regions.pop() {
                    heap.run("close", |h| h.close_region(region, [a])).unwrap();
                }
            }
            33 => drop(heap.run("collect", |h| h.collect(cells.iter().step_by(2).copied()))),
            34 => drop::<Result<Collected, Error>>(
                heap.run("recycle", |h| h.collect_and_recycle(cells.iter().copied(), NONE)),
            ),
            35 if size.is_multiple_of(4) => heap.run("compact", |h| h.compact()),
            35 => drop(heap.run("compact_step", |h| h.compact_step(size as u64 * 16))),
            36 => drop(heap.run("pin", |h| h.pin(a))),
            37 => drop(heap.run("watch", |h| h.watch(a, 1))),
            38 => drop(heap.run("unpin", |h| h.unpin(a))),
            39 => drop(heap.run("shrink", |h| h.get_mut::<List>(a)?.truncate(size / 8))),
            _ => {
                let limits = heap.heap.limits();
                let bytes = heap.heap.usage().total_bytes as usize + size * 20;
                heap.heap.set_limits(limits.with_bytes(bytes));
            }
        }
    }
}

/// A heap to transplant from, and graphs in it.
fn source() -> (Heap, Vec<Cell>) {
    let mut source = Heap::with(Settings::seeded(2));
    let mut graphs = vec![];
    for n in [3_usize, 20, 100, 500, 2000] {
        let lists: Vec<Cell> =
            (0..n).map(|n| source.alloc(List::zeroed(n % 7)).unwrap().into()).collect();
        graphs.push(source.alloc(List::of(&lists)).unwrap().cell());
        let map = source.alloc(Map::new()).unwrap();
        for &list in &lists {
            let key = source.string(&format!("the key of {list:?}")).unwrap();
            source.get_mut(map).unwrap().insert(key, list).unwrap();
        }
        graphs.push(map.cell());
        let text = source.alloc(Str::new(&"text".repeat(n * 10))).unwrap();
        graphs.push(source.alloc(List::of(&[text.cell(), map.cell()])).unwrap().cell());
    }
    (source, graphs)
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![3 => 0_usize..100, 2 => 0_usize..1000, 1 => 0_usize..4000];
    (0_u8..41, any::<usize>(), any::<usize>(), size)
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn requests_are_counted_and_within_the_limit(
        bytes in prop_oneof![0_usize..3000, 60_000_usize..140_000, 140_000_usize..1_500_000],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut program = Program::new(Limits::NONE.with_bytes(bytes));
        for step in steps {
            program.step(step);
        }
        prop_assert_eq!(program.heap.heap.verify(), Ok(()));
    }
}

/// Each limit in a range, by which operations that take scratch memory, and arenas beside
/// it, end at each of their requests.
#[test]
fn operations_with_scratch_memory_at_each_limit() {
    let (source, graphs) = source();
    let step = if cfg!(debug_assertions) { 211 } else { 23 };
    for limit in (0..400_000).step_by(step) {
        for &graph in &graphs[..12] {
            let heap = Heap::with(Settings::seeded(1).limits(Limits::NONE.with_bytes(limit)));
            let mut heap = Measured { heap, bytes: 0 };
            let _ = heap.run("transplant", |h| h.transplant(&source, graph));
            heap.heap.verify().unwrap();
        }
    }
    let texts: Vec<Cell> = (0..200).map(|_| Cell::short_str("short").unwrap()).collect();
    let long = "a longer text ".repeat(400);
    for spare in (0..200_000).step_by(step) {
        let heap = Heap::with(Settings::seeded(1));
        let mut heap = Measured { heap, bytes: 0 };
        let texts = heap.run("list", |h| h.alloc(List::of(&texts))).unwrap();
        let parts: Vec<TextPart<'_>> = (0..90).map(|_| TextPart::Str(&long)).collect();
        let bytes = heap.heap.usage().total_bytes as usize + spare;
        heap.heap.set_limits(Limits::NONE.with_bytes(bytes));
        let _ = heap.run("join", |h| h.join(texts, .., "separator"));
        let _ = heap.run("concat", |h| h.concat(&parts[..spare / 3000 + 1]));
        let _ = heap.run("join", |h| h.join(texts, .., &long));
    }
}
