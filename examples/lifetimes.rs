//! How objects come and go: what each layer of the heap reclaims.
//!
//! ```text
//! cargo run --release --example lifetimes
//! ```
//!
//! Prints a line for each step of a small workload, with a bar for the bytes that
//! are alive; then what each layer has given back. Every run prints the same.

#![allow(clippy::arithmetic_side_effects, reason = "differences of small counts")]

use segheap::{Cell, Closure, Error, Handle, Heap, List, Pair, Settings, Str, Struct, U8Arr};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Bytes that a character of the bar stands for, and its length at most.
const BAR_BYTES: u64 = 8 << 10;
const BAR: usize = 24;

fn main() -> Outcome<()> {
    let mut story = Story::new();
    free(&mut story)?;
    frames(&mut story)?;
    exception(&mut story)?;
    collection(&mut story)?;
    compaction(&mut story)?;
    retirement(&mut story)?;
    sealing(&mut story)?;
    transplant(&mut story)?;
    path(&mut story)?;
    story.end()
}

/// A heap, and what has become of it.
struct Story {
    heap: Heap,
    /// Live objects, bytes and pages after the last step.
    was: [u64; 3],
    /// What each layer gave back: objects, bytes, pages.
    layers: Vec<(&'static str, [u64; 3])>,
}

impl Story {
    fn new() -> Story {
        println!("{:<12} {:>7} {:>9} {:>5}  {:<BAR$}", "step", "live", "bytes", "pages", "");
        Story { heap: Heap::with(Settings::seeded(0x11FE)), was: [0; 3], layers: Vec::new() }
    }

    /// Live objects, bytes of their payload, pages; seals included.
    fn now(&self) -> [u64; 3] {
        let usage = self.heap.usage();
        let arenas = usage.arenas().iter().chain([&usage.seals]);
        arenas.fold([0; 3], |[live, bytes, pages], arena| {
            [live + u64::from(arena.live), bytes + arena.payload_bytes, pages + arena.pages]
        })
    }

    /// Tells of a step that made something.
    fn made(&mut self, layer: &'static str, what: &str) {
        self.was = self.now();
        let [live, bytes, pages] = self.was;
        let bar = usize::try_from(bytes.div_ceil(BAR_BYTES)).unwrap_or(BAR).min(BAR);
        println!("{layer:<12} {live:>7} {bytes:>9} {pages:>5}  {:<BAR$}  {what}", "█".repeat(bar));
    }

    /// Tells of a step that gave something back.
    fn reclaimed(&mut self, layer: &'static str, what: &str) {
        let now = self.now();
        let given = [0, 1, 2].map(|n| {
            let at = |counts: [u64; 3]| counts.get(n).copied().unwrap_or(0);
            at(self.was).saturating_sub(at(now))
        });
        match self.layers.iter_mut().find(|(name, _)| *name == layer) {
            Some((_, sum)) => sum.iter_mut().zip(given).for_each(|(sum, given)| *sum += given),
            None => self.layers.push((layer, given)),
        }
        self.made(layer, what);
    }

