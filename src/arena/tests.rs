//! Every short program over one small arena.

use super::*;
use crate::words::{Elements, Limits};
use alloc::vec;
use alloc::vec::Vec;

const SHAPE: Shape = Shape::new(Elements::Ints, "", "");
/// Every program of so many operations is run.
const LENGTH: u32 = if cfg!(debug_assertions) { 5 } else { 7 };
const OPERATIONS: u32 = 8;

/// What the arena promises, by the simplest means: a list of every handle
/// ever given out, and whether it is alive.
struct Run {
    arena: Arena<2>,
    resources: Resources,
    given: Vec<(Cell, Option<u64>)>,
}

impl Run {
    fn new(seed: u32) -> Run {
        let limits = Limits::NONE.with_slots(2).with_pages(1);
        let arena = Arena::new(Kind::I64ARR, &SHAPE, seed);
        Run { arena, resources: Resources::new(Account::new(limits)), given: Vec::new() }
    }

    fn is_live(&self) -> usize {
        self.given.iter().filter(|(_, value)| value.is_some()).count()
    }

    fn make(&mut self, words: usize) {
        let value = self.given.len() as u64;
        let made = self.arena.alloc(&mut self.resources, words as u32, words, |block| {
            block.fill(value);
            Ok(())
        });
        // Two slots of four lives each.
        assert_eq!(made.is_ok(), self.is_live() < 2 - self.arena.slots.counts().retired as usize);
        if let Ok(cell) = made {
            assert!(self.given.iter().all(|(other, _)| *other != cell), "given twice");
            self.given.push((cell, Some(value)));
        }
    }

    fn free(&mut self, nth: usize) {
        if let Some((cell, value)) = self.given.get_mut(nth) {
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
            2 => self.free(self.given.len().wrapping_sub(1)),
            3 => self.free(self.given.len().wrapping_sub(2)),
            4 => self.free(0),
            5 => {
                self.arena.clear();
                self.given.iter_mut().for_each(|given| given.1 = None);
            }
            6 => self.arena.compact(&mut self.resources),
            _ => {
                self.arena.sweep(&[1]);
                self.given
                    .iter_mut()
                    .filter(|given| given.0.slot() != 0)
                    .for_each(|given| given.1 = None);
            }
        }
        for &(cell, value) in &self.given {
            let read = self.arena.check(cell).and_then(|slot| self.arena.used(slot));
            match value {
                Some(value) => assert!(read.unwrap().iter().all(|&word| word == value)),
                None => assert_eq!(read, Err(Error::Stale { kind: Kind::I64ARR })),
            }
        }
        let mut bits = vec![0; self.arena.memory().words().len() / 64 + 1];
        assert_eq!(self.arena.verify(&mut bits), Ok(()));
        assert!(self.given.len() <= 8);
    }
}

/// Every program over an arena of two slots with generations of two bits.
#[test]
fn every_short_program_keeps_the_promises() {
    let mut programs = 0;
    for seed in [0, 7] {
        for number in 0..OPERATIONS.pow(LENGTH) {
            // Some lives first, so that the end of generations is near.
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
