//! Random programs over many objects of all kinds on one heap. After each
//! operation the objects it touched are those of the naive heap, at the end all
//! of them are; a handle that has died stays dead for ever.
//!
//! An operation is a variant of [`Op`] and an arm of [`World::run`]; whatever
//! else drives programs ([`crate::limits`]) needs nothing more.

use std::collections::HashSet;
use std::fmt::Debug;

use num_bigint::BigInt;
use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Handle, Heap, I64Arr, Kind, List, Map, ObjectInit,
    Pair, Set, Str, Struct, TextPart, U8Arr,
};

use crate::naive::{Equality, Model, Naive, big};
use crate::support::{
    by_bigint, config, float_bits, heap, index, integer, out_of_range, plain, resolve, text,
};
use crate::tally;

/// A value to be stored or looked at.
#[derive(Clone, Copy, Debug)]
pub enum Val {
    Plain(Cell),
    /// Any handle there ever was.
    Any(usize),
    /// A live one.
    Live(usize),
}

/// What an operation is applied to: mostly a live object of the kind that it is
/// for, sometimes a dead one, sometimes anything.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    Live(usize),
    Dead(usize),
    Wrong(Val),
}

#[derive(Clone, Debug)]
pub enum Part {
    All(Val),
    Range(Val, usize, usize),
    Str(String),
}

#[derive(Clone, Copy, Debug)]
pub enum Combine {
    Union,
    Intersection,
    Difference,
}

#[derive(Clone, Copy, Debug)]
pub enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
}

#[derive(Clone, Debug)]
pub enum Op {
    // Objects come and go.
    Str(String),
    Text(String),
    List(Vec<Val>),
    Map(usize),
    Set(usize),
    Struct(u32, Vec<Val>),
    Closure(u32, Vec<Val>),
    Bignum(bool, Vec<u64>),
    Int(i64),
    Bytes(Vec<u8>),
    Pair(Val, Val),
    Floats(Vec<u64>),
    Ints(Vec<i64>),
    Octets(Vec<u8>),
    Free(Val),
    Clear,
    // Objects change.
    Push(Target, Val),
    Pop(Target),
    Put(Target, usize, Val),
    Insert(Target, usize, Val),
    Remove(Target, usize),
    Extend(Target, Vec<Val>),
    PutField(Target, usize, Val),
    PutUpvalue(Target, usize, Val),
    PutHalf(Target, usize, Val),
    Enter(Target, Val, Val),
    Leave(Target, Val),
    LeaveNth(Target, usize),
    ClearMap(Target),
    Look(Target, Val),
    Add(Target, Val),
    Drop(Target, Val),
    ExtendBytes(Target, Vec<u8>),
    ResizeFloats(Target, usize, u64),
    PushInt(Target, i64),
    // Operations over several objects.
    Concat(Vec<Part>),
    Sort(Target, Option<usize>),
    Combine(Combine, Target, Target),
    Arithmetic(Arithmetic, Val, Val),
    DeepEq(Val, Val),
    KeyEq(Val, Val),
    Display(Val, usize),
    Swap((Target, usize, usize), (Target, usize, usize)),
    Mix(Target, Target, Target),
}

pub fn val() -> impl Strategy<Value = Val> {
    prop_oneof![
        3 => plain().prop_map(Val::Plain),
        1 => any::<usize>().prop_map(Val::Any),
        4 => any::<usize>().prop_map(Val::Live),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        12 => any::<usize>().prop_map(Target::Live),
        1 => any::<usize>().prop_map(Target::Dead),
        1 => val().prop_map(Target::Wrong),
    ]
}

/// Something new.
fn making() -> BoxedStrategy<Op> {
    let vals = || prop::collection::vec(val(), 0..8);
    let limbs = prop::collection::vec(prop_oneof![any::<u64>(), 0_u64..3], 0..4);
    prop_oneof![
        text().prop_map(Op::Str),
        text().prop_map(Op::Text),
        vals().prop_map(Op::List),
        vals().prop_map(Op::List),
        (0_usize..9).prop_map(Op::Map),
        (0_usize..9).prop_map(Op::Set),
        (any::<u32>(), vals()).prop_map(|(shape, vals)| Op::Struct(shape, vals)),
        (0_u32..2, vals()).prop_map(|(function, vals)| Op::Closure(function, vals)),
        (any::<bool>(), limbs).prop_map(|(negative, limbs)| Op::Bignum(negative, limbs)),
        integer().prop_map(Op::Int),
        prop::collection::vec(any::<u8>(), 0..30).prop_map(Op::Bytes),
        (val(), val()).prop_map(|(first, second)| Op::Pair(first, second)),
        prop::collection::vec(float_bits(), 0..6).prop_map(Op::Floats),
        prop::collection::vec(integer(), 0..6).prop_map(Op::Ints),
        prop::collection::vec(any::<u8>(), 0..30).prop_map(Op::Octets),
    ]
    .boxed()
}

