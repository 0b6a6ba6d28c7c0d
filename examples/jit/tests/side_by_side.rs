//! Random programs on two heaps of the same seeds: one accessed by compiled code, or by the same
//! steps in Rust, the other by the functions of the heap. They agree in each result, and at the
//! end in every element, whatever grows, is freed, collected, compacted or frozen in between.
#![allow(missing_docs, reason = "a test")]

use proptest::prelude::*;
use segheap::abi;
use segheap::{Cell, Error, F64Arr, Heap, I64Arr, Kind, List, Settings};
use segheap_jit::{Array, Vm, Work};

/// An operation of a program; objects are numbered modulo those that there are.
#[derive(Clone, Debug)]
enum Op {
    /// Work of compiled code; the operands are small numbers.
    Run(Array, usize, u8, u64, i16),
    Alloc(Array, usize),
    Extend(u8, usize),
    Pop(u8),
    Free(u8),
    Collect(u8),
    Step(u8),
    Compact,
    Freeze(u8),
}

fn array() -> impl Strategy<Value = Array> {
    prop::sample::select(&Array::ALL[..])
}

fn op() -> impl Strategy<Value = Op> {
    let run = (array(), 0..Work::ALL.len(), any::<u8>(), 0_u64..12, any::<i16>());
    prop_oneof![
        12 => run.prop_map(|(array, work, n, first, second)| Op::Run(array, work, n, first, second)),
        4 => (array(), 0_usize..12).prop_map(|(array, len)| Op::Alloc(array, len)),
        1 => array().prop_map(|array| Op::Alloc(array, 9_000)),
        3 => (any::<u8>(), 0_usize..40).prop_map(|(n, len)| Op::Extend(n, len)),
        1 => any::<u8>().prop_map(Op::Pop),
        1 => any::<u8>().prop_map(Op::Free),
        1 => any::<u8>().prop_map(Op::Collect),
        3 => any::<u8>().prop_map(Op::Step),
        1 => Just(Op::Compact),
        1 => any::<u8>().prop_map(Op::Freeze),
    ]
}

/// How the first heap is accessed.
type Access<'a> = &'a dyn Fn(&mut Vm, Array, Work, u64, [u64; 2]) -> Option<u64>;

/// The two heaps, and all handles of a program, which are the same in both.
struct Pair {
    vm: Vm,
    safe: Vm,
    handles: Vec<Cell>,
    /// Work that compiled code did, and work that it left.
    done: [usize; 2],
}

impl Pair {
    fn new(seed: u64) -> Pair {
        let vm = || Vm::new(Heap::with(Settings::seeded(seed)));
        Pair { vm: vm(), safe: vm(), handles: Vec::new(), done: [0; 2] }
    }

    /// Does the same to both heaps by the functions of the heap.
    fn both<T: PartialEq + std::fmt::Debug>(&mut self, change: impl Fn(&mut Heap) -> T) -> T {
        let (one, other) = (self.vm.change(&change), self.safe.change(&change));
        assert_eq!(one, other);
        one
    }

    fn pick(&self, n: u8) -> Cell {
        let n = usize::from(n).checked_rem(self.handles.len());
        n.map_or(Cell::NULL, |n| self.handles[n])
    }

    /// The operands of work: for a list, handles are stored as well as integers.
    fn operands(&self, array: Array, first: u64, second: i16) -> [u64; 2] {
        let value = match array {
            Array::Ints => i64::from(second).cast_unsigned(),
            Array::Floats => (f64::from(second) / 8.0).to_bits(),
            Array::List if second % 3 == 0 => abi::bits(self.pick((second / 3) as u8)),
            Array::List => abi::bits(i32::from(second).into()),
        };
        [first, value]
    }

    fn run(&mut self, access: Access<'_>, op: &Op) {
        match *op {
            Op::Run(array, work, n, first, second) => {
                let (work, object) = (Work::ALL[work], self.pick(n));
                let operands = self.operands(array, first, second);
                self.compare(access, array, work, object, operands);
            }
            Op::Alloc(array, len) => {
                let made = self.both(|heap| alloc(heap, array, len));
                self.handles.extend(made);
            }
            Op::Extend(n, len) => {
                let object = self.pick(n);
                let _ = self.both(|heap| extend(heap, object, len));
            }
            Op::Pop(n) => {
                let object = self.pick(n);
                let _ = self.both(|heap| heap.get_mut::<List>(object)?.pop());
                let _ = self.both(|heap| heap.get_mut::<I64Arr>(object)?.pop());
            }
            Op::Free(n) => {
                let object = self.pick(n);
                let _ = self.both(|heap| heap.free(object));
            }
            Op::Collect(n) => {
                let roots = self.roots(n);
                let _ = self.both(|heap| heap.collect(roots.clone()).map(|done| done.freed));
            }
            Op::Step(n) => {
                let roots = self.roots(n % 8);
                let _ = self.both(|heap| heap.step(roots.clone(), 32).map(|done| done.finished));
            }
            Op::Compact => self.both(Heap::compact),
            Op::Freeze(n) => {
                let object = self.pick(n);
                let _ = self.both(|heap| heap.freeze(object));
            }
        }
    }

    fn roots(&self, n: u8) -> Vec<Cell> {
        self.handles.iter().skip(usize::from(n % 4)).step_by(2).copied().collect()
    }

