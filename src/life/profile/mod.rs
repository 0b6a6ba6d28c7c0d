//! What sites of a program allocate, and what a heap does meanwhile: profiles and events.

mod pprof;

use alloc::vec::Vec;
use core::fmt;

use crate::heap::{Heap, SiteUsage, StoreParts};
#[cfg(doc)]
use crate::words::Error;
use crate::words::{Event, Result};

impl Heap {
    /// Begins an allocation profile: from here on, each object that is allocated is counted
    /// for the site that [`Heap::set_site`] has set. One that was under way is discarded.
    ///
    /// Without a profile, an allocation costs nothing more. With one it takes a longer path:
    /// expected amortised O(1) more, and 8 bytes for each slot, 48 for each site and kind. They
    /// count as memory of the heap; where a limit leaves none for them, the object is counted
    /// as lost, and allocated. Objects of before the profile are in no row. A heap made by
    /// [`Heap::try_clone`] has no profile.
    ///
    /// ```
    /// use segheap::{Heap, List, Pair};
    /// let mut heap = Heap::new();
    /// heap.start_profile()?;
    /// for line in [7, 8, 7] {
    ///     heap.set_site(line);
    ///     heap.alloc(List::zeroed(4))?;
    /// }
    /// let list = heap.objects::<List>().next().unwrap();
    /// heap.free(list)?;
    /// let profile = heap.allocation_profile();
    /// let line_7 = profile.sites().iter().find(|row| row.site == 7).unwrap();
    /// assert_eq!((line_7.allocated.objects, line_7.allocated.bytes), (2, 2 * (32 + 16)));
    /// assert_eq!(line_7.live.objects, 1);
    /// heap.stop_profile();
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`] if the profile itself has no room. The heap
    /// is unchanged.
    pub fn start_profile(&mut self) -> Result<()> {
        let seed = self.roots.index_seed();
        let StoreParts { resources, log, .. } = self.store.parts();
        log.start_profile(&mut resources.account, seed)
    }

    /// Ends the allocation profile, and frees its memory. O(slots).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// heap.start_profile()?;
    /// heap.alloc(List::new())?;
    /// heap.stop_profile();
    /// assert!(heap.allocation_profile().sites().is_empty());
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn stop_profile(&mut self) {
        let StoreParts { resources, log, .. } = self.store.parts();
        log.stop_profile(&mut resources.account);
    }

    /// Sets the site for which an allocation profile counts the objects allocated from here
    /// on: a number whose meaning the VM defines, such as that of a line, a function or a call
    /// stack. It is 0 at first. O(1): one store, also without a profile.
    ///
    /// ```
    /// use segheap::{Heap, Pair};
    /// let mut heap = Heap::new();
    /// heap.start_profile()?;
    /// heap.set_site(42);
    /// heap.alloc(Pair::of(1.into(), 2.into()))?;
    /// assert_eq!(heap.allocation_profile().sites()[0].site, 42);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[inline]
    pub const fn set_site(&mut self, site: u32) {
        self.store.set_site(site);
    }

    /// Returns what the sites of the program have allocated since [`Heap::start_profile`];
    /// no rows without a profile. O(slots).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// heap.start_profile()?;
    /// heap.alloc(List::zeroed(2))?;
    /// let table = heap.allocation_profile().to_string();
    /// assert_eq!(table.lines().count(), 2); // a heading, and site 0
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn allocation_profile(&mut self) -> AllocationProfile<'_> {
        let StoreParts { arenas, log, .. } = self.store.parts();
        let Some(profile) = log.profile_mut() else {
            return AllocationProfile { rows: &[], lost: 0 };
        };
        profile.count_live(arenas);
        AllocationProfile { rows: profile.rows(), lost: profile.lost() }
    }

    /// Records the newest `len` events from here on: collections, growth of a memory,
    /// compactions, limits that are near or refuse something. [`Heap::drain_events`] returns
    /// them. 0 ends it. Older events are discarded.
    ///
    /// Memory for them is allocated once, here, and counts as memory of the heap. Recording
    /// takes O(1) for each event and cannot fail; an event for which there is no room takes
    /// the place of the oldest one. Nothing is recorded at first, which costs a compare for
    /// each event.
    ///
    /// ```
    /// use segheap::{Collection, EventKind, Heap, List};
    /// let mut heap = Heap::new();
    /// heap.record_events(64)?;
    /// let list = heap.alloc(List::new())?;
    /// heap.collect_young([list])?;
    /// let kinds: Vec<EventKind> = heap.drain_events().map(|event| event.kind).collect();
    /// assert!(matches!(kinds[0], EventKind::CollectionBegin { collection: Collection::Whole }));
    /// assert!(matches!(kinds[1], EventKind::CollectionEnd { freed: 0, live_bytes: 16, .. }));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`] if there is no room for so many. The heap is
    /// unchanged.
    pub fn record_events(&mut self, len: usize) -> Result<()> {
        self.store.account_mut().record_events(len)
    }

    /// Removes the recorded events; returns them, the oldest first. O(events).
    ///
    /// A VM drains them at its safe points, and passes them on: to a log, to the crate
    /// `tracing`, to a time line. They need no callback, which could not use the heap in the
    /// middle of an operation.
    ///
    /// ```
    /// use segheap::{Bytes, EventKind, Heap};
    /// let mut heap = Heap::new();
    /// heap.record_events(64)?;
    /// heap.alloc(Bytes::zeroed(1 << 20))?;
    /// for event in heap.drain_events() {
    ///     if let EventKind::MemoryGrow { arena, from, to } = event.kind {
    ///         println!("{:?}: {arena} from {from} to {to} pages", event.at);
    ///     }
    /// }
    /// assert_eq!(heap.drain_events().count(), 0);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn drain_events(&mut self) -> impl Iterator<Item = Event> {
        self.store.account_mut().drain_events()
    }

    /// Returns the number of events that others took the place of, since
    /// [`Heap::record_events`]. O(1).
    ///
    /// ```
    /// use segheap::{Bytes, Heap};
    /// let mut heap = Heap::new();
    /// heap.record_events(1)?;
    /// heap.compact();
    /// assert!(heap.events_lost() > 0);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn events_lost(&self) -> u64 {
        self.store.account().events_lost()
    }
}