/// Something other than before.
fn changing() -> BoxedStrategy<Op> {
    prop_oneof![
        3 => (target(), val()).prop_map(|(t, v)| Op::Push(t, v)),
        1 => target().prop_map(Op::Pop),
        2 => (target(), index(), val()).prop_map(|(t, n, v)| Op::Put(t, n, v)),
        1 => (target(), index(), val()).prop_map(|(t, n, v)| Op::Insert(t, n, v)),
        1 => (target(), index()).prop_map(|(t, n)| Op::Remove(t, n)),
        2 => (target(), prop::collection::vec(val(), 0..20)).prop_map(|(t, v)| Op::Extend(t, v)),
        1 => (target(), index(), val()).prop_map(|(t, n, v)| Op::PutField(t, n, v)),
        1 => (target(), index(), val()).prop_map(|(t, n, v)| Op::PutUpvalue(t, n, v)),
        1 => (target(), 0_usize..3, val()).prop_map(|(t, n, v)| Op::PutHalf(t, n, v)),
        6 => (target(), val(), val()).prop_map(|(t, k, v)| Op::Enter(t, k, v)),
        2 => (target(), val()).prop_map(|(t, k)| Op::Leave(t, k)),
        1 => (target(), index()).prop_map(|(t, n)| Op::LeaveNth(t, n)),
        1 => target().prop_map(Op::ClearMap),
        2 => (target(), val()).prop_map(|(t, k)| Op::Look(t, k)),
        5 => (target(), val()).prop_map(|(t, v)| Op::Add(t, v)),
        2 => (target(), val()).prop_map(|(t, v)| Op::Drop(t, v)),
        1 => (target(), prop::collection::vec(any::<u8>(), 0..90))
            .prop_map(|(t, bytes)| Op::ExtendBytes(t, bytes)),
        1 => (target(), 0_usize..90, float_bits()).prop_map(|(t, n, x)| Op::ResizeFloats(t, n, x)),
        2 => (target(), integer()).prop_map(|(t, int)| Op::PushInt(t, int)),
    ]
    .boxed()
}

/// Something of several objects.
fn combining() -> BoxedStrategy<Op> {
    let part = prop_oneof![
        2 => val().prop_map(Part::All),
        1 => (val(), 0_usize..9, 0_usize..14).prop_map(|(v, from, to)| Part::Range(v, from, to)),
        1 => text().prop_map(Part::Str),
    ];
    let combine =
        prop_oneof![Just(Combine::Union), Just(Combine::Intersection), Just(Combine::Difference)];
    let arithmetic = prop_oneof![
        Just(Arithmetic::Add),
        Just(Arithmetic::Sub),
        Just(Arithmetic::Mul),
        Just(Arithmetic::Div),
        Just(Arithmetic::Rem)
    ];
    let window = || (target(), 0_usize..5, 0_usize..8);
    let limit = prop_oneof![3 => Just(4096), 1 => 0_usize..60];
    prop_oneof![
        2 => prop::collection::vec(part, 0..4).prop_map(Op::Concat),
        2 => (target(), prop_oneof![4 => Just(None), 1 => (0_usize..6).prop_map(Some)])
            .prop_map(|(t, stop)| Op::Sort(t, stop)),
        2 => (combine, target(), target()).prop_map(|(c, a, b)| Op::Combine(c, a, b)),
        2 => (arithmetic, val(), val()).prop_map(|(op, a, b)| Op::Arithmetic(op, a, b)),
        3 => (val(), val()).prop_map(|(a, b)| Op::DeepEq(a, b)),
        1 => (val(), val()).prop_map(|(a, b)| Op::KeyEq(a, b)),
        2 => (val(), limit).prop_map(|(v, limit)| Op::Display(v, limit)),
        1 => (window(), window()).prop_map(|(a, b)| Op::Swap(a, b)),
        1 => (target(), target(), target()).prop_map(|(a, b, c)| Op::Mix(a, b, c)),
    ]
    .boxed()
}

pub fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        40 => making(),
        60 => changing(),
        35 => combining(),
        8 => val().prop_map(Op::Free),
        1 => Just(Op::Clear),
    ]
}

