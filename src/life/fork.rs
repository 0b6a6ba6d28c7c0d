//! Forks: a second heap with the same objects and the same handles.

use crate::heap::{CollectorStats, Cycle, Heap, Ids, Phase, ScratchPool};
use crate::words::{Error, Result};

impl Heap {
    /// Returns a second heap with the same objects, in which every cell means what it means
    /// in this one: a fork. From here on, the two are independent. A host that runs a program
    /// often prepares one heap and forks it for each run. O(bytes of the heap): the cost is
    /// that of copying its memory.
    ///
    /// The fork has the same limits, policy, pins and tokens of [`Heap::watch`]. Hints,
    /// [`SealKey`](crate::SealKey)s and regions of one are not accepted by the other, in
    /// which sealed cells stay sealed. No region is open in the fork, and no collection under
    /// way: garbage that one had found is freed in it.
    ///
    /// Forks, and heaps loaded from an image of them, are one trust domain. They have the seeds of this heap, so a handle of an object
    /// that was allocated after the fork may open an object of the other that has come to
    /// the same slot. To isolate programs from each other, make a heap for each, and use
    /// [`Heap::transplant`].
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut prelude = Heap::new();
    /// let list = prelude.alloc(List::of(&[1.into()]))?;
    /// let mut fork = prelude.try_clone()?;
    /// fork.get_mut(list)?.push(2.into())?;
    /// assert_eq!(fork.display(list).to_string(), "[1, 2]");
    /// assert_eq!(prelude.display(list).to_string(), "[1]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoHostCopy`] if there is a host object; [`Error::Limit`] if the heap is
    /// above its limit; [`Error::OutOfMemory`] if the global allocator fails.
    pub fn try_clone(&self) -> Result<Heap> {
        if self.roots.hosts().is_any() {
            return Err(Error::NoHostCopy);
        }
        let mut store = self.store.try_clone()?;
        let roots = self.roots.try_clone(store.account_mut())?;
        let cycle = match self.cycle.phase {
            Phase::Sweeping => Cycle {
                phase: Phase::Sweeping,
                sweep: self.cycle.sweep,
                has_freed: self.cycle.has_freed,
                ..Cycle::default()
            },
            _ => Cycle::default(),
        };
        let pacer = self.pacer.clone();
        let (scratch, ids) = (ScratchPool::default(), Ids::after(self.ids.serial()));
        let mut fork =
            Heap { store, pacer, cycle, roots, scratch, ids, stats: CollectorStats::default() };
        match fork.cycle.phase {
            Phase::Sweeping => fork.finish_sweep(),
            _ => fork.store.forget_states(),
        }
        Ok(fork)
    }
}
