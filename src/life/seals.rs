//! Sealed cells: opaque handles that only the owner of a key can turn back into the
//! cells that they stand for (sealing: J. H. Morris, "Protection in programming
//! languages", 1973). A seal is an object in an arena of its own, under a selector that
//! belongs to no kind: a header word with the number of the key, and one cell.

use crate::heap::Heap;
use crate::words::{Cell, Epoch, Error, Kind, Result, corrupt};

/// The right to open what was sealed with it; returned by [`Heap::new_seal_key`].
/// Neither `Copy` nor `Clone`, so that host code controls who has it.
#[derive(PartialEq, Eq)]
pub struct SealKey {
    heap: Epoch,
    number: u64,
}

impl core::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SealKey")
    }
}

impl Heap {
    /// Returns a new key, which is equal to no other key of any heap. O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap};
    /// let (mut here, mut there) = (Heap::new(), Heap::new());
    /// let (key, foreign) = (here.new_seal_key()?, there.new_seal_key()?);
    /// assert_eq!(here.seal(1, &foreign), Err(Error::WrongKey));
    /// assert!(here.seal(1, &key).is_ok());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::IdsExhausted`] if the process has used up the identities of heaps.
    pub fn new_seal_key(&mut self) -> Result<SealKey> {
        Ok(SealKey { heap: self.ids.identify()?, number: self.ids.next_serial() })
    }

    /// Returns a sealed cell that stands for `cell`. It can be stored, copied, compared
    /// and passed to untrusted code, but not used: operations on objects fail with
    /// [`Error::Sealed`]. Sealing a cell twice returns two different cells. A reachable
    /// sealed cell keeps the object that it stands for live. Amortised O(1).
    ///
    /// ```
    /// use segheap::{Error, Heap, List};
    /// let mut heap = Heap::new();
    /// let (key, other) = (heap.new_seal_key()?, heap.new_seal_key()?);
    /// let list = heap.alloc(List::of(&[]))?;
    /// let sealed = heap.seal(list, &key)?;
    /// assert_eq!(heap.get::<List>(sealed).err(), Some(Error::Sealed));
    /// assert_eq!(heap.unseal(sealed, &other), Err(Error::WrongKey));
    /// assert_eq!(heap.unseal(sealed, &key)?, list.cell());
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongKey`] if the key belongs to another heap; [`Error::Stale`] if
    /// `cell` is a handle of an object that was freed, or that a collection in steps has
    /// found to be garbage; [`Error::Limit`],
    /// [`Error::ArenaFull`] or [`Error::OutOfMemory`] if the seal cannot be allocated.
    /// The heap is unchanged.
    pub fn seal(&mut self, cell: impl Into<Cell>, key: &SealKey) -> Result<Cell> {
        let cell = cell.into();
        if key.heap != self.ids.heap() {
            return Err(Error::WrongKey);
        }
        if cell.is_handle() {
            self.store.check_usable(cell)?;
        }
        let number = key.number;
        self.store.alloc_with(Kind::SEALED, 1, 2, |words| {
            words.copy_from_slice(&[number, cell.bits()]);
            Ok(())
        })
    }

    /// Returns the cell that a sealed cell stands for. O(1).
    ///
    /// ```
    /// use segheap::{Cell, Error, Heap};
    /// let mut heap = Heap::new();
    /// let key = heap.new_seal_key()?;
    /// let secret = heap.seal(42, &key)?;
    /// assert_eq!(heap.unseal(secret, &key)?, 42.into());
    /// assert_eq!(heap.unseal(Cell::TRUE, &key), Err(Error::NotSealed));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotSealed`] if the cell is not a sealed one; [`Error::Stale`] if the
    /// seal was freed; [`Error::WrongKey`] if it was sealed with another key;
    /// [`Error::Stale`] if it stands for an object that was freed.
    pub fn unseal(&self, sealed: Cell, key: &SealKey) -> Result<Cell> {
        if sealed.kind() != Some(Kind::SEALED) {
            return Err(Error::NotSealed);
        }
        let (arena, slot) = self.store.open(sealed)?;
        let &[number, bits] = arena.used(slot)? else { return Err(corrupt()) };
        if key.heap != self.ids.heap() || key.number != number {
            return Err(Error::WrongKey);
        }
        let cell = Cell::raw(bits);
        if cell.is_handle() {
            self.store.open(cell)?;
        }
        Ok(cell)
    }
}