/// A heap, its twin, and every handle there ever was.
pub struct World {
    pub heap: Heap,
    pub naive: Naive,
    handles: Vec<Cell>,
    known: HashSet<Cell>,
    /// Whether the heap may be short of memory.
    short: bool,
}

impl World {
    pub fn new(heap: Heap, short: bool) -> World {
        tally::program(0);
        let (naive, handles, known) = (Naive::default(), Vec::new(), HashSet::new());
        World { heap, naive, handles, known, short }
    }

    fn cell(&self, val: Val) -> Cell {
        let nth = |n: usize| self.handles.get(n.checked_rem(self.handles.len())?).copied();
        match val {
            Val::Plain(cell) => cell,
            Val::Any(n) => nth(n).unwrap_or(Cell::NULL),
            Val::Live(n) => self.pick(n, |cell| self.naive.objects.contains_key(&cell)),
        }
    }

    fn cells(&self, vals: &[Val]) -> Vec<Cell> {
        vals.iter().map(|&val| self.cell(val)).collect()
    }

    fn pick(&self, n: usize, wanted: impl Fn(Cell) -> bool) -> Cell {
        let some: Vec<Cell> = self.handles.iter().copied().filter(|&cell| wanted(cell)).collect();
        n.checked_rem(some.len()).map_or(Cell::NULL, |n| some[n])
    }

    fn target(&self, target: Target, kind: Kind) -> Cell {
        let live = |cell| self.naive.objects.contains_key(&cell);
        match target {
            Target::Live(n) => self.pick(n, |cell| cell.kind() == Some(kind) && live(cell)),
            Target::Dead(n) => self.pick(n, |cell| cell.kind() == Some(kind) && !live(cell)),
            Target::Wrong(val) => self.cell(val),
        }
    }

    /// Puts a new object into the twin. Its handle never was before.
    fn adopt(&mut self, cell: Cell, model: Model) {
        assert!(self.known.insert(cell), "{cell:?} was given out before");
        self.handles.push(cell);
        self.naive.objects.insert(cell, model);
        self.compare(cell);
    }

    fn make(&mut self, init: impl ObjectInit, model: Model) -> Result<(), Error> {
        let made = self.heap.alloc(init).map(Cell::from);
        let cell = self.settle(made, |_| Ok(None))?;
        if let Some(cell) = cell {
            self.adopt(cell, model);
        }
        Ok(())
    }

    /// Takes the answer of the heap, and compares it with the twin's. `None`
    /// from the twin leaves the answer to the caller. A heap that is short of
    /// memory may refuse anything, and the twin then does nothing.
    fn settle<T: Clone + Debug + PartialEq>(
        &mut self,
        got: Result<T, Error>,
        naive: impl FnOnce(&mut Naive) -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        if let Err(error) = got
            && self.short
            && is_shortage(error)
        {
            return Err(error);
        }
        match naive(&mut self.naive) {
            Ok(None) => return Ok(Some(got.expect("what the twin could do"))),
            Ok(Some(wanted)) => assert_eq!(got, Ok(wanted)),
            Err(error) => assert_eq!(got, Err(error)),
        }
        got.map(|_| None)
    }

    /// `settle` for an answer that is compared in full.
    fn same<T: Clone + Debug + PartialEq>(
        &mut self,
        got: Result<T, Error>,
        naive: impl FnOnce(&mut Naive) -> Result<T, Error>,
    ) -> Result<(), Error> {
        self.settle(got, |twin| naive(twin).map(Some)).map(drop)
    }

