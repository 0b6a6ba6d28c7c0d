//! Bulk copies in segheap and in a guest of wasmtime that has two memories: by
//! `memory.copy`, and by a loop of the guest.
//!
//! ```text
//! cargo bench -p segheap-wasm-benches
//! cargo test -p segheap-wasm-benches --benches    one pass that checks the results
//! ```
//!
//! A package of its own, as wasmtime takes minutes to build. The guest repeats a copy by
//! itself, so that calls from the host do not count.

#[path = "../arguments.rs"]
mod arguments;
#[path = "../subjects/comparison.rs"]
#[expect(dead_code, reason = "the scoreboard has more kinds of comparisons")]
mod comparison;
#[path = "../scoreboard/measure.rs"]
#[expect(dead_code, reason = "the scoreboard shows more of a cost")]
mod measure;
#[path = "../plain.rs"]
mod plain;
/// Where `measure` looks for it.
mod subjects {
    pub(crate) use super::comparison;
}

use std::hint::black_box;
use std::rc::Rc;
use std::time::Instant;

use arguments::Arguments;
use clap::Command;
use comparison::{Comparison, Outcome, Pass, comparison};
use segheap::{Bytes, Heap, Settings};
use wasmtime::{Config, Engine, Instance, Memory, Module, Store};

/// Bytes that a pass copies, at any size of a copy.
const PASS: usize = 4 << 20;

const ENTRIES: [plain::Entry; 3] = [
    entry("copy 64 B between two memories", || copies(64)),
    entry("copy 4 KiB between two memories", || copies(4 << 10)),
    entry("copy 1 MiB between two memories", || copies(1 << 20)),
];

const fn entry(name: &'static str, make: fn() -> Comparison) -> plain::Entry {
    plain::Entry { name, make, peers: &["wasmtime, memory.copy", "wasmtime, loop of the guest"] }
}

const GUEST: &str = r#"
(module
  (memory $from (export "from") 17)
  (memory $to (export "to") 17)
  (func (export "memory_copy") (param $size i32) (param $times i32)
    (loop $again
      (memory.copy $to $from (i32.const 0) (i32.const 0) (local.get $size))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1))))))
  (func (export "loop") (param $size i32) (param $times i32) (local $at i32)
    (loop $again
      (local.set $at (i32.const 0))
      (loop $words
        (i64.store $to (local.get $at) (i64.load $from (local.get $at)))
        (br_if $words (i32.lt_u
          (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $size))))
      (br_if $again (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))))
"#;

/// The bytes that are copied: the size of a copy, and how many make a pass.
struct Input {
    bytes: Vec<u8>,
    times: usize,
}

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().map(|&byte| u64::from(byte)).sum()
}

fn copies(size: usize) -> Comparison {
    let bytes = (0..size).map(|n| (n * 31 % 251) as u8).collect();
    let times = PASS / size;
    comparison(
        times,
        Input { bytes, times },
        [
            ("segheap", |input: Rc<Input>| in_segheap(&input)),
            ("wasmtime, memory.copy", |input| in_guest(&input, "memory_copy")),
            ("wasmtime, loop of the guest", |input| in_guest(&input, "loop")),
        ],
    )
}

/// Copies from one object to another.
fn in_segheap(input: &Input) -> Pass {
    let mut heap = Heap::with(Settings::seeded(1));
    let from = heap.alloc(Bytes::of(&input.bytes)).unwrap();
    let to = heap.alloc(Bytes::zeroed(input.bytes.len())).unwrap();
    let times = input.times;
    Box::new(move |_| {
        let start = Instant::now();
        for _ in 0..times {
            heap.copy_across(black_box(to), 0, black_box(from), ..).unwrap();
        }
        let cost = start.elapsed().as_nanos() as u64;
        Outcome { cost, result: sum(heap.get(to).unwrap().as_slice()) }
    })
}

fn in_guest(input: &Input, name: &str) -> Pass {
    let mut config = Config::new();
    config.wasm_multi_memory(true);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, GUEST).unwrap();
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    let memory =
        |store: &mut Store<()>, name| -> Memory { instance.get_memory(store, name).unwrap() };
    let (from, to) = (memory(&mut store, "from"), memory(&mut store, "to"));
    from.write(&mut store, 0, &input.bytes).unwrap();
    let copy = instance.get_typed_func::<(i32, i32), ()>(&mut store, name).unwrap();
    let (size, times) = (input.bytes.len(), input.times);
    Box::new(move |_| {
        let start = Instant::now();
        copy.call(&mut store, (size as i32, times as i32)).unwrap();
        let cost = start.elapsed().as_nanos() as u64;
        Outcome { cost, result: sum(&to.data(&store)[..size]) }
    })
}

fn main() {
    let about = "Bulk copies in segheap and in a guest of wasmtime";
    let arguments = Arguments::parse(Command::new("wasm_copies").about(about));
    plain::run(&arguments, &ENTRIES, "Peer");
}
