//! Several tenants in one process, each with a heap of its own: one budget for
//! all of them, untrusted input, attacks, limits, ten thousand heaps.
//!
//! ```text
//! cargo run --release --example tenants
//! ```
//!
//! Seeds are fixed so that each run prints the same. They decide whether a
//! handle of another heap is refused: of 4,096 random seeds one would let it open
//! an object of the same kind in the same slot. A host that runs strangers' code
//! takes `Settings::random` and keeps the handles of its tenants apart.

#![allow(clippy::arithmetic_side_effects, reason = "small sums of sizes")]

use std::io::{self, Write};

use segheap::{Bytes, Cell, Error, Handle, Heap, I64Arr, Limits, List, Settings, Str, U8Arr};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Bytes that all tenants share.
const BUDGET: usize = 8 << 20;
const HEAPS: u64 = 10_000;

struct Tenant {
    name: &'static str,
    heap: Heap,
}

impl Tenant {
    /// A tenant with so many eighths of the budget.
    fn new(name: &'static str, seed: u64, eighths: usize) -> Tenant {
        let limits = Limits::NONE.with_bytes(BUDGET / 8 * eighths);
        Tenant { name, heap: Heap::with(Settings::seeded(seed).limits(limits)) }
    }
}

fn main() -> Outcome<()> {
    let out = &mut io::stdout().lock();
    let mut tenants =
        [Tenant::new("alice", 1, 2), Tenant::new("bob", 2, 5), Tenant::new("mallory", 3, 1)];
    let [alice, bob, mallory] = &mut tenants;

    for _ in 0..5_000 {
        bob.heap.alloc(List::of(&[Cell::TRUE; 8]))?;
    }
    heading(out, "Untrusted input: bytes become text and numbers only if they are")?;
    input(out, &mut alice.heap)?;
    heading(out, "Mallory attacks Alice; what each attempt is answered")?;
    attacks(out, &mut alice.heap, &mut mallory.heap)?;
    heading(out, "Mallory allocates until the limit, and goes on")?;
    greed(out, &mut mallory.heap, &mut bob.heap)?;
    heading(out, "One budget, three heaps")?;
    usage(out, &tenants)?;
    heading(out, "Ten thousand heaps")?;
    many(out)
}

fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "\n{text}\n{}", "-".repeat(text.len()))
}

/// Text, then numbers, out of bytes from outside.
fn input(out: &mut impl Write, heap: &mut Heap) -> Outcome<()> {
    let requests: [&[u8]; 5] = [
        b"1, 20, 300",
        b"7, -8, 281474976710656",
        "π is not a number".as_bytes(),
        b"cut off in \xE2\x82",
        b"4, 5, \xFF\xFE, 6",
    ];
    for request in requests {
        let bytes = heap.alloc(Bytes::of(request))?;
        let shown = String::from_utf8_lossy(request).into_owned();
        let answer = match heap.convert_across::<Str>(bytes, ..) {
            Err(error) => format!("refused: {error}"),
            Ok(text) => {
                let parsed = numbers(heap, text);
                heap.free(text)?;
                match parsed {
                    Ok(list) => format!("list {}", heap.display(list)),
                    Err(error) => format!("refused: {error}"),
                }
            }
        };
        heap.free(bytes)?;
        writeln!(out, "{shown:<24} {answer}")?;
    }
    Ok(())
}

/// The numbers of a text, as integers of 64 bits and then as cells.
fn numbers(heap: &mut Heap, text: Handle<Str>) -> Outcome<Handle<List>> {
    let parsed: Result<Vec<i64>, _> =
        heap.get(text)?.to_str()?.split(',').map(|number| number.trim().parse()).collect();
    let array = heap.alloc(I64Arr::of(&parsed?))?;
    let list = heap.convert_across::<List>(array, ..);
    heap.free(array)?;
    Ok(list?)
}

/// An attempt on the heaps of Alice and Mallory.
type Attempt<'a> = &'a mut dyn FnMut(&mut Heap, &mut Heap) -> Result<(), Error>;