    /// The object is what the twin says, or gone.
    pub fn compare(&self, cell: Cell) {
        let Some(kind) = cell.kind() else {
            return;
        };
        let heap = &self.heap;
        let Some(model) = self.naive.objects.get(&cell) else {
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

    /// All objects are those of the twin, all others are gone.
    pub fn compare_all(&self) {
        for &cell in &self.handles {
            self.compare(cell);
        }
        assert_eq!(self.heap.usage().live(), self.naive.objects.len() as u64);
    }

    /// Runs one operation on both heaps. An error is the heap's, and the twin
    /// answered the same one unless the heap was short of memory.
    pub fn run(&mut self, op: &Op) -> Result<(), Error> {
        tally::operation();
        match op {
            Op::Str(text) => self.make(Str::new(text), Model::Str(text.clone())),
            Op::Text(text) => {
                let made = self.heap.string(text);
                self.text(made, Ok(text.clone()))
            }
            Op::List(vals) => {
                let cells = self.cells(vals);
                self.make(List::of(&cells), Model::List(cells.clone()))
            }
            Op::Map(room) => self.make(Map::with_capacity(*room), Model::Map(vec![])),
            Op::Set(room) => self.make(Set::with_capacity(*room), Model::Set(vec![])),
            Op::Struct(shape, vals) => {
                let cells = self.cells(vals);
                self.make(Struct::of(*shape, &cells), Model::Struct(*shape, cells.clone()))
            }
            Op::Closure(function, vals) => {
                let cells = self.cells(vals);
                self.make(Closure::of(*function, &cells), Model::Closure(*function, cells.clone()))
            }
            Op::Bignum(negative, limbs) => {
                let model = Model::Bignum(big(*negative, limbs));
                self.make(Bignum::of(*negative, limbs), model)
            }
            Op::Int(int) => {
                let made = self.heap.int(*int);
                self.integer(made, |_| Ok((*int).into()))
            }
            Op::Bytes(bytes) => self.make(Bytes::of(bytes), Model::Bytes(bytes.clone())),
            Op::Pair(first, second) => {
                let (first, second) = (self.cell(*first), self.cell(*second));
                self.make(Pair::of(first, second), Model::Pair([first, second]))
            }
            Op::Floats(bits) => {
                let floats: Vec<f64> = bits.iter().map(|&bits| f64::from_bits(bits)).collect();
                self.make(F64Arr::of(&floats), Model::Floats(bits.clone()))
            }
            Op::Ints(ints) => self.make(I64Arr::of(ints), Model::Ints(ints.clone())),
            Op::Octets(bytes) => self.make(U8Arr::of(bytes), Model::Octets(bytes.clone())),
            Op::Free(val) => {
                let cell = self.cell(*val);
                let got = self.heap.free(cell);
                let done = self.same(got, |naive| {
                    let kind = cell.kind().ok_or(Error::NotAHandle)?;
                    naive.objects.remove(&cell).map(drop).ok_or(Error::Stale { kind })
                });
                self.compare(cell);
                done
            }
            Op::Clear => {
                self.heap.clear();
                self.naive.objects.clear();
                Ok(())
            }
            _ => self.change(op),
        }
    }

    fn change(&mut self, op: &Op) -> Result<(), Error> {
        let (cell, done) = match *op {
            Op::Push(target, val) => {
                let (cell, val) = (self.target(target, Kind::LIST), self.cell(val));
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.push(val));
                (cell, self.same(got, |naive| naive.list(cell).map(|list| list.push(val))))
            }
            Op::Pop(target) => {
                let cell = self.target(target, Kind::LIST);
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.pop());
                (cell, self.same(got, |naive| naive.list(cell).map(Vec::pop)))
            }
            Op::Put(target, n, val) => {
                let (cell, val) = (self.target(target, Kind::LIST), self.cell(val));
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.set(n, val));
                (cell, self.same(got, |naive| put(naive.list(cell)?, n, val)))
            }
            Op::Insert(target, n, val) => {
                let (cell, val) = (self.target(target, Kind::LIST), self.cell(val));
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.insert(n, val));
                let done = self.same(got, |naive| {
                    let list = naive.list(cell)?;
                    if n > list.len() {
                        return Err(out_of_range(n, list.len()));
                    }
                    list.insert(n, val);
                    Ok(())
                });
                (cell, done)
            }
            Op::Remove(target, n) => {
                let cell = self.target(target, Kind::LIST);
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.remove(n));
                (cell, self.same(got, |naive| take(naive.list(cell)?, n)))
            }
            Op::Extend(target, ref vals) => {
                let (cell, vals) = (self.target(target, Kind::LIST), self.cells(vals));
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.extend(&vals));
                (cell, self.same(got, |naive| naive.list(cell).map(|list| list.extend(&vals))))
            }
            Op::PutField(target, n, val) => {
                let (cell, val) = (self.target(target, Kind::STRUCT), self.cell(val));
                let got = self.heap.get_mut::<Struct>(cell).and_then(|mut view| view.set(n, val));
                let done = self.same(got, |naive| match naive.open_mut(cell, Kind::STRUCT)? {
                    Model::Struct(_, fields) => put(fields, n, val),
                    _ => Err(Error::Corrupt),
                });
                (cell, done)
            }
            Op::PutUpvalue(target, n, val) => {
                let (cell, val) = (self.target(target, Kind::CLOSURE), self.cell(val));
                let got = self.heap.get_mut::<Closure>(cell).and_then(|mut view| view.set(n, val));
                let done = self.same(got, |naive| match naive.open_mut(cell, Kind::CLOSURE)? {
                    Model::Closure(_, upvalues) => put(upvalues, n, val),
                    _ => Err(Error::Corrupt),
                });
                (cell, done)
            }
            Op::PutHalf(target, n, val) => {
                let (cell, val) = (self.target(target, Kind::PAIR), self.cell(val));
                let got = self.heap.get_mut::<Pair>(cell).and_then(|mut view| view.set(n, val));
                let done = self.same(got, |naive| match naive.open_mut(cell, Kind::PAIR)? {
                    Model::Pair(pair) => put(pair, n, val),
                    _ => Err(Error::Corrupt),
                });
                (cell, done)
            }
            Op::Enter(target, key, val) => {
                let (key, val) = (self.cell(key), self.cell(val));
                let cell = self.target(target, Kind::MAP);
                let got = self.heap.get_mut::<Map>(cell).and_then(|mut map| map.insert(key, val));
                let done = self.same(got, |naive| {
                    let found = entry(naive, cell, key)?;
                    let map = naive.map(cell)?;
                    if let Some(n) = found {
                        return Ok(Some(std::mem::replace(&mut map[n].1, val)));
                    }
                    map.push((key, val));
                    Ok(None)
                });
                (cell, done)
            }
            Op::Leave(target, key) => {
                let (cell, key) = (self.target(target, Kind::MAP), self.cell(key));
                let got = self.heap.get_mut::<Map>(cell).and_then(|mut map| map.remove(key));
                let done = self.same(got, |naive| {
                    let found = entry(naive, cell, key)?;
                    let map = naive.map(cell)?;
                    Ok(found.map(|n| map.remove(n)))
                });
                (cell, done)
            }
            Op::LeaveNth(target, n) => {
                let cell = self.target(target, Kind::MAP);
                let got = self.heap.get_mut::<Map>(cell).and_then(|mut map| map.remove_nth(n));
                (cell, self.same(got, |naive| take(naive.map(cell)?, n)))
            }
            Op::ClearMap(target) => {
                let cell = self.target(target, Kind::MAP);
                let got = self.heap.get_mut::<Map>(cell).and_then(|mut map| map.clear());
                (cell, self.same(got, |naive| naive.map(cell).map(Vec::clear)))
            }
            Op::Look(target, key) => {
                let (cell, key) = (self.target(target, Kind::MAP), self.cell(key));
                let got = self.heap.get::<Map>(cell).and_then(|map| map.get(key));
                let done = self.same(got, |naive| {
                    let found = entry(naive, cell, key)?;
                    let map = naive.map(cell)?;
                    Ok(found.map(|n| map[n].1))
                });
                (cell, done)
            }
            Op::Add(target, val) => {
                let (cell, val) = (self.target(target, Kind::SET), self.cell(val));
                let got = self.heap.get_mut::<Set>(cell).and_then(|mut set| set.insert(val));
                let done = self.same(got, |naive| {
                    let found = member(naive, cell, val)?;
                    let set = naive.set(cell)?;
                    if found.is_none() {
                        set.push(val);
                    }
                    Ok(found.is_none())
                });
                (cell, done)
            }
            Op::Drop(target, val) => {
                let (cell, val) = (self.target(target, Kind::SET), self.cell(val));
                let got = self.heap.get_mut::<Set>(cell).and_then(|mut set| set.remove(val));
                let done = self.same(got, |naive| {
                    let found = member(naive, cell, val)?;
                    let set = naive.set(cell)?;
                    Ok(found.map(|n| set.remove(n)))
                });
                (cell, done)
            }
            Op::ExtendBytes(target, ref more) => {
                let cell = self.target(target, Kind::BYTES);
                let got = self.heap.get_mut::<Bytes>(cell).and_then(|mut view| view.extend(more));
                (cell, self.same(got, |naive| naive.bytes(cell).map(|all| all.extend(more))))
            }
            Op::ResizeFloats(target, len, bits) => {
                let cell = self.target(target, Kind::F64ARR);
                let x = f64::from_bits(bits);
                let view = self.heap.get_mut::<F64Arr>(cell);
                let got = view.and_then(|mut view| view.resize(len, x));
                (cell, self.same(got, |naive| naive.floats(cell).map(|all| all.resize(len, bits))))
            }
            Op::PushInt(target, int) => {
                let cell = self.target(target, Kind::I64ARR);
                let got = self.heap.get_mut::<I64Arr>(cell).and_then(|mut view| view.push(int));
                (cell, self.same(got, |naive| naive.ints(cell).map(|all| all.push(int))))
            }
            _ => return self.combine(op),
        };
        self.compare(cell);
        done
    }

    fn combine(&mut self, op: &Op) -> Result<(), Error> {
        match *op {
            Op::Concat(ref parts) => {
                let (mut pieces, mut wanted) = (Vec::new(), Ok(String::new()));
                for part in parts {
                    let (piece, text) = match part {
                        Part::All(val) => {
                            let cell = self.cell(*val);
                            (TextPart::Whole(cell), self.naive.text(cell))
                        }
                        Part::Range(val, from, to) => {
                            // Reversed ranges are a matter for the kinds' own tests.
                            let (cell, range) = (self.cell(*val), *from..(*to).max(*from));
                            let text = self
                                .naive
                                .text(cell)
                                .and_then(|text| substring(&text, range.clone()));
                            (TextPart::Range(cell, range), text)
                        }
                        Part::Str(text) => (TextPart::Str(text), Ok(text.clone())),
                    };
                    pieces.push(piece);
                    wanted = wanted.and_then(|all: String| text.map(|text| all + &text));
                }
                let made = self.heap.concat(&pieces);
                self.text(made, wanted)
            }
            Op::Sort(target, stop) => {
                let cell = self.target(target, Kind::LIST);
                let mut left = stop;
                let got = self.heap.sort_by::<List, Error>(cell, |_, a, b| {
                    if let Some(left) = &mut left {
                        *left = left.checked_sub(1).ok_or(Error::NotDecimal)?;
                    }
                    Ok(rank(a).cmp(&rank(b)))
                });
                let done = self.same(got, |naive| {
                    let list = naive.list(cell)?;
                    // How many comparisons it takes is the heap's own affair.
                    if got == Err(Error::NotDecimal) {
                        assert!(stop.is_some());
                        return Err(Error::NotDecimal);
                    }
                    list.sort_by_key(|&cell| rank(cell));
                    Ok(())
                });
                self.compare(cell);
                done
            }
            Op::Combine(how, a, b) => {
                let (a, b) = (self.target(a, Kind::SET), self.target(b, Kind::SET));
                let got = match how {
                    Combine::Union => self.heap.union(a, b),
                    Combine::Intersection => self.heap.intersection(a, b),
                    Combine::Difference => self.heap.difference(a, b),
                };
                let mut model = Vec::new();
                let made = self.settle(got, |naive| {
                    let mut sides = [naive.set(a).cloned(), naive.set(b).cloned()];
                    if let Combine::Difference = how {
                        // The set that is taken away is looked at first.
                        sides.reverse();
                    }
                    let [left, right] = sides;
                    let (mut left, mut right) = (left?, right?);
                    if let Combine::Difference = how {
                        std::mem::swap(&mut left, &mut right);
                    }
                    let among = |cells: &[Cell], cell| naive.find(cells.iter().copied(), cell);
                    for cell in left.iter().copied() {
                        let wanted = match (among(&right, cell), how) {
                            // It is gone.
                            (Err(_), _) => false,
                            (_, Combine::Union) => true,
                            (Ok(found), Combine::Intersection) => found.is_some(),
                            (Ok(found), Combine::Difference) => found.is_none(),
                        };
                        if wanted {
                            model.push(cell);
                        }
                    }
                    if let Combine::Union = how {
                        for cell in right {
                            if among(&left, cell) == Ok(None) {
                                model.push(cell);
                            }
                        }
                    }
                    Ok(None)
                })?;
                if let Some(set) = made {
                    self.adopt(set.cell(), Model::Set(model));
                }
                self.compare(a);
                self.compare(b);
                Ok(())
            }
            Op::Arithmetic(how, a, b) => {
                let (a, b) = (self.cell(a), self.cell(b));
                let made = match how {
                    Arithmetic::Add => self.heap.add(a, b),
                    Arithmetic::Sub => self.heap.sub(a, b),
                    Arithmetic::Mul => self.heap.mul(a, b),
                    Arithmetic::Div => self.heap.div(a, b),
                    Arithmetic::Rem => self.heap.rem(a, b),
                };
                self.integer(made, |naive| {
                    let (a, b) = (naive.integer(a)?, naive.integer(b)?);
                    let zero = b == BigInt::ZERO;
                    match how {
                        Arithmetic::Div | Arithmetic::Rem if zero => Err(Error::DivisionByZero),
                        Arithmetic::Add => Ok(a + b),
                        Arithmetic::Sub => Ok(a - b),
                        Arithmetic::Mul => by_bigint(&[&a, &b], &a * &b),
                        Arithmetic::Div => by_bigint(&[&a, &b], &a / &b),
                        Arithmetic::Rem => by_bigint(&[&a, &b], &a % &b),
                    }
                })
            }
            Op::DeepEq(a, b) => {
                let (a, b) = (self.cell(a), self.cell(b));
                let got = self.heap.deep_eq(a, b);
                let stale = matches!(got, Err(Error::Stale { .. }));
                self.same(got, |naive| match naive.deep_eq(a, b) {
                    Equality::Equal => Ok(true),
                    Equality::Different => Ok(false),
                    Equality::Stale => {
                        assert!(stale, "{a:?} and {b:?} reach a dead object");
                        got
                    }
                    Equality::Both => {
                        assert!(stale || got == Ok(false));
                        got
                    }
                })
            }
            Op::KeyEq(a, b) => {
                let (a, b) = (self.cell(a), self.cell(b));
                let got = self.heap.key_eq(a, b);
                if got == Ok(true) {
                    assert_eq!(self.heap.hash(a), self.heap.hash(b));
                }
                self.same(got, |naive| Ok(naive.key(a)? == naive.key(b)?))
            }
            Op::Display(val, limit) => {
                let cell = self.cell(val);
                let shown = self.heap.display(cell).limit(limit).to_string();
                assert_eq!(shown, self.naive.display(cell, limit));
                Ok(())
            }
            Op::Swap((a, from, to), (b, start, end)) => {
                let (a, b) = (self.target(a, Kind::I64ARR), self.target(b, Kind::I64ARR));
                // Windows take typed handles; other cells do not come this far.
                let (Ok(one), Ok(other)) = (a.to_handle::<I64Arr>(), b.to_handle::<I64Arr>())
                else {
                    return Ok(());
                };
                let (from, to) = (from..to.max(from), start..end.max(start));
                let windows = self.heap.windows_mut(((one, from.clone()), (other, to.clone())));
                let got = windows.map(|(one, other)| {
                    for (x, y) in one.iter_mut().zip(other) {
                        std::mem::swap(x, y);
                    }
                });
                let done = self.same(got, |naive| {
                    let x = range(naive.ints(a)?.len(), from)?;
                    let y = range(naive.ints(b)?.len(), to)?;
                    let apart = a != b || x.end <= y.start || y.end <= x.start;
                    if !apart && !x.is_empty() && !y.is_empty() {
                        return Err(Error::Overlap);
                    }
                    for (x, y) in x.zip(y) {
                        let (left, right) = (naive.ints(a)?[x], naive.ints(b)?[y]);
                        naive.ints(a)?[x] = right;
                        naive.ints(b)?[y] = left;
                    }
                    Ok(())
                });
                self.compare(a);
                self.compare(b);
                done
            }
            Op::Mix(bytes, ints, list) => {
                let bytes = self.target(bytes, Kind::BYTES);
                let ints = self.target(ints, Kind::I64ARR);
                let list = self.target(list, Kind::LIST);
                let (Ok(b), Ok(i), Ok(l)) = (
                    bytes.to_handle::<Bytes>(),
                    ints.to_handle::<I64Arr>(),
                    list.to_handle::<List>(),
                ) else {
                    return Ok(());
                };
                let got = self.heap.windows_mut((b, i, l)).map(|(bytes, ints, list)| {
                    mix(bytes, ints, list);
                });
                let done = self.same(got, |naive| {
                    let mut copies = (
                        naive.bytes(bytes)?.clone(),
                        naive.ints(ints)?.clone(),
                        naive.list(list)?.clone(),
                    );
                    mix(&mut copies.0, &mut copies.1, &mut copies.2);
                    *naive.bytes(bytes)? = copies.0;
                    *naive.ints(ints)? = copies.1;
                    *naive.list(list)? = copies.2;
                    Ok(())
                });
                for cell in [bytes, ints, list] {
                    self.compare(cell);
                }
                done
            }
            _ => unreachable!("{op:?}"),
        }
    }

    /// Takes a text that the heap made: in the cell if it fits there.
    fn text(
        &mut self,
        made: Result<Cell, Error>,
        wanted: Result<String, Error>,
    ) -> Result<(), Error> {
        let Some(cell) = self.settle(made, |_| wanted.clone().map(|_| None))? else {
            return Ok(());
        };
        let wanted = wanted.unwrap();
        if wanted.len() <= 5 {
            assert_eq!(Some(cell), Cell::short_str(&wanted));
        } else {
            self.adopt(cell, Model::Str(wanted));
        }
        Ok(())
    }

    /// Takes an integer that the heap made: in the cell if it fits there.
    fn integer(
        &mut self,
        made: Result<Cell, Error>,
        wanted: impl FnOnce(&Naive) -> Result<BigInt, Error>,
    ) -> Result<(), Error> {
        let mut value = BigInt::ZERO;
        let made = self.settle(made, |naive| {
            value = wanted(naive)?;
            Ok(None)
        })?;
        let Some(cell) = made else {
            return Ok(());
        };
        match i64::try_from(&value).ok().and_then(Cell::int) {
            Some(small) => assert_eq!(cell, small),
            None => self.adopt(cell, Model::Bignum(value)),
        }
        Ok(())
    }
}

