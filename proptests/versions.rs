//! Versions of a sequence are values: whatever is appended to whichever of them, and whatever
//! then happens to any, each of the others keeps its elements.

mod cost;
mod op;
mod texts;

use std::fmt::Debug;

use proptest::prelude::*;
use segheap::{
    Bytes, Cell, Error, Growable, Handle, Heap, I64Arr, List, Pair, SequenceInit, Settings, abi,
};

use op::{Op, op};

use crate::images::{load, save};
use crate::support::{config, heap};

/// Makes elements of a kind from numbers.
trait Sample: Growable<Element: Debug> {
    fn describe(elements: &[Self::Element]) -> SequenceInit<'_, Self>;

    /// The element for a number, which may allocate.
    fn element(heap: &mut Heap, n: u8) -> Result<Self::Element, Error>;

    /// The number of an element.
    fn number(heap: &Heap, element: Self::Element) -> Option<u8>;
}

impl Sample for List {
    fn describe(elements: &[Cell]) -> SequenceInit<'_, List> {
        List::of(elements)
    }

    fn element(heap: &mut Heap, n: u8) -> Result<Cell, Error> {
        Ok(if n.is_multiple_of(2) {
            n.into()
        } else {
            heap.alloc(Pair::of(n.into(), n.into()))?.into()
        })
    }

    fn number(heap: &Heap, element: Cell) -> Option<u8> {
        let first = heap.get::<Pair>(element).and_then(|pair| pair.first());
        u8::try_from(first.unwrap_or(element).as_int()?).ok()
    }
}

impl Sample for Bytes {
    fn describe(elements: &[u8]) -> SequenceInit<'_, Bytes> {
        Bytes::of(elements)
    }

    fn element(_: &mut Heap, n: u8) -> Result<u8, Error> {
        Ok(n)
    }

    fn number(_: &Heap, element: u8) -> Option<u8> {
        Some(element)
    }
}

impl Sample for I64Arr {
    fn describe(elements: &[i64]) -> SequenceInit<'_, I64Arr> {
        I64Arr::of(elements)
    }

    fn element(_: &mut Heap, n: u8) -> Result<i64, Error> {
        Ok(n.into())
    }

    fn number(_: &Heap, element: i64) -> Option<u8> {
        u8::try_from(element).ok()
    }
}

/// A version, and what it has to hold.
#[derive(Clone)]
struct Version<K> {
    handle: Handle<K>,
    numbers: Vec<u8>,
    is_frozen: bool,
}

struct Versions<K> {
    heap: Heap,
    all: Vec<Version<K>>,
}

impl<K: Sample> Versions<K> {
    fn get(&self, i: usize) -> Option<(usize, Version<K>)> {
        let i = i.checked_rem(self.all.len())?;
        Some((i, self.all[i].clone()))
    }

    fn add(&mut self, handle: Handle<K>, numbers: Vec<u8>) {
        self.all.push(Version { handle, numbers, is_frozen: false });
    }

    fn roots(&self) -> Vec<Cell> {
        self.all.iter().map(|version| version.handle.cell()).collect()
    }

    /// Forgets the versions that `keep` has no bits for, as roots of a collection.
    fn forget(&mut self, keep: u64) {
        let mut n = 0;
        self.all.retain(|_| {
            n += 1;
            keep >> (n % 64) & 1 != 0
        });
    }

