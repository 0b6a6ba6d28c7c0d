//! Random programs over objects of all kinds on one heap, run on the heap and on the
//! reference heap. After each operation the objects it used are compared, at the end
//! all objects are; freed handles must stay stale.
//!
//! An operation is a variant of [`Op`] and an arm of [`Harness::run`] or of a
//! function that it calls. Other drivers of programs, such as [`crate::limits`], need
//! nothing more.

mod accesses;
mod combinations;
mod ops;
mod windows;

use std::collections::HashSet;
use std::fmt::Debug;

use num_bigint::BigInt;
use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Heap, I64Arr, Kind, List, Map, ObjectInit, Pair,
    Set, Str, Struct, U8Arr,
};

use crate::counters;
use crate::reference::{Model, ReferenceHeap, big};
use crate::support::{config, heap, resolve};
pub use ops::{Op, op};
use ops::{Operand, Target};

/// The heap under test, the reference heap, and all handles of the program.
pub struct Harness {
    pub heap: Heap,
    pub reference: ReferenceHeap,
    handles: Vec<Cell>,
    known: HashSet<Cell>,
    /// Whether allocations may fail for lack of memory.
    limited: bool,
}

impl Harness {
    pub fn new(heap: Heap, limited: bool) -> Harness {
        counters::program(0);
        let (reference, handles, known) = (ReferenceHeap::default(), Vec::new(), HashSet::new());
        Harness { heap, reference, handles, known, limited }
    }

    fn cell(&self, operand: Operand) -> Cell {
        let nth = |n: usize| self.handles.get(n.checked_rem(self.handles.len())?).copied();
        match operand {
            Operand::Immediate(cell) => cell,
            Operand::Any(n) => nth(n).unwrap_or(Cell::NULL),
            Operand::Live(n) => self.pick(n, |cell| self.reference.objects.contains_key(&cell)),
        }
    }

    fn cells(&self, operands: &[Operand]) -> Vec<Cell> {
        operands.iter().map(|&operand| self.cell(operand)).collect()
    }

    /// The `n`-th of the matching handles, modulo their number.
    fn pick(&self, n: usize, matches: impl Fn(Cell) -> bool) -> Cell {
        let some: Vec<Cell> = self.handles.iter().copied().filter(|&cell| matches(cell)).collect();
        n.checked_rem(some.len()).map_or(Cell::NULL, |n| some[n])
    }

    fn target(&self, target: Target, kind: Kind) -> Cell {
        let live = |cell| self.reference.objects.contains_key(&cell);
        match target {
            Target::Live(n) => self.pick(n, |cell| cell.kind() == Some(kind) && live(cell)),
            Target::Freed(n) => self.pick(n, |cell| cell.kind() == Some(kind) && !live(cell)),
            Target::Arbitrary(operand) => self.cell(operand),
        }
    }

    /// Adds a new object to the reference heap. Its handle must be new.
    fn record_allocation(&mut self, cell: Cell, model: Model) {
        assert!(self.known.insert(cell), "{cell:?} was returned before");
        self.handles.push(cell);
        self.reference.objects.insert(cell, model);
        self.compare(cell);
    }

    fn alloc(&mut self, init: impl ObjectInit, model: Model) -> Result<(), Error> {
        let result = self.heap.alloc(init).map(Cell::from);
        let cell = self.reconcile(result, |_| Ok(None))?;
        if let Some(cell) = cell {
            self.record_allocation(cell, model);
        }
        Ok(())
    }

    /// Compares the result of the heap with that of the reference heap. If the
    /// reference returns `None`, the result must be `Ok` and is left to the caller.
    /// With limited memory any operation may fail; the reference then does nothing.
    fn reconcile<T: Clone + Debug + PartialEq>(
        &mut self,
        got: Result<T, Error>,
        run: impl FnOnce(&mut ReferenceHeap) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        if let Err(error) = got
            && self.limited
            && is_memory_error(error)
        {
            return Err(error);
        }
        match run(&mut self.reference) {
            Ok(None) => {
                return Ok(Some(got.expect("the operation succeeds on the reference heap")));
            }
            Ok(Some(expected)) => assert_eq!(got, Ok(expected)),
            Err(error) => assert_eq!(got, Err(error)),
        }
        got.map(|_| None)
    }

