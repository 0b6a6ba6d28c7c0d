//! What the guest costs, beside the heap: `cargo bench -p segheap-wasm` prints a table.
//!
//! Costs are medians of many rounds, guest and heap in turns; the results of both are compared.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark may panic"
)]

mod table;

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Instant;

use segheap::{
    Bytes, Cell, Handle, Heap, I64Arr, Kind, List, Map, Mutable, Pair, Sequence, Settings, Str,
    Struct, U8Arr, abi,
};
use segheap_wasm::Options;
use table::{Row, Unit, median};
use wasmtime::{Config, Engine, Instance, Module, Store};

const ROUNDS: usize = 61;
/// Accesses in a round.
const TIMES: usize = 200_000;

/// Something that is measured.
type Run<'a> = Box<dyn FnMut() + 'a>;

/// The nanoseconds that each of several things takes, done in turns.
fn measure(times: usize, mut runs: Vec<Run<'_>>) -> Vec<f64> {
    let mut found = vec![Vec::new(); runs.len()];
    for _ in 0..ROUNDS {
        for (run, found) in runs.iter_mut().zip(&mut found) {
            let start = Instant::now();
            run();
            found.push(start.elapsed().as_nanos() as f64 / times as f64);
        }
    }
    found.into_iter().map(median).collect()
}

/// Compares the heap, which comes first, with others.
fn compare(rows: &mut Vec<Row>, work: &str, times: usize, runs: Vec<(&'static str, Run<'_>)>) {
    let (names, runs): (Vec<_>, Vec<_>) = runs.into_iter().unzip();
    let figures = measure(times, runs);
    for (&peer, &cost) in names.iter().zip(&figures).skip(1) {
        let unit = Unit::Nanoseconds;
        rows.push(Row { work: work.to_owned(), segheap: figures[0], peer, cost, unit });
    }
}

struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn new(heap: &mut Heap, options: Options) -> Guest {
        let mut config = Config::new();
        config.wasm_multi_memory(true).wasm_memory64(true).memory_reservation(1 << 32);
        let engine = Engine::new(&config).unwrap();
        let mut store = Store::new(&engine, ());
        let module = options.loops().to_module(heap).unwrap();
        let module = Module::new(&engine, module).unwrap();
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        Guest { store, instance }
    }

    fn call<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        name: &str,
        with: P,
    ) -> R {
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, name).unwrap();
        function.call(&mut self.store, with).unwrap()
    }
}

fn bits(cell: impl Into<Cell>) -> i64 {
    abi::bits(cell.into()).cast_signed()
}

/// Goes through indices of an object, a number of them apart.
fn indices(len: usize, step: usize) -> impl Iterator<Item = usize> {
    let next = move |&index: &usize| Some(if index + step < len { index + step } else { 0 });
    std::iter::successors(Some(0), next).take(TIMES)
}

/// What an element is as a word.
trait Word: Copy {
    fn word(self) -> u64;
    fn of(number: usize) -> Self;
}

impl Word for Cell {
    fn word(self) -> u64 {
        abi::bits(self)
    }

    fn of(number: usize) -> Cell {
        (number as u32).into()
    }
}

impl Word for i64 {
    fn word(self) -> u64 {
        self.cast_unsigned()
    }

    fn of(number: usize) -> i64 {
        number as i64
    }
}

/// Reads and writes of the elements of one object.
struct Elements<'a, K> {
    rows: &'a mut Vec<Row>,
    heap: &'a mut Heap,
    object: Handle<K>,
    /// The kind in names of exports, and in names of rows.
    names: (&'static str, &'static str),
    len: usize,
}