    /// Runs one that changes version `i`, which a frozen one has to fail.
    fn change(
        &mut self,
        i: usize,
        change: impl FnOnce(&mut Heap, Handle<K>, &mut Vec<u8>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some((i, version)) = self.get(i) else { return Ok(()) };
        let mut numbers = version.numbers;
        let changed = change(&mut self.heap, version.handle, &mut numbers);
        match changed {
            Ok(()) => {
                assert!(!version.is_frozen, "a frozen version has changed");
                self.all[i].numbers = numbers;
                Ok(())
            }
            Err(Error::Frozen) if version.is_frozen => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn run(&mut self, op: &Op) -> Result<(), Error> {
        match *op {
            Op::New(len) => {
                let numbers = vec![8; len];
                let element = K::element(&mut self.heap, 8)?;
                let handle = new::<K>(&mut self.heap, &vec![element; len])?;
                self.add(handle, numbers);
            }
            Op::Append(i, n) => {
                let Some((_, mut version)) = self.get(i) else { return Ok(()) };
                let element = K::element(&mut self.heap, n)?;
                let longer = self.heap.append(version.handle, element)?;
                version.numbers.push(n);
                self.add(longer, version.numbers);
            }
            Op::AppendMany(i, n, count) => {
                let Some((_, mut version)) = self.get(i) else { return Ok(()) };
                let elements = vec![K::element(&mut self.heap, n)?; count];
                let longer = self.heap.append_slice(version.handle, &elements)?;
                version.numbers.extend(vec![n; count]);
                self.add(longer, version.numbers);
            }
            Op::AppendAll(i, j) => {
                let Some(((_, mut version), (_, other))) = self.get(i).zip(self.get(j)) else {
                    return Ok(());
                };
                if version.numbers.len() + other.numbers.len() > 40_000 {
                    return Ok(());
                }
                let longer = self.heap.append_all(version.handle, other.handle)?;
                version.numbers.extend(other.numbers);
                self.add(longer, version.numbers);
            }
            Op::Freeze(i) => {
                let Some((i, version)) = self.get(i) else { return Ok(()) };
                self.heap.freeze(version.handle)?;
                self.all[i].is_frozen = true;
            }
            Op::Value(i) => {
                let Some((_, version)) = self.get(i) else { return Ok(()) };
                if self.heap.is_value(version.handle)? {
                    return Ok(());
                }
                let value = match self.heap.value_of(version.handle) {
                    Err(Error::NotAValue) => return Ok(()),
                    value => value?,
                };
                let handle = value.to_handle()?;
                self.all.push(Version { handle, numbers: version.numbers, is_frozen: true });
            }
            Op::Free(i) => {
                let Some((i, version)) = self.get(i) else { return Ok(()) };
                self.heap.free(version.handle)?;
                self.all.retain(|other| other.handle != version.handle);
                let _ = i;
            }
            Op::Refuse(n) => self.heap.fail_growth_after(Some(n)),
            Op::Collect(..)
            | Op::Young(..)
            | Op::Steps(..)
            | Op::Compact
            | Op::CompactStep(..)
            | Op::Fork
            | Op::Image
            | Op::Transplant(..) => return self.run_whole(op),
            _ => return self.run_change(op),
        }
        Ok(())
    }

    /// Operations on the heap as a whole.
    fn run_whole(&mut self, op: &Op) -> Result<(), Error> {
        match *op {
            Op::Collect(keep) => {
                self.forget(keep);
                self.heap.collect(self.roots())?;
            }
            Op::Young(keep) => {
                self.forget(keep);
                self.heap.collect_young(self.roots())?;
            }
            Op::Steps(keep, work) => {
                self.forget(keep);
                self.heap.step(self.roots(), work)?;
            }
            Op::Compact => self.heap.compact(),
            Op::CompactStep(work) => drop(self.heap.compact_step(work)?),
            Op::Fork => {
                let fork = self.heap.try_clone()?;
                let mut original = std::mem::replace(&mut self.heap, fork);
                self.check(&original);
                original.verify().unwrap();
            }
            Op::Image => {
                let image = save(&mut self.heap)?;
                self.heap = load(&image, Settings::seeded(3)).unwrap();
            }
            Op::Transplant(i) => {
                let Some((_, version)) = self.get(i) else { return Ok(()) };
                let mut other = Heap::with(Settings::seeded(4));
                other.transplant(&self.heap, version.handle.cell())?;
                other.verify().unwrap();
                let source = std::mem::replace(&mut self.heap, other);
                let handles: Vec<Handle<K>> = self.heap.objects::<K>().collect();
                let element = K::element(&mut self.heap, 2)?;
                let copy = self.heap.append(handles[0], element)?;
                let copied = self.numbers(&self.heap, copy);
                assert_eq!(copied.split_last(), Some((&2, &*version.numbers)));
                let is_frozen = self.heap.is_frozen(handles[0])?;
                assert_eq!(is_frozen, version.is_frozen);
                self.heap = source;
            }
            _ => unreachable!(),
        }
        Ok(())
    }

    /// Operations that change a version.
    fn run_change(&mut self, op: &Op) -> Result<(), Error> {
        match *op {
            Op::Set(i, at, n) => self.change(i, |heap, handle, numbers| {
                let Some(at) = at.checked_rem(numbers.len()) else {
                    return heap.get_mut(handle).map(drop);
                };
                let element = K::element(heap, n)?;
                heap.get_mut(handle)?.set(at, element)?;
                numbers[at] = n;
                Ok(())
            }),
            Op::SetElement(i, at, n) => self.change(i, |heap, handle, numbers| {
                let Some(at) = at.checked_rem(numbers.len()) else {
                    return heap.get_mut(handle).map(drop);
                };
                let element = K::element(heap, n)?;
                heap.set_element(handle, at, element)?;
                numbers[at] = n;
                Ok(())
            }),
            Op::Push(i, n) => self.change(i, |heap, handle, numbers| {
                let element = K::element(heap, n)?;
                heap.get_mut(handle)?.push(element)?;
                numbers.push(n);
                Ok(())
            }),
            Op::PushMany(i, n, count) => self.change(i, |heap, handle, numbers| {
                let element = K::element(heap, n)?;
                heap.get_mut(handle)?.extend(&vec![element; count])?;
                numbers.extend(vec![n; count]);
                Ok(())
            }),
            Op::Pop(i) => self.change(i, |heap, handle, numbers| {
                let popped = heap.get_mut(handle)?.pop()?;
                assert_eq!(popped.and_then(|popped| K::number(heap, popped)), numbers.pop());
                Ok(())
            }),
            Op::Remove(i, at, count) => self.change(i, |heap, handle, numbers| {
                let at = at.min(numbers.len());
                let end = (at + count).min(numbers.len());
                heap.get_mut(handle)?.remove_range(at..end)?;
                numbers.drain(at..end);
                Ok(())
            }),
            Op::Truncate(i, len) => self.change(i, |heap, handle, numbers| {
                heap.get_mut(handle)?.truncate(len)?;
                numbers.truncate(len);
                Ok(())
            }),
            Op::Resize(i, len, n) => self.change(i, |heap, handle, numbers| {
                let element = K::element(heap, n)?;
                heap.get_mut(handle)?.resize(len, element)?;
                numbers.resize(len, n);
                Ok(())
            }),
            Op::Reverse(i) => self.change(i, |heap, handle, numbers| {
                heap.get_mut(handle)?.reverse()?;
                numbers.reverse();
                Ok(())
            }),
            _ => self.run_access(op),
        }
    }

    /// Operations that change versions by other paths than views of them.
    fn run_access(&mut self, op: &Op) -> Result<(), Error> {
        match *op {
            Op::Windows(i, j) => self.windows(i, j),
            Op::Hint(i, at, n) => self.change(i, |heap, handle, numbers| {
                let Some(at) = at.checked_rem(numbers.len()) else {
                    return heap.get_mut(handle).map(drop);
                };
                let element = K::element(heap, n)?;
                heap.hint(handle, at..)?.set(heap, 0, element)?;
                numbers[at] = n;
                Ok(())
            }),
            Op::StaleHint(i, at, n) => self.stale_hint(i, at, n),
            Op::Across(i, j) => {
                let Some((_, other)) = self.get(j) else { return Ok(()) };
                self.change(i, |heap, handle, numbers| {
                    if numbers.len() + other.numbers.len() > 40_000 {
                        return heap.get_mut(handle).map(drop);
                    }
                    heap.append_across_any(handle.cell(), other.handle.cell(), ..)?;
                    numbers.extend(other.numbers);
                    Ok(())
                })
            }
            Op::ShrinkToFit(i) => {
                self.change(i, |heap, handle, _| heap.get_mut(handle)?.shrink_to_fit())
            }
            Op::Reserve(i, count) => {
                self.change(i, |heap, handle, _| heap.get_mut(handle)?.reserve(count))
            }
            Op::SplitOff(i, at) => {
                let mut rest = None;
                self.change(i, |heap, handle, numbers| {
                    let at = at.min(numbers.len());
                    // As `split_off`, of a kind that is not known to convert to itself.
                    let tail = heap.get(handle)?.slice(at..)?.to_vec();
                    let made = new::<K>(heap, &tail)?;
                    heap.get_mut(handle)?.truncate(at)?;
                    rest = Some((made, numbers.split_off(at)));
                    Ok(())
                })?;
                if let Some((handle, numbers)) = rest {
                    self.add(handle, numbers);
                }
                Ok(())
            }
            _ => unreachable!(),
        }
    }

    /// Swaps the first elements of two versions by windows.
    fn windows(&mut self, i: usize, j: usize) -> Result<(), Error> {
        let Some(((i, a), (j, b))) = self.get(i).zip(self.get(j)) else { return Ok(()) };
        let len = a.numbers.len().min(b.numbers.len());
        let windows = self.heap.windows_mut(((a.handle, ..len), (b.handle, ..len)));
        match windows {
            Ok((x, y)) => {
                assert!(!a.is_frozen && !b.is_frozen);
                x.swap_with_slice(y);
                let (mut x, mut y) = (a.numbers, b.numbers);
                if i != j {
                    x[..len].swap_with_slice(&mut y[..len]);
                    (self.all[i].numbers, self.all[j].numbers) = (x, y);
                }
            }
            Err(Error::Frozen) => assert!(a.is_frozen || b.is_frozen),
            Err(Error::Overlap) => assert!(i == j && len > 0),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Writes by a hint from before the object was continued.
    fn stale_hint(&mut self, i: usize, at: usize, n: u8) -> Result<(), Error> {
        let Some((i, version)) = self.get(i) else { return Ok(()) };
        let Some(at) = at.checked_rem(version.numbers.len()) else { return Ok(()) };
        let element = K::element(&mut self.heap, n)?;
        let mut hint = self.heap.hint(version.handle, ..)?;
        let read = hint.get(&self.heap, at)?;
        assert_eq!(K::number(&self.heap, read), Some(version.numbers[at]));
        let longer = self.heap.append(version.handle, element)?;
        let mut numbers = version.numbers.clone();
        numbers.push(n);
        self.add(longer, numbers);
        for _ in 0..2 {
            match hint.set(&mut self.heap, at, element) {
                Err(Error::Frozen) if version.is_frozen => return Ok(()),
                set => set?,
            }
            assert!(!version.is_frozen);
            self.all[i].numbers[at] = n;
        }
        Ok(())
    }

    fn numbers(&self, heap: &Heap, handle: Handle<K>) -> Vec<u8> {
        let elements = heap.get(handle).unwrap().as_slice();
        elements.iter().map(|&element| K::number(heap, element).unwrap()).collect()
    }

    fn check(&self, heap: &Heap) {
        let place = |cell: Cell| abi::slot(heap, K::KIND, abi::bits(cell) as u32).unwrap()[2];
        let live: Vec<Cell> = heap.objects::<K>().map(|object| object.cell()).collect();
        for version in &self.all {
            let same = live.iter().filter(|&&cell| place(cell) == place(version.handle.cell()));
            let is_shared = !version.numbers.is_empty() && same.count() > 1;
            assert_eq!(heap.is_shared(version.handle), Ok(is_shared));
            assert_eq!(self.numbers(heap, version.handle), version.numbers);
            assert_eq!(heap.is_frozen(version.handle), Ok(version.is_frozen));
        }
    }
}

/// A new object.
fn new<K: Sample>(heap: &mut Heap, elements: &[K::Element]) -> Result<Handle<K>, Error> {
    heap.alloc(K::describe(elements))
}

/// Runs a program of versions of one kind.
fn run<K: Sample>(seed: u64, program: &[Op]) {
    let mut versions = Versions::<K> { heap: heap(seed), all: Vec::new() };
    let first = versions.run(&Op::New(3));
    first.unwrap();
    for op in program {
        match versions.run(op) {
            Ok(()) | Err(Error::OutOfMemory | Error::Limit(_)) => {}
            Err(error) => panic!("{op:?}: {error}"),
        }
        if !matches!(op, Op::Refuse(_)) {
            versions.heap.fail_growth_after(None);
        }
        versions.check(&versions.heap);
        versions.heap.verify().unwrap();
    }
    // In any order: the last version frees the block.
    while !versions.all.is_empty() {
        let i = versions.all.len() / 2;
        versions.heap.free(versions.all[i].handle).unwrap();
        versions.all.remove(i);
        versions.heap.verify().unwrap();
    }
    versions.heap.collect::<[Cell; 0]>([]).unwrap();
    let usage = versions.heap.usage();
    assert_eq!(usage.arena(K::KIND).map(|arena| arena.payload_bytes), Some(0));
}

proptest! {
    #![proptest_config(config(96))]

    /// Versions of a list keep what they hold, and what they refer to is live.
    #[test]
    fn versions_of_lists_are_values(seed in any::<u64>(), program in prop::collection::vec(op(), 1..80)) {
        run::<List>(seed, &program);
    }

    /// Versions of bytes share words, too.
    #[test]
    fn versions_of_bytes_are_values(seed in any::<u64>(), program in prop::collection::vec(op(), 1..80)) {
        run::<Bytes>(seed, &program);
    }

    /// Versions of an array of numbers, which are not traced.
    #[test]
    fn versions_of_arrays_are_values(seed in any::<u64>(), program in prop::collection::vec(op(), 1..80)) {
        run::<I64Arr>(seed, &program);
    }
}
