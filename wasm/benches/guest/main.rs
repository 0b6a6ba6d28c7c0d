//! What the guest costs, beside the heap: `cargo bench -p segheap-wasm`. Medians of many rounds,
//! guest and heap in turns; the results of both are compared.
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

use std::hint::black_box;
use std::time::Instant;

use segheap::{Bytes, Cell, Handle, Heap, List, Map, Settings, U8Arr, abi};
use segheap_wasm::Options;
use wasmtime::{Config, Engine, Instance, Module, Store};

const ROUNDS: usize = 31;

/// The medians of nanoseconds of two things, done in turns.
fn medians<const N: usize>(times: usize, mut run: [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut found = [const { Vec::new() }; N];
    for _ in 0..ROUNDS {
        for (run, found) in run.iter_mut().zip(&mut found) {
            let start = Instant::now();
            run();
            found.push(start.elapsed().as_nanos() as f64 / times as f64);
        }
    }
    found.map(|mut found| {
        found.sort_by(f64::total_cmp);
        found[found.len() / 2]
    })
}

struct Guest {
    store: Store<()>,
    instance: Instance,
}

impl Guest {
    fn new(module: &[u8]) -> Guest {
        let mut config = Config::new();
        config.wasm_multi_memory(true).wasm_memory64(true).memory_reservation(1 << 32);
        let engine = Engine::new(&config).unwrap();
        let mut store = Store::new(&engine, ());
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

fn bits(cell: Cell) -> i64 {
    abi::bits(cell).cast_signed()
}

/// The sum of elements of a list, `step` apart.
fn sum(heap: &Heap, list: Handle<List>, (step, times): (usize, usize)) -> u64 {
    let (mut sum, mut index) = (0_u64, 0);
    let len = heap.get(list).unwrap().len();
    for _ in 0..times {
        let list: Handle<List> = black_box(list);
        sum = sum.wrapping_add(heap.element(list, index).map_or(0, abi::bits));
        index += step;
        index = if index < len { index } else { 0 };
    }
    sum
}

fn lists(heap: &mut Heap, list: Handle<List>) {
    const TIMES: usize = 200_000;
    for (wide, name) in [(false, "32"), (true, "64")] {
        let options = Options::new().loops();
        let options = if wide { options.wide() } else { options };
        let mut called = Guest::new(&options.to_module(heap).unwrap());
        let mut in_line = Guest::new(&options.to_module(heap).unwrap());
        for (step, order) in [(1_usize, "in order"), (40_507, "40,507 apart")] {
            let with = (bits(list.into()), step as i32, TIMES as i32);
            let expected = sum(heap, list, (step, TIMES)).cast_signed();
            let heap = &*heap;
            let [call, line, native] = medians(
                TIMES,
                [
                    &mut || assert_eq!(called.call::<_, i64>("bench_list_get", with), expected),
                    &mut || {
                        let found: i64 = in_line.call("bench_list_get_inline", with);
                        assert_eq!(found, expected);
                    },
                    &mut || assert_eq!(sum(heap, list, (step, TIMES)).cast_signed(), expected),
                ],
            );
            println!(
                "| `list_get`, {order}, {name}-bit addresses | {call:.2} ns, {line:.2} in line | {native:.2} ns |"
            );
        }
    }
}

fn maps(heap: &mut Heap, map: Handle<Map>, len: i32) {
    const TIMES: usize = 200_000;
    let mut guest = Guest::new(&Options::new().loops().to_module(heap).unwrap());
    let look_up = |n: i32| heap.map_get(map, (n & (len - 1)).into()).unwrap().unwrap();
    let sum = || (0..TIMES as i32).fold(0_u64, |sum, n| sum.wrapping_add(abi::bits(look_up(n))));
    let expected = sum();
    let [called, native] = medians(
        TIMES,
        [
            &mut || {
                let with = (bits(map.into()), len - 1, TIMES as i32);
                let found: i64 = guest.call("bench_map_get", with);
                assert_eq!(found.cast_unsigned(), expected);
            },
            &mut || assert_eq!(black_box(sum()), expected),
        ],
    );
    println!("| `map_get`, {len} integer keys | {called:.1} ns | {native:.1} ns |");
}

fn copies(heap: &mut Heap, (target, source): (Handle<U8Arr>, Handle<Bytes>)) {
    let mut guest = Guest::new(&Options::new().loops().to_module(heap).unwrap());
    for (len, name) in [(64_usize, "64 B"), (4096, "4 KiB"), (1 << 20, "1 MiB")] {
        let times = (1 << 22) / len.max(64);
        let with = (bits(target.into()), bits(source.into()), len as i32, times as i32);
        let [copied, native] = medians(
            times,
            [&mut || assert_eq!(guest.call::<_, i32>("bench_copy", with), 0), &mut || {
                for _ in 0..times {
                    heap.copy_across(black_box(target), 0, source, ..len).unwrap();
                }
            }],
        );
        let last = (bits(target.into()), len as i32 - 1);
        let found: (i32, i32) = guest.call("u8arr_get", last);
        assert_eq!(found, (0, heap.get(target).unwrap().get(len - 1).unwrap().into()));
        println!("| `memory.copy`, {name} | {copied:.1} ns | {native:.1} ns (`copy_across`) |");
    }
}

fn main() {
    let mut heap = Heap::with(Settings::seeded(1));
    let ints: Vec<Cell> = (0..100_000).map(Cell::from).collect();
    let list = heap.alloc(List::of(&ints)).unwrap();
    println!("| Work | Guest in wasmtime | Heap |\n|---|---|---|");
    lists(&mut heap, list);
    for len in [64, 65_536] {
        let map = heap.alloc(Map::new()).unwrap();
        for n in 0..len {
            heap.map_insert(map, n.into(), (n * 7).into()).unwrap();
        }
        maps(&mut heap, map, len);
    }
    let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| n as u8).collect();
    let source = heap.alloc(Bytes::of(&bytes)).unwrap();
    let target = heap.alloc(U8Arr::zeroed(1 << 20)).unwrap();
    copies(&mut heap, (target, source));
    sizes();
}

/// The size of a module beside the bytes of live objects and slots.
fn sizes() {
    let mut heap = Heap::with(Settings::seeded(2));
    for n in 0..400_000 {
        let cells: [Cell; 4] = [n.into(), 1.5.into(), Cell::NULL, (n + 1).into()];
        heap.alloc(List::of(&cells)).unwrap();
        heap.alloc(segheap::Pair::of(n.into(), Cell::TRUE)).unwrap();
        heap.alloc(segheap::Str::new(&format!("text number {n}"))).unwrap();
    }
    let slots = segheap::Kind::ALL.iter().flat_map(|&kind| abi::slots(&heap, kind).unwrap());
    let live = slots.filter(|slot| slot[0] >= 0xFFFF_0000);
    let live: u64 =
        live.map(|slot| 16 + 8 * u64::from(slot[3] & abi::layout::slot::CAP_MASK)).sum();
    let start = Instant::now();
    let module = segheap_wasm::to_module(&mut heap).unwrap();
    let written = start.elapsed();
    let start = Instant::now();
    let read = segheap_wasm::from_module(&module, Settings::seeded(3)).unwrap();
    let loaded = start.elapsed();
    assert_eq!(read.usage().live(), heap.usage().live());
    let code = segheap_wasm::to_module(&mut Heap::with(Settings::seeded(1))).unwrap().len();
    println!(
        "| module of {} objects | {} bytes, written in {} ms, read in {} ms | {live} bytes |",
        heap.usage().live(),
        module.len(),
        written.as_millis(),
        loaded.as_millis()
    );
    println!("| module of an empty heap | {code} bytes | |");
}
