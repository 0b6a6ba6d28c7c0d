//! Two heaps of the same seeds, and operations on both.

use segheap::abi::{self, layout::slot};
use segheap::{Cell, Error, F64Arr, Heap, I64Arr, Kind, List, Settings};
use segheap_jit::{Array, Vm, Work};

/// No list gets longer: of one with more than 4,096 cells, the collector notes what the heap's
/// functions store, but the whole list after `abi::write_barrier`.
const LIST_MAX: usize = 4_000;

/// How the first heap is accessed.
pub type Access<'a> = &'a dyn Fn(&mut Vm, Array, Work, u64, [u64; 2]) -> Option<u64>;

/// The two heaps, and all handles of a program, which are the same in both.
pub struct Pair {
    pub vm: Vm,
    pub safe: Vm,
    pub handles: Vec<Cell>,
    /// Work that compiled code did, and work that it left.
    pub done: [usize; 2],
}

impl Pair {
    pub fn new(seed: u64) -> Pair {
        let vm = || Vm::new(Heap::with(Settings::seeded(seed)));
        Pair { vm: vm(), safe: vm(), handles: Vec::new(), done: [0; 2] }
    }

    /// Does the same to both heaps by the functions of the heap.
    pub fn both<T: PartialEq + std::fmt::Debug>(&mut self, change: impl Fn(&mut Heap) -> T) -> T {
        let (one, other) = (self.vm.change(&change), self.safe.change(&change));
        assert_eq!(one, other);
        one
    }

    pub fn alloc(&mut self, array: Array, len: usize) -> Cell {
        let object = self.both(|heap| alloc(heap, array, len)).unwrap();
        self.handles.push(object);
        object
    }

    pub fn set_roots(&mut self, roots: &[Cell]) {
        self.vm.set_roots(roots.to_vec());
        self.safe.set_roots(roots.to_vec());
    }

    pub fn pick(&self, n: u8) -> Cell {
        let n = usize::from(n).checked_rem(self.handles.len());
        n.map_or(Cell::NULL, |n| self.handles[n])
    }

    /// The operands of work: in a list, handles are stored as well as integers.
    pub fn operands(&self, array: Array, work: Work, first: u64, second: i16) -> [u64; 2] {
        let value = match array {
            _ if matches!(work, Work::PushEach | Work::CopyCollecting) => {
                abi::bits(self.pick(second as u8))
            }
            Array::Ints => i64::from(second).cast_unsigned(),
            Array::Floats => (f64::from(second) / 8.0).to_bits(),
            Array::List if second % 3 == 0 => abi::bits(i32::from(second).into()),
            Array::List => abi::bits(self.pick((second / 3) as u8)),
        };
        [first, value]
    }

    /// Whether so many elements may be added to an object.
    pub fn has_room(&self, object: Cell, added: usize) -> bool {
        let len = self.safe.heap().get::<List>(object).map_or(0, |list| list.len());
        len + added <= LIST_MAX
    }

    /// Runs the work on both heaps. Compiled code may leave it only for a reason.
    pub fn compare(
        &mut self,
        access: Access<'_>,
        array: Array,
        work: Work,
        object: u64,
        operands: [u64; 2],
    ) {
        let cell = abi::cell(object).unwrap_or_default();
        let shared = array != Array::List && is_version(self.safe.heap(), cell);
        let expected = self.safe.run_safely(array, work, cell, operands);
        let found = access(&mut self.vm, array, work, object, operands);
        self.done[usize::from(found.is_none())] += 1;
        match found {
            Some(found) => assert_eq!(Ok(found), expected, "{work:?} of {array:?}"),
            None => {
                let empty = operands[0] == 0 && !matches!(work, Work::Get | Work::Set);
                let reason = expected.is_err() || empty || shared;
                assert!(reason, "{work:?} of {array:?} was left");
                if shared || empty {
                    let then = self.vm.run_safely(array, work, cell, operands);
                    assert_eq!(then, expected);
                } else if work == Work::FillChecked {
                    // What was filled before the check that failed.
                    self.fill_safely(array, cell, operands);
                }
                // The barrier comes before some checks: now it has come in both heaps.
                if array == Array::List {
                    self.both(|heap| abi::write_barrier(heap, cell).is_ok());
                }
            }
        }
        self.check_object(cell);
    }

    fn fill_safely(&mut self, array: Array, object: Cell, [count, value]: [u64; 2]) {
        for index in 0..count {
            let set = self.safe.run_safely(array, Work::Set, object, [index, value]);
            if set.is_err() {
                break;
            }
        }
    }

    pub fn check_object(&self, object: Cell) {
        let shown = |vm: &Vm| vm.heap().contains(object).then(|| show(vm.heap(), object));
        assert_eq!(shown(&self.vm), shown(&self.safe));
    }

    pub fn check(&mut self) {
        self.handles.iter().for_each(|&object| self.check_object(object));
        self.both(|heap| heap.verify()).unwrap();
    }
}

/// Whether an array may share its block with others: compiled code does not write to it.
fn is_version(heap: &Heap, object: Cell) -> bool {
    let index = abi::bits(object) as u32;
    let slot = object.kind().and_then(|kind| abi::slot(heap, kind, index));
    heap.contains(object) && slot.is_some_and(|[.., cap]| cap & slot::SHARED != 0)
}

/// The bits of all elements.
pub fn show(heap: &Heap, object: Cell) -> Vec<u64> {
    if let Ok(list) = heap.get::<List>(object) {
        return list.as_slice().iter().map(|&cell| abi::bits(cell)).collect();
    }
    if let Ok(ints) = heap.get::<I64Arr>(object) {
        return ints.as_slice().iter().map(|n| n.cast_unsigned()).collect();
    }
    let floats = heap.get::<F64Arr>(object).unwrap();
    floats.as_slice().iter().map(|n| n.to_bits()).collect()
}

fn alloc(heap: &mut Heap, array: Array, len: usize) -> Result<Cell, Error> {
    let numbers = (0..).map_while(|n: i32| (n < len as i32).then_some(n));
    Ok(match array {
        Array::Ints => heap.alloc(I64Arr::of(&numbers.map(i64::from).collect::<Vec<_>>()))?.cell(),
        Array::Floats => {
            heap.alloc(F64Arr::of(&numbers.map(f64::from).collect::<Vec<_>>()))?.cell()
        }
        Array::List => heap.alloc(List::of(&numbers.map(Cell::from).collect::<Vec<_>>()))?.cell(),
    })
}

/// A version with an element more.
pub fn append(heap: &mut Heap, object: Cell) -> Result<Cell, Error> {
    Ok(match object.kind() {
        Some(Kind::I64ARR) => heap.append::<I64Arr>(object, 6)?.cell(),
        Some(Kind::F64ARR) => heap.append::<F64Arr>(object, 0.25)?.cell(),
        _ => heap.append::<List>(object, 4.into())?.cell(),
    })
}