pub fn is_shortage(error: Error) -> bool {
    matches!(
        error,
        Error::Limit(_) | Error::ArenaFull { .. } | Error::ObjectTooLarge | Error::OutOfMemory
    )
}

/// An order with many ties, which show whether a sort is stable. It must not
/// depend on generations.
fn rank(cell: Cell) -> usize {
    format!("{cell:?}").len() % 4
}

fn mix(bytes: &mut [u8], ints: &mut [i64], list: &mut [Cell]) {
    for ((byte, int), cell) in bytes.iter_mut().zip(&mut *ints).zip(&mut *list) {
        *int = int.wrapping_add(i64::from(*byte));
        *byte = byte.wrapping_add(1);
        *cell = Cell::from(*byte);
    }
    ints.reverse();
    list.reverse();
}

fn put(cells: &mut [Cell], n: usize, val: Cell) -> Result<(), Error> {
    let len = cells.len();
    cells.get_mut(n).map(|place| *place = val).ok_or(out_of_range(n, len))
}

fn take<T>(items: &mut Vec<T>, n: usize) -> Result<T, Error> {
    if n < items.len() { Ok(items.remove(n)) } else { Err(out_of_range(n, items.len())) }
}

fn entry(naive: &mut Naive, map: Cell, key: Cell) -> Result<Option<usize>, Error> {
    let keys: Vec<Cell> = naive.map(map)?.iter().map(|&(key, _)| key).collect();
    naive.find(keys, key)
}

