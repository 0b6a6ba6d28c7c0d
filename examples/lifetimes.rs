//! Lifetimes: what each layer of the heap reclaims, and when.
//!
//! ```text
//! cargo run --release -p segheap --example lifetimes
//! ```
//!
//! Prints a row for each step of a small workload (on wide terminals with a bar for
//! the live bytes), then what each layer reclaimed. Every run prints the same.

#![allow(clippy::arithmetic_side_effects, reason = "differences of small counts")]

mod support;

use std::process::ExitCode;

use segheap::{Cell, Closure, Error, Handle, Heap, List, Pair, Settings, Str, Struct, U8Arr};

use support::{Column, Output, Program, Result};

/// Bytes per character of a bar, its maximum length, and the narrowest output with bars.
const BAR_BYTES: u64 = 16 << 10;
const BAR_MAX: usize = 16;
const BAR_COLUMNS_MIN: u16 = 100;

const PROGRAM: Program = Program {
    name: "lifetimes",
    help: "\
Usage: lifetimes

Runs a small workload that frees, closes regions, collects, compacts, recycles
slots, seals and transplants. Prints the live objects after each step, then what
each layer of the heap reclaimed.

Options:
  -h, --help  Print this help",
    takes_file: false,
};

fn main() -> ExitCode {
    PROGRAM.run(|out, _| {
        let mut timeline = Timeline::new();
        free(&mut timeline)?;
        regions(&mut timeline)?;
        unwinding(&mut timeline)?;
        collection(&mut timeline)?;
        compaction(&mut timeline)?;
        retirement(&mut timeline)?;
        sealing(&mut timeline)?;
        transplant(&mut timeline)?;
        path(&mut timeline)?;
        timeline.heap.verify()?;
        timeline.print(out)
    })
}

/// Live objects, bytes of their payload, and pages.
#[derive(Clone, Copy, Default)]
struct Totals {
    live: u64,
    bytes: u64,
    pages: u64,
}

impl Totals {
    /// Sums over the arenas, seals included.
    fn of(heap: &Heap) -> Totals {
        let usage = heap.usage();
        let arenas = usage.arenas().iter().chain([&usage.seals]);
        arenas.fold(Totals::default(), |sum, arena| Totals {
            live: sum.live + u64::from(arena.live),
            bytes: sum.bytes + arena.payload_bytes,
            pages: sum.pages + arena.pages,
        })
    }

    fn cells(&self) -> [String; 3] {
        [self.live, self.bytes, self.pages].map(|count| count.to_string())
    }
}

