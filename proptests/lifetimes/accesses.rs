//! Operations that allocate, write, read and free single objects.

use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, I64Arr, Kind, List, Map, Pair, Set, Str, Struct,
    U8Arr, abi,
};

use super::Harness;
use super::model::{Body, is_handle, is_seal};

impl Harness {
    /// Allocates an object of a kind that `kind` selects.
    pub(super) fn alloc(&mut self, kind: u16, a: Cell, b: Cell) {
        self.serial += 1;
        let (heap, serial) = (&mut self.heap, self.serial);
        let small = u32::try_from(serial).unwrap();
        let (result, body) = match kind % 13 {
            0 => {
                let text = format!("a text with number {serial}");
                (heap.alloc(Str::new(&text)).map(Cell::from), Body::Bytes(text.into_bytes()))
            }
            1 => (heap.alloc(List::of(&[a, b])).map(Cell::from), Body::Cells(0, vec![a, b])),
            2 => (heap.alloc(Map::new()).map(Cell::from), Body::Map(vec![])),
            3 => (heap.alloc(Set::with_capacity(2)).map(Cell::from), Body::Set(vec![])),
            4 => (
                heap.alloc(Struct::of(small, &[a, b, a])).map(Cell::from),
                Body::Cells(small, vec![a, b, a]),
            ),
            5 => {
                (heap.alloc(Closure::of(small, &[b])).map(Cell::from), Body::Cells(small, vec![b]))
            }
            6 => (
                heap.alloc(Bignum::of(true, &[serial, 1])).map(Cell::from),
                Body::Big(-((1 << 64) + i128::from(serial))),
            ),
            7 => (heap.alloc(Bytes::of(b"bytes")).map(Cell::from), Body::Bytes(b"bytes".to_vec())),
            8 => (heap.alloc(Pair::of(a, b)).map(Cell::from), Body::Cells(0, vec![a, b])),
            9 => {
                (heap.alloc(F64Arr::of(&[0.5, 2.0])).map(Cell::from), Body::Floats(vec![0.5, 2.0]))
            }
            10 => (heap.alloc(I64Arr::of(&[-1])).map(Cell::from), Body::Ints(vec![-1])),
            11 => (heap.alloc(U8Arr::of(&[1, 2])).map(Cell::from), Body::Bytes(vec![1, 2])),
            _ => (heap.alloc(List::of(&[])).map(Cell::from), Body::Cells(0, vec![])),
        };
        match result {
            Ok(cell) => self.record_allocation(cell, body),
            Err(error) => self.expect_memory_error(error),
        }
    }

    /// Stores a cell in an object, as its kind allows.
    pub(super) fn store(&mut self, into: Cell, a: Cell, b: Cell) {
        let live = self.is_live(a) || !is_handle(a);
        let expected = self.validity(into);
        let result = match into.kind() {
            Some(Kind::LIST) => self.heap.get_mut::<List>(into).and_then(|mut l| l.push(a)),
            Some(Kind::MAP) => {
                self.heap.get_mut::<Map>(into).and_then(|mut m| m.insert(a, b)).map(drop)
            }
            Some(Kind::SET) => {
                self.heap.get_mut::<Set>(into).and_then(|mut s| s.insert(a)).map(drop)
            }
            Some(Kind::STRUCT) => self.heap.get_mut::<Struct>(into).and_then(|mut s| s.set(2, a)),
            Some(Kind::CLOSURE) => self.heap.get_mut::<Closure>(into).and_then(|mut c| c.set(0, a)),
            Some(Kind::PAIR) => self.heap.get_mut::<Pair>(into).and_then(|mut p| p.set(1, a)),
            _ => return,
        };
        if let Err(error) = expected {
            assert_eq!(result, Err(error));
            return;
        }
        if !live && matches!(into.kind(), Some(Kind::MAP | Kind::SET)) {
            assert_eq!(result, Err(Error::Stale { kind: a.kind().unwrap() }));
            return;
        }
        if let Err(error) = result {
            assert!(self.limited, "{error:?}");
            return;
        }
        match &mut self.live.get_mut(&abi::bits(into)).unwrap().body {
            Body::Cells(_, cells) if into.kind() == Some(Kind::LIST) => cells.push(a),
            Body::Cells(_, cells) => *cells.last_mut().unwrap() = a,
            Body::Map(entries) => match entries.iter_mut().find(|entry| entry.0 == a) {
                Some(entry) => entry.1 = b,
                None => entries.push((a, b)),
            },
            Body::Set(cells) if !cells.contains(&a) => cells.push(a),
            _ => {}
        }
    }

    /// Removes an element of an object.
    pub(super) fn take(&mut self, from: Cell) {
        if !self.is_live(from) {
            return;
        }
        let body = &mut self.live.get_mut(&abi::bits(from)).unwrap().body;
        match (from.kind(), body) {
            (Some(Kind::LIST), Body::Cells(_, cells)) => {
                assert_eq!(self.heap.get_mut::<List>(from).unwrap().pop(), Ok(cells.pop()));
            }
            (_, Body::Map(entries)) if !entries.is_empty() => {
                let removed = self.heap.get_mut::<Map>(from).unwrap().remove_nth(0);
                assert_eq!(removed, Ok(entries.remove(0)));
            }
            (_, Body::Set(cells)) if !cells.is_empty() => {
                let removed = self.heap.get_mut::<Set>(from).unwrap().remove_nth(0);
                assert_eq!(removed, Ok(cells.remove(0)));
            }
            _ => {}
        }
    }

