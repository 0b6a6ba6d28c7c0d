//! Every short program over one small arena.

use super::*;
use crate::words::{Elements, Error, Limits};
use alloc::vec;
use alloc::vec::Vec;

const SHAPE: Shape = Shape::new(Elements::Ints, "", "");
/// The number of operations in a program, and of those to choose from. Every such program
/// is run.
const PROGRAMS: [(u32, u32); 2] =
    if cfg!(debug_assertions) { [(5, 8), (4, 13)] } else { [(7, 8), (6, 13)] };

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
        // Slots of four generations each, which do not count once they are retired.
        assert_eq!(made.is_ok(), self.live() < 2);
        assert!(self.arena.slots.usable() <= 2);
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

    /// Cuts the front off the newest live object.
    fn cut_front(&mut self) {
        if let Some((cell, _)) = self.handles.iter().rev().find(|handle| handle.1.is_some()) {
            let slot = self.arena.check(*cell).unwrap();
            if slot.len > 1 {
                self.arena.cut_front(cell.slot(), 1).unwrap();
                let cut = self.arena.check(*cell).unwrap();
                assert_eq!(
                    (cut.len, cut.off, cut.cap()),
                    (slot.len - 1, slot.off + 1, slot.cap() - 1)
                );
            }
        }
    }

    /// Recycles as if a cell referred to slot 0.
    fn recycle(&mut self) {
        let retired = |arena: &Arena<2>| -> Vec<u32> {
            (1..arena.slots.len() as u32).filter(|index| arena.is_retired(*index)).collect()
        };
        let (before, room) = (retired(&self.arena), 2 - self.arena.slots.usable());
        let recycled = self.arena.recycle(&[1], 2);
        assert_eq!(recycled, before.len().min(room) as u64);
        let after = retired(&self.arena);
        assert_eq!(before.len() - after.len(), recycled as usize);
        // The host has no handles of recycled slots.
        let is_recycled = |index| before.contains(&index) && !after.contains(&index);
        self.handles.retain(|(cell, _)| !is_recycled(cell.slot()));
    }

    fn step(&mut self, operation: u32) {
        match operation {
            0 => self.make(1),
            // A size class, of which what is left of a cut one is none.
            1 => self.make(10),
            2 => self.free(self.handles.len().wrapping_sub(1)),
            3 => self.free(self.handles.len().wrapping_sub(2)),
            4 => self.free(0),
            5 => {
                self.arena.clear();
                self.handles.iter_mut().for_each(|handle| handle.1 = None);
            }
            6 => self.arena.compact(&mut self.resources),
            7 => {
                self.arena.sweep(&[1]);
                self.handles
                    .iter_mut()
                    .filter(|handle| handle.0.slot() != 0)
                    .for_each(|handle| handle.1 = None);
            }
            8 => self.recycle(),
            12 => self.cut_front(),
            9 => {
                // Each growth of the next allocation fails in turn.
                for after in 0..4 {
                    self.resources.account.fail_growth_after(Some(after));
                    let made = self.arena.alloc(&mut self.resources, 1, 1, |_| Ok(()));
                    self.resources.account.fail_growth_after(None);
                    if let Ok(cell) = made {
                        self.arena.roll_back(cell);
                    }
                    self.check();
                }
            }
            _ => {
                // To a table of one page, and to none.
                let dense = if operation == 10 { 2 } else { 0 };
                if self.arena.slots.as_slice().len() >= dense {
                    self.arena.slots.fold_to(&mut self.resources, dense, usize::MAX).unwrap();
                }
            }
        }
        self.check();
    }

    fn check(&mut self) {
        for &(cell, value) in &self.handles {
            let read = self.arena.check(cell).and_then(|slot| self.arena.used(slot));
            match value {
                Some(value) => assert!(read.unwrap().iter().all(|&word| word == value)),
                None => assert_eq!(read, Err(Error::Stale { kind: Kind::I64ARR })),
            }
        }
        let mut bits = vec![0; self.arena.memory().words().len() / 64 + 1];
        assert_eq!(self.arena.verify(&mut bits), Ok(()));
        for index in 0..self.arena.slots.len() as u32 {
            let generations = self.handles.iter().filter(|(cell, _)| cell.slot() == index);
            assert!(generations.count() <= 4);
        }
    }
}

