//! Versions of texts: values to which no path writes, interned or not.

use proptest::prelude::*;
use segheap::{Cell, Error, Heap, Kind, Settings, TextPart};

use crate::images::{load, save};
use crate::support::{config, heap};

#[derive(Clone, Debug)]
enum Op {
    String(String),
    Intern(usize),
    Append(usize, String),
    AppendAll(usize, usize),
    AppendPart(usize, usize, usize),
    Concat(usize, usize),
    Free(usize),
    Collect(u64),
    Young(u64),
    Steps(u64, u64),
    Compact,
    Fork,
    Image,
    Transplant(usize),
    Refuse(u64),
    Clear,
}

fn op() -> impl Strategy<Value = Op> {
    let text = "[abé€ ]{0,9}";
    let i = 0..64_usize;
    prop_oneof![
        3 => text.prop_map(Op::String),
        2 => i.clone().prop_map(Op::Intern),
        12 => (i.clone(), text).prop_map(|(i, text)| Op::Append(i, text)),
        4 => (i.clone(), i.clone()).prop_map(|(i, j)| Op::AppendAll(i, j)),
        4 => (i.clone(), i.clone(), 0..30_usize).prop_map(|(i, j, n)| Op::AppendPart(i, j, n)),
        1 => (i.clone(), i.clone()).prop_map(|(i, j)| Op::Concat(i, j)),
        4 => i.clone().prop_map(Op::Free),
        1 => any::<u64>().prop_map(Op::Collect),
        1 => any::<u64>().prop_map(Op::Young),
        2 => (any::<u64>(), 1..200_u64).prop_map(|(keep, work)| Op::Steps(keep, work)),
        2 => Just(Op::Compact),
        1 => Just(Op::Fork),
        1 => Just(Op::Image),
        1 => i.prop_map(Op::Transplant),
        3 => (0..6_u64).prop_map(Op::Refuse),
        1 => Just(Op::Clear),
    ]
}

struct Texts {
    heap: Heap,
    all: Vec<(Cell, String)>,
}

impl Texts {
    fn get(&self, i: usize) -> (Cell, String) {
        let none = || (Cell::short_str("").unwrap(), String::new());
        i.checked_rem(self.all.len()).map_or_else(none, |i| self.all[i].clone())
    }

    fn roots(&self) -> Vec<Cell> {
        self.all.iter().map(|(cell, _)| *cell).collect()
    }

    fn forget(&mut self, keep: u64) {
        let mut n = 0;
        self.all.retain(|_| {
            n += 1;
            keep >> (n % 64) & 1 != 0
        });
    }

    /// Appends; two equal symbols are one cell, which is freed once.
    fn append(&mut self, i: usize, part: TextPart<'_>, added: &str) -> Result<(), Error> {
        let (cell, text) = self.get(i);
        if text.len() + added.len() > 20_000 {
            return Ok(());
        }
        let longer = self.heap.append_text(cell, part)?;
        if added.is_empty() {
            assert_eq!(longer, cell);
            return Ok(());
        }
        let is_symbol = longer.kind().is_some() && self.heap.is_symbol(longer);
        assert!(!is_symbol, "a new text is no symbol");
        self.all.push((longer, text + added));
        Ok(())
    }

    fn run(&mut self, op: &Op) -> Result<(), Error> {
        match op {
            Op::String(text) => {
                let cell = self.heap.string(text)?;
                self.all.push((cell, text.clone()));
            }
            Op::Intern(i) => {
                let (cell, text) = self.get(*i);
                let symbol = self.heap.intern_text(cell)?;
                self.all.push((symbol, text));
            }
            Op::Append(i, text) => self.append(*i, TextPart::Str(text), text)?,
            Op::AppendAll(i, j) => {
                let (cell, text) = self.get(*j);
                self.append(*i, TextPart::Whole(cell), &text)?;
            }
            Op::AppendPart(i, j, n) => {
                let (cell, text) = self.get(*j);
                let n = (*n).min(text.len());
                let part = TextPart::Range(cell, n..text.len());
                if text.is_char_boundary(n) {
                    self.append(*i, part, &text[n..])?;
                } else {
                    let error = Err(Error::NotACharBoundary { index: n as u32 });
                    assert_eq!(self.heap.append_text(self.get(*i).0, part), error);
                }
            }
            Op::Concat(i, j) => {
                let ((a, x), (b, y)) = (self.get(*i), self.get(*j));
                if x.len() + y.len() < 20_000 {
                    let cell = self.heap.concat(&[a.into(), b.into()])?;
                    self.all.push((cell, x + &y));
                }
            }
            Op::Free(i) => {
                let (cell, _) = self.get(*i);
                match self.heap.free(cell) {
                    Ok(()) => self.all.retain(|(other, _)| *other != cell),
                    Err(Error::Symbol | Error::NotAHandle) => {}
                    Err(error) => return Err(error),
                }
            }
            _ => return self.run_whole(op),
        }
        Ok(())
    }

    fn run_whole(&mut self, op: &Op) -> Result<(), Error> {
        match op {
            Op::Collect(keep) => {
                self.forget(*keep);
                self.heap.collect(self.roots())?;
            }
            Op::Young(keep) => {
                self.forget(*keep);
                self.heap.collect_young(self.roots())?;
            }
            Op::Steps(keep, work) => {
                self.forget(*keep);
                self.heap.step(self.roots(), *work)?;
            }
            Op::Compact => self.heap.compact(),
            Op::Fork => {
                let fork = self.heap.try_clone()?;
                let mut original = std::mem::replace(&mut self.heap, fork);
                original.verify().unwrap();
            }
            Op::Image => {
                let image = save(&mut self.heap)?;
                self.heap = load(&image, Settings::seeded(3)).unwrap();
            }
            Op::Transplant(i) => {
                let (cell, text) = self.get(*i);
                let mut other = Heap::with(Settings::seeded(4));
                let copy = other.transplant(&self.heap, cell)?;
                let copy = other.append_text(copy, "more")?;
                assert_eq!(other.text(copy)?.to_string(), text + "more");
                other.verify().unwrap();
            }
            Op::Refuse(n) => self.heap.fail_growth_after(Some(*n)),
            Op::Clear => {
                self.heap.clear();
                self.all.retain(|(cell, _)| cell.kind().is_none());
                assert_eq!(self.heap.usage().arena(Kind::STR).map(|arena| arena.live), Some(0));
            }
            _ => unreachable!(),
        }
        Ok(())
    }

    fn check(&mut self) {
        for (cell, text) in &self.all {
            assert_eq!(self.heap.text(*cell).unwrap().to_string(), *text);
        }
        self.heap.verify().unwrap();
    }
}

proptest! {
    #![proptest_config(config(128))]

    /// Each text stays what it is, whatever is appended to it.
    #[test]
    fn versions_of_texts_are_values(
        seed in any::<u64>(),
        program in prop::collection::vec(op(), 1..80),
    ) {
        let mut texts = Texts { heap: heap(seed), all: Vec::new() };
        for op in &program {
            match texts.run(op) {
                Ok(()) | Err(Error::OutOfMemory | Error::Limit(_)) => {}
                Err(error) => panic!("{op:?}: {error}"),
            }
            if !matches!(op, Op::Refuse(_)) {
                texts.heap.fail_growth_after(None);
            }
            texts.check();
        }
    }
}
