//! Images: what starting from one takes.
//!
//! ```text
//! cargo run --release -p segheap --example images -- library.image
//! ```
//!
//! Makes what a language has before its program starts, saves it, and loads it again; prints
//! what each phase of loading takes, compared with copying the bytes. With a file, the image is
//! written there and read from there.

mod support;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufReader, Read};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use segheap::{Cell, Closure, Error, Heap, LoadTimes, Map, Settings, Str};

use support::{Column, Output, Program, Result};

const PROGRAM: Program = Program {
    name: "images",
    help: "\
Usage: images [FILE]

Saves a heap of 8 MB as an image, loads it, and prints what each phase takes.
Writes the image to FILE, and reads it from there.

Options:
  -h, --help  Print this help",
    takes_file: true,
};

/// The names of the library.
const NAMES: u32 = 50_000;
/// Of as many passes, the fastest one is shown.
const PASSES: usize = 5;

fn main() -> ExitCode {
    PROGRAM.run(|out, file| {
        let (mut heap, globals) = library()?;
        let mut image = Vec::new();
        heap.save(&mut image)?;
        drop(heap);
        if let Some(file) = &file {
            fs::write(file, &image)?;
        }
        let copying = (0..PASSES).map(|_| copy(&image)).min().unwrap_or_default();
        let mut fastest: Option<(Duration, LoadTimes)> = None;
        for _ in 0..PASSES {
            let begin = Instant::now();
            let (mut heap, times) = match &file {
                Some(file) => load(BufReader::new(File::open(file)?))?,
                None => load(&image[..])?,
            };
            let loading = begin.elapsed();
            if fastest.is_none_or(|(other, _)| loading < other) {
                fastest = Some((loading, times));
            }
            call_last(&mut heap, globals)?;
        }
        let Some((loading, times)) = fastest else { return Ok(()) };
        out.paragraph(&format!("An image of {} bytes, with {NAMES} names.", image.len()))?;
        out.line("")?;
        print(out, copying, loading, times)
    })
}

/// A map of functions by their names: symbols.
fn library() -> Result<(Heap, Cell), Error> {
    let mut heap = Heap::with(Settings::random());
    let globals = heap.alloc(Map::new())?.cell();
    for n in 0..NAMES {
        let name = heap.intern(&format!("the name of function {n}"))?;
        let text = heap.alloc(Str::new("what the function does, for its users"))?;
        let function = heap.alloc(Closure::of(n, &[text.cell()]))?;
        heap.map_insert(globals, name, function.cell())?;
    }
    heap.compact();
    Ok((heap, globals))
}

/// The time of a copy into new memory.
fn copy(image: &[u8]) -> Duration {
    let begin = Instant::now();
    let copy = black_box(image).to_vec();
    let time = begin.elapsed();
    drop(black_box(copy));
    time
}

fn load(mut reader: impl Read) -> Result<(Heap, LoadTimes)> {
    Ok(Heap::load_timed(|bytes| reader.read_exact(bytes), Settings::random())?)
}

/// Cells mean what they meant: the map of globals is where it was.
fn call_last(heap: &mut Heap, globals: Cell) -> Result<()> {
    let last = NAMES.saturating_sub(1);
    let name = heap.intern(&format!("the name of function {last}"))?;
    let function = heap.map_get(globals, name)?.ok_or("no such function")?;
    if heap.get::<Closure>(function)?.function() != last {
        return Err("another function".into());
    }
    Ok(())
}

fn print(out: &mut Output, copying: Duration, loading: Duration, times: LoadTimes) -> Result<()> {
    let columns = [Column::Text("phase"), Column::Number("ms"), Column::Number("times a copy")];
    let phases = [
        ("read", times.read),
        ("slots", times.slots),
        ("verify", times.verify),
        ("indices", times.indices),
        ("all", loading),
        ("a copy", copying),
    ];
    let rows = phases.map(|(name, time)| {
        let [ms, copy] = [time, copying].map(|time| time.as_secs_f64() * 1e3);
        vec![name.to_owned(), format!("{ms:.2}"), format!("{:.2}", ms / copy)]
    });
    out.table(&columns, rows)
}