    /// Runs the work on both heaps. Compiled code may leave it only for a reason.
    fn compare(
        &mut self,
        access: Access<'_>,
        array: Array,
        work: Work,
        object: Cell,
        operands: [u64; 2],
    ) {
        let expected = self.safe.run_safely(array, work, object, operands);
        let found = access(&mut self.vm, array, work, abi::bits(object), operands);
        self.done[usize::from(found.is_none())] += 1;
        match found {
            Some(found) => assert_eq!(Ok(found), expected, "{work:?} of {array:?}"),
            None => {
                // A fill that was checked element by element may have done a part.
                let partly = work == Work::FillChecked && expected.is_err();
                let empty = operands[0] == 0 && !matches!(work, Work::Get | Work::Set);
                assert!(expected.is_err() || empty, "{work:?} of {array:?} was left");
                if partly {
                    self.fill_safely(array, object, operands);
                }
            }
        }
        self.check_object(object);
    }

    /// What the elements before a failed check were filled with.
    fn fill_safely(&mut self, array: Array, object: Cell, [count, value]: [u64; 2]) {
        for index in 0..count {
            let set = self.safe.run_safely(array, Work::Set, object, [index, value]);
            if set.is_err() {
                break;
            }
        }
    }

    fn check_object(&self, object: Cell) {
        let shown = |vm: &Vm| vm.heap().contains(object).then(|| show(vm.heap(), object));
        assert_eq!(shown(&self.vm), shown(&self.safe));
    }

    fn check(&mut self) {
        self.handles.iter().for_each(|&object| self.check_object(object));
        self.both(|heap| heap.verify()).unwrap();
    }
}

/// The bits of all elements.
fn show(heap: &Heap, object: Cell) -> Vec<u64> {
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

fn extend(heap: &mut Heap, object: Cell, len: usize) -> Result<(), Error> {
    match object.kind() {
        Some(Kind::I64ARR) => heap.get_mut::<I64Arr>(object)?.extend(&vec![5; len]),
        Some(Kind::F64ARR) => heap.get_mut::<F64Arr>(object)?.extend(&vec![0.5; len]),
        _ => heap.get_mut::<List>(object)?.extend(&vec![Cell::from(3); len]),
    }
}

fn run(seed: u64, program: &[Op], access: Access<'_>) -> [usize; 2] {
    let mut pair = Pair::new(seed);
    for array in Array::ALL {
        pair.run(access, &Op::Alloc(array, 10));
    }
    program.iter().for_each(|op| pair.run(access, op));
    pair.check();
    pair.done
}

const CASES: u32 = if cfg!(miri) { 2 } else { 400 };
const LEN: usize = if cfg!(miri) { 24 } else { 120 };

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// In Rust, under Miri as well.
    #[test]
    fn plain_accessors(seed in any::<u64>(), program in prop::collection::vec(op(), 0..LEN)) {
        run(seed, &program, &|vm, array, work, object, operands| {
            vm.run_plainly(array, work, object, operands)
        });
    }
}

#[cfg(feature = "compile")]
mod compiled {
    use super::*;
    use segheap::abi::layout::slot;
    use segheap_jit::compile::Code;

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: CASES,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// As machine code.
        #[test]
        fn compiled_accessors(
            seed in any::<u64>(),
            program in prop::collection::vec(op(), 0..LEN),
        ) {
            thread_local! { static CODE: Code = Code::new().unwrap(); }
            CODE.with(|code| {
                run(seed, &program, &|vm, array, work, object, operands| {
                    code.run(vm, array, work, object, operands)
                })
            });
        }
    }

    /// Each function does its work at times.
    #[test]
    fn every_function_is_of_use() {
        let code = Code::new().unwrap();
        for array in Array::ALL {
            let mut pair = Pair::new(9);
            for work in Work::ALL {
                pair.run(&|_, _, _, _, _| None, &Op::Alloc(array, 10));
                let object = *pair.handles.last().unwrap();
                let operands = pair.operands(array, 7, 1);
                let access: Access<'_> = &|vm, array, work, object, operands| {
                    code.run(vm, array, work, object, operands)
                };
                pair.compare(access, array, work, object, operands);
            }
            assert_eq!(pair.done, [Work::ALL.len(), 0]);
        }
    }

    /// Objects beyond the table of slots, after a peak, are left to the heap.
    #[test]
    fn slots_beyond_the_table() {
        let code = Code::new().unwrap();
        let mut vm = Vm::new(Heap::with(Settings::seeded(4)));
        let last = vm.change(|heap| {
            let mut last = Cell::NULL;
            for n in 0..100_000 {
                last = heap.alloc(I64Arr::of(&[n])).unwrap().cell();
            }
            heap.collect([last]).unwrap();
            last
        });
        let slots = abi::slots(vm.heap(), Kind::I64ARR).unwrap();
        assert!(abi::bits(last) as u32 as usize >= slots.len());
        let [key, ..] = abi::slot(vm.heap(), Kind::I64ARR, abi::bits(last) as u32).unwrap();
        assert_eq!((u64::from(key), slot::KEY), (abi::bits(last) >> 32, 0));
        for work in [Work::Get, Work::Set, Work::SumHinted] {
            let operands = [u64::from(work == Work::SumHinted), 1];
            assert_eq!(code.run(&mut vm, Array::Ints, work, abi::bits(last), operands), None);
        }
        let read = vm.run_safely(Array::Ints, Work::Get, last, [0, 0]);
        assert_eq!(read, Ok(99_999));
    }
}
