//! Property tests of a VM: strategies of the crate [`proptest`], and a check of what an
//! instruction has written. Available with the feature `proptest`, for dev-dependencies.
//!
//! The properties of this crate use the same code. A test states what an instruction may
//! write in a line, and runs it on random graphs and arguments:
//!
//! ```
//! use proptest::prelude::*;
//! use segheap::testing::{Writes, checked, cell, graph};
//! use segheap::{Cell, Error, Heap, Kind, List, Settings};
//!
//! struct Vm {
//!     heap: Heap,
//!     stack: Vec<Cell>,
//! }
//!
//! impl Vm {
//!     /// The instruction `append`: list, value -> list.
//!     fn append(&mut self) -> Result<(), Error> {
//!         let value = self.stack.pop().unwrap_or_default();
//!         let list = self.stack.last().copied().unwrap_or_default();
//!         self.heap.get_mut::<List>(list)?.push(value)
//!     }
//! }
//!
//! proptest! {
//!     # /*
//!     #[test]
//!     # */
//!     fn append_writes_a_list_and_nothing_else(graph in graph(20), value in cell()) {
//!         let mut heap = Heap::with(Settings::seeded(1));
//!         let objects = graph.build(&mut heap)?;
//!         for list in objects {
//!             let mut vm = Vm { heap, stack: vec![list, value] };
//!             let _ = checked(&mut vm, |vm| &vm.heap, &Writes::kind(Kind::LIST), Vm::append)?;
//!             heap = vm.heap;
//!         }
//!     }
//! }
//! # append_writes_a_list_and_nothing_else();
//! ```

mod frame;
mod graph;
mod program;
mod values;

pub use frame::{Frame, FrameError, Untouched, Writes, checked};
pub use graph::{Graph, ObjectRecipe, graph, object};
pub use program::{Instruction, programs};
pub use values::{bounds, cell, float_bits, immediate, index, integer, text};
