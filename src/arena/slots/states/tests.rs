//! Random programs on states against a list of them.

use alloc::vec;
use alloc::vec::Vec;

use super::{Born, GROUP, SLOTS, States, Whites};
use crate::arena::Account;
use crate::words::Limits;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Color {
    White,
    Black,
    Grey,
}

/// Numbers that are random enough.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % end
    }
}

/// States, and what they should be.
struct Model {
    states: States,
    account: Account,
    colors: Vec<Color>,
    random: Random,
}

impl Model {
    fn color(&self, index: usize) -> Color {
        let index = index as u32;
        match (self.states.is_white(index), self.states.is_black(index)) {
            (true, false) => Color::White,
            (false, true) => Color::Black,
            (false, false) => Color::Grey,
            (true, true) => panic!("slot {index} is white and black"),
        }
    }

    fn keep(&mut self) {
        let groups = 1 + self.random.below(6);
        let slots = groups * GROUP * SLOTS - self.random.below(SLOTS);
        assert!(self.states.keep(&mut self.account, slots));
        let len = self.colors.len().max(groups * GROUP * SLOTS);
        self.colors.resize(len, Color::White);
    }

    /// Shrinks to fewer groups, as what has failed to grow does.
    fn shrink(&mut self) {
        let extent = self.states.extent();
        let old = self.colors.len();
        self.keep();
        if self.colors.len() > old && old > 0 {
            self.states.shrink(&mut self.account, extent);
            self.colors.truncate(old);
        }
    }

    /// Any slot, now and then one that has no state.
    fn slot(&mut self) -> usize {
        let end = self.colors.len() * if self.random.below(4) == 0 { 3 } else { 1 };
        self.random.below(end + 1)
    }

    fn set(&mut self) {
        let slot = self.slot();
        let index = slot as u32;
        let color = match self.random.below(4) {
            0 => {
                self.states.note_born(index, Born::WHITE);
                Color::White
            }
            1 => {
                self.states.note_born(index, Born::BLACK);
                Color::Black
            }
            2 if slot < self.colors.len() => {
                self.states.blacken(index);
                Color::Black
            }
            _ => {
                self.states.shade(index);
                Color::Grey
            }
        };
        if let Some(place) = self.colors.get_mut(slot) {
            *place = color;
        }
    }

    /// Ends of a range of words.
    fn words(&mut self) -> (usize, usize) {
        let ends = [0; 2].map(|_| self.random.below(self.colors.len() / SLOTS + 1));
        (ends[0].min(ends[1]), ends[0].max(ends[1]))
    }

    fn whiten(&mut self) {
        let (start, end) = self.words();
        assert!(self.states.whiten(&mut self.account, start..end));
        self.colors[start * SLOTS..end * SLOTS].fill(Color::White);
    }

    /// Takes the white slots of a range, in parts.
    fn take_white(&mut self) {
        let (start, mut end) = self.words();
        let mut expected: Vec<u32> = Vec::new();
        for slot in (start * SLOTS..end * SLOTS).rev() {
            if self.colors[slot] == Color::White {
                self.colors[slot] = Color::Black;
                expected.push(slot as u32);
            }
        }
        let mut taken = Vec::new();
        while start < end {
            let (most, enough) = (1 + self.random.below(9), 1 + self.random.below(99));
            let mut some = Whites::new(enough);
            let (rest, passed) = self.states.take_white(start..end, most, &mut some);
            assert!(passed > 0 && passed <= most + 1, "{passed} of {most}");
            assert!(some.as_slice().len() < enough + SLOTS);
            taken.extend_from_slice(some.as_slice());
            assert!(rest < end || !some.as_slice().is_empty() || passed > 0);
            end = rest;
        }
        assert_eq!(taken, expected);
    }

    fn blacken_grey(&mut self) {
        let mut group = 0;
        while self.states.blacken_grey(&mut group, 3) > 0 {}
        for color in self.colors.iter_mut().filter(|color| **color == Color::Grey) {
            *color = Color::Black;
        }
    }

    fn check(&mut self) {
        assert_eq!(self.states.len() * SLOTS, self.colors.len());
        for (slot, &color) in self.colors.iter().enumerate() {
            assert_eq!(self.color(slot), color, "slot {slot}");
        }
        let (mut group, mut grey) = (0, Vec::new());
        while let Some(index) = self.states.next_grey(&mut group, &mut 0) {
            self.states.blacken(index);
            grey.push(index);
        }
        let is_grey = |slot: &u32| self.colors[*slot as usize] == Color::Grey;
        let expected: Vec<u32> = (0..self.colors.len() as u32).filter(is_grey).collect();
        assert_eq!(grey, expected);
        grey.iter().for_each(|&index| self.states.shade(index));
    }
}

#[test]
fn states_agree_with_a_list() {
    for seed in 0..40 {
        let account = Account::new(Limits::NONE);
        let states = States::new();
        let mut model = Model { states, account, colors: vec![], random: Random(seed) };
        model.keep();
        for _ in 0..300 {
            match model.random.below(40) {
                0 => model.keep(),
                1 => model.shrink(),
                2 => model.whiten(),
                3 => model.take_white(),
                4 => model.blacken_grey(),
                5 => model.check(),
                _ => model.set(),
            }
        }
        model.check();
    }
}
