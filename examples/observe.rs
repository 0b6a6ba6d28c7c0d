//! Observing: what a VM sees of its heap.
//!
//! ```text
//! cargo run --release -p segheap --example observe -- words.heapsnapshot
//! ```
//!
//! Runs a program that counts words, and prints which of its lines allocate what, as a table
//! and as folded stacks, and what the collector did meanwhile. Writes the heap to the file, if
//! one is named, for the DevTools of Chrome: tab Memory, button Load.

mod support;

use std::fs::File;
use std::io::BufWriter;
use std::process::ExitCode;

use segheap::{
    Cell, Error, Event, EventKind, Heap, List, Map, Policy, Settings, SnapshotNames, Struct,
};

use support::{Column, Output, Program, Result};

const PROGRAM: Program = Program {
    name: "observe",
    help: "\
Usage: observe [FILE]

Runs a small program on a heap, and prints what its lines allocate and what the
collector does. Writes a heap snapshot to FILE, for the DevTools of Chrome.

Options:
  -h, --help  Print this help",
    takes_file: true,
};

/// The sites of the program: a call stack for each number.
const SITES: [&str; 4] = ["main", "main;count", "main;count;split", "main;count;entry"];
const COUNT: u32 = 1;
const SPLIT: u32 = 2;
const ENTRY: u32 = 3;

/// The shape of an entry, and its fields.
const ENTRY_SHAPE: u32 = 0;
const FIELDS: [&str; 2] = ["word", "lines"];

const TEXT: &str = "a segmented heap for language VMs with typed arenas and checked handles";
const LINES: usize = 2_000;

fn main() -> ExitCode {
    PROGRAM.run(|out, file| {
        let mut heap = Heap::with(Settings::seeded(0x0B5E));
        heap.set_policy(Policy::DEFAULT.with_bytes_min(256 << 10).with_young_bytes(64 << 10));
        heap.start_profile()?;
        heap.record_events(4096)?;
        let counts = count_words(&mut heap)?;
        out.paragraph(
            "What the lines of the program have allocated; the bytes that are live, as stacks for \
             a flame graph; and what the heap did meanwhile.",
        )?;
        out.line("")?;
        heap.collect([counts])?;
        profile(&mut heap, out)?;
        events(&mut heap, out)?;
        let Some(file) = file else { return Ok(()) };
        let writer = BufWriter::new(File::create(&file)?);
        let totals = heap.save_heap_snapshot(writer, [counts], &Names)?;
        out.line(&format!(
            "\n{}: {} nodes, {} edges, {} bytes",
            file.display(),
            totals.nodes,
            totals.edges,
            totals.bytes
        ))
    })
}

/// Counts in which lines each word is.
fn count_words(heap: &mut Heap) -> Result<Cell, Error> {
    heap.set_site(COUNT);
    let counts = heap.alloc(Map::new())?.cell();
    for n in 0..LINES {
        heap.set_site(COUNT);
        let line = heap.string(&format!("{TEXT} {}", n / 8))?;
        heap.set_site(SPLIT);
        let words = heap.text_split(line, Cell::short_str(" ").unwrap_or_default())?;
        for at in 0..heap.get(words)?.len() {
            let word = heap.get(words)?.get(at)?;
            let entry = match heap.map_get(counts, word)? {
                Some(entry) => entry,
                None => {
                    heap.set_site(ENTRY);
                    let lines = heap.alloc(List::new())?.cell();
                    let entry = heap.alloc(Struct::of(ENTRY_SHAPE, &[word, lines]))?.cell();
                    heap.map_insert(counts, word, entry)?;
                    entry
                }
            };
            let lines = heap.get::<Struct>(entry)?.get(1)?;
            heap.get_mut::<List>(lines)?
                .push(Cell::int(n.try_into().unwrap_or(0)).unwrap_or_default())?;
        }
        if heap.has_debt() {
            heap.collect_debt([counts])?;
        }
    }
    Ok(counts)
}

/// Prints what each site has allocated, and the bytes that are live as folded stacks.
fn profile(heap: &mut Heap, out: &mut Output) -> Result<()> {
    let profile = heap.allocation_profile();
    let columns = [
        Column::Text("site"),
        Column::Text("kind"),
        Column::Number("allocated"),
        Column::Number("bytes"),
        Column::Number("live"),
        Column::Number("bytes"),
    ];
    let mut rows = profile.sites().to_vec();
    rows.sort_by_key(|row| std::cmp::Reverse(row.allocated.bytes));
    let cells = |row: &segheap::SiteUsage| {
        let counts = [row.allocated.objects, row.allocated.bytes, row.live.objects, row.live.bytes];
        let mut cells = vec![stack(row.site).to_owned(), row.kind.to_string()];
        cells.extend(counts.map(|count| count.to_string()));
        cells
    };
    out.table(&columns, rows.iter().map(cells))?;
    out.line("")?;
    let folded = profile.folded(|site, out| out.write_str(stack(site)), |row| row.live.bytes);
    out.line(folded.to_string().trim_end())
}

/// The call stack of a site.
fn stack(site: u32) -> &'static str {
    usize::try_from(site).ok().and_then(|site| SITES.get(site)).copied().unwrap_or("main")
}

/// Prints how often each event has happened, and the first of each.
fn events(heap: &mut Heap, out: &mut Output) -> Result<()> {
    let lost = heap.events_lost();
    let mut counts: Vec<(&str, Event, usize)> = Vec::new();
    for event in heap.drain_events() {
        let name = match event.kind {
            EventKind::CollectionBegin { .. } => "collection begins",
            EventKind::CollectionEnd { .. } => "collection ends",
            EventKind::MemoryGrow { .. } => "memory grows",
            EventKind::MemoryShrink { .. } => "memory shrinks",
            EventKind::Compaction { .. } => "compaction",
            EventKind::NearLimit { .. } => "limit is near",
            _ => "other",
        };
        match counts.iter_mut().find(|(other, ..)| *other == name) {
            Some((_, _, count)) => *count = count.saturating_add(1),
            None => counts.push((name, event, 1)),
        }
    }
    let columns = [Column::Text("event"), Column::Number("times"), Column::Text("the first")];
    out.line("")?;
    let rows = counts.into_iter().map(|(name, first, count)| {
        vec![name.to_owned(), count.to_string(), format!("{:?}", first.kind)]
    });
    out.table(&columns, rows)?;
    if lost > 0 {
        out.line(&format!("{lost} events were lost"))?;
    }
    Ok(())
}

/// The names of the VM.
struct Names;

impl SnapshotNames for Names {
    fn class(&self, heap: &Heap, object: Cell) -> Option<&str> {
        let shape = heap.get::<Struct>(object).ok()?.shape();
        (shape == ENTRY_SHAPE).then_some("Entry")
    }

    fn field(&self, heap: &Heap, object: Cell, index: u32) -> Option<&str> {
        heap.get::<Struct>(object).ok()?;
        FIELDS.get(usize::try_from(index).ok()?).copied()
    }

    fn root(&self, _position: usize) -> Option<&str> {
        Some("counts")
    }
}