/// What the sites of a program have allocated; returned by [`Heap::allocation_profile`].
///
/// `Display` writes a table: a line for each site and kind.
#[derive(Clone, Copy, Debug)]
pub struct AllocationProfile<'h> {
    rows: &'h [SiteUsage],
    lost: u64,
}

impl<'h> AllocationProfile<'h> {
    /// Returns a row for each site and each kind of which it has allocated objects, in the
    /// order of the first of them. O(1).
    ///
    /// ```
    /// use segheap::{Heap, Kind, List};
    /// let mut heap = Heap::new();
    /// heap.start_profile()?;
    /// heap.alloc(List::new())?;
    /// assert_eq!(heap.allocation_profile().sites()[0].kind, Kind::LIST);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn sites(&self) -> &'h [SiteUsage] {
        self.rows
    }

    /// Returns the number of objects that are in no row, as a limit left no memory for that.
    ///
    /// ```
    /// use segheap::Heap;
    /// assert_eq!(Heap::new().allocation_profile().lost(), 0);
    /// ```
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Returns folded stacks, by `Display`: the lines `frame;frame;kind weight` that programs
    /// for flame graphs read. `name` writes the call stack of a site, the outermost frame first,
    /// with `;` between frames; `weight` chooses a figure. Rows whose weight is 0 are left
    /// out. O(rows).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// heap.start_profile()?;
    /// heap.set_site(3);
    /// heap.alloc(List::zeroed(6))?;
    /// let profile = heap.allocation_profile();
    /// let folded = profile.folded(|site, out| write!(out, "main;line {site}"), |row| row.live.bytes);
    /// assert_eq!(folded.to_string(), "main;line 3;List 64\n");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub fn folded<N, W>(&self, name: N, weight: W) -> impl fmt::Display
    where
        N: Fn(u32, &mut dyn fmt::Write) -> fmt::Result,
        W: Fn(&SiteUsage) -> u64,
    {
        Folded { rows: self.rows, name, weight }
    }

    /// Returns the profile in the format of pprof: not compressed, with the sample types of a
    /// profile of Go's heap (`alloc_objects`, `alloc_space`, `inuse_objects`, `inuse_space`).
    /// `name` is as for [`AllocationProfile::folded`]; the innermost frame is the kind.
    /// O(rows + names).
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// heap.start_profile()?;
    /// heap.alloc(List::zeroed(6))?;
    /// let profile = heap.allocation_profile();
    /// let bytes = profile.pprof(|site, out| write!(out, "main;line {site}"))?;
    /// // std::fs::write("heap.pb", bytes)?; then: pprof -http=: heap.pb
    /// assert!(bytes.windows(6).any(|part| part == b"line 0"));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] if the global allocator fails, or `name` does. No limit counts
    /// these bytes.
    pub fn pprof<N>(&self, name: N) -> Result<Vec<u8>>
    where
        N: Fn(u32, &mut dyn fmt::Write) -> fmt::Result,
    {
        pprof::encode(self.rows, name)
    }
}

/// Folded stacks.
struct Folded<'h, N, W> {
    rows: &'h [SiteUsage],
    name: N,
    weight: W,
}

impl<N, W> fmt::Display for Folded<'_, N, W>
where
    N: Fn(u32, &mut dyn fmt::Write) -> fmt::Result,
    W: Fn(&SiteUsage) -> u64,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows {
            let weight = (self.weight)(row);
            if weight > 0 {
                (self.name)(row.site, f)?;
                writeln!(f, ";{} {weight}", row.kind)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for AllocationProfile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>10}  {:<8} {:>10} {:>12} {:>10} {:>12}",
            "site", "kind", "allocated", "bytes", "live", "bytes"
        )?;
        for SiteUsage { site, kind, allocated, live } in self.rows {
            writeln!(
                f,
                "{site:>10}  {kind:<8} {:>10} {:>12} {:>10} {:>12}",
                allocated.objects, allocated.bytes, live.objects, live.bytes
            )?;
        }
        if self.lost > 0 {
            writeln!(f, "{:>10}  {:<8} {:>10}", "lost", "", self.lost)?;
        }
        Ok(())
    }
}
