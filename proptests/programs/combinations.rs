//! Operations on several objects.

use num_bigint::BigInt;
use segheap::{Cell, Error, Kind, List, TextPart};

use super::ops::{Arithmetic, Operand, Part, SetAlgebra, Target};
use super::{Harness, Op, range};
use crate::reference::{Equality, Model, ReferenceHeap};

impl Harness {
    pub(super) fn combine(&mut self, op: &Op) -> Result<(), Error> {
        match *op {
            Op::Concat(ref parts) => self.concat(parts),
            Op::Sort(target, comparisons) => self.sort(target, comparisons),
            Op::SetAlgebra(operator, a, b) => self.set_algebra(operator, a, b),
            Op::Arithmetic(operator, a, b) => self.arithmetic(operator, a, b),
            Op::DeepEq(a, b) => self.deep_eq(a, b),
            Op::KeyEq(a, b) => {
                let (a, b) = (self.cell(a), self.cell(b));
                let got = self.heap.key_eq(a, b);
                if got == Ok(true) {
                    assert_eq!(self.heap.hash(a), self.heap.hash(b));
                }
                self.expect_same(got, |reference| Ok(reference.key(a)? == reference.key(b)?))
            }
            Op::Display(operand, limit) => {
                let cell = self.cell(operand);
                let text = self.heap.display(cell).limit(limit).to_string();
                assert_eq!(text, self.reference.display(cell, limit));
                Ok(())
            }
            Op::SwapWindows(one, other) => self.swap_windows(one, other),
            Op::UpdateWindows(bytes, ints, list) => self.update_windows(bytes, ints, list),
            _ => unreachable!("{op:?}"),
        }
    }

    fn concat(&mut self, parts: &[Part]) -> Result<(), Error> {
        let (mut text_parts, mut expected) = (Vec::new(), Ok(String::new()));
        for part in parts {
            let (part, text) = match part {
                Part::Whole(operand) => {
                    let cell = self.cell(*operand);
                    (TextPart::Whole(cell), self.reference.text(cell))
                }
                Part::Range(operand, from, to) => {
                    // Reversed ranges are tested in `kinds::texts`.
                    let (cell, range) = (self.cell(*operand), *from..(*to).max(*from));
                    let text = self.reference.text(cell);
                    let text = text.and_then(|text| substring(&text, range.clone()));
                    (TextPart::Range(cell, range), text)
                }
                Part::Str(text) => (TextPart::Str(text), Ok(text.clone())),
            };
            text_parts.push(part);
            expected = expected.and_then(|all: String| text.map(|text| all + &text));
        }
        let result = self.heap.concat(&text_parts);
        self.expect_text(result, expected)
    }

    /// Sorts a list; the comparison fails after a number of calls, if one is given.
    fn sort(&mut self, target: Target, comparisons: Option<usize>) -> Result<(), Error> {
        let cell = self.target(target, Kind::LIST);
        let mut left = comparisons;
        let got = self.heap.sort_by::<List, Error>(cell, |_, a, b| {
            if let Some(left) = &mut left {
                *left = left.checked_sub(1).ok_or(Error::NotDecimal)?;
            }
            Ok(rank(a).cmp(&rank(b)))
        });
        let result = self.expect_same(got, |reference| {
            let list = reference.list(cell)?;
            // The number of comparisons is not specified.
            if got == Err(Error::NotDecimal) {
                assert!(comparisons.is_some());
                return Err(Error::NotDecimal);
            }
            list.sort_by_key(|&cell| rank(cell));
            Ok(())
        });
        self.compare(cell);
        result
    }

    fn set_algebra(&mut self, operator: SetAlgebra, a: Target, b: Target) -> Result<(), Error> {
        let (a, b) = (self.target(a, Kind::SET), self.target(b, Kind::SET));
        let got = match operator {
            SetAlgebra::Union => self.heap.union(a, b),
            SetAlgebra::Intersection => self.heap.intersection(a, b),
            SetAlgebra::Difference => self.heap.difference(a, b),
        };
        let mut model = Vec::new();
        let result = self.reconcile(got, |reference| {
            model = set_model(reference, operator, a, b)?;
            Ok(None)
        })?;
        if let Some(set) = result {
            self.record_allocation(set.cell(), Model::Set(model));
        }
        self.compare(a);
        self.compare(b);
        Ok(())
    }

    fn arithmetic(&mut self, operator: Arithmetic, a: Operand, b: Operand) -> Result<(), Error> {
        let (a, b) = (self.cell(a), self.cell(b));
        let result = match operator {
            Arithmetic::Add => self.heap.add(a, b),
            Arithmetic::Sub => self.heap.sub(a, b),
            Arithmetic::Mul => self.heap.mul(a, b),
            Arithmetic::Div => self.heap.div(a, b),
            Arithmetic::Rem => self.heap.rem(a, b),
        };
        self.expect_integer(result, |reference| {
            let (a, b) = (reference.integer(a)?, reference.integer(b)?);
            let zero = b == BigInt::ZERO;
            match operator {
                Arithmetic::Div | Arithmetic::Rem if zero => Err(Error::DivisionByZero),
                Arithmetic::Add => Ok(a + b),
                Arithmetic::Sub => Ok(a - b),
                Arithmetic::Mul => Ok(&a * &b),
                Arithmetic::Div => Ok(&a / &b),
                Arithmetic::Rem => Ok(&a % &b),
            }
        })
    }

    fn deep_eq(&mut self, a: Operand, b: Operand) -> Result<(), Error> {
        let (a, b) = (self.cell(a), self.cell(b));
        let got = self.heap.deep_eq(a, b);
        let stale = matches!(got, Err(Error::Stale { .. }));
        self.expect_same(got, |reference| match reference.deep_eq(a, b) {
            Equality::Equal => Ok(true),
            Equality::Different => Ok(false),
            Equality::Stale => {
                assert!(stale, "{a:?} and {b:?} reach a stale handle");
                got
            }
            Equality::Either => {
                assert!(stale || got == Ok(false));
                got
            }
        })
    }
}

fn set_model(
    reference: &mut ReferenceHeap,
    operator: SetAlgebra,
    a: Cell,
    b: Cell,
) -> Result<Vec<Cell>, Error> {
    let (left, right) = (reference.set(a)?.clone(), reference.set(b)?.clone());
    let find = |cells: &[Cell], cell| reference.find(cells.iter().copied(), cell);
    let mut model = Vec::new();
    for cell in left.iter().copied() {
        let is_member = match (find(&right, cell), operator) {
            // Stale keys are dropped.
            (Err(_), _) => false,
            (_, SetAlgebra::Union) => true,
            (Ok(found), SetAlgebra::Intersection) => found.is_some(),
            (Ok(found), SetAlgebra::Difference) => found.is_none(),
        };
        if is_member {
            model.push(cell);
        }
    }
    if let SetAlgebra::Union = operator {
        for cell in right {
            if find(&left, cell) == Ok(None) {
                model.push(cell);
            }
        }
    }
    Ok(model)
}

/// A sort key with many ties, to check that sorting is stable. It must not depend on
/// generations.
fn rank(cell: Cell) -> usize {
    format!("{cell:?}").len() % 4
}

fn substring(text: &str, part: std::ops::Range<usize>) -> Result<String, Error> {
    let part = range(text.len(), part)?;
    for index in [part.start, part.end] {
        if !text.is_char_boundary(index) {
            return Err(Error::NotACharBoundary { index: index as u32 });
        }
    }
    Ok(text[part].to_owned())
}
