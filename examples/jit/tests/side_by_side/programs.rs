//! Random programs.

use proptest::prelude::*;
use segheap::abi;
use segheap::{Cell, Error, F64Arr, Heap, I64Arr, Kind, List};
use segheap_jit::{Array, Work};

use super::pair::{Access, Pair, append};

/// An operation of a program; objects are numbered modulo those that there are.
#[derive(Clone, Debug)]
pub enum Op {
    /// Work of compiled code on an object with some bits of its handle flipped.
    Run {
        array: Array,
        work: usize,
        object: (u8, u64),
        first: u64,
        second: i16,
    },
    Alloc(Array, usize),
    Extend(u8, usize),
    Append(u8),
    Pop(u8),
    Free(u8),
    Roots(u8),
    Collect,
    Young,
    Step(u64),
    Compact,
    Freeze(u8),
}

fn array() -> impl Strategy<Value = Array> {
    prop::sample::select(&Array::ALL[..])
}

/// An index or a length: mostly small.
fn number() -> impl Strategy<Value = u64> {
    let large = vec![1 << 29, 1 << 32, (1 << 32) + 1, 1 << 61, u64::MAX];
    prop_oneof![12 => 0_u64..12, 2 => 12_u64..80, 1 => prop::sample::select(large)]
}

pub fn op() -> impl Strategy<Value = Op> {
    let flipped = prop_oneof![6 => Just(0), 1 => (0..64_u32).prop_map(|n| 1_u64 << n)];
    let run = (array(), 0..Work::ALL.len(), (any::<u8>(), flipped), number(), any::<i16>());
    prop_oneof![
        20 => run.prop_map(|(array, work, object, first, second)| {
            Op::Run { array, work, object, first, second }
        }),
        5 => (array(), 0_usize..20).prop_map(|(array, len)| Op::Alloc(array, len)),
        1 => array().prop_map(|array| Op::Alloc(array, 3_500)),
        3 => (any::<u8>(), 0_usize..40).prop_map(|(n, len)| Op::Extend(n, len)),
        2 => any::<u8>().prop_map(Op::Append),
        1 => any::<u8>().prop_map(Op::Pop),
        1 => any::<u8>().prop_map(Op::Free),
        2 => any::<u8>().prop_map(Op::Roots),
        1 => Just(Op::Collect),
        2 => Just(Op::Young),
        4 => prop::sample::select(vec![16, 256, 4096]).prop_map(Op::Step),
        1 => Just(Op::Compact),
        1 => any::<u8>().prop_map(Op::Freeze),
    ]
}

impl Pair {
    pub fn run(&mut self, access: Access<'_>, op: &Op) {
        match *op {
            Op::Run { array, work, object: (n, flipped), first, second } => {
                let (work, object) = (Work::ALL[work], abi::bits(self.pick(n)) ^ flipped);
                let operands = self.operands(array, work, first, second);
                let pushed = if work == Work::PushEach { first.min(80) } else { 0 };
                if self.has_room(self.pick(second as u8), pushed as usize) {
                    self.compare(access, array, work, object, operands);
                }
            }
            Op::Alloc(array, len) => drop(self.alloc(array, len)),
            Op::Extend(n, len) => {
                let object = self.pick(n);
                if self.has_room(object, len) {
                    let _ = self.both(|heap| extend(heap, object, len));
                }
            }
            Op::Append(n) => {
                let object = self.pick(n);
                if self.has_room(object, 1) {
                    let made = self.both(|heap| append(heap, object));
                    self.handles.extend(made);
                }
            }
            Op::Pop(n) => {
                let object = self.pick(n);
                let _ = self.both(|heap| heap.get_mut::<List>(object)?.pop());
                let _ = self.both(|heap| heap.get_mut::<I64Arr>(object)?.pop());
            }
            Op::Freeze(n) => {
                let object = self.pick(n);
                let _ = self.both(|heap| heap.freeze(object));
            }
            _ => self.collect(op),
        }
        let live = [&self.vm, &self.safe].map(|vm| vm.heap().usage().live());
        assert_eq!(live[0], live[1], "objects after {op:?}");
    }

    fn collect(&mut self, op: &Op) {
        let roots = self.vm.roots().to_vec();
        let roots = || roots.iter().copied();
        match *op {
            Op::Free(n) => {
                let object = self.pick(n);
                let _ = self.both(|heap| heap.free(object));
            }
            Op::Roots(n) => {
                let kept = |&(index, _): &(usize, &Cell)| index % 3 != usize::from(n % 3);
                let roots = self.handles.iter().enumerate().filter(kept);
                let roots: Vec<Cell> = roots.map(|(_, &cell)| cell).collect();
                self.set_roots(&roots);
            }
            Op::Collect => drop(self.both(|heap| heap.collect(roots()).map(|done| done.freed))),
            Op::Young => drop(self.both(|heap| heap.collect_young(roots()).map(|done| done.freed))),
            Op::Step(work) => drop(
                self.both(|heap| heap.step(roots(), work).map(|done| (done.freed, done.finished))),
            ),
            _ => self.both(Heap::compact),
        }
    }
}

fn extend(heap: &mut Heap, object: Cell, len: usize) -> Result<(), Error> {
    match object.kind() {
        Some(Kind::I64ARR) => heap.get_mut::<I64Arr>(object)?.extend(&vec![5; len]),
        Some(Kind::F64ARR) => heap.get_mut::<F64Arr>(object)?.extend(&vec![0.5; len]),
        _ => heap.get_mut::<List>(object)?.extend(&vec![Cell::from(3); len]),
    }
}

/// Runs a program, after some objects are there.
pub fn run(seed: u64, program: &[Op], access: Access<'_>) {
    let mut pair = Pair::new(seed);
    for array in Array::ALL {
        pair.alloc(array, 10);
    }
    pair.set_roots(&pair.handles.clone());
    program.iter().for_each(|op| pair.run(access, op));
    pair.check();
}
