//! Samples of a heap while a program runs.

use std::time::{Duration, Instant};

use segheap::{Collection, Event, EventKind, Heap, Kind};

use crate::json::{list, quote, send};
use crate::map::{BINS, Map};

/// The time between two samples. They cost O(slots): they take at most a twentieth of a run.
const INTERVAL: Duration = Duration::from_millis(100);
const SHARE: u32 = 20;
/// The pauses in a sample; of more, the longest.
const PAUSES_MAX: usize = 200;

/// A collection, or a step of one.
#[derive(Clone, Copy)]
struct Pause {
    at: Duration,
    time: Duration,
    collection: Collection,
    freed: u64,
}

/// Collects what happened since the last sample.
pub(crate) struct Sampler {
    started: Instant,
    last: Instant,
    /// What a sample takes.
    cost: Duration,
    begun: Duration,
    pauses: Vec<Pause>,
    count: u64,
    freed: u64,
    total: Duration,
    longest: Duration,
    slots_seen: Vec<u32>,
}

impl Default for Sampler {
    fn default() -> Sampler {
        let now = Instant::now();
        let zero = Duration::ZERO;
        Sampler {
            started: now,
            last: now,
            cost: zero,
            begun: zero,
            pauses: Vec::new(),
            count: 0,
            freed: 0,
            total: zero,
            longest: zero,
            slots_seen: vec![0; Kind::ALL.len()],
        }
    }
}

impl Sampler {
    /// Notes a collection that has ended. Sends a sample if one is due.
    pub(crate) fn after_collection(&mut self, heap: &mut Heap) {
        self.note(heap);
        if self.last.elapsed() >= INTERVAL.max(self.cost.saturating_mul(SHARE)) {
            self.send(heap);
        }
    }

    /// The slots that the arena of a kind has had at most.
    pub(crate) fn slots_seen(&self, kind: Kind) -> u32 {
        let kinds = Kind::ALL.iter().zip(&self.slots_seen);
        kinds.filter(|&(&it, _)| it == kind).map(|(_, &slots)| slots).max().unwrap_or(0)
    }

    fn note(&mut self, heap: &mut Heap) {
        for Event { at, kind, .. } in heap.drain_events() {
            match kind {
                EventKind::CollectionBegin { .. } => self.begun = at,
                EventKind::CollectionEnd { collection, freed, .. } => {
                    let (begun, time) = (self.begun, at.saturating_sub(self.begun));
                    self.pauses.push(Pause { at: begun, time, collection, freed });
                    self.count = self.count.saturating_add(1);
                    self.freed = self.freed.saturating_add(freed);
                    self.total = self.total.saturating_add(time);
                    self.longest = self.longest.max(time);
                }
                _ => {}
            }
        }
        if self.pauses.len() > 2 * PAUSES_MAX {
            self.keep_longest();
        }
    }

    fn keep_longest(&mut self) {
        self.pauses.sort_by_key(|pause| std::cmp::Reverse(pause.time));
        self.pauses.truncate(PAUSES_MAX);
    }

    /// Sends a sample.
    pub(crate) fn send(&mut self, heap: &mut Heap) {
        let start = Instant::now();
        self.note(heap);
        self.keep_longest();
        self.pauses.sort_by_key(|pause| pause.at);
        let usage = heap.usage();
        let mut arenas = Vec::new();
        for (arena, seen) in usage.arenas().iter().zip(&mut self.slots_seen) {
            let map = Map::of(heap, arena.kind, arena.pages, seen);
            let bins = (0..BINS).zip(map.live).map(|(n, live)| {
                format!("{},{}", map.percent(live), map.percent(map.below_top(n)))
            });
            arenas.push(format!(
                r#"{{"kind":{},"pages":{},"live":{},"free":{},"retired":{},"payload":{},"gaps":{},"bins":{}}}"#,
                quote(arena.kind.name()),
                arena.pages,
                arena.live,
                arena.free,
                arena.retired,
                arena.payload_bytes,
                map.gaps().saturating_mul(8),
                list(bins)
            ));
        }
        let payload: u64 = usage.arenas().iter().map(|arena| arena.payload_bytes).sum();
        let pauses = self.pauses.drain(..).map(|pause| {
            let kind = match pause.collection {
                Collection::Young => "young",
                Collection::Step => "step",
                _ => "whole",
            };
            format!(
                r#"[{},{},"{kind}",{}]"#,
                pause.at.as_micros(),
                pause.time.as_micros(),
                pause.freed
            )
        });
        send(&format!(
            r#"{{"type":"sample","at":{},"total":{},"payload":{payload},"arenas":{},"pauses":{},"count":{},"freed":{},"pause":{},"longest":{}}}"#,
            self.started.elapsed().as_micros(),
            usage.total_bytes,
            list(arenas),
            list(pauses),
            self.count,
            self.freed,
            self.total.as_micros(),
            self.longest.as_micros()
        ));
        self.cost = start.elapsed();
        self.last = Instant::now();
    }
}
