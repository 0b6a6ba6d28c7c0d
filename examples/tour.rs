//! A tour of the heap: processes a file as a VM's program would.
//!
//! ```text
//! cargo run --release -p segheap --example tour [FILE]
//! ```
//!
//! Counts the words of FILE, or of this crate's README.md. All data of the program is
//! in the heap, and each of the twelve kinds has a use. Prints the results, the
//! contents of the arenas, and what errors look like.

#![allow(clippy::arithmetic_side_effects, reason = "sums of lengths that fit into memory")]

#[path = "support/progress.rs"]
mod progress;
mod support;

use std::cmp::Ordering;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use segheap::bstr::{BStr, ByteSlice};
use segheap::{
    Bytes, Cell, Closure, Cursor, Error, F64Arr, Handle, Heap, I64Arr, Limits, List, Map, Pair,
    Set, Settings, Str, Struct, TextPart, U8Arr,
};

use progress::Progress;
use support::{Column, Output, Program, Result, is_broken_pipe};

/// Function ids of closures, which are up to the VM.
const LONGER_THAN: u32 = 1;
const STARTS_WITH: u32 = 2;
/// The shape id of a word's record, and its fields.
const WORD: u32 = 1;
const TEXT_FIELD: usize = 0;
const COUNT_FIELD: usize = 1;
/// Number of top words, of characters that a word is cut to, and of a bar's characters.
const TOP: usize = 8;
const WORD_CHARS_MAX: usize = 60;
const BAR_MAX: u64 = 24;
/// Width of the table of arenas without the bars.
const ARENAS_WIDTH: u64 = 46;

const PROGRAM: Program = Program {
    name: "tour",
    help: "\
Usage: tour [FILE]

Counts the words of FILE (this crate's README.md by default) with all data in a
heap of segheap. Prints the results, the contents of the heap's arenas, and what
its errors look like. FILE has to be UTF-8.

Options:
  -h, --help  Print this help",
    takes_file: true,
};

fn main() -> ExitCode {
    PROGRAM.run(|out, file| {
        let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let (name, path) = match file {
            Some(file) => (file.display().to_string(), PathBuf::from(file)),
            None => ("README.md".to_owned(), PathBuf::from(readme)),
        };
        tour(out, &name, &path).map_err(|error| {
            if is_broken_pipe(&*error) { error } else { format!("{name}: {error}").into() }
        })
    })
}

fn tour(out: &mut Output, name: &str, path: &Path) -> Result<()> {
    // The host decides how much a program may use; here, 3 GiB.
    let limits = Limits::NONE.with_bytes(3 << 30);
    let mut heap = Heap::with(Settings::random().limits(limits));
    let file = load(&mut heap, path)?;
    let words = count_words(&mut heap, file.text)?;
    let facts = measure(&mut heap, &file, &words)?;
    print_words(out, name, &heap, &file, &words, &facts)?;
    print_facts(out, &heap, &facts)?;
    print_arenas(out, &heap)?;
    print_errors(out, &mut heap, &facts, &words)
}

// 1. Bytes and text.

/// The file in the heap. A handle is 8 bytes, `Copy`, and borrows nothing.
struct File {
    bytes: Handle<Bytes>,
    text: Handle<Str>,
}

fn load(heap: &mut Heap, path: &Path) -> Result<File> {
    let mut file = std::fs::File::open(path)?;
    let bytes = heap.alloc(Bytes::of(&[]))?;
    let mut chunk = [0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => heap.get_mut(bytes)?.extend(chunk.get(..read).unwrap_or_default())?,
        }
    }
    // `Bytes` holds any bytes. A `Str` is valid UTF-8: the copy from one arena to the
    // other validates.
    let text = heap.convert_across::<Str>(bytes, ..)?;
    Ok(File { bytes, text })
}

// 2. A list and a map.

struct Words {
    /// Each word once; the most frequent first.
    list: Handle<List>,
    /// How often each occurs.
    counts: Handle<Map>,
    total: Cell,
}

