//! Several tenants in one process, each with its own heap: one budget for all,
//! untrusted input, attacks, limits, ten thousand heaps.
//!
//! ```text
//! cargo run --release -p segheap --example tenants
//! ```
//!
//! Seeds are fixed so that every run prints the same. They decide whether a heap
//! rejects a handle of another heap: with random seeds, one in 4,096 lets such a handle
//! open an object of the same kind in the same slot. A host that runs untrusted
//! programs uses `Settings::random` and never passes handles between tenants.

#![allow(clippy::arithmetic_side_effects, reason = "small sums of sizes")]

mod support;

use std::process::ExitCode;

use segheap::{
    Bytes, Cell, Error, Handle, Heap, I64Arr, Limits, List, RangeHint, SealKey, Settings, Str,
    U8Arr,
};

use support::{Column, Output, Program, Result};

/// Bytes that all tenants share.
const BUDGET: usize = 8 << 20;
const HEAPS: u64 = 10_000;

const PROGRAM: Program = Program {
    name: "tenants",
    help: "\
Usage: tenants

Runs three tenants, each with its own heap, under one budget: untrusted input,
attacks of one tenant on another, limits. Then measures ten thousand heaps.

Options:
  -h, --help  Print this help",
    takes_file: false,
};

struct Tenant {
    name: &'static str,
    heap: Heap,
}

impl Tenant {
    /// Creates a tenant that owns `eighths` of the budget.
    fn new(name: &'static str, seed: u64, eighths: usize) -> Tenant {
        let limits = Limits::NONE.with_bytes(BUDGET / 8 * eighths);
        Tenant { name, heap: Heap::with(Settings::seeded(seed).limits(limits)) }
    }
}

fn main() -> ExitCode {
    PROGRAM.run(|out, _| tenants(out))
}

fn tenants(out: &mut Output) -> Result<()> {
    let mut tenants =
        [Tenant::new("alice", 1, 2), Tenant::new("bob", 2, 5), Tenant::new("mallory", 3, 1)];
    let [alice, bob, mallory] = &mut tenants;
    for _ in 0..5_000 {
        bob.heap.alloc(List::of(&[Cell::TRUE; 8]))?;
    }
    out.paragraph(&format!("Three tenants share {BUDGET} bytes."))?;
    section(out, "Untrusted input: bytes become text and numbers only if they are valid")?;
    input(out, &mut alice.heap)?;
    section(out, "Mallory attacks Alice, and every attempt fails without a trace")?;
    attacks(out, &mut alice.heap, &mut mallory.heap)?;
    section(out, "Mallory allocates up to the limit and beyond")?;
    exhaust(out, &mut mallory.heap, &mut bob.heap)?;
    section(out, "One budget, three heaps")?;
    usage(out, &tenants)?;
    section(out, "Ten thousand heaps")?;
    many(out)
}

fn section(out: &mut Output, heading: &str) -> Result<()> {
    out.line("")?;
    out.paragraph(heading)?;
    out.line("")
}

/// Converts bytes from outside to text, and the text to numbers.
fn input(out: &mut Output, heap: &mut Heap) -> Result<()> {
    let requests: [&[u8]; 5] = [
        b"1, 20, 300",
        b"7, -8, 281474976710656",
        "π is not a number".as_bytes(),
        b"cut off in \xE2\x82",
        b"4, 5, \xFF\xFE, 6",
    ];
    let mut rows = Vec::new();
    for request in requests {
        let bytes = heap.alloc(Bytes::of(request))?;
        let result = match parse(heap, bytes) {
            Ok(list) => format!("list {}", heap.display(list)),
            Err(error) => format!("rejected: {error}"),
        };
        heap.free(bytes)?;
        rows.push(vec![String::from_utf8_lossy(request).into_owned(), result]);
    }
    out.table(&[Column::Text("Input"), Column::Text("Result")], rows)
}

/// Parses numbers, first as integers of 64 bits and then as cells.
fn parse(heap: &mut Heap, bytes: Handle<Bytes>) -> Result<Handle<List>> {
    let text = heap.convert_across::<Str>(bytes, ..)?;
    let parsed: Result<Vec<i64>, _> =
        heap.get(text)?.to_str()?.split(',').map(|number| number.trim().parse()).collect();
    heap.free(text)?;
    let array = heap.alloc(I64Arr::of(&parsed?))?;
    let list = heap.convert_across::<List>(array, ..);
    heap.free(array)?;
    Ok(list?)
}

/// What the attacks are aimed at, most of it in Alice's heap.
struct Targets {
    root: Handle<List>,
    ledger: Handle<I64Arr>,
    secret: Handle<Str>,
    names: Handle<List>,
    bytes: Handle<Bytes>,
    /// Freed; its slot holds another object.
    session: Handle<U8Arr>,
    ledger_hint: RangeHint<I64Arr>,
    session_hint: RangeHint<U8Arr>,
    key: SealKey,
    sealed: Cell,
    /// Mallory's own.
    mallorys: Handle<I64Arr>,
    mallorys_key: SealKey,
}

