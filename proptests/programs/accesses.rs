//! Operations on one object.

use segheap::{Bytes, Cell, Closure, Error, F64Arr, I64Arr, Kind, List, Map, Pair, Set, Struct};

use super::{Harness, Op};
use crate::reference::{Model, ReferenceHeap};
use crate::support::out_of_range;

/// The object that an operation used, and its result.
type Access = (Cell, Result<(), Error>);

impl Harness {
    pub(super) fn access(&mut self, op: &Op) -> Result<(), Error> {
        let (cell, result) = match op {
            Op::ListPush(..)
            | Op::ListPop(..)
            | Op::ListSet(..)
            | Op::ListInsert(..)
            | Op::ListRemove(..)
            | Op::ListExtend(..) => self.access_list(op),
            Op::StructSet(..) | Op::ClosureSet(..) | Op::PairSet(..) => self.access_fixed(op),
            Op::MapInsert(..)
            | Op::MapRemove(..)
            | Op::MapRemoveNth(..)
            | Op::MapClear(..)
            | Op::MapGet(..) => self.access_map(op),
            Op::SetInsert(..) | Op::SetRemove(..) => self.access_set(op),
            Op::BytesExtend(..) | Op::F64ArrResize(..) | Op::I64ArrPush(..) => {
                self.access_array(op)
            }
            _ => return self.combine(op),
        };
        self.compare(cell);
        result
    }

