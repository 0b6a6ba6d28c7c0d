//! Random programs on two heaps of the same seeds: one accessed by compiled code, or by the same
//! steps in Rust, the other by the functions of the heap. They agree in each result, and at the
//! end in every element, whatever grows, is freed, collected, compacted or frozen in between.
#![allow(missing_docs, reason = "a test")]

mod loops;
mod moving;
mod pair;
#[cfg(not(miri))]
mod programs;

#[global_allocator]
static ALLOCATOR: moving::Moving = moving::Moving;

#[cfg(not(miri))]
use programs::{op, run};
#[cfg(not(miri))]
use proptest::prelude::*;

#[cfg(not(miri))]
proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn plain_accessors(seed in any::<u64>(), program in prop::collection::vec(op(), 0..120)) {
        run(seed, &program, &|vm, array, work, object, operands| {
            vm.run_plainly(array, work, object, operands)
        });
    }
}

/// In Rust, which Miri runs as well.
#[test]
fn plain_loops() {
    loops::check(&|vm, array, work, object, operands| {
        vm.run_plainly(array, work, object, operands)
    });
}

#[cfg(feature = "compile")]
mod compiled {
    use super::pair::{Access, Pair};
    use super::*;
    use segheap::abi::{self, layout::slot};
    use segheap::{Cell, Heap, I64Arr, Kind, Settings};
    use segheap_jit::compile::Code;
    use segheap_jit::{Array, Vm, Work};

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 400,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        /// As machine code.
        #[test]
        fn compiled_accessors(
            seed in any::<u64>(),
            program in prop::collection::vec(op(), 0..120),
        ) {
            thread_local! { static CODE: Code = Code::new().unwrap(); }
            CODE.with(|code| {
                run(seed, &program, &|vm, array, work, object, operands| {
                    code.run(vm, array, work, object, operands)
                })
            });
        }
    }

    #[test]
    fn compiled_loops() {
        let code = Code::new().unwrap();
        loops::check(&|vm, array, work, object, operands| {
            code.run(vm, array, work, object, operands)
        });
    }

    /// Each function does its work at times.
    #[test]
    fn every_function_is_of_use() {
        let code = Code::new().unwrap();
        for array in Array::ALL {
            let mut pair = Pair::new(9);
            for work in Work::ALL {
                let object = pair.alloc(array, 10);
                pair.set_roots(&pair.handles.clone());
                let operands = pair.operands(array, work, 7, 1);
                let access: Access<'_> = &|vm, array, work, object, operands| {
                    code.run(vm, array, work, object, operands)
                };
                pair.compare(access, array, work, abi::bits(object), operands);
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