    /// `reconcile` for a result that the reference heap determines.
    fn expect_same<T: Clone + Debug + PartialEq>(
        &mut self,
        got: Result<T, Error>,
        run: impl FnOnce(&mut ReferenceHeap) -> Result<T, Error>,
    ) -> Result<(), Error> {
        self.reconcile(got, |reference| run(reference).map(Some)).map(drop)
    }

    /// Asserts that an object equals its model, or that its handle is stale.
    pub fn compare(&self, cell: Cell) {
        let Some(kind) = cell.kind() else {
            return;
        };
        let heap = &self.heap;
        let Some(model) = self.reference.objects.get(&cell) else {
            assert!(!heap.contains(cell), "{cell:?}");
            assert_eq!(heap.hash(cell), Err(Error::Stale { kind }));
            return;
        };
        assert!(heap.contains(cell), "{cell:?}");
        match model {
            Model::Str(text) => {
                assert_eq!(heap.get::<Str>(cell).unwrap().text(), text.as_str());
            }
            Model::List(list) => {
                assert_eq!(heap.get::<List>(cell).unwrap().as_slice(), list.as_slice());
            }
            Model::Map(map) => {
                let view = heap.get::<Map>(cell).unwrap();
                assert_eq!(view.iter().collect::<Vec<_>>(), *map);
                assert_eq!(view.len(), map.len());
            }
            Model::Set(set) => {
                let view = heap.get::<Set>(cell).unwrap();
                assert_eq!(view.iter().collect::<Vec<_>>(), *set);
                assert_eq!(view.len(), set.len());
            }
            Model::Struct(shape, fields) => {
                let view = heap.get::<Struct>(cell).unwrap();
                assert_eq!((view.shape(), view.as_slice()), (*shape, fields.as_slice()));
            }
            Model::Closure(function, upvalues) => {
                let view = heap.get::<Closure>(cell).unwrap();
                assert_eq!((view.function(), view.as_slice()), (*function, upvalues.as_slice()));
            }
            Model::Bignum(integer) => {
                let view = heap.get::<Bignum>(cell).unwrap();
                assert_eq!(big(view.is_negative(), view.limbs()), *integer);
            }
            Model::Bytes(bytes) => {
                assert_eq!(heap.get::<Bytes>(cell).unwrap().as_slice(), bytes.as_slice());
            }
            Model::Pair(pair) => {
                assert_eq!(heap.get::<Pair>(cell).unwrap().as_slice(), pair.as_slice());
            }
            Model::Floats(floats) => {
                let view = heap.get::<F64Arr>(cell).unwrap();
                let bits: Vec<u64> = view.as_slice().iter().map(|x| x.to_bits()).collect();
                assert_eq!(bits, *floats);
            }
            Model::Ints(ints) => {
                assert_eq!(heap.get::<I64Arr>(cell).unwrap().as_slice(), ints.as_slice());
            }
            Model::Octets(bytes) => {
                assert_eq!(heap.get::<U8Arr>(cell).unwrap().as_slice(), bytes.as_slice());
            }
        }
    }

    /// Compares all objects, and asserts that all other handles are stale.
    pub fn compare_all(&self) {
        for &cell in &self.handles {
            self.compare(cell);
        }
        assert_eq!(self.heap.usage().live(), self.reference.objects.len() as u64);
    }