    fn access_list(&mut self, op: &Op) -> Access {
        match *op {
            Op::ListPush(target, value) => {
                let (cell, value) = (self.target(target, Kind::LIST), self.cell(value));
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.push(value));
                (
                    cell,
                    self.expect_same(got, |reference| {
                        reference.list(cell).map(|list| list.push(value))
                    }),
                )
            }
            Op::ListPop(target) => {
                let cell = self.target(target, Kind::LIST);
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.pop());
                (cell, self.expect_same(got, |reference| reference.list(cell).map(Vec::pop)))
            }
            Op::ListSet(target, n, value) => {
                let (cell, value) = (self.target(target, Kind::LIST), self.cell(value));
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.set(n, value));
                (cell, self.expect_same(got, |reference| put(reference.list(cell)?, n, value)))
            }
            Op::ListInsert(target, n, value) => {
                let (cell, value) = (self.target(target, Kind::LIST), self.cell(value));
                let got =
                    self.heap.get_mut::<List>(cell).and_then(|mut list| list.insert(n, value));
                let result = self.expect_same(got, |reference| {
                    let list = reference.list(cell)?;
                    if n > list.len() {
                        return Err(out_of_range(n, list.len()));
                    }
                    list.insert(n, value);
                    Ok(())
                });
                (cell, result)
            }
            Op::ListRemove(target, n) => {
                let cell = self.target(target, Kind::LIST);
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.remove(n));
                (cell, self.expect_same(got, |reference| take(reference.list(cell)?, n)))
            }
            Op::ListExtend(target, ref values) => {
                let (cell, values) = (self.target(target, Kind::LIST), self.cells(values));
                let got = self.heap.get_mut::<List>(cell).and_then(|mut list| list.extend(&values));
                (
                    cell,
                    self.expect_same(got, |reference| {
                        reference.list(cell).map(|list| list.extend(&values))
                    }),
                )
            }
            _ => unreachable!("{op:?}"),
        }
    }

    fn access_fixed(&mut self, op: &Op) -> Access {
        match *op {
            Op::StructSet(target, n, value) => {
                let (cell, value) = (self.target(target, Kind::STRUCT), self.cell(value));
                let got = self.heap.get_mut::<Struct>(cell).and_then(|mut view| view.set(n, value));
                let result = self.expect_same(got, |reference| {
                    match reference.open_mut(cell, Kind::STRUCT)? {
                        Model::Struct(_, fields) => put(fields, n, value),
                        _ => Err(Error::Corrupt),
                    }
                });
                (cell, result)
            }
            Op::ClosureSet(target, n, value) => {
                let (cell, value) = (self.target(target, Kind::CLOSURE), self.cell(value));
                let got =
                    self.heap.get_mut::<Closure>(cell).and_then(|mut view| view.set(n, value));
                let result = self.expect_same(got, |reference| {
                    match reference.open_mut(cell, Kind::CLOSURE)? {
                        Model::Closure(_, upvalues) => put(upvalues, n, value),
                        _ => Err(Error::Corrupt),
                    }
                });
                (cell, result)
            }
            Op::PairSet(target, n, value) => {
                let (cell, value) = (self.target(target, Kind::PAIR), self.cell(value));
                let got = self.heap.get_mut::<Pair>(cell).and_then(|mut view| view.set(n, value));
                let result = self.expect_same(got, |reference| {
                    match reference.open_mut(cell, Kind::PAIR)? {
                        Model::Pair(pair) => put(pair, n, value),
                        _ => Err(Error::Corrupt),
                    }
                });
                (cell, result)
            }
            _ => unreachable!("{op:?}"),
        }
    }

    fn access_map(&mut self, op: &Op) -> Access {
        match *op {
            Op::MapInsert(target, key, value) => {
                let (key, value) = (self.cell(key), self.cell(value));
                let cell = self.target(target, Kind::MAP);
                let got = self.heap.get_mut::<Map>(cell).and_then(|mut map| map.insert(key, value));
                let result = self.expect_same(got, |reference| {
                    let found = entry(reference, cell, key)?;
                    let map = reference.map(cell)?;
                    if let Some(n) = found {
                        return Ok(Some(std::mem::replace(&mut map[n].1, value)));
                    }
                    map.push((key, value));
                    Ok(None)
                });
                (cell, result)
            }
            Op::MapRemove(target, key) => {
                let (cell, key) = (self.target(target, Kind::MAP), self.cell(key));
                let got = self.heap.get_mut::<Map>(cell).and_then(|mut map| map.remove(key));
                let result = self.expect_same(got, |reference| {
                    let found = entry(reference, cell, key)?;
                    let map = reference.map(cell)?;
                    Ok(found.map(|n| map.remove(n)))
                });
                (cell, result)
            }
            Op::MapRemoveNth(target, n) => {
                let cell = self.target(target, Kind::MAP);
                let got = self.heap.get_mut::<Map>(cell).and_then(|mut map| map.remove_nth(n));
                (cell, self.expect_same(got, |reference| take(reference.map(cell)?, n)))
            }
            Op::MapClear(target) => {
                let cell = self.target(target, Kind::MAP);
                let got = self.heap.get_mut::<Map>(cell).and_then(|mut map| map.clear());
                (cell, self.expect_same(got, |reference| reference.map(cell).map(Vec::clear)))
            }
            Op::MapGet(target, key) => {
                let (cell, key) = (self.target(target, Kind::MAP), self.cell(key));
                let got = self.heap.get::<Map>(cell).and_then(|map| map.get(key));
                let result = self.expect_same(got, |reference| {
                    let found = entry(reference, cell, key)?;
                    let map = reference.map(cell)?;
                    Ok(found.map(|n| map[n].1))
                });
                (cell, result)
            }
            _ => unreachable!("{op:?}"),
        }
    }

    fn access_set(&mut self, op: &Op) -> Access {
        match *op {
            Op::SetInsert(target, value) => {
                let (cell, value) = (self.target(target, Kind::SET), self.cell(value));
                let got = self.heap.get_mut::<Set>(cell).and_then(|mut set| set.insert(value));
                let result = self.expect_same(got, |reference| {
                    let found = member(reference, cell, value)?;
                    let set = reference.set(cell)?;
                    if found.is_none() {
                        set.push(value);
                    }
                    Ok(found.is_none())
                });
                (cell, result)
            }
            Op::SetRemove(target, value) => {
                let (cell, value) = (self.target(target, Kind::SET), self.cell(value));
                let got = self.heap.get_mut::<Set>(cell).and_then(|mut set| set.remove(value));
                let result = self.expect_same(got, |reference| {
                    let found = member(reference, cell, value)?;
                    let set = reference.set(cell)?;
                    Ok(found.map(|n| set.remove(n)))
                });
                (cell, result)
            }
            _ => unreachable!("{op:?}"),
        }
    }

    fn access_array(&mut self, op: &Op) -> Access {
        match *op {
            Op::BytesExtend(target, ref more) => {
                let cell = self.target(target, Kind::BYTES);
                let got = self.heap.get_mut::<Bytes>(cell).and_then(|mut view| view.extend(more));
                (
                    cell,
                    self.expect_same(got, |reference| {
                        reference.bytes(cell).map(|all| all.extend(more))
                    }),
                )
            }
            Op::F64ArrResize(target, len, bits) => {
                let cell = self.target(target, Kind::F64ARR);
                let x = f64::from_bits(bits);
                let view = self.heap.get_mut::<F64Arr>(cell);
                let got = view.and_then(|mut view| view.resize(len, x));
                (
                    cell,
                    self.expect_same(got, |reference| {
                        reference.floats(cell).map(|all| all.resize(len, bits))
                    }),
                )
            }
            Op::I64ArrPush(target, int) => {
                let cell = self.target(target, Kind::I64ARR);
                let got = self.heap.get_mut::<I64Arr>(cell).and_then(|mut view| view.push(int));
                (
                    cell,
                    self.expect_same(got, |reference| {
                        reference.ints(cell).map(|all| all.push(int))
                    }),
                )
            }
            _ => unreachable!("{op:?}"),
        }
    }
}

fn put(cells: &mut [Cell], n: usize, value: Cell) -> Result<(), Error> {
    let len = cells.len();
    cells.get_mut(n).map(|old| *old = value).ok_or(out_of_range(n, len))
}

fn take<T>(items: &mut Vec<T>, n: usize) -> Result<T, Error> {
    if n < items.len() { Ok(items.remove(n)) } else { Err(out_of_range(n, items.len())) }
}

fn entry(reference: &mut ReferenceHeap, map: Cell, key: Cell) -> Result<Option<usize>, Error> {
    let keys: Vec<Cell> = reference.map(map)?.iter().map(|&(key, _)| key).collect();
    reference.find(keys, key)
}

fn member(reference: &mut ReferenceHeap, set: Cell, cell: Cell) -> Result<Option<usize>, Error> {
    let cells = reference.set(set)?.clone();
    reference.find(cells, cell)
}