/// A heap and its history.
struct Timeline {
    heap: Heap,
    /// After the last step.
    totals: Totals,
    steps: Vec<(&'static str, Totals, String)>,
    /// What each layer reclaimed.
    layers: Vec<(&'static str, Totals)>,
}

impl Timeline {
    fn new() -> Timeline {
        Timeline {
            heap: Heap::with(Settings::seeded(0x11FE)),
            totals: Totals::default(),
            steps: Vec::new(),
            layers: Vec::new(),
        }
    }

    /// Records a step that allocated.
    fn allocated(&mut self, layer: &'static str, what: impl Into<String>) {
        self.totals = Totals::of(&self.heap);
        self.steps.push((layer, self.totals, what.into()));
    }

    /// Records a step that reclaimed.
    fn reclaimed(&mut self, layer: &'static str, what: impl Into<String>) {
        let before = self.totals;
        self.allocated(layer, what);
        let after = self.totals;
        if self.layers.iter().all(|(name, _)| *name != layer) {
            self.layers.push((layer, Totals::default()));
        }
        for (_, sum) in self.layers.iter_mut().filter(|(name, _)| *name == layer) {
            sum.live += before.live.saturating_sub(after.live);
            sum.bytes += before.bytes.saturating_sub(after.bytes);
            sum.pages += before.pages.saturating_sub(after.pages);
        }
    }

    fn print(self, out: &mut Output) -> Result<()> {
        let [live, bytes, pages] = ["Live", "Bytes", "Pages"].map(Column::Number);
        let mut columns = vec![Column::Text("Layer"), live, bytes, pages];
        let bars = out.columns >= BAR_COLUMNS_MIN;
        columns.extend(bars.then_some(Column::Text("")));
        columns.push(Column::Text("Step"));
        let rows = self.steps.into_iter().map(|(layer, totals, what)| {
            let length = usize::try_from(totals.bytes.div_ceil(BAR_BYTES)).unwrap_or(BAR_MAX);
            let bar = bars.then(|| "█".repeat(length.min(BAR_MAX)));
            let cells = [layer.to_owned()].into_iter().chain(totals.cells());
            cells.chain(bar).chain([what]).collect()
        });
        out.table(&columns, rows)?;

        let rows = self
            .layers
            .iter()
            .map(|(layer, totals)| [layer.to_string()].into_iter().chain(totals.cells()).collect());
        let [objects, bytes, pages] = ["Objects", "Bytes", "Pages"].map(Column::Number);
        out.line("")?;
        out.table(&[Column::Text("Reclaimed by"), objects, bytes, pages], rows)?;
        out.line("")?;
        out.paragraph(&format!("The heap verifies: {:?}", self.heap))
    }
}

/// Allocates `n` lists of eight cells.
fn lists(heap: &mut Heap, n: u32) -> Result<Vec<Handle<List>>, Error> {
    (0..n).map(|i| heap.alloc(List::of(&[i.into(); 8]))).collect()
}

/// 1. Freeing: one object, at once. Its handles are stale from then on.
fn free(timeline: &mut Timeline) -> Result<()> {
    let all = lists(&mut timeline.heap, 1_000)?;
    timeline.allocated("free", "1,000 lists of eight cells");
    for &list in &all {
        timeline.heap.free(list)?;
    }
    let stale = all.iter().filter(|&&list| timeline.heap.get(list).is_err()).count();
    timeline.reclaimed("free", format!("each freed explicitly; {stale} handles are stale"));
    Ok(())
}

/// 2. Regions: what was allocated inside is freed when the region closes, except the
///    cells that are kept and what they reach.
fn regions(timeline: &mut Timeline) -> Result<()> {
    let heap = &mut timeline.heap;
    let outer = heap.open_region()?;
    lists(heap, 500)?;
    let inner = heap.open_region()?;
    lists(heap, 500)?;
    let name = heap.alloc(Str::new("kept by the pair that is kept"))?;
    let result = heap.alloc(Pair::of(name.into(), Cell::TRUE))?;
    timeline.allocated("regions", "two nested regions with 500 lists each");
    timeline.heap.close_region(inner, [result.cell()])?;
    timeline.reclaimed("regions", "the inner one closes and keeps its result in the outer one");
    timeline.heap.close_region(outer, [0; 0].map(Cell::from))?;
    timeline.reclaimed("regions", "the outer one closes and keeps nothing");
    Ok(())
}

/// 3. Unwinding: closing a region closes all regions that are open inside.
fn unwinding(timeline: &mut Timeline) -> Result<()> {
    let handler = timeline.heap.open_region()?;
    let mut thrown = Cell::NULL;
    for depth in 0..100_u32 {
        // Left open.
        let _ = timeline.heap.open_region()?;
        lists(&mut timeline.heap, 10)?;
        thrown = timeline.heap.alloc(Struct::of(depth, &[depth.into()]))?.into();
    }
    timeline
        .allocated("unwinding", "100 nested calls with a region and 10 lists each; then a throw");
    let freed = timeline.heap.close_region(handler, [thrown])?;
    timeline.reclaimed("unwinding", format!("unwound to the handler: {freed} objects freed"));
    timeline.heap.free(thrown)?;
    Ok(())
}

/// 4. Collection: frees what the roots do not reach, cycles included.
fn collection(timeline: &mut Timeline) -> Result<()> {
    let heap = &mut timeline.heap;
    let all = lists(heap, 1_000)?;
    for (&list, &next) in all.iter().zip(all.iter().cycle().skip(1)) {
        heap.get_mut(list)?.set(0, next.into())?;
    }
    let file = heap.alloc(Struct::new(7, 1))?;
    heap.watch(file, 17)?;
    let root = heap.alloc(List::of(&[]))?;
    timeline.allocated("collection", "a cycle of 1,000 lists, a watched object and a root");
    let done = timeline.heap.collect([root.cell()])?;
    let weak = all.iter().filter(|&&list| timeline.heap.upgrade(list).is_some()).count();
    let tokens: Vec<u64> = timeline.heap.drain_dead().collect();
    let what = format!(
        "{} freed; {weak} weak references remain; tokens of the dead: {tokens:?}",
        done.freed
    );
    timeline.reclaimed("collection", &what);
    timeline.heap.free(root)?;
    Ok(())
}

/// 5. Compaction: moves live objects together and returns pages to the allocator.
fn compaction(timeline: &mut Timeline) -> Result<()> {
    let heap = &mut timeline.heap;
    let arrays: Vec<_> =
        (0..64_u8).map(|i| heap.alloc(U8Arr::of(&[i; 4096]))).collect::<Result<_, _>>()?;
    timeline.allocated("compaction", "64 arrays of 4 KiB");
    for array in arrays.iter().step_by(2) {
        timeline.heap.free(*array)?;
    }
    timeline.reclaimed("free", "every other one freed: gaps, but no free page");
    timeline.heap.compact();
    let mut open = 0;
    for (&array, i) in arrays.iter().zip(0_u8..).skip(1).step_by(2) {
        open += u32::from(timeline.heap.get(array)?.as_slice() == [i; 4096]);
    }
    timeline.reclaimed("compaction", format!("compacted; {open} handles still open their arrays"));
    arrays.iter().skip(1).step_by(2).try_for_each(|&array| timeline.heap.free(array))?;
    timeline.reclaimed("free", "the rest freed");
    Ok(())
}

/// 6. Retirement: a slot has 4,096 generations. Then it is retired, so that no stale
///    handle becomes valid again, until no cell refers to it.
fn retirement(timeline: &mut Timeline) -> Result<()> {
    let heap = &mut timeline.heap;
    let mut last = heap.alloc(Closure::of(1, &[]))?;
    let mut generations = 1;
    while retired(heap) == 0 {
        heap.free(last)?;
        last = heap.alloc(Closure::of(1, &[]))?;
        generations += 1;
    }
    heap.free(last)?;
    timeline
        .allocated("retirement", format!("a slot retires after {} generations", generations - 1));
    // Roots, and the other cells that the host holds: none.
    let done = timeline.heap.collect_and_recycle([Cell::NULL], [Cell::NULL])?;
    let what = format!("{} retired slot recycled, {} left", done.recycled, retired(&timeline.heap));
    timeline.reclaimed("recycling", &what);
    Ok(())
}

fn retired(heap: &Heap) -> u32 {
    heap.usage().arenas().iter().map(|arena| arena.retired).sum()
}

/// 7. Sealing: a cell that others can store but not open. It keeps its object alive.
fn sealing(timeline: &mut Timeline) -> Result<()> {
    let heap = &mut timeline.heap;
    let (key, secret) = (heap.new_seal_key()?, heap.alloc(Str::new("for the holder of the key"))?);
    let sealed = heap.seal(secret, &key)?;
    let error = heap.get::<Str>(sealed).err().ok_or("a sealed cell was opened")?;
    timeline.allocated("sealing", format!("a sealed text; opening it fails: {error}"));
    timeline.heap.collect([sealed])?;
    let text = timeline.heap.display(timeline.heap.unseal(sealed, &key)?).to_string();
    timeline
        .reclaimed("sealing", format!("collected with the sealed cell as root; unsealed: {text}"));
    let done = timeline.heap.collect([Cell::NULL])?;
    timeline.reclaimed("sealing", format!("collected without it: {} freed", done.freed));
    Ok(())
}

/// 8. Transplant: copies a graph into another heap.
fn transplant(timeline: &mut Timeline) -> Result<()> {
    let mut other = Heap::with(Settings::seeded(0x07E4));
    let list = other.alloc(List::of(&[1.into()]))?;
    let pair = other.alloc(Pair::of(list.into(), list.into()))?;
    other.get_mut(list)?.push(pair.into())?;
    let copy = timeline.heap.transplant(&other, pair.into())?;
    drop(other);
    let shown = timeline.heap.display(copy).to_string();
    timeline.allocated("transplant", format!("copied from a heap that is dropped since: {shown}"));
    timeline.heap.collect([Cell::NULL])?;
    timeline.reclaimed("transplant", "the copy is collected");
    Ok(())
}

/// 9. Path from a root: why an object is alive.
fn path(timeline: &mut Timeline) -> Result<()> {
    let heap = &mut timeline.heap;
    let leak = heap.alloc(List::of(&[]))?;
    let cache = heap.alloc(Pair::of(1.into(), leak.into()))?;
    let globals = heap.alloc(List::of(&[Cell::NULL, cache.into()]))?;
    let path = heap.path_from_roots([globals.cell()], leak.into())?.ok_or("no path to the leak")?;
    let shown: Vec<String> = path.iter().map(|cell| format!("{cell:?}")).collect();
    let shown = shown.join(" > ");
    timeline.allocated("path", format!("{:?} is alive by {shown}", leak.cell()));
    timeline.heap.clear();
    timeline.reclaimed("clear", "the heap cleared");
    Ok(())
}