    pub(super) fn free(&mut self, cell: Cell) {
        let expected = match self.validity(cell) {
            _ if is_seal(cell) => Err(Error::Sealed),
            other => other,
        };
        assert_eq!(self.heap.free(cell), expected);
        if expected.is_ok() {
            self.record_free(abi::bits(cell));
        }
    }

    /// Reads an object, as the variant of another body.
    pub(super) fn read(&self, cell: Cell, like: &Body) -> Body {
        let heap = &self.heap;
        let bytes = |cell: Cell| match cell.kind().unwrap() {
            Kind::STR => heap.get::<Str>(cell).unwrap().as_slice().to_vec(),
            Kind::BYTES => heap.get::<Bytes>(cell).unwrap().as_slice().to_vec(),
            _ => heap.get::<U8Arr>(cell).unwrap().as_slice().to_vec(),
        };
        match like {
            Body::Cells(..) => match cell.kind().unwrap() {
                Kind::LIST => Body::Cells(0, heap.get::<List>(cell).unwrap().as_slice().to_vec()),
                Kind::PAIR => Body::Cells(0, heap.get::<Pair>(cell).unwrap().as_slice().to_vec()),
                Kind::STRUCT => {
                    let view = heap.get::<Struct>(cell).unwrap();
                    Body::Cells(view.shape(), view.as_slice().to_vec())
                }
                _ => {
                    let view = heap.get::<Closure>(cell).unwrap();
                    Body::Cells(view.function(), view.as_slice().to_vec())
                }
            },
            Body::Map(_) => Body::Map(heap.get::<Map>(cell).unwrap().iter().collect()),
            Body::Set(_) => Body::Set(heap.get::<Set>(cell).unwrap().iter().collect()),
            Body::Bytes(_) => Body::Bytes(bytes(cell)),
            Body::Ints(_) => Body::Ints(heap.get::<I64Arr>(cell).unwrap().as_slice().to_vec()),
            Body::Floats(_) => Body::Floats(heap.get::<F64Arr>(cell).unwrap().as_slice().to_vec()),
            Body::Big(_) => Body::Big(heap.get::<Bignum>(cell).unwrap().to_i128().unwrap()),
            Body::Seal(key, inner) => {
                assert_eq!(heap.unseal(cell, &self.keys[1 - key]), Err(Error::WrongKey));
                match heap.unseal(cell, &self.keys[*key]) {
                    Ok(inner) => Body::Seal(*key, inner),
                    Err(error) => {
                        assert_eq!(error, Error::Stale { kind: inner.kind().unwrap() });
                        assert!(!self.is_live(*inner));
                        Body::Seal(*key, *inner)
                    }
                }
            }
        }
    }

    pub(super) fn pin(&mut self, cell: Cell) {
        let expected = self.validity(cell);
        match self.heap.pin(cell) {
            Ok(()) => {
                assert_eq!(expected, Ok(()));
                *self.pins.entry(abi::bits(cell)).or_default() += 1;
            }
            Err(error) if expected.is_ok() => self.expect_memory_error(error),
            error => assert_eq!(error, expected),
        }
    }

    pub(super) fn unpin(&mut self, cell: Cell) {
        let bits = abi::bits(cell);
        let count = self.pins.get(&bits).copied().unwrap_or(0);
        assert_eq!(self.heap.unpin(cell), count > 0);
        match count {
            0 | 1 => drop(self.pins.remove(&bits)),
            _ => drop(self.pins.insert(bits, count - 1)),
        }
    }

    pub(super) fn watch(&mut self, cell: Cell) {
        let expected = self.validity(cell);
        self.serial += 1;
        match self.heap.watch(cell, self.serial) {
            Ok(()) => {
                assert_eq!(expected, Ok(()));
                self.watches.push((abi::bits(cell), self.serial));
            }
            Err(error) if expected.is_ok() => self.expect_memory_error(error),
            error => assert_eq!(error, expected),
        }
    }

    /// Drains some tokens; the rest stay for the next time, also if the iterator is
    /// leaked.
    pub(super) fn drain_dead(&mut self, count: usize, leak: bool) {
        let mut dead = self.heap.drain_dead();
        let tokens: Vec<u64> = dead.by_ref().take(count).collect();
        if leak {
            std::mem::forget(dead);
        } else {
            drop(dead);
        }
        let live = &self.live;
        let expected = self.watches.extract_if(.., |watch| !live.contains_key(&watch.0));
        assert_eq!(tokens, expected.take(count).map(|watch| watch.1).collect::<Vec<_>>());
    }

    pub(super) fn seal(&mut self, cell: Cell, key: usize) {
        let sealed = self.heap.seal(cell, &self.keys[key]);
        match (sealed, self.validity(cell)) {
            (sealed, Err(error @ Error::Stale { .. })) => assert_eq!(sealed, Err(error)),
            (Ok(sealed), _) => self.record_allocation(sealed, Body::Seal(key, cell)),
            (Err(error), _) => self.expect_memory_error(error),
        }
    }
}
