//! Forks: a second heap with the same objects and the same handles.

use super::host_copy::{Hook, HostCopy, with_hook};
use crate::heap::{CollectorStats, Compaction, Cycle, Heap, Ids, Phase, ScratchPool};
use crate::words::{Error, Kind, Result};

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
    /// Forks, and heaps loaded from an image of them, are one trust domain. They have the
    /// seed of generations of this heap, so a handle of an object that was allocated after the
    /// fork may open an object of the other that has come to the same slot. To isolate
    /// programs from each other, make a heap for each, and use [`Heap::transplant`].
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
        if self.has_host_object() {
            return Err(Error::NoHostCopy);
        }
        self.clone_without_values()
    }

    /// Whether there is a host object. Garbage that a cycle has found has a value until it is
    /// swept, and is in no fork. O(slots of host objects) if there are values.
    fn has_host_object(&self) -> bool {
        let hosts = self.store.arena(Kind::HOST).ok().filter(|_| self.roots.hosts().is_any());
        hosts.is_some_and(|hosts| hosts.live().any(|(host, _)| !self.store.is_doomed(host)))
    }

    /// [`Heap::try_clone`] of a heap that may have host objects: `hook` makes the value of
    /// each in the fork. It is called once for each live host object, in the order of their
    /// slots. O(bytes of the heap) and the calls.
    ///
    /// If the hook fails or panics, the fork is dropped, with the values made so far. A panic
    /// of such a drop propagates, too.
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    /// let mut prelude = Heap::new();
    /// let counter = prelude.host(AtomicU32::new(7))?;
    /// let mut fork = prelude.try_clone_with(|object| {
    ///     object.put(AtomicU32::new(object.get::<AtomicU32>()?.load(Relaxed)))
    /// })?;
    /// fork.host_mut::<AtomicU32>(counter)?.store(8, Relaxed);
    /// assert_eq!(prelude.host_ref::<AtomicU32>(counter)?.load(Relaxed), 7);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// The error of the hook; [`Error::NoHostCopy`] if it returns without a value;
    /// [`Error::Limit`] or [`Error::OutOfMemory`] as for [`Heap::try_clone`].
    pub fn try_clone_with<E: From<Error>>(
        &self,
        hook: impl FnMut(&mut HostCopy<'_>) -> Result<(), E>,
    ) -> Result<Heap, E> {
        let mut fork = self.clone_without_values()?;
        with_hook(hook, |hook| fork.copy_values(self, hook))?;
        Ok(fork)
    }

    /// Gives each live host object a value.
    fn copy_values(&mut self, source: &Heap, hook: &mut Hook<'_>) -> Result<()> {
        if !source.roots.hosts().is_any() {
            return Ok(());
        }
        let slots = self.store.arena(Kind::HOST)?.indices();
        self.roots.hosts_mut().reserve_entries(self.store.account_mut(), slots)?;
        for index in 0..u32::try_from(slots).unwrap_or(u32::MAX) {
            let live = self.store.arena(Kind::HOST)?.live_at(index);
            let Some(object) = live else { continue };
            let (hosts, mut made) = (source.roots.hosts(), None);
            hook(&mut HostCopy::new(object, hosts, self.store.account_mut(), &mut made))?;
            self.roots.hosts_mut().adopt(object, made.ok_or(Error::NoHostCopy)?);
        }
        Ok(())
    }

    fn clone_without_values(&self) -> Result<Heap> {
        let mut store = self.store.try_clone()?;
        let roots = self.roots.try_clone(store.account_mut())?;
        let cycle = match self.cycle.phase {
            Phase::Sweeping => Cycle {
                phase: Phase::Sweeping,
                sweep: self.cycle.sweep,
                has_freed: self.cycle.has_freed,
                ephemerons: self.cycle.ephemerons.for_fork(),
                ..Cycle::default()
            },
            _ => Cycle::default(),
        };
        let pacer = self.pacer.clone();
        let (scratch, ids) = (ScratchPool::default(), Ids::after(self.ids.serial()));
        let (compaction, stats) = (Compaction::default(), CollectorStats::default());
        let mut fork = Heap { store, pacer, cycle, compaction, roots, scratch, ids, stats };
        match fork.cycle.phase {
            Phase::Sweeping => fork.finish_sweep(),
            _ => fork.store.forget_states(),
        }
        Ok(fork)
    }
}