fn attacks(out: &mut impl Write, alice: &mut Heap, mallory: &mut Heap) -> Outcome<()> {
    let ledger = alice.alloc(I64Arr::of(&[100, 200, 300, 400, 500, 1 << 50]))?;
    let secret = alice.alloc(Str::new("correct horse battery staple"))?;
    let names = alice.alloc(List::of(&[Cell::TRUE, secret.into()]))?;
    let bytes = alice.alloc(Bytes::of(b"four"))?;
    let all = [ledger.into(), secret.into(), names.into(), bytes.into()];
    let root = alice.alloc(List::of(&all))?;
    // A session that ended, and another one in its slot.
    let session = alice.alloc(U8Arr::of(b"session"))?;
    let mut ended = alice.hint(session, ..)?;
    alice.free(session)?;
    alice.alloc(U8Arr::of(b"another"))?;
    let mut whole = alice.hint(ledger, ..)?;
    let part = whole.narrow(1..4)?;
    let key = alice.new_seal_key()?;
    let sealed = alice.seal(secret, &key)?;
    // The same slots are in use in Mallory's heap.
    let mine = mallory.alloc(I64Arr::of(&[0; 6]))?;
    mallory.alloc(Str::new("a text of Mallory's own"))?;
    let other_key = mallory.new_seal_key()?;

    let attempts: [(&str, Attempt<'_>); 24] = [
        ("Alice's handle, in Mallory's heap", &mut |_, m| m.get(ledger).map(drop)),
        ("Mallory's handle, in Alice's heap", &mut |a, _| a.get_mut(mine)?.set(0, -1)),
        ("Mallory's handle, to be freed in Alice's heap", &mut |a, _| a.free(mine)),
        ("a handle, after its object was freed", &mut |a, _| a.get(session).map(drop)),
        ("a handle, freed a second time", &mut |a, _| a.free(session)),
        ("a text, as a list", &mut |a, _| a.get::<List>(secret.cell()).map(drop)),
        ("a number, as a list", &mut |a, _| a.get::<List>(Cell::from(7)).map(drop)),
        ("a hint, in Mallory's heap", &mut |_, m| whole.get(m, 0).map(drop)),
        ("a hint, after its object was freed", &mut |a, _| ended.set(a, 0, 0)),
        ("a narrowed hint, made wider", &mut |_, _| part.narrow(..4).map(drop)),
        ("a narrowed hint, past its end", &mut |a, _| { part }.get(a, 3).map(drop)),
        ("a narrowed hint, before its start", &mut |a, _| { part }.set(a, usize::MAX, -1)),
        ("a sealed text, as a text", &mut |a, _| a.get::<Str>(sealed).map(drop)),
        ("a sealed text, with Mallory's key", &mut |a, _| a.unseal(sealed, &other_key).map(drop)),
        ("a sealed text, to Mallory's heap", &mut |a, m| m.transplant(a, sealed).map(drop)),
        ("a copy of more than the target holds", &mut |a, _| a.copy_across(bytes, 2, secret, ..)),
        ("a copy of more than the source holds", &mut |a, _| {
            a.copy_across(bytes, 0, secret, 26..30)
        }),
        ("a copy to the end of all addresses", &mut |a, _| {
            a.copy_across(bytes, usize::MAX, secret, ..1)
        }),
        ("numbers above 255, into bytes", &mut |a, _| a.copy_across(bytes, 0, ledger, 1..3)),
        ("a number of 51 bits, into cells", &mut |a, _| a.append_across(names, ledger, ..)),
        ("a handle, into numbers", &mut |a, _| a.copy_across(ledger, 0, names, 1..)),
        ("text, into cells", &mut |a, _| a.copy_across_any(names.into(), 0, secret.into(), ..)),
        ("one array, to write to twice at once", &mut |a, _| {
            a.windows_mut((ledger, (ledger, 3..))).map(drop)
        }),
        ("an array beyond the limit", &mut |a, _| a.alloc(I64Arr::zeroed(1 << 24)).map(drop)),
    ];
    let before = (alice.display(root).to_string(), alice.usage());
    for (what, attempt) in attempts {
        let error = attempt(alice, mallory).err().ok_or(what)?;
        assert_eq!((alice.display(root).to_string(), alice.usage()), before, "{what}");
        writeln!(out, "{what:<48} {error}")?;
    }
    assert_eq!(alice.unseal(sealed, &key)?, secret.cell(), "Alice's own key");

    alice.clear();
    let again = alice.alloc(I64Arr::of(&[1, 2, 3, 4, 5, 6]))?;
    let handle = alice.get(ledger).err().ok_or("a handle outlived its heap's objects")?;
    let hint = whole.get(alice, 0).err().ok_or("a hint outlived its heap's objects")?;
    writeln!(out, "{:<48} {handle}", "a handle, after the heap was cleared")?;
    writeln!(out, "{:<48} {hint}", "a hint, after the heap was cleared")?;
    assert_eq!(alice.get(again)?.as_slice(), [1, 2, 3, 4, 5, 6]);
    Ok(alice.verify()?)
}

/// A tenant meets its limit, keeps what it has, and is lent another's bytes.
fn greed(out: &mut impl Write, mallory: &mut Heap, bob: &mut Heap) -> Outcome<()> {
    let mut last = Cell::NULL;
    let (error, made) = loop {
        let made = mallory.usage().live();
        match mallory.alloc(List::of(&[last; 128])) {
            Ok(list) => last = list.into(),
            Err(error) => break (error, made),
        }
    };
    writeln!(out, "after {made} objects: {error}")?;
    let freed = mallory.collect([Cell::NULL])?.freed;
    mallory.alloc(List::of(&[Cell::NULL; 128]))?;
    writeln!(out, "a collection frees {freed} of them, and the next allocation succeeds")?;

    let large = || I64Arr::zeroed(1 << 18);
    let refused = mallory.alloc(large()).err().ok_or("2 MiB in a heap of 1 MiB")?;
    for (heap, bytes) in [(bob, BUDGET / 8 * 2), (&mut *mallory, BUDGET / 8 * 4)] {
        let limits = heap.limits();
        heap.set_limits(limits.with_bytes(bytes));
    }
    mallory.alloc(large())?;
    writeln!(out, "an array of 2 MiB: {refused}; with 3 MiB lent by Bob it fits")?;
    Ok(())
}

fn usage(out: &mut impl Write, tenants: &[Tenant]) -> io::Result<()> {
    writeln!(out, "{:<10}{:>9}{:>8}{:>12}{:>12}", "tenant", "objects", "pages", "bytes", "limit")?;
    for Tenant { name, heap } in tenants {
        let (usage, limit) = (heap.usage(), heap.limits().bytes);
        let (live, pages, bytes) = (usage.live(), usage.pages(), usage.total_bytes);
        writeln!(out, "{name:<10}{live:>9}{pages:>8}{bytes:>12}{limit:>12}")?;
    }
    let limits: usize = tenants.iter().map(|tenant| tenant.heap.limits().bytes).sum();
    assert!(limits <= BUDGET);
    let bytes: u64 = tenants.iter().map(|tenant| tenant.heap.usage().total_bytes).sum();
    writeln!(out, "{:<27}{bytes:>12}{limits:>12}", "together")
}

fn many(out: &mut impl Write) -> Outcome<()> {
    let before = resident();
    let heaps: Vec<Heap> = (0..HEAPS).map(|seed| Heap::with(Settings::seeded(seed))).collect();
    let after = resident();
    let owned: u64 = heaps.iter().map(|heap| heap.usage().total_bytes).sum();
    writeln!(out, "{:<34}{:>10}", "heaps", heaps.len())?;
    writeln!(out, "{:<34}{:>10}", "bytes of each, the value itself", size_of::<Heap>())?;
    writeln!(out, "{:<34}{:>10}", "bytes of each, allocated", owned / HEAPS)?;
    if let (Some(before), Some(after)) = (before, after) {
        let each = after.saturating_sub(before) / HEAPS;
        writeln!(out, "{:<34}{each:>10}", "bytes of each, resident")?;
    }
    Ok(())
}

/// Bytes of this process in memory, where the system tells; pages of 4 KiB.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}