    /// Runs one operation on both heaps. Returns the error of the heap; that of the
    /// reference heap is the same unless the heap is out of memory.
    pub fn run(&mut self, op: &Op) -> Result<(), Error> {
        counters::operation();
        match op {
            Op::NewStr(text) => self.alloc(Str::new(text), Model::Str(text.clone())),
            Op::NewString(text) => {
                let result = self.heap.string(text);
                self.expect_text(result, Ok(text.clone()))
            }
            Op::NewList(operands) => {
                let cells = self.cells(operands);
                self.alloc(List::of(&cells), Model::List(cells.clone()))
            }
            Op::NewMap(capacity) => self.alloc(Map::with_capacity(*capacity), Model::Map(vec![])),
            Op::NewSet(capacity) => self.alloc(Set::with_capacity(*capacity), Model::Set(vec![])),
            Op::NewStruct(shape, operands) => {
                let cells = self.cells(operands);
                self.alloc(Struct::of(*shape, &cells), Model::Struct(*shape, cells.clone()))
            }
            Op::NewClosure(function, operands) => {
                let cells = self.cells(operands);
                self.alloc(Closure::of(*function, &cells), Model::Closure(*function, cells.clone()))
            }
            Op::NewBignum(negative, limbs) => {
                let model = Model::Bignum(big(*negative, limbs));
                self.alloc(Bignum::of(*negative, limbs), model)
            }
            Op::NewInt(int) => {
                let result = self.heap.int(*int);
                self.expect_integer(result, |_| Ok((*int).into()))
            }
            Op::NewBytes(bytes) => self.alloc(Bytes::of(bytes), Model::Bytes(bytes.clone())),
            Op::NewPair(first, second) => {
                let (first, second) = (self.cell(*first), self.cell(*second));
                self.alloc(Pair::of(first, second), Model::Pair([first, second]))
            }
            Op::NewF64Arr(bits) => {
                let floats: Vec<f64> = bits.iter().map(|&bits| f64::from_bits(bits)).collect();
                self.alloc(F64Arr::of(&floats), Model::Floats(bits.clone()))
            }
            Op::NewI64Arr(ints) => self.alloc(I64Arr::of(ints), Model::Ints(ints.clone())),
            Op::NewU8Arr(bytes) => self.alloc(U8Arr::of(bytes), Model::Octets(bytes.clone())),
            Op::Free(operand) => self.free(*operand),
            Op::Clear => {
                self.heap.clear();
                self.reference.objects.clear();
                Ok(())
            }
            _ => self.access(op),
        }
    }

    fn free(&mut self, operand: Operand) -> Result<(), Error> {
        let cell = self.cell(operand);
        let got = self.heap.free(cell);
        let result = self.expect_same(got, |reference| {
            let kind = cell.kind().ok_or(Error::NotAHandle)?;
            reference.objects.remove(&cell).map(drop).ok_or(Error::Stale { kind })
        });
        self.compare(cell);
        result
    }

    /// Checks a text that the heap returned: it is immediate if it fits.
    fn expect_text(
        &mut self,
        result: Result<Cell, Error>,
        expected: Result<String, Error>,
    ) -> Result<(), Error> {
        let Some(cell) = self.reconcile(result, |_| expected.clone().map(|_| None))? else {
            return Ok(());
        };
        let expected = expected.unwrap();
        if expected.len() <= 5 {
            assert_eq!(Some(cell), Cell::short_str(&expected));
        } else {
            self.record_allocation(cell, Model::Str(expected));
        }
        Ok(())
    }

    /// Checks an integer that the heap returned: it is immediate if it fits.
    fn expect_integer(
        &mut self,
        result: Result<Cell, Error>,
        expected: impl FnOnce(&ReferenceHeap) -> Result<BigInt, Error>,
    ) -> Result<(), Error> {
        let mut value = BigInt::ZERO;
        let result = self.reconcile(result, |reference| {
            value = expected(reference)?;
            Ok(None)
        })?;
        let Some(cell) = result else {
            return Ok(());
        };
        match i64::try_from(&value).ok().and_then(Cell::int) {
            Some(small) => assert_eq!(cell, small),
            None => self.record_allocation(cell, Model::Bignum(value)),
        }
        Ok(())
    }
}

/// Whether an operation failed for lack of memory.
pub fn is_memory_error(error: Error) -> bool {
    matches!(
        error,
        Error::Limit(_) | Error::ArenaFull { .. } | Error::ObjectTooLarge | Error::OutOfMemory
    )
}

fn range(len: usize, range: std::ops::Range<usize>) -> Result<std::ops::Range<usize>, Error> {
    use std::ops::Bound::{Excluded, Included};
    resolve((Included(range.start), Excluded(range.end)), len)
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn agree_with_the_reference_heap(
        seed in any::<u64>(),
        ops in prop::collection::vec(op(), 1..160),
    ) {
        let mut harness = Harness::new(heap(seed), false);
        for op in &ops {
            // The reference heap returns the same error.
            let _ = harness.run(op);
        }
        harness.compare_all();
    }
}
