//! Checks what an instruction writes: what its operation declares, by
//! [`segheap::testing::Frame`].

use segheap::testing::{Frame, Untouched, Writes};
use segheap::{Cell, Heap, Kind};

use super::{Call, Effect, Machine, Outcome};

/// A snapshot of all arenas before an instruction.
pub struct Monitor(Frame);

impl Monitor {
    pub fn of(heap: &Heap) -> Monitor {
        Monitor(Frame::of(heap))
    }

    /// Whether the heap equals the snapshot.
    pub fn equals(&self, heap: &Heap) -> bool {
        self.0.equals(heap)
    }

    /// For each arena, whether it equals the snapshot.
    pub fn compare(&self, heap: &Heap) -> impl Iterator<Item = (Kind, bool)> {
        self.0.compare(heap)
    }

    /// Runs an instruction, checks what it wrote, and takes the snapshot for the
    /// next one.
    ///
    /// # Panics
    /// If the instruction wrote what its operation does not declare.
    pub fn run(&mut self, machine: &mut Machine, call: &Call) -> (Outcome, Untouched) {
        let writes = writes(machine, call);
        let outcome = machine.run(call);
        let heap = &machine.heap;
        let failed = if outcome.is_err() { self.0.check_failed(heap) } else { Ok(()) };
        let checked = failed.and_then(|()| self.0.check(heap, &writes));
        let untouched =
            checked.unwrap_or_else(|error| panic!("{call:?}: {error}: {}", heap.dump()));
        (outcome, untouched)
    }
}

/// What an instruction may write, as its operation declares.
fn writes(machine: &Machine, call: &Call) -> Writes {
    let effects = call.op.effects.iter();
    effects.fold(Writes::nothing(), |writes, effect| match *effect {
        Effect::Changes(n) => writes.changes(call.cell(n)),
        Effect::Frees(n) => writes.frees(call.cell(n)),
        Effect::Allocates(kind) => writes.allocates(kind),
        Effect::Transplants(n) => {
            let kinds = reachable_kinds(&machine.other, call.cell(n));
            kinds.into_iter().fold(writes, Writes::allocates)
        }
        Effect::Sweeps => writes.sweeps(),
        Effect::Moves => writes.moves(),
        Effect::Reads(_) | Effect::ReadsUsage => writes,
    })
}

/// The kinds of all objects reachable from a cell.
pub fn reachable_kinds(heap: &Heap, root: Cell) -> Vec<Kind> {
    let (mut seen, mut next) = (vec![root], 0);
    while let Some(&cell) = seen.get(next) {
        for edge in heap.edges(cell).into_iter().flatten() {
            if !seen.contains(&edge) {
                seen.push(edge);
            }
        }
        next += 1;
    }
    seen.into_iter().filter_map(Cell::kind).collect()
}
