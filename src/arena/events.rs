//! [`EventLog`]: the newest events of a heap.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::words::{Clock, Event, EventKind};

/// The newest events, as many as have room.
#[derive(Debug)]
pub(super) struct EventLog {
    /// A ring, whose capacity has been reserved.
    ring: Vec<Event>,
    /// The most events that are kept.
    len_max: usize,
    /// The position of the oldest event.
    first: usize,
    lost: u64,
    clock: Clock,
}

/// An array of one, which can be allocated fallibly.
pub(super) type BoxedLog = Box<[EventLog; 1]>;

impl EventLog {
    pub(super) fn new(len_max: usize) -> EventLog {
        EventLog { ring: Vec::new(), len_max, first: 0, lost: 0, clock: Clock::start() }
    }

    /// Adds an event, in the place of the oldest one if there is no other. O(1).
    #[cold]
    pub(super) fn push(&mut self, kind: EventKind) {
        let event = Event { at: self.clock.elapsed(), kind };
        if self.ring.len() < self.len_max.min(self.ring.capacity()) {
            self.ring.push(event);
        } else if let Some(oldest) = self.ring.get_mut(self.first) {
            *oldest = event;
            self.first = self.first.wrapping_add(1);
            if self.first >= self.ring.len() {
                self.first = 0;
            }
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Removes the events, the oldest first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Event> {
        self.ring.rotate_left(core::mem::take(&mut self.first));
        self.ring.drain(..)
    }

    /// Events that later ones have replaced.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }

    /// The ring, for its capacity to be reserved or given back.
    pub(super) const fn ring_mut(&mut self) -> &mut Vec<Event> {
        &mut self.ring
    }

    pub(super) const fn reserved_bytes(&self) -> usize {
        self.ring.capacity().saturating_mul(size_of::<Event>())
    }
}
