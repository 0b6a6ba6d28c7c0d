//! Programs of a VM whose instructions are not known here.

use alloc::vec::Vec;
use core::fmt;

use proptest::prelude::*;

/// An instruction before its arguments are resolved: numbers, of which a VM chooses an
/// operation, its operands and its constants. So each sequence of numbers is a program, of
/// which parts can be left out.
///
/// ```
/// use segheap::testing::Instruction;
/// let step = Instruction { op: 5, cells: [1, 7, 0], numbers: [3, 0] };
/// let operations = ["append", "pop"];
/// assert_eq!(Instruction::pick(step.op, &operations), Some(&"pop"));
/// assert_eq!(Instruction::pick(step.cells[0], &[] as &[u8]), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// Chooses the operation.
    pub op: u16,
    /// Choose the operands.
    pub cells: [u16; 3],
    /// Other arguments.
    pub numbers: [u16; 2],
}

impl Instruction {
    /// Decodes a program of a fuzzer: twelve bytes a step; a shorter rest is ignored.
    ///
    /// ```
    /// use segheap::testing::Instruction;
    /// assert_eq!(Instruction::read(&[1; 30]).len(), 2);
    /// ```
    pub fn read(bytes: &[u8]) -> Vec<Instruction> {
        let (chunks, _) = bytes.as_chunks::<12>();
        let step = |chunk: &[u8; 12]| {
            let [a, b, c, d, e, f, g, h, i, j, k, l] = *chunk;
            let number = |low, high| u16::from_le_bytes([low, high]);
            let cells = [number(c, d), number(e, f), number(g, h)];
            Instruction { op: number(a, b), cells, numbers: [number(i, j), number(k, l)] }
        };
        chunks.iter().map(step).collect()
    }

    /// Returns the choice that a number makes; `None` if there is none. O(1).
    pub fn pick<T>(number: u16, choices: &[T]) -> Option<&T> {
        choices.get(usize::from(number).checked_rem(choices.len())?)
    }
}

/// Shows the numbers.
impl fmt::Debug for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {:?} {:?} {:?}", self.op, self.cells, self.numbers)
    }
}

/// Returns programs of up to `len` steps.
///
/// ```
/// use proptest::prelude::*;
/// use segheap::testing::{Instruction, graph, programs};
/// use segheap::{Heap, List, Settings};
/// proptest!(|(graph in graph(8), program in programs(20))| {
///     let mut heap = Heap::with(Settings::seeded(1));
///     let mut registers = graph.build(&mut heap)?;
///     for step in program {
///         let list = *Instruction::pick(step.cells[0], &registers).unwrap();
///         match step.op % 3 {
///             0 => registers.push(heap.alloc(List::of(&[list]))?.cell()),
///             1 => _ = heap.get_mut::<List>(list).map(|mut list| list.push(list_len(step))),
///             _ => _ = heap.collect(registers.iter().copied())?,
///         }
///         prop_assert_eq!(heap.verify(), Ok(()));
///     }
///     fn list_len(step: Instruction) -> segheap::Cell { u32::from(step.numbers[0]).into() }
/// });
/// ```
pub fn programs(len: usize) -> impl Strategy<Value = Vec<Instruction>> {
    let step = (any::<u16>(), any::<[u16; 3]>(), any::<[u16; 2]>());
    let step = step.prop_map(|(op, cells, numbers)| Instruction { op, cells, numbers });
    prop::collection::vec(step, 1..len.max(2))
}
