//! Every short program over one small arena.

use super::*;
use crate::words::{Elements, Limits};
use alloc::vec;
use alloc::vec::Vec;

const SHAPE: Shape = Shape::new(Elements::Ints, "", "");
/// The number of operations in a program. Every such program is run.
const LENGTH: u32 = if cfg!(debug_assertions) { 5 } else { 7 };
const OPERATIONS: u32 = 8;

/// An arena and its reference model: every handle that was ever returned, with the
/// content of its object while that is live.
struct Run {
    arena: Arena<2>,
    resources: Resources,
    handles: Vec<(Cell, Option<u64>)>,
}

impl Run {
    fn new(seed: u32) -> Run {
        let limits = Limits::NONE.with_slots(2).with_pages(1);
        let arena = Arena::new(Kind::I64ARR, &SHAPE, seed);
        Run { arena, resources: Resources::new(Account::new(limits)), handles: Vec::new() }
    }

    fn live(&self) -> usize {
        self.handles.iter().filter(|(_, value)| value.is_some()).count()
    }

    fn make(&mut self, words: usize) {
        let value = self.handles.len() as u64;
        let made = self.arena.alloc(&mut self.resources, words as u32, words, |block| {
            block.fill(value);
            Ok(())
        });
        // Two slots of four generations each.
        assert_eq!(made.is_ok(), self.live() < 2 - self.arena.slots.counts().retired as usize);
        if let Ok(cell) = made {
            assert!(self.handles.iter().all(|(other, _)| *other != cell), "returned twice");
            self.handles.push((cell, Some(value)));
        }
    }

    fn free(&mut self, nth: usize) {
        if let Some((cell, value)) = self.handles.get_mut(nth) {
            assert_eq!(
                self.arena.free(&mut self.resources.tally, *cell).is_ok(),
                value.take().is_some()
            );
        }
    }

    fn step(&mut self, operation: u32) {
        match operation {
            0 => self.make(1),
            1 => self.make(3),
            2 => self.free(self.handles.len().wrapping_sub(1)),
            3 => self.free(self.handles.len().wrapping_sub(2)),
            4 => self.free(0),
            5 => {
                self.arena.clear();
                self.handles.iter_mut().for_each(|handle| handle.1 = None);
            }
            6 => self.arena.compact(&mut self.resources),
            _ => {
                self.arena.sweep(&[1]);
                self.handles
                    .iter_mut()
                    .filter(|handle| handle.0.slot() != 0)
                    .for_each(|handle| handle.1 = None);
            }
        }
        for &(cell, value) in &self.handles {
            let read = self.arena.check(cell).and_then(|slot| self.arena.used(slot));
            match value {
                Some(value) => assert!(read.unwrap().iter().all(|&word| word == value)),
                None => assert_eq!(read, Err(Error::Stale { kind: Kind::I64ARR })),
            }
        }
        let mut bits = vec![0; self.arena.memory().words().len() / 64 + 1];
        assert_eq!(self.arena.verify(&mut bits), Ok(()));
        assert!(self.handles.len() <= 8);
    }
}

/// Every program over an arena of two slots with generations of two bits.
#[test]
fn every_short_program_agrees_with_the_model() {
    let mut programs = 0;
    for seed in [0, 7] {
        for number in 0..OPERATIONS.pow(LENGTH) {
            // Some generations first, so that the slots are close to retirement.
            let mut run = Run::new(seed);
            for _ in 0..number % 4 * 2 {
                run.step(0);
                run.step(2);
            }
            (0..LENGTH).fold(number, |rest, _| {
                run.step(rest % OPERATIONS);
                rest / OPERATIONS
            });
            programs += 1;
        }
    }
    assert_eq!(programs, 2 * OPERATIONS.pow(LENGTH));
}