fn member(naive: &mut Naive, set: Cell, cell: Cell) -> Result<Option<usize>, Error> {
    let cells = naive.set(set)?.clone();
    naive.find(cells, cell)
}

fn range(len: usize, range: std::ops::Range<usize>) -> Result<std::ops::Range<usize>, Error> {
    use std::ops::Bound::{Excluded, Included};
    resolve((Included(range.start), Excluded(range.end)), len)
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

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn agree_with_the_naive_heap(seed in any::<u64>(), ops in prop::collection::vec(op(), 1..160)) {
        let mut world = World::new(heap(seed), false);
        for op in &ops {
            // An error is one that the twin answered as well.
            let _ = world.run(op);
        }
        world.compare_all();
    }
}

#[test]
fn windows_may_be_empty() {
    let mut heap = heap(5);
    let floats = heap.alloc(F64Arr::of(&[1.0, 2.0])).unwrap();
    let none: Handle<List> = heap.alloc(List::of(&[])).unwrap();
    let (all, nothing) = heap.windows_mut((floats, none)).unwrap();
    assert_eq!((all.len(), nothing.len()), (2, 0));
    let (left, gap, right) =
        heap.windows_mut(((floats, ..1), (floats, 1..1), (floats, 1..))).unwrap();
    assert_eq!((left.len(), gap.len(), right.len()), (1, 0, 1));
}

#[test]
fn windows_may_not_overlap() {
    let mut heap = heap(5);
    let ints = heap.alloc(I64Arr::of(&[1, 2, 3, 4])).unwrap();
    let overlap = Some(Error::Overlap);
    assert_eq!(heap.windows_mut((ints, ints)).err(), overlap);
    assert_eq!(heap.windows_mut(((ints, ..3), (ints, 2..))).err(), overlap);
    assert_eq!(heap.windows_mut(((ints, 2..), (ints, 1..2), (ints, 0..2))).err(), overlap);
    let (right, left) = heap.windows_mut(((ints, 2..), (ints, ..2))).unwrap();
    right.copy_from_slice(left);
    assert_eq!(heap.get(ints).unwrap().as_slice(), [1, 2, 1, 2]);
}