fn targets(alice: &mut Heap, mallory: &mut Heap) -> Result<Targets, Error> {
    let ledger = alice.alloc(I64Arr::of(&[100, 200, 300, 400, 500, 1 << 50]))?;
    let secret = alice.alloc(Str::new("correct horse battery staple"))?;
    let names = alice.alloc(List::of(&[Cell::TRUE, secret.into()]))?;
    let bytes = alice.alloc(Bytes::of(b"four"))?;
    let all = [ledger.into(), secret.into(), names.into(), bytes.into()];
    let root = alice.alloc(List::of(&all))?;
    let session = alice.alloc(U8Arr::of(b"session"))?;
    let session_hint = alice.hint(session, ..)?;
    alice.free(session)?;
    alice.alloc(U8Arr::of(b"another"))?;
    let key = alice.new_seal_key()?;
    // Occupies the same slots in Mallory's heap.
    let mallorys = mallory.alloc(I64Arr::of(&[0; 6]))?;
    mallory.alloc(Str::new("a text of Mallory's own"))?;
    Ok(Targets {
        root,
        ledger,
        secret,
        names,
        bytes,
        session,
        ledger_hint: alice.hint(ledger, ..)?,
        session_hint,
        sealed: alice.seal(secret, &key)?,
        key,
        mallorys,
        mallorys_key: mallory.new_seal_key()?,
    })
}

fn attacks(out: &mut Output, alice: &mut Heap, mallory: &mut Heap) -> Result<()> {
    let mut targets = targets(alice, mallory)?;
    let mut rows = Vec::new();
    for (what, attempt) in HANDLE_ATTACKS.iter().chain(&COPY_ATTACKS) {
        let before = (alice.display(targets.root).to_string(), alice.usage());
        let error = attempt(&mut targets, alice, mallory).err().ok_or(*what)?;
        let after = (alice.display(targets.root).to_string(), alice.usage());
        assert_eq!(after, before, "{what}");
        rows.push(vec![(*what).to_owned(), error.to_string()]);
    }
    let Targets { sealed, ref key, secret, ledger, mut ledger_hint, .. } = targets;
    assert_eq!(alice.unseal(sealed, key)?, secret.cell(), "Alice's own key");

    alice.clear();
    let again = alice.alloc(I64Arr::of(&[1, 2, 3, 4, 5, 6]))?;
    let handle = alice.get(ledger).err().ok_or("a handle is valid after clear")?;
    let hint = ledger_hint.get(alice, 0).err().ok_or("a hint is valid after clear")?;
    rows.push(vec!["a handle after the heap was cleared".to_owned(), handle.to_string()]);
    rows.push(vec!["a hint after the heap was cleared".to_owned(), hint.to_string()]);
    assert_eq!(alice.get(again)?.as_slice(), [1, 2, 3, 4, 5, 6]);
    alice.verify()?;
    out.table(&[Column::Text("Attempt"), Column::Text("Error")], rows)
}

/// An attempt on the heaps of Alice and Mallory, in this order.
type Attack = fn(&mut Targets, &mut Heap, &mut Heap) -> Result<(), Error>;

const HANDLE_ATTACKS: [(&str, Attack); 15] = [
    ("Alice's handle in Mallory's heap", |t, _, m| m.get(t.ledger).map(drop)),
    ("Mallory's handle in Alice's heap", |t, a, _| a.get_mut(t.mallorys)?.set(0, -1)),
    ("Mallory's handle, freed in Alice's heap", |t, a, _| a.free(t.mallorys)),
    ("a handle to a freed object", |t, a, _| a.get(t.session).map(drop)),
    ("a double free", |t, a, _| a.free(t.session)),
    ("a text opened as a list", |t, a, _| a.get::<List>(t.secret.cell()).map(drop)),
    ("a number opened as a list", |_, a, _| a.get::<List>(Cell::from(7)).map(drop)),
    ("a hint in Mallory's heap", |t, _, m| t.ledger_hint.get(m, 0).map(drop)),
    ("a hint to a freed object", |t, a, _| t.session_hint.set(a, 0, 0)),
    ("a narrowed hint, widened", |t, _, _| t.ledger_hint.narrow(1..4)?.narrow(..4).map(drop)),
    ("a narrowed hint past its end", |t, a, _| t.ledger_hint.narrow(1..4)?.get(a, 3).map(drop)),
    ("a narrowed hint before its start", |t, a, _| {
        t.ledger_hint.narrow(1..4)?.set(a, usize::MAX, -1)
    }),
    ("a sealed text opened as a text", |t, a, _| a.get::<Str>(t.sealed).map(drop)),
    ("a sealed text with Mallory's key", |t, a, _| a.unseal(t.sealed, &t.mallorys_key).map(drop)),
    ("a sealed text, transplanted to Mallory", |t, a, m| m.transplant(a, t.sealed).map(drop)),
];