    fn end(mut self) -> Outcome<()> {
        println!("\n{:<12} {:>8} {:>9} {:>6}", "given back by", "objects", "bytes", "pages");
        for (layer, [objects, bytes, pages]) in &self.layers {
            println!("{layer:<13} {objects:>8} {bytes:>9} {pages:>6}");
        }
        self.heap.verify()?;
        println!("\nThe heap verifies: {:?}", self.heap);
        Ok(())
    }
}

/// So many lists of eight cells each.
fn lists(heap: &mut Heap, n: u32) -> Result<Vec<Handle<List>>, Error> {
    (0..n).map(|i| heap.alloc(List::of(&[i.into(); 8]))).collect()
}

/// 1. Killing: one object, now. Its handles are stale from then on.
fn free(story: &mut Story) -> Outcome<()> {
    let all = lists(&mut story.heap, 1_000)?;
    story.made("free", "1,000 lists of eight cells");
    for &list in &all {
        story.heap.free(list)?;
    }
    let stale = all.iter().filter(|&&list| story.heap.get(list).is_err()).count();
    story.reclaimed("free", &format!("each freed by hand; {stale} handles are stale"));
    Ok(())
}

/// 2. Frames: what was born inside goes when the frame closes, but for what is
///    kept, and what that leads to.
fn frames(story: &mut Story) -> Outcome<()> {
    let heap = &mut story.heap;
    let outer = heap.open_region()?;
    lists(heap, 500)?;
    let inner = heap.open_region()?;
    lists(heap, 500)?;
    let name = heap.alloc(Str::new("kept by the pair that is kept"))?;
    let result = heap.alloc(Pair::of(name.into(), Cell::TRUE))?;
    story.made("frames", "two frames, one in the other, 500 lists in each");
    story.heap.close_region(inner, [result.cell()])?;
    story.reclaimed("frames", "the inner one closes: its result lives on, in the outer");
    story.heap.close_region(outer, [0; 0].map(Cell::from))?;
    story.reclaimed("frames", "the outer one closes, keeping nothing");
    Ok(())
}

/// 3. An exception: closing a frame closes all that are still open inside.
fn exception(story: &mut Story) -> Outcome<()> {
    let handler = story.heap.open_region()?;
    let mut thrown = Cell::NULL;
    for depth in 0..100_u32 {
        // These regions are never closed by hand.
        let _ = story.heap.open_region()?;
        lists(&mut story.heap, 10)?;
        thrown = story.heap.alloc(Struct::of(depth, &[depth.into()]))?.into();
    }
    story.made("exception", "100 calls deep, 10 lists in each, and something is thrown");
    let freed = story.heap.close_region(handler, [thrown])?;
    story.reclaimed("exception", &format!("unwound to the handler at once: {freed} objects"));
    story.heap.free(thrown)?;
    Ok(())
}

/// 4. Collection: what the roots do not lead to, cycles included.
fn collection(story: &mut Story) -> Outcome<()> {
    let heap = &mut story.heap;
    let all = lists(heap, 1_000)?;
    for (&list, &next) in all.iter().zip(all.iter().cycle().skip(1)) {
        heap.get_mut(list)?.set(0, next.into())?;
    }
    let file = heap.alloc(Struct::new(7, 1))?;
    heap.watch(file, 17)?;
    let root = heap.alloc(List::of(&[]))?;
    story.made("collection", "a ring of 1,000 lists; a watched record; a root");
    let done = story.heap.collect([root.cell()])?;
    let weak = all.iter().filter(|&&list| story.heap.upgrade(list).is_some()).count();
    let tokens: Vec<u64> = story.heap.drain_dead().collect();
    let what =
        format!("{} freed; {weak} of the handles still open; dead: token {tokens:?}", done.freed);
    story.reclaimed("collection", &what);
    story.heap.free(root)?;
    Ok(())
}

/// 5. Compaction: live objects move together, and pages go back.
fn compaction(story: &mut Story) -> Outcome<()> {
    let heap = &mut story.heap;
    let arrays: Vec<_> =
        (0..64_u8).map(|i| heap.alloc(U8Arr::of(&[i; 4096]))).collect::<Result<_, _>>()?;
    story.made("compaction", "64 arrays of 4 KiB");
    for array in arrays.iter().step_by(2) {
        story.heap.free(*array)?;
    }
    story.reclaimed("free", "every other freed: holes, but no page is free");
    story.heap.compact();
    let mut open = 0;
    for (&array, i) in arrays.iter().zip(0_u8..).skip(1).step_by(2) {
        open += u32::from(story.heap.get(array)?.as_slice() == [i; 4096]);
    }
    story.reclaimed("compaction", &format!("compacted; {open} handles open what they did"));
    arrays.iter().skip(1).step_by(2).try_for_each(|&array| story.heap.free(array))?;
    story.reclaimed("free", "the others freed");
    Ok(())
}

/// 6. Retirement: a slot has 4,096 lives, so that no stale handle comes alive.
fn retirement(story: &mut Story) -> Outcome<()> {
    let heap = &mut story.heap;
    let mut last = heap.alloc(Closure::of(1, &[]))?;
    let mut lives = 1;
    while retired(heap) == 0 {
        heap.free(last)?;
        last = heap.alloc(Closure::of(1, &[]))?;
        lives += 1;
    }
    heap.free(last)?;
    story.made("retirement", &format!("a slot was used {} times and is retired", lives - 1));
    // All the cells that the host still holds: none but this.
    let done = story.heap.collect_and_recycle([Cell::NULL], [Cell::NULL])?;
    let what = format!("{} slot revived, {} retired now", done.recycled, retired(&story.heap));
    story.reclaimed("revival", &what);
    Ok(())
}

fn retired(heap: &Heap) -> u32 {
    heap.usage().arenas().iter().map(|arena| arena.retired).sum()
}

/// 7. Sealing: a handle for others to keep, not to use. It keeps its object.
fn sealing(story: &mut Story) -> Outcome<()> {
    let heap = &mut story.heap;
    let (key, secret) = (heap.new_seal_key()?, heap.alloc(Str::new("for the holder of the key"))?);
    let sealed = heap.seal(secret, &key)?;
    let refused = heap.get::<Str>(sealed).err().ok_or("a sealed cell was opened")?;
    story.made("sealing", &format!("a sealed text; opening it: {refused}"));
    story.heap.collect([sealed])?;
    let text = story.heap.display(story.heap.unseal(sealed, &key)?).to_string();
    story.reclaimed("sealing", &format!("collected, the seal as root; unsealed: {text}"));
    let done = story.heap.collect([Cell::NULL])?;
    story.reclaimed("sealing", &format!("collected without it: {} freed", done.freed));
    Ok(())
}

/// 8. Transplant: a graph copied into another heap, whose lives are its own.
fn transplant(story: &mut Story) -> Outcome<()> {
    let mut other = Heap::with(Settings::seeded(0x07E4));
    let list = other.alloc(List::of(&[1.into()]))?;
    let pair = other.alloc(Pair::of(list.into(), list.into()))?;
    other.get_mut(list)?.push(pair.into())?;
    let copy = story.heap.transplant(&other, pair.into())?;
    drop(other);
    let shown = story.heap.display(copy).to_string();
    story.made("transplant", &format!("copied from another heap, which is dropped: {shown}"));
    story.heap.collect([Cell::NULL])?;
    story.reclaimed("transplant", "the copy collected");
    Ok(())
}

/// 9. A path: why an object is alive.
fn path(story: &mut Story) -> Outcome<()> {
    let heap = &mut story.heap;
    let leak = heap.alloc(List::of(&[]))?;
    let cache = heap.alloc(Pair::of(1.into(), leak.into()))?;
    let globals = heap.alloc(List::of(&[Cell::NULL, cache.into()]))?;
    let path = heap.path_from_roots([globals.cell()], leak.into())?.ok_or("no path to the leak")?;
    let shown: Vec<String> = path.iter().map(|cell| format!("{cell:?}")).collect();
    let shown = shown.join(" > ");
    story.made("path", &format!("why is {:?} alive? {shown}", leak.cell()));
    story.heap.clear();
    story.reclaimed("clear", "everything goes");
    Ok(())
}