impl<K: Mutable> Elements<'_, K>
where
    K: Sequence<Element: Word>,
{
    fn sum(heap: &Heap, object: Handle<K>, len: usize, step: usize) -> i64 {
        let each = indices(len, step).map(|index| {
            // Each access checks the handle, as it does in an interpreter.
            heap.element(black_box(object), index).unwrap().word()
        });
        each.fold(0, u64::wrapping_add).cast_signed()
    }

    fn get(&mut self, step: usize, order: &str, peers: &[(&'static str, bool, &'static str)]) {
        let (object, len, export) = (self.object, self.len, self.names.0);
        let with = (bits(object), step as i32, TIMES as i32);
        let expected = Self::sum(self.heap, object, len, step);
        let mut guests = guests(self.heap, peers.iter().map(|&(_, wide, _)| wide));
        let heap = &*self.heap;
        let native = move || assert_eq!(Self::sum(heap, object, len, step), expected);
        let mut runs: Vec<(&str, Run<'_>)> = vec![("heap", Box::new(native))];
        for (guest, &(peer, _, suffix)) in guests.iter_mut().zip(peers) {
            let name = format!("bench_{export}_get{suffix}");
            runs.push((
                peer,
                Box::new(move || assert_eq!(guest.call::<_, i64>(&name, with), expected)),
            ));
        }
        let work = format!("get of {}{order}", self.names.1);
        compare(self.rows, &work, TIMES, runs);
    }

    fn set(&mut self, step: usize, order: &str, peers: &[(&'static str, bool)]) {
        let (object, len, export) = (self.object, self.len, self.names.0);
        let with = (bits(object), step as i32, TIMES as i32);
        let mut guests = guests(self.heap, peers.iter().map(|&(_, wide)| wide));
        let name = format!("bench_{export}_set");
        let heap = &mut *self.heap;
        let mut runs: Vec<(&str, Run<'_>)> = vec![(
            "heap",
            Box::new(|| {
                for (number, index) in indices(len, step).enumerate() {
                    let element = <K::Element as Word>::of(number);
                    heap.set_element(black_box(object), index, element).unwrap();
                }
            }),
        )];
        for (guest, &(peer, _)) in guests.iter_mut().zip(peers) {
            let name = &name;
            runs.push((peer, Box::new(move || assert_eq!(guest.call::<_, i64>(name, with), 0))));
        }
        let work = format!("set of {}{order}", self.names.1);
        compare(self.rows, &work, TIMES, runs);
        // The same elements are there now.
        let expected = Self::sum(self.heap, object, len, 1);
        let with = (bits(object), 1, TIMES as i32);
        for guest in &mut guests {
            assert_eq!(guest.call::<_, i64>(&format!("bench_{export}_get"), with), expected);
        }
    }
}

/// A guest for each peer, whose addresses may have 64 bits.
fn guests(heap: &mut Heap, wide: impl Iterator<Item = bool>) -> Vec<Guest> {
    let options = |wide| if wide { Options::new().wide() } else { Options::new() };
    wide.map(|wide| Guest::new(heap, options(wide))).collect()
}

fn accesses(rows: &mut Vec<Row>) {
    const LEN: usize = 100_000;
    let (mut heap, rows) = (Heap::with(Settings::seeded(1)), &mut *rows);
    let heap = &mut heap;
    let cells: Vec<Cell> = (0..LEN as u32).map(Cell::from).collect();
    let numbers: Vec<i64> = (0..LEN as i64).collect();
    let object = heap.alloc(List::of(&cells)).unwrap();
    let record = heap.alloc(Struct::of(7, &cells[..8])).unwrap();
    let pair = heap.alloc(Pair::of(1.into(), 2.into())).unwrap();
    let ints = heap.alloc(I64Arr::of(&numbers)).unwrap();
    let lists = [
        ("guest", false, ""),
        ("guest, in line", false, "_inline"),
        ("guest, 64-bit addresses", true, ""),
        ("guest, 64-bit, in line", true, "_inline"),
    ];
    let (one, both) =
        ([("guest", false, "")], [("guest", false), ("guest, 64-bit addresses", true)]);
    let mut list = Elements { rows, heap, object, names: ("list", "a list"), len: LEN };
    list.get(1, ", in order", &lists);
    list.get(40_507, ", 40,507 apart", &lists);
    list.set(1, ", in order", &both);
    let Elements { rows, heap, .. } = list;
    let names = ("struct", "a struct of 8");
    let mut structs = Elements { rows, heap, object: record, names, len: 8 };
    structs.get(1, "", &one);
    structs.set(1, "", &both[..1]);
    let Elements { rows, heap, .. } = structs;
    let mut pairs = Elements { rows, heap, object: pair, names: ("pair", "a pair"), len: 2 };
    pairs.get(1, "", &one);
    pairs.set(1, "", &both[..1]);
    let Elements { rows, heap, .. } = pairs;
    let mut ints = Elements { rows, heap, object: ints, names: ("i64arr", "an I64Arr"), len: LEN };
    ints.get(1, ", in order", &one);
    ints.set(1, ", in order", &both[..1]);
}

fn maps(rows: &mut Vec<Row>, len: i32) {
    let mut heap = Heap::with(Settings::seeded(1));
    let map = heap.alloc(Map::new()).unwrap();
    for n in 0..len {
        heap.map_insert(map, n.into(), (n * 7).into()).unwrap();
    }
    let mut guest = Guest::new(&mut heap, Options::new());
    let with = (bits(map), len - 1, TIMES as i32);
    let sum = |heap: &Heap| {
        let each = (0..TIMES as i32)
            .map(|n| heap.map_get(black_box(map), (n & (len - 1)).into()).unwrap().unwrap().word());
        each.fold(0, u64::wrapping_add).cast_signed()
    };
    let expected = sum(&heap);
    let runs: Vec<(&str, Run<'_>)> = vec![
        ("heap", Box::new(|| assert_eq!(sum(&heap), expected))),
        ("guest", Box::new(|| assert_eq!(guest.call::<_, i64>("bench_map_get", with), expected))),
    ];
    compare(rows, &format!("get of a map, {len} integer keys"), TIMES, runs);

    // Both replace the same values, round after round.
    let (mut found, other) = (Vec::new(), RefCell::new(Vec::new()));
    let insert = |heap: &mut Heap| {
        let each = (0..TIMES as i32).map(|n| {
            let (key, value) = ((n & (len - 1)).into(), n.into());
            heap.map_insert(black_box(map), key, value).unwrap().unwrap().word()
        });
        each.fold(0, u64::wrapping_add).cast_signed()
    };
    let runs: Vec<(&str, Run<'_>)> = vec![
        ("heap", Box::new(|| found.push(insert(&mut heap)))),
        (
            "guest",
            Box::new(|| {
                let replaced = guest.call::<_, i64>("bench_map_insert", with);
                other.borrow_mut().push(replaced);
            }),
        ),
    ];
    compare(rows, &format!("insert in a map, {len} integer keys"), TIMES, runs);
    assert_eq!(found, other.into_inner());
}

fn copies(rows: &mut Vec<Row>) {
    const LEN: usize = 1 << 20;
    let mut heap = Heap::with(Settings::seeded(1));
    let bytes: Vec<u8> = (0..LEN).map(|n| (n ^ n >> 8) as u8).collect();
    let source = heap.alloc(Bytes::of(&bytes)).unwrap();
    let target = heap.alloc(U8Arr::zeroed(LEN)).unwrap();
    let mut guest = [(); 2].map(|()| Guest::new(&mut heap, Options::new()));
    for (len, name) in [(64, "64 B"), (4096, "4 KiB"), (LEN, "1 MiB")] {
        let times = (1 << 22) / len;
        let with = (bits(target), bits(source), len as i32, times as i32);
        let [one, other] = &mut guest;
        let runs: Vec<(&str, Run<'_>)> = vec![
            (
                "heap",
                Box::new(|| {
                    for _ in 0..times {
                        heap.copy_across(black_box(target), 0, source, ..len).unwrap();
                    }
                }),
            ),
            (
                "guest, memory.copy",
                Box::new(|| assert_eq!(one.call::<_, i32>("bench_copy", with), 0)),
            ),
            (
                "guest, a loop of words",
                Box::new(|| assert_eq!(other.call::<_, i32>("bench_copy_by_words", with), 0)),
            ),
        ];
        compare(rows, &format!("copy between two memories, {name}"), times, runs);
        let read = heap.get(target).unwrap();
        for index in [0, len / 2, len - 1] {
            let expected = (0, i32::from(read.get(index).unwrap()));
            assert_eq!(expected.1, i32::from(bytes[index]));
            for guest in &mut guest {
                let found: (i32, i32) = guest.call("u8arr_get", (bits(target), index as i32));
                assert_eq!(found, expected);
            }
        }
    }
}

/// The size of a module beside the bytes of live objects and slots.
fn sizes(rows: &mut Vec<Row>) {
    let mut heap = Heap::with(Settings::seeded(2));
    for n in 0..400_000 {
        let cells: [Cell; 4] = [n.into(), 1.5.into(), Cell::NULL, (n + 1).into()];
        heap.alloc(List::of(&cells)).unwrap();
        heap.alloc(Pair::of(n.into(), Cell::TRUE)).unwrap();
        heap.alloc(Str::new(&format!("text number {n}"))).unwrap();
    }
    let slots = Kind::ALL.iter().flat_map(|&kind| abi::slots(&heap, kind).unwrap());
    let live = slots.filter(|slot| slot[0] >= abi::layout::key::LIVE);
    let bytes = |cap: u32| 16 + 8 * u64::from(cap & abi::layout::slot::CAP_MASK);
    let live: u64 = live.map(|slot| bytes(slot[3])).sum();
    let start = Instant::now();
    let module = segheap_wasm::to_module(&mut heap).unwrap();
    let written = start.elapsed();
    let start = Instant::now();
    let read = segheap_wasm::from_module(&module, Settings::seeded(3)).unwrap();
    let loaded = start.elapsed();
    assert_eq!(read.usage().live(), heap.usage().live());
    let code = segheap_wasm::to_module(&mut Heap::with(Settings::seeded(1))).unwrap().len();
    println!(
        "A module of {} objects is written in {} ms and read in {} ms; that of an empty heap has \
         {code} bytes.",
        heap.usage().live(),
        written.as_millis(),
        loaded.as_millis(),
    );
    rows.push(Row {
        work: "slots and blocks of 1.2M objects".to_owned(),
        segheap: live as f64,
        peer: "module",
        cost: module.len() as f64,
        unit: Unit::Bytes,
    });
}

fn main() {
    let mut rows = Vec::new();
    accesses(&mut rows);
    maps(&mut rows, 64);
    maps(&mut rows, 65_536);
    copies(&mut rows);
    sizes(&mut rows);
    table::print(&rows);
}