const COPY_ATTACKS: [(&str, Attack); 9] = [
    ("a copy past the end of its target", |t, a, _| a.copy_across(t.bytes, 2, t.secret, ..)),
    ("a copy past the end of its source", |t, a, _| a.copy_across(t.bytes, 0, t.secret, 26..30)),
    ("a copy to the end of the address space", |t, a, _| {
        a.copy_across(t.bytes, usize::MAX, t.secret, ..1)
    }),
    ("numbers above 255 to bytes", |t, a, _| a.copy_across(t.bytes, 0, t.ledger, 1..3)),
    ("a number of 51 bits to cells", |t, a, _| a.append_across(t.names, t.ledger, ..)),
    ("a handle to numbers", |t, a, _| a.copy_across(t.ledger, 0, t.names, 1..)),
    ("text to cells", |t, a, _| a.copy_across_any(t.names.into(), 0, t.secret.into(), ..)),
    ("two mutable windows onto one array", |t, a, _| {
        a.windows_mut((t.ledger, (t.ledger, 3..))).map(drop)
    }),
    ("an array beyond the byte limit", |_, a, _| a.alloc(I64Arr::zeroed(1 << 24)).map(drop)),
];

/// Mallory reaches the limit and keeps all objects; then part of Bob's limit moves over.
fn exhaust(out: &mut Output, mallory: &mut Heap, bob: &mut Heap) -> Result<()> {
    let mut last = Cell::NULL;
    let (error, allocated) = loop {
        let allocated = mallory.usage().live();
        match mallory.alloc(List::of(&[last; 128])) {
            Ok(list) => last = list.into(),
            Err(error) => break (error, allocated),
        }
    };
    let mut rows =
        vec![vec![format!("allocate lists: {allocated} succeed, then"), error.to_string()]];
    let freed = mallory.collect([Cell::NULL])?.freed;
    mallory.alloc(List::of(&[Cell::NULL; 128]))?;
    rows.push(vec![format!("collect: {freed} freed; allocate again"), "succeeds".to_owned()]);

    let large = || I64Arr::zeroed(1 << 18);
    let error = mallory.alloc(large()).err().ok_or("2 MiB in a heap of 1 MiB")?;
    rows.push(vec!["allocate an array of 2 MiB".to_owned(), error.to_string()]);
    for (heap, bytes) in [(bob, BUDGET / 8 * 2), (&mut *mallory, BUDGET / 8 * 4)] {
        let limits = heap.limits();
        heap.set_limits(limits.with_bytes(bytes));
    }
    mallory.alloc(large())?;
    rows.push(vec!["the same with 3 MiB of Bob's limit".to_owned(), "succeeds".to_owned()]);
    out.table(&[Column::Text("Step"), Column::Text("Result")], rows)
}

fn usage(out: &mut Output, tenants: &[Tenant]) -> Result<()> {
    let mut rows = Vec::new();
    for Tenant { name, heap } in tenants {
        let usage = heap.usage();
        let (live, pages) = (usage.live().to_string(), usage.pages().to_string());
        let (bytes, limit) = (usage.total_bytes.to_string(), heap.limits().bytes.to_string());
        rows.push(vec![(*name).to_owned(), live, pages, bytes, limit]);
    }
    let limits: usize = tenants.iter().map(|tenant| tenant.heap.limits().bytes).sum();
    assert!(limits <= BUDGET);
    let bytes: u64 = tenants.iter().map(|tenant| tenant.heap.usage().total_bytes).sum();
    let blank = String::new;
    rows.push(vec!["all".to_owned(), blank(), blank(), bytes.to_string(), limits.to_string()]);
    let [objects, pages, bytes, limit] = ["Objects", "Pages", "Bytes", "Limit"].map(Column::Number);
    out.table(&[Column::Text("Tenant"), objects, pages, bytes, limit], rows)
}

fn many(out: &mut Output) -> Result<()> {
    let before = resident();
    let heaps: Vec<Heap> = (0..HEAPS).map(|seed| Heap::with(Settings::seeded(seed))).collect();
    let after = resident();
    let owned: u64 = heaps.iter().map(|heap| heap.usage().total_bytes).sum();
    let mut rows = vec![
        vec!["size of the value".to_owned(), size_of::<Heap>().to_string()],
        vec!["allocated".to_owned(), (owned / HEAPS).to_string()],
    ];
    if let (Some(before), Some(after)) = (before, after) {
        let each = after.saturating_sub(before) / HEAPS;
        rows.push(vec!["resident".to_owned(), each.to_string()]);
    }
    out.table(&[Column::Text("Memory"), Column::Number("Bytes per heap")], rows)
}

/// Returns the resident bytes of this process where the system tells; its pages are
/// taken for 4 KiB.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}