/// Every program over an arena of two usable slots with generations of two bits.
#[test]
fn every_short_program_agrees_with_the_model() {
    let mut programs = 0;
    for seed in [0, 7] {
        for (length, operations) in PROGRAMS {
            for number in 0..operations.pow(length) {
                // Some generations first, so that the slots are close to retirement.
                let mut run = Run::new(seed);
                for _ in 0..number % 4 * 2 {
                    run.step(0);
                    run.step(2);
                }
                (0..length).fold(number, |rest, _| {
                    run.step(rest % operations);
                    rest / operations
                });
                programs += 1;
            }
        }
    }
    assert_eq!(programs, 2 * PROGRAMS.map(|(length, of)| of.pow(length)).iter().sum::<u32>());
}

/// The last page of slots may be a part of one: an allocation that fails after it has
/// returned, and after new slots were made behind it, leaves it as it was.
#[test]
fn a_part_of_a_page_returns_and_leaves() {
    let mut arena: Arena = Arena::new(Kind::I64ARR, &SHAPE, 1);
    let mut resources = Resources::new(Account::new(Limits::NONE));
    let page = 512;
    let mut handles = Vec::new();
    for value in 0..page + 100 {
        let fill = |words: &mut [u64]| {
            words.fill(value as u64);
            Ok(())
        };
        handles.push(arena.alloc(&mut resources, 1, 1, fill).unwrap());
    }
    // No slot is free: the page has to return, and new slots have to follow.
    while arena.slots.counts().free > 0 {
        handles.push(arena.alloc(&mut resources, 1, 1, |_| Ok(())).unwrap());
    }
    arena.slots.fold_to(&mut resources, page, usize::MAX).unwrap();
    let counts = arena.slots.counts();
    for after in 0..8 {
        resources.account.fail_growth_after(Some(after));
        // More words than the memory has left.
        let made = arena.alloc(&mut resources, 1 << 20, 1 << 20, |_| Ok(()));
        resources.account.fail_growth_after(None);
        let mut bits = vec![0; arena.memory().words().len() / 64 + 1];
        assert_eq!(arena.verify(&mut bits), Ok(()), "after {after}");
        assert!(handles.iter().all(|&cell| arena.contains(cell)));
        match made {
            Ok(cell) => arena.roll_back(cell),
            Err(_) => assert_eq!(arena.slots.counts(), counts),
        }
    }
}

/// A block whose front was cut off is of no size class. Once others use what was before it,
/// a compaction must not round it up.
#[test]
fn a_compaction_keeps_cut_blocks_as_small() {
    let mut arena: Arena = Arena::new(Kind::I64ARR, &SHAPE, 1);
    let mut resources = Resources::new(Account::new(Limits::NONE.with_pages(1)));
    let mut values = 0..;
    let mut live: Vec<(Cell, u64)> = Vec::new();
    let mut make = |arena: &mut Arena, resources: &mut Resources, live: &mut Vec<_>, words: u32| {
        let value = values.next().unwrap();
        let fill = |block: &mut [u64]| {
            block.fill(value);
            Ok(())
        };
        let made = arena.alloc(resources, words, to_usize(words), fill);
        live.extend(made.ok().map(|cell| (cell, value)));
        made.is_ok()
    };
    while make(&mut arena, &mut resources, &mut live, 12) {}
    let (kept, freed): (Vec<_>, Vec<_>) = live.drain(..).partition(|handle| handle.1 % 2 == 0);
    kept.iter().for_each(|(cell, _)| arena.cut_front(cell.slot(), 1).unwrap());
    freed.iter().for_each(|(cell, _)| arena.free(&mut resources.tally, *cell).unwrap());
    live.extend(kept);
    // Larger than any free block, so that gaps are joined; then what fills them.
    make(&mut arena, &mut resources, &mut live, 13);
    for words in [12, 1] {
        while make(&mut arena, &mut resources, &mut live, words) {}
    }
    arena.compact(&mut resources);
    for (cell, value) in live {
        let words = arena.used(arena.check(cell).unwrap()).unwrap();
        assert!(words.iter().all(|&word| word == value), "{value}");
    }
    let mut bits = vec![0; arena.memory().words().len() / 64 + 1];
    assert_eq!(arena.verify(&mut bits), Ok(()));
}
