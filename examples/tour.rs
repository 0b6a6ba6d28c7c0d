//! A tour of the heap: reads a file the way a VM's program would.
//!
//! ```text
//! cargo run --release --example tour [FILE]
//! ```
//!
//! Counts the words of FILE, or of this crate's README.md. All that the program
//! makes lies in the heap, and each of the twelve kinds has a part in it. At the
//! end it prints what it found, what the arenas hold, what mistakes look like.

#![allow(clippy::arithmetic_side_effects, reason = "sums of lengths that fit into memory")]

use std::cmp::Ordering;
use std::io::{self, BufWriter, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use segheap::bstr::{BStr, ByteSlice};
use segheap::{
    Bytes, Cell, Closure, Cursor, Error, F64Arr, Handle, Heap, I64Arr, Limits, List, Map, Pair,
    Set, Settings, Str, Struct, TextPart, U8Arr,
};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A VM numbers the shapes of its records and its functions; so does the tour.
const LONGER_THAN: u32 = 1;
const BEGINS_WITH: u32 = 2;
/// The shape of a word's record, and its fields.
const WORD: u32 = 1;
const TEXT: usize = 0;
const COUNT: usize = 1;
/// How many words are top words, and how long a bar can be.
const TOP: usize = 8;
const BAR: u64 = 24;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let (name, path) = match args.next() {
        Some(file) => (file.display().to_string(), PathBuf::from(file)),
        None => ("README.md".to_owned(), PathBuf::from(readme)),
    };
    match tour(&name, &path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if error.downcast_ref().map(io::Error::kind) == Some(io::ErrorKind::BrokenPipe) {
                return ExitCode::SUCCESS; // the reader has had enough: `tour | head`
            }
            // If this cannot be written, nobody is left to tell.
            let _ = writeln!(io::stderr(), "tour: {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tour(name: &str, path: &Path) -> Outcome<()> {
    // What a program may use is up to its host; here, 3 GiB.
    let limits = Limits::NONE.with_bytes(3 << 30);
    let mut heap = Heap::with(Settings::random().limits(limits));
    let file = load(&mut heap, path)?;
    let words = count_words(&mut heap, file.text)?;
    let facts = measure(&mut heap, &file, &words)?;
    let mut out = BufWriter::new(io::stdout().lock());
    print_result(&mut out, name, &heap, &file, &words, &facts)?;
    print_arenas(&mut out, &heap)?;
    print_mistakes(&mut out, &mut heap, &facts, &words)?;
    Ok(out.flush()?)
}

// 1. Bytes and text.

/// The file in the heap. A handle is 8 bytes, `Copy`, and borrows nothing.
struct File {
    bytes: Handle<Bytes>,
    text: Handle<Str>,
}

fn load(heap: &mut Heap, path: &Path) -> Outcome<File> {
    let mut file = std::fs::File::open(path)?;
    let bytes = heap.alloc(Bytes::of(&[]))?;
    let mut chunk = [0; 1 << 16];
    loop {
        match file.read(&mut chunk)? {
            0 => break,
            read => heap.get_mut(bytes)?.extend(chunk.get(..read).unwrap_or_default())?,
        }
    }
    // `Bytes` takes anything. A `Str` is UTF-8, and is checked when it is made;
    // the copy goes from arena to arena.
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
    // A view lives for one step: it is opened, the range of a word is found, and
    // it is gone before the heap changes.
    while let Some(range) = next_word(heap.get(text)?.text(), from) {
        from = range.end;
        // Copies from the arena to the arena. Up to 5 bytes need no object: the
        // text is in the cell then.
        let word = heap.concat(&[TextPart::Range(text.into(), range)])?;
        total = heap.add(total, 1.into())?;
        match heap.get(counts)?.get(word)? {
            Some(count) => {
                let count = heap.add(count, 1.into())?;
                heap.get_mut(counts)?.insert(word, count)?;
                // Text is a key by what it says, so the map has this word
                // already, and this copy of it can go.
                discard(heap, word)?;
            }
            None => {
                heap.get_mut(counts)?.insert(word, 1.into())?;
                heap.get_mut(list)?.push(word)?;
            }
        }
    }
    // The comparison gets the heap: in a VM it may well run a program.
    heap.sort_by(list, |heap, a, b| -> Result<Ordering, Error> {
        let (x, y) = (count_of(heap, counts, a)?, count_of(heap, counts, b)?);
        Ok(match heap.cmp_int(y, x)? {
            Ordering::Equal => heap.text(a)?.cmp(&heap.text(b)?),
            order => order,
        })
    })?;
    Ok(Words { list, counts, total })
}

fn count_of(heap: &Heap, counts: Handle<Map>, word: Cell) -> Result<Cell, Error> {
    Ok(heap.get(counts)?.get(word)?.unwrap_or(Cell::from(0)))
}

/// Frees what the cell names, if it names an object.
fn discard(heap: &mut Heap, value: Cell) -> Result<(), Error> {
    if value.kind().is_some() { heap.free(value) } else { Ok(()) }
}

/// The next run of letters and digits at or behind `from`.
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
    /// The first letters.
    initials: Handle<Set>,
    /// How many orders they can stand in; soon more than 64 bits can hold.
    orders: Cell,
    mean: f64,
    /// One `WORD` for each of the top words.
    records: Handle<List>,
    /// The top words as the lists of Lisp: (first, (second, … null)).
    chain: Cell,
    /// Conditions, what they say, and how many words meet them.
    tests: [(Handle<Closure>, &'static str, usize); 2],
    distinct_bytes: usize,
}

fn measure(heap: &mut Heap, file: &File, words: &Words) -> Outcome<Facts> {
    let initials = heap.alloc(Set::new())?;
    let lengths = heap.alloc(I64Arr::with_capacity(heap.get(words.list)?.len()))?;
    // A cursor is where an iteration stands. It borrows nothing, so the heap may
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

    let floats = heap.convert_across::<F64Arr>(lengths, ..)?;
    let view = heap.get(floats)?;
    let mean = view.sum(..)? / f64::from(u32::try_from(view.len().max(1))?);

    // Two arenas at once: one to read, one to write.
    let seen = heap.alloc(U8Arr::zeroed(256))?;
    let (bytes, flags) = heap.windows_mut((file.bytes, seen))?;
    for byte in bytes {
        if let Some(flag) = flags.get_mut(usize::from(*byte)) {
            *flag = 1;
        }
    }

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

    // Integers of up to 48 bits lie in the cell; the arithmetic goes over to
    // Bignum by itself. What was left behind is freed at its last use.
    let mut orders = Cell::from(1);
    for n in 2..=heap.get(initials)?.len() {
        let factor = heap.int(i64::try_from(n).unwrap_or(i64::MAX))?;
        let product = heap.mul(orders, factor)?;
        discard(heap, std::mem::replace(&mut orders, product))?;
    }

    // A closure is the number of a function and the values that it closed over.
    let long = heap.alloc(Closure::of(LONGER_THAN, &[8.into()]))?;
    let first = heap.get(initials)?.iter().next().unwrap_or(Cell::NULL);
    let same_initial = heap.alloc(Closure::of(BEGINS_WITH, &[first]))?;

    Ok(Facts {
        initials,
        orders,
        mean,
        records,
        chain,
        tests: [
            (long, "words of more than 8 letters", count_if(heap, words, long)?),
            (same_initial, "words that begin like the first", count_if(heap, words, same_initial)?),
        ],
        distinct_bytes: heap.get(seen)?.as_slice().iter().filter(|flag| **flag != 0).count(),
    })
}

fn count_if(heap: &Heap, words: &Words, test: Handle<Closure>) -> Result<usize, Error> {
    heap.get(words.list)?
        .as_slice()
        .iter()
        .try_fold(0, |count, &word| Ok(count + usize::from(call(heap, test, word)? == Cell::TRUE)))
}

/// The "interpreter": runs a closure on one argument.
fn call(heap: &Heap, closure: Handle<Closure>, word: Cell) -> Result<Cell, Error> {
    let closure = heap.get(closure)?;
    let (text, upvalue) = (heap.text(word)?, closure.get(0)?);
    Ok(match closure.function() {
        LONGER_THAN => Cell::bool(Some(letters(&text)) > upvalue.as_int()),
        BEGINS_WITH => Cell::bool(text.starts_with(&heap.text(upvalue)?)),
        _ => Cell::NULL,
    })
}

// 4. What came of it.

fn print_result(
    out: &mut impl Write,
    name: &str,
    heap: &Heap,
    file: &File,
    words: &Words,
    facts: &Facts,
) -> Outcome<()> {
    let size = heap.get(file.bytes)?.len();
    let total = heap.display(words.total);
    let distinct = heap.get(words.counts)?.len();
    writeln!(out, "{name}: {size} bytes, {total} words, {distinct} of them different\n")?;
    for &record in heap.get(facts.records)?.as_slice() {
        let fields = heap.get::<Struct>(record)?;
        let (text, count) = (heap.text(fields.get(TEXT)?)?, heap.display(fields.get(COUNT)?));
        writeln!(out, "  {count:>9}  {text}", count = count.to_string())?;
    }
    let show = |value: Cell, limit| heap.display(value).limit(limit).to_string();
    let first = heap.get(facts.records)?.as_slice().first().copied().unwrap_or_default();
    let rows = [
        ("the first of them as a record", show(first, 72)),
        ("all of them as nested pairs", show(facts.chain, 72)),
        ("first letters of all words", show(facts.initials.into(), 72)),
        ("orders they can stand in", show(facts.orders, 120)),
        ("letters in a word, on average", format!("{:.2}", facts.mean)),
        ("different byte values", facts.distinct_bytes.to_string()),
    ];
    writeln!(out)?;
    for (label, value) in rows {
        writeln!(out, "{label:<32}{value}")?;
    }
    for (test, says, count) in facts.tests {
        writeln!(out, "{says:<32}{count}, says {}", show(test.into(), 40))?;
    }
    Ok(writeln!(out)?)
}

fn print_arenas(out: &mut impl Write, heap: &Heap) -> io::Result<()> {
    let usage = heap.usage();
    let most = usage.arenas().iter().map(|arena| arena.payload_bytes).max().unwrap_or(0).max(1);
    writeln!(out, "arena      pages      live  payload bytes")?;
    for arena in usage.arenas() {
        let (kind, pages, live, bytes) = (arena.kind, arena.pages, arena.live, arena.payload_bytes);
        let bar = "█".repeat(usize::try_from((bytes * BAR).div_ceil(most)).unwrap_or(0));
        writeln!(out, "{kind:<8} {pages:>7} {live:>9} {bytes:>14} |{bar}")?;
    }
    let (pages, live, total) = (usage.pages(), usage.live(), usage.total_bytes);
    writeln!(out, "all      {pages:>7} {live:>9}   {total} bytes asked of the allocator\n")
}

// 5. Mistakes.

fn print_mistakes(
    out: &mut impl Write,
    heap: &mut Heap,
    facts: &Facts,
    words: &Words,
) -> Outcome<()> {
    let gone = heap.alloc(Pair::of(Cell::TRUE, Cell::FALSE))?;
    heap.free(gone)?;
    // Its slot is taken again, and the old handle does not open the new object.
    let successor = heap.alloc(Pair::of(Cell::NULL, Cell::NULL))?;

    writeln!(out, "mistakes, in words (Display) and for programs (Debug)")?;
    let mistakes = [
        ("a stale handle", heap.get(gone).err()),
        ("a set taken for a list", heap.get::<List>(facts.initials.cell()).err()),
        ("a number taken for a list", heap.get::<List>(Cell::from(42)).err()),
        ("an index out of range", heap.get(words.list)?.get(1 << 40).err()),
    ];
    for (mistake, error) in mistakes {
        if let Some(error) = error {
            writeln!(out, "  {mistake:<27}{error}\n  {:<27}{error:?}", "")?;
        }
    }
    writeln!(out, "\nThe stale handle prints as {gone:?}, its successor as {successor:?}:")?;
    Ok(writeln!(out, "only the heap can tell which of them is good.")?)
}