fn count_words(heap: &mut Heap, text: Handle<Str>) -> Result<Words, Error> {
    let list = heap.alloc(List::of(&[]))?;
    let counts = heap.alloc(Map::new())?;
    let mut total = Cell::from(0);
    let mut from = 0;
    let (mut progress, size) = (Progress::new("counting words"), heap.get(text)?.len());
    // A view is a short-lived borrow: it ends before the heap changes.
    while let Some(range) = next_word(heap.get(text)?.text(), from) {
        from = range.end;
        progress.step(from, size);
        // Copies inside of the arena. Text of up to 5 bytes is stored in the cell and
        // needs no object.
        let word = heap.concat(&[TextPart::Range(text.into(), range)])?;
        total = heap.add(total, 1.into())?;
        match heap.get(counts)?.get(word)? {
            Some(count) => {
                let count = heap.add(count, 1.into())?;
                heap.get_mut(counts)?.insert(word, count)?;
                // Texts are keys by value. The map keeps the copy that it has, so this
                // one is garbage.
                discard(heap, word)?;
            }
            None => {
                heap.get_mut(counts)?.insert(word, 1.into())?;
                heap.get_mut(list)?.push(word)?;
            }
        }
    }
    sort_by_count(heap, list, counts)?;
    Ok(Words { list, counts, total })
}

/// Sorts by descending count, words of equal counts by their text.
fn sort_by_count(heap: &mut Heap, list: Handle<List>, counts: Handle<Map>) -> Result<(), Error> {
    let len = heap.get(list)?.len();
    let comparisons = len.saturating_mul(len.max(1).ilog2() as usize);
    let (mut progress, mut done) = (Progress::new("sorting"), 0);
    // The comparison receives the heap: in a VM it may run a program.
    heap.sort_by(list, |heap, a, b| -> Result<Ordering, Error> {
        done = comparisons.min(done + 1);
        progress.step(done, comparisons);
        let (x, y) = (count_of(heap, counts, a)?, count_of(heap, counts, b)?);
        Ok(match heap.cmp_int(y, x)? {
            Ordering::Equal => heap.text(a)?.cmp(&heap.text(b)?),
            order => order,
        })
    })
}

fn count_of(heap: &Heap, counts: Handle<Map>, word: Cell) -> Result<Cell, Error> {
    Ok(heap.get(counts)?.get(word)?.unwrap_or(Cell::from(0)))
}

/// Frees the object that the cell refers to, if it refers to one.
fn discard(heap: &mut Heap, value: Cell) -> Result<(), Error> {
    if value.kind().is_some() { heap.free(value) } else { Ok(()) }
}

/// Finds the next run of letters and digits at or after `from`.
fn next_word(text: &BStr, from: usize) -> Option<Range<usize>> {
    let rest = text.get(from..)?;
    let mut chars = rest.char_indices();
    let (start, mut end, _) = chars.find(|(_, _, c)| c.is_alphanumeric())?;
    for (_, after, _) in chars.take_while(|(_, _, c)| c.is_alphanumeric()) {
        end = after;
    }
    Some(from + start..from + end)
}

fn letters(text: &BStr) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

// 3. The other kinds.

