//! The memory of an arena as a strip of bins.

use std::sync::OnceLock;

use segheap::{Cell, Heap, Kind, Pair, Settings, abi};

/// The bins of a strip.
pub(crate) const BINS: usize = 64;
/// The tag in the keys of live slots.
const LIVE: u32 = 0xFFFF;
const WORDS_IN_PAGE: u64 = 8192;

/// How the words of an arena's memory are used.
pub(crate) struct Map {
    /// The words in the blocks of live objects, by bin.
    pub(crate) live: [u64; BINS],
    /// The words in a bin.
    pub(crate) bin: u64,
    /// The words at the start that are the arena's own.
    pub(crate) own: u64,
    /// Words up to the end of the last block of a live object.
    pub(crate) top: u64,
}

impl Map {
    /// O(slots). `slots_seen` is the length that the table of slots has had at most: a collection
    /// after a peak may have cut it.
    pub(crate) fn of(heap: &Heap, kind: Kind, pages: u64, slots_seen: &mut u32) -> Map {
        let words = pages.saturating_mul(WORDS_IN_PAGE);
        let bin = words.div_ceil(BINS as u64).max(1);
        let mut map = Map { live: [0; BINS], bin, own: own(), top: 0 };
        let slots = abi::slots(heap, kind).unwrap_or_default();
        slots.iter().for_each(|slot| map.add(slot));
        let len = u32::try_from(slots.len()).unwrap_or(u32::MAX);
        *slots_seen = len.max(*slots_seen);
        for slot in (len..*slots_seen).filter_map(|index| abi::slot(heap, kind, index)) {
            map.add(&slot);
        }
        map
    }

    fn add(&mut self, &[key, _, off, cap]: &[u32; 4]) {
        let words = u64::from(cap & abi::layout::slot::CAP_MASK);
        if key >> 16 != LIVE || words == 0 {
            return;
        }
        let (mut at, end) = (u64::from(off), u64::from(off).saturating_add(words));
        self.top = self.top.max(end);
        while at < end {
            let n = at.checked_div(self.bin).unwrap_or(0);
            let bin_end = n.saturating_add(1).saturating_mul(self.bin).min(end);
            let bin = usize::try_from(n).ok().and_then(|n| self.live.get_mut(n));
            let Some(bin) = bin else { return };
            *bin = bin.saturating_add(bin_end.saturating_sub(at));
            at = bin_end;
        }
    }

    /// The words of a bin below the top: in use, or in gaps.
    pub(crate) fn below_top(&self, n: usize) -> u64 {
        let start = self.bin.saturating_mul(n as u64);
        let (from, end) = (start.max(self.own), start.saturating_add(self.bin));
        self.top.min(end).saturating_sub(from)
    }

    /// Words between blocks.
    pub(crate) fn gaps(&self) -> u64 {
        self.top
            .saturating_sub(self.live.iter().fold(self.own, |sum, live| sum.saturating_add(*live)))
    }

    /// The share of a bin in percent.
    pub(crate) fn percent(&self, words: u64) -> u64 {
        words.saturating_mul(100).div_ceil(self.bin)
    }
}

/// The words before the first block of an arena: where the first object of a heap has its block.
fn own() -> u64 {
    static OWN: OnceLock<u64> = OnceLock::new();
    *OWN.get_or_init(|| {
        let mut heap = Heap::with(Settings::seeded(0));
        let first = heap.alloc(Pair::of(Cell::NULL, Cell::NULL));
        let slot = first.ok().and_then(|_| abi::slot(&heap, Kind::PAIR, 0));
        slot.map_or(0, |[_, _, off, _]| u64::from(off))
    })
}
