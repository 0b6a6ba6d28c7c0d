//! Collections with a callback between marking and sweeping, for finalizers that see their
//! objects.

use super::collect::Collected;
use super::ephemerons::MarkReader;
use super::steps::Step;
use crate::heap::Heap;
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Cell, Result};

impl Heap {
    /// Collects as [`Heap::collect`] does, and calls `notice` once all that the roots reach is
    /// marked and before anything is freed. It asks which objects are garbage, and may rescue
    /// some: these stay, with what they reach, and are garbage again in a later collection
    /// unless the VM stores them. Entries of weak tables are removed afterwards: a rescued key
    /// keeps its entries.
    ///
    /// A VM has finalizers that see their object by a list of those that have one. It takes
    /// out of the list what is not marked, rescues it, and runs the finalizers after the
    /// collection; so each sees its object once. Whoever is not to see the object asks for a
    /// token by [`Heap::watch`].
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let mut finalizable = vec![heap.alloc(List::of(&[7.into()]))?.cell()];
    /// for garbage in [1, 0] {
    ///     let mut queue = Vec::new();
    ///     heap.collect_with([Cell::NULL], |reader| {
    ///         queue.extend(finalizable.extract_if(.., |cell| !reader.is_marked(*cell)));
    ///         queue.retain(|&cell| reader.rescue(cell));
    ///     })?;
    ///     assert_eq!(queue.len(), garbage);
    ///     for cell in queue {
    ///         assert_eq!(heap.display(cell).to_string(), "[7]"); // its finalizer runs
    ///     }
    /// }
    /// assert_eq!(heap.usage().live(), 0);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// Costs as [`Heap::collect`] and what `notice` takes. If that panics, nothing is freed.
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn collect_with<I>(
        &mut self,
        roots: I,
        mut notice: impl FnMut(&mut MarkReader<'_>),
    ) -> Result<Collected>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        let roots = roots.into_iter().map(Into::into);
        self.collect_from(roots, core::iter::empty(), false, &mut notice)
    }

    /// [`Heap::step`], with the callback of [`Heap::collect_with`], which is called in the step
    /// in which marking ends. If it rescues something that takes more than is left of the
    /// step, marking goes on in the next one, and it is called again at the end of that. What
    /// it rescues is marked in steps, so they stay as short as without it; what the callback
    /// takes itself is not counted.
    ///
    /// Each step of a cycle needs the callback: one without it may be that in which marking
    /// ends.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let garbage = heap.alloc(List::new())?;
    /// let mut seen = 0;
    /// let mut finalize = |reader: &mut segheap::MarkReader<'_>| {
    ///     seen += u32::from(reader.rescue(garbage));
    /// };
    /// while !heap.step_with([Cell::NULL], 1 << 10, &mut finalize)?.finished {}
    /// assert!(seen == 1 && heap.contains(garbage));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn step_with<I>(
        &mut self,
        roots: I,
        work: u64,
        mut notice: impl FnMut(&mut MarkReader<'_>),
    ) -> Result<Step>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        self.step_from(&mut roots.into_iter().map(Into::into), work, &mut notice)
    }

    /// [`Heap::collect_young`], with the callback of [`Heap::collect_with`]. Old objects are
    /// marked: their finalizers wait for a collection of the whole heap.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let old = heap.alloc(List::new())?;
    /// heap.collect_young([old])?;
    /// let young = heap.alloc(List::new())?;
    /// heap.collect_young_with([Cell::NULL], |reader| {
    ///     assert!(reader.is_marked(old) && !reader.is_marked(young));
    ///     reader.rescue(young);
    /// })?;
    /// assert!(heap.contains(young));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn collect_young_with<I>(
        &mut self,
        roots: I,
        mut notice: impl FnMut(&mut MarkReader<'_>),
    ) -> Result<Collected>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        self.collect_young_from(&mut roots.into_iter().map(Into::into), &mut notice)
    }

    /// [`Heap::collect_debt`], with the callback of [`Heap::collect_with`], which is called
    /// wherever marking ends.
    ///
    /// ```
    /// use segheap::{Cell, Heap, List};
    /// let mut heap = Heap::new();
    /// let mut finalizable = Vec::new();
    /// let mut finalized = 0;
    /// for n in 0..100_000 {
    ///     let list = heap.alloc(List::zeroed(16))?;
    ///     if n % 100 == 0 {
    ///         finalizable.push(list);
    ///     }
    ///     if heap.has_debt() {
    ///         heap.collect_debt_with([Cell::NULL], |reader| {
    ///             finalizable.retain(|&list| !reader.rescue(list));
    ///         })?;
    ///     }
    ///     finalized = n / 100 + 1 - finalizable.len();
    /// }
    /// assert!(finalized > 800);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] only if this crate has a bug.
    pub fn collect_debt_with<I>(
        &mut self,
        roots: I,
        mut notice: impl FnMut(&mut MarkReader<'_>),
    ) -> Result<Step>
    where
        I: IntoIterator<Item: Into<Cell>>,
    {
        self.collect_debt_from(&mut roots.into_iter().map(Into::into), &mut notice)
    }
}