struct Facts {
    /// First letters of all words.
    initials: Handle<Set>,
    /// Number of permutations of the initials; soon more than 64 bits hold.
    permutations: Cell,
    mean_length: f64,
    /// A `WORD` for each of the top words.
    records: Handle<List>,
    /// The top words as a linked list of pairs: (first, (second, ... null)).
    chain: Cell,
    /// Predicates, their descriptions, and how many words satisfy them.
    predicates: [(Handle<Closure>, &'static str, usize); 2],
    distinct_bytes: usize,
}

fn measure(heap: &mut Heap, file: &File, words: &Words) -> Result<Facts> {
    let (initials, lengths) = initials_and_lengths(heap, words)?;
    let floats = heap.convert_across::<F64Arr>(lengths, ..)?;
    let view = heap.get(floats)?;
    let mean_length = view.sum(..)? / f64::from(u32::try_from(view.len().max(1))?);
    let (records, chain) = top_words(heap, words)?;

    // A closure is a function id and captured values.
    let long = heap.alloc(Closure::of(LONGER_THAN, &[8.into()]))?;
    let initial = heap.get(initials)?.iter().next().unwrap_or(Cell::NULL);
    let same_initial = heap.alloc(Closure::of(STARTS_WITH, &[initial]))?;
    Ok(Facts {
        initials,
        permutations: factorial(heap, heap.get(initials)?.len())?,
        mean_length,
        records,
        chain,
        predicates: [
            (long, "words of more than 8 letters", count_if(heap, words, long)?),
            (
                same_initial,
                "words that start like the top word",
                count_if(heap, words, same_initial)?,
            ),
        ],
        distinct_bytes: distinct_bytes(heap, file.bytes)?,
    })
}

fn initials_and_lengths(
    heap: &mut Heap,
    words: &Words,
) -> Result<(Handle<Set>, Handle<I64Arr>), Error> {
    let initials = heap.alloc(Set::new())?;
    let lengths = heap.alloc(I64Arr::with_capacity(heap.get(words.list)?.len()))?;
    // A cursor is a position of an iteration. It borrows nothing, so the heap may
    // change between two steps.
    let mut cursor = Cursor::default();
    while let Some(word) = heap.get(words.list)?.next(&mut cursor) {
        let text = heap.text(word)?;
        let letters = letters(&text);
        let first = text.chars().next().map_or(0, char::len_utf8);
        let initial = heap.concat(&[TextPart::Range(word, 0..first)])?;
        heap.get_mut(initials)?.insert(initial)?;
        heap.get_mut(lengths)?.push(letters)?;
    }
    Ok((initials, lengths))
}

fn top_words(heap: &mut Heap, words: &Words) -> Result<(Handle<List>, Cell), Error> {
    let records = heap.alloc(List::with_capacity(TOP))?;
    let mut chain = Cell::NULL;
    for n in (0..heap.get(words.list)?.len().min(TOP)).rev() {
        let text = heap.get(words.list)?.get(n)?;
        let count = count_of(heap, words.counts, text)?;
        let record = heap.alloc(Struct::of(WORD, &[text, count]))?;
        heap.get_mut(records)?.push(record.into())?;
        chain = heap.alloc(Pair::of(text, chain))?.into();
    }
    heap.get_mut(records)?.reverse()?;
    Ok((records, chain))
}

/// Integers of up to 48 bits are stored in the cell; larger results become a
/// `Bignum`. Each intermediate result is freed at its last use.
fn factorial(heap: &mut Heap, n: usize) -> Result<Cell, Error> {
    let mut result = Cell::from(1);
    for n in 2..=n {
        let factor = heap.int(i64::try_from(n).unwrap_or(i64::MAX))?;
        let product = heap.mul(result, factor)?;
        discard(heap, std::mem::replace(&mut result, product))?;
    }
    Ok(result)
}

fn distinct_bytes(heap: &mut Heap, bytes: Handle<Bytes>) -> Result<usize, Error> {
    let seen = heap.alloc(U8Arr::zeroed(256))?;
    // Windows into two arenas at once: one to read, one to write.
    let (bytes, flags) = heap.windows_mut((bytes, seen))?;
    for byte in bytes {
        if let Some(flag) = flags.get_mut(usize::from(*byte)) {
            *flag = 1;
        }
    }
    Ok(heap.get(seen)?.as_slice().iter().filter(|flag| **flag != 0).count())
}

fn count_if(heap: &Heap, words: &Words, predicate: Handle<Closure>) -> Result<usize, Error> {
    heap.get(words.list)?.as_slice().iter().try_fold(0, |count, &word| {
        Ok(count + usize::from(call(heap, predicate, word)? == Cell::TRUE))
    })
}

/// The "interpreter": calls a closure with one argument.
fn call(heap: &Heap, closure: Handle<Closure>, word: Cell) -> Result<Cell, Error> {
    let closure = heap.get(closure)?;
    let (text, upvalue) = (heap.text(word)?, closure.get(0)?);
    Ok(match closure.function() {
        LONGER_THAN => Cell::bool(Some(letters(&text)) > upvalue.as_int()),
        STARTS_WITH => Cell::bool(text.starts_with(&heap.text(upvalue)?)),
        _ => Cell::NULL,
    })
}

// 4. Results.

fn print_words(
    out: &mut Output,
    name: &str,
    heap: &Heap,
    file: &File,
    words: &Words,
    facts: &Facts,
) -> Result<()> {
    let size = heap.get(file.bytes)?.len();
    let total = heap.display(words.total);
    let distinct = heap.get(words.counts)?.len();
    out.paragraph(&format!("{name}: {size} bytes, {total} words, {distinct} distinct"))?;
    out.line("")?;
    let mut rows = Vec::new();
    for &record in heap.get(facts.records)?.as_slice() {
        let fields = heap.get::<Struct>(record)?;
        let text: String =
            heap.text(fields.get(TEXT_FIELD)?)?.chars().take(WORD_CHARS_MAX).collect();
        rows.push(vec![heap.display(fields.get(COUNT_FIELD)?).to_string(), text]);
    }
    out.table(&[Column::Number("Count"), Column::Text("Word")], rows)
}

fn print_facts(out: &mut Output, heap: &Heap, facts: &Facts) -> Result<()> {
    let show = |value: Cell, limit| heap.display(value).limit(limit).to_string();
    let first = heap.get(facts.records)?.as_slice().first().copied().unwrap_or_default();
    let mut rows = vec![
        vec!["top word as a Struct".to_owned(), show(first, 72)],
        vec!["top words as nested Pairs".to_owned(), show(facts.chain, 72)],
        vec!["initials as a Set".to_owned(), show(facts.initials.into(), 72)],
        vec!["permutations of them".to_owned(), show(facts.permutations, 120)],
        vec!["mean length of a word".to_owned(), format!("{:.2}", facts.mean_length)],
        vec!["distinct byte values".to_owned(), facts.distinct_bytes.to_string()],
    ];
    for (predicate, description, count) in facts.predicates {
        let count = format!("{count}, by {}", show(predicate.into(), 40));
        rows.push(vec![description.to_owned(), count]);
    }
    out.line("")?;
    out.table(&[Column::Text("Fact"), Column::Text("Value")], rows)
}

fn print_arenas(out: &mut Output, heap: &Heap) -> Result<()> {
    let usage = heap.usage();
    let most = usage.arenas().iter().map(|arena| arena.payload_bytes).max().unwrap_or(0).max(1);
    let bar_max = u64::from(out.columns).saturating_sub(ARENAS_WIDTH).min(BAR_MAX);
    let mut rows = Vec::new();
    for arena in usage.arenas() {
        let bytes = arena.payload_bytes;
        let bar = "█".repeat(usize::try_from((bytes * bar_max).div_ceil(most))?);
        let (kind, pages, live) = (arena.kind, arena.pages, arena.live);
        let numbers = [pages.to_string(), live.to_string(), bytes.to_string()];
        rows.push([vec![kind.to_string()], numbers.to_vec(), vec![bar]].concat());
    }
    let numbers = [usage.pages().to_string(), usage.live().to_string()];
    rows.push([vec!["all".to_owned()], numbers.to_vec()].concat());
    let numbers = ["Pages", "Live", "Payload bytes"].map(Column::Number);
    let columns = [&[Column::Text("Arena")], &numbers[..], &[Column::Text("")]].concat();
    out.line("")?;
    out.table(&columns, rows)?;
    let total = usage.total_bytes;
    out.line("")?;
    out.paragraph(&format!("Requested from the allocator: {total} bytes"))
}

// 5. Errors.

fn print_errors(out: &mut Output, heap: &mut Heap, facts: &Facts, words: &Words) -> Result<()> {
    let stale = heap.alloc(Pair::of(Cell::TRUE, Cell::FALSE))?;
    heap.free(stale)?;
    // Reuses the slot. The old handle does not open the new object.
    let successor = heap.alloc(Pair::of(Cell::NULL, Cell::NULL))?;

    let mistakes = [
        ("a stale handle", heap.get(stale).err()),
        ("a set opened as a list", heap.get::<List>(facts.initials.cell()).err()),
        ("a number opened as a list", heap.get::<List>(Cell::from(42)).err()),
        ("an index out of range", heap.get(words.list)?.get(usize::MAX).err()),
    ];
    let row = |(mistake, error): (&str, Option<Error>)| {
        error.map(|error| vec![mistake.to_owned(), format!("{error}\n{error:?}")])
    };
    let columns = [Column::Text("Mistake"), Column::Text("Error, as Display and as Debug")];
    out.line("")?;
    out.table(&columns, mistakes.into_iter().filter_map(row))?;
    out.line("")?;
    out.paragraph(&format!(
        "The stale handle prints as {stale:?}, and so does its successor: {successor:?}. \
         Generations are never printed; only the heap tells the two apart."
    ))
}
