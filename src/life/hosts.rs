//! Host objects: objects that own a value of the host, of any Rust type.

use core::any::Any;
use core::fmt;

use crate::heap::{Heap, StoreParts, Value};
use crate::words::{Cell, Error, Kind, Result};

/// The error of [`Heap::host`], with the value that it did not take. `?` turns it into an
/// [`Error`], and drops the value.
pub struct Refused<T> {
    /// Why no object was allocated.
    pub error: Error,
    /// The value, for another attempt.
    pub value: T,
}

impl<T> From<Refused<T>> for Error {
    fn from(refused: Refused<T>) -> Error {
        refused.error
    }
}

/// Shows the error.
impl<T> fmt::Debug for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("error", &self.error).finish_non_exhaustive()
    }
}

/// Shows the error.
impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl<T> core::error::Error for Refused<T> {}

impl Heap {
    /// Allocates a host object: one that owns a value of any Rust type, such as a file, an
    /// iterator, a native function or the data of a class. Returns its handle, a cell like
    /// any other. [`Unpacked::Host`](crate::Unpacked::Host) tells it from other objects.
    /// Amortised O(1).
    ///
    /// The value is dropped once, after the object was freed: by [`Heap::free`], by a
    /// collection, a region, [`Heap::clear`], or with the heap. It is dropped at the end of
    /// that operation, when the heap is whole again. A panic of its `drop` propagates from
    /// the operation, which has had its effect, after the other values were dropped; without
    /// the feature `std`, they are dropped by the next operation that frees a host object.
    /// [`Heap::take_host`] takes the value back.
    ///
    /// The size of the value counts as allocated, for [`Limits`](crate::Limits) and for the
    /// pacer; [`Heap::set_host_bytes`] adds what it owns elsewhere.
    ///
    /// Cells in the value are weak references, which the collector does not see. An object
    /// of the language that has both is a [`Struct`](crate::Struct) or a
    /// [`Closure`](crate::Closure), with the host object in a field.
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap};
    /// let mut heap = Heap::new();
    /// let file = heap.host(std::io::Cursor::new(b"first\nsecond\n".to_vec()))?;
    ///
    /// use std::io::{BufRead, Cursor};
    /// let mut line = String::new();
    /// heap.host_mut::<Cursor<Vec<u8>>>(file)?.read_line(&mut line).unwrap();
    /// assert_eq!(line, "first\n");
    /// assert_eq!(heap.host_ref::<String>(file), Err(Error::WrongHostType));
    ///
    /// heap.collect([Cell::NULL])?; // drops it
    /// assert!(matches!(heap.host_ref::<String>(file), Err(Error::Stale { .. })));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// A native function is a host object whose value is a pointer to a function: copied
    /// out of the heap, it can be called with the heap.
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap};
    /// type Native = fn(&mut Heap, &[Cell]) -> Result<Cell, Error>;
    /// fn sum(heap: &mut Heap, args: &[Cell]) -> Result<Cell, Error> {
    ///     args.iter().try_fold(0.into(), |sum, &arg| heap.add(sum, arg))
    /// }
    /// let mut heap = Heap::new();
    /// let function = heap.host(sum as Native)?;
    /// let native = *heap.host_ref::<Native>(function)?;
    /// assert_eq!(native(&mut heap, &[1.into(), 2.into()])?, 3.into());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// A [`Refused`] with the value and [`Error::Limit`], [`Error::ArenaFull`] or
    /// [`Error::OutOfMemory`], as for [`Heap::alloc`]. The heap is unchanged.
    pub fn host<T: Any + Send + Sync>(&mut self, value: T) -> Result<Cell, Refused<T>> {
        // A value whose slot this object may get.
        self.drop_dead_values();
        let StoreParts { arenas, resources, .. } = self.store.parts();
        let room = match arenas.get(Kind::HOST).ok_or(Error::Corrupt) {
            Ok(arena) => self.roots.hosts_mut().reserve::<T>(&mut resources.account, arena),
            Err(error) => Err(error),
        };
        let room = match room {
            Ok(room) => room,
            Err(error) => return Err(Refused { error, value }),
        };
        match self.store.alloc_with(Kind::HOST, 0, 0, |_| Ok(())) {
            Ok(cell) => {
                let StoreParts { resources, .. } = self.store.parts();
                self.roots.hosts_mut().put(&mut resources.tally, cell, room, value);
                Ok(cell)
            }
            Err(error) => {
                self.roots.hosts_mut().give_back(self.store.account_mut(), room);
                Err(Refused { error, value })
            }
        }
    }

    /// Returns the value of a host object. O(1).
    ///
    /// ```
    /// use segheap::{Heap, Kind};
    /// let mut heap = Heap::new();
    /// let object = heap.host("a value".to_string())?;
    /// assert_eq!(heap.host_ref::<String>(object)?, "a value");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first of these that applies: [`Error::NotAHandle`] if the cell is no handle;
    /// [`Error::Sealed`] if it is sealed; [`Error::WrongKind`] if it is a handle of another
    /// object; [`Error::Stale`] if the object was freed; [`Error::WrongHostType`] if its
    /// value is no `T`.
    pub fn host_ref<T: Any>(&self, object: Cell) -> Result<&T> {
        self.store.arena(Kind::HOST)?.check_handle(object)?;
        self.roots.hosts().get(object)
    }

    /// Returns the value of a host object, to change. O(1).
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let counter = heap.host(0_u32)?;
    /// *heap.host_mut::<u32>(counter)? += 1;
    /// assert_eq!(heap.host_ref::<u32>(counter)?, &1);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::host_ref`]; [`Error::Frozen`] if the object is frozen.
    pub fn host_mut<T: Any>(&mut self, object: Cell) -> Result<&mut T> {
        self.store.arena(Kind::HOST)?.check_to_change(object)?;
        self.roots.hosts_mut().get_mut(object)
    }

    /// Frees a host object, and returns its value. O(1).
    ///
    /// ```
    /// use segheap::Heap;
    /// let mut heap = Heap::new();
    /// let object = heap.host("a value".to_string())?;
    /// let value: String = heap.take_host(object)?;
    /// assert!(value == "a value" && !heap.contains(object));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::host_ref`]. The heap is unchanged.
    pub fn take_host<T: Any>(&mut self, object: Cell) -> Result<T> {
        self.store.arena(Kind::HOST)?.check_handle(object)?;
        let value = self.roots.hosts_mut().take(self.store.account_mut(), object)?;
        self.free(object)?;
        Ok(value)
    }

    /// Declares how many bytes the value of a host object owns, beyond its own size: the
    /// buffers of a file, the pixels of an image. They count in
    /// [`Limits::bytes`](crate::Limits::bytes), and what is added to them counts as
    /// allocated, so that a collection becomes due. O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap, Limits};
    /// let mut heap = Heap::new();
    /// let image = heap.host(vec![0_u8; 1 << 20])?;
    /// heap.set_host_bytes(image, 1 << 20)?;
    /// assert!(heap.usage().host_bytes > 1 << 20);
    /// heap.set_limits(Limits::NONE.with_bytes(2 << 20));
    /// assert!(matches!(heap.set_host_bytes(image, 2 << 20), Err(Error::Limit(_))));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::host_ref`], without its last; [`Error::Limit`] if the limit refuses what
    /// is added. The heap is unchanged.
    pub fn set_host_bytes(&mut self, object: Cell, bytes: usize) -> Result<()> {
        self.store.arena(Kind::HOST)?.check_handle(object)?;
        let StoreParts { resources, .. } = self.store.parts();
        let (account, tally) = (&mut resources.account, &mut resources.tally);
        self.roots.hosts_mut().declare(account, tally, object, bytes)
    }

    /// Drops the values of host objects that were freed.
    #[inline(always)]
    pub(crate) fn drop_dead_values(&mut self) {
        if self.roots.hosts().has_dead() {
            self.drop_values();
        }
    }

    #[cold]
    #[inline(never)]
    fn drop_values(&mut self) {
        // A value is taken out, and off the account, before it is dropped.
        drop_each(|| self.roots.hosts_mut().take_dead(self.store.account_mut()));
    }
}

/// Drops values one by one. A panic of one propagates after the others were dropped, unless
/// the thread panics anyway.
#[cfg(feature = "std")]
pub(super) fn drop_each(mut next: impl FnMut() -> Option<Value>) {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    let mut panic = None;
    while let Some(value) = next() {
        match catch_unwind(AssertUnwindSafe(move || drop(value))) {
            Err(payload) if panic.is_none() => panic = Some(payload),
            // To drop the payload of another panic might panic once more.
            Err(payload) => core::mem::forget(payload),
            Ok(()) => {}
        }
    }
    match panic {
        Some(payload) if std::thread::panicking() => core::mem::forget(payload),
        Some(payload) => resume_unwind(payload),
        None => {}
    }
}

#[cfg(not(feature = "std"))]
pub(super) fn drop_each(mut next: impl FnMut() -> Option<Value>) {
    while let Some(value) = next() {
        drop(value);
    }
}
