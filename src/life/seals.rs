//! Sealed cells: handles that can be kept and passed on but not used without
//! their key. A seal is an object of an arena of its own, behind a selector that
//! belongs to no kind: one cell, under a header word that says which key.

use crate::heap::Heap;
use crate::words::{Cell, Epoch, Error, Kind, Result, corrupt};

/// Opens what was sealed with it. Made by [`Heap::new_seal_key`]; cannot be copied.
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
    /// A key unlike any other.
    ///
    /// # Errors
    /// [`Error::IdsExhausted`].
    pub fn new_seal_key(&mut self) -> Result<SealKey> {
        Ok(SealKey { heap: self.ids.identify()?, number: self.ids.next_serial() })
    }

    /// A cell that stands for `cell` and can be stored, copied, compared and
    /// passed to foreign code, but not used: every operation on objects answers
    /// [`Error::Sealed`]. Sealing twice gives two different cells. While a
    /// sealed cell is reachable, so is what it stands for. O(1).
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
    /// [`Error::WrongKey`] for another heap's key; [`Error::Stale`] if `cell` is
    /// a handle of an object that is gone; a limit or no memory. NoContext has
    /// changed then.
    pub fn seal(&mut self, cell: impl Into<Cell>, key: &SealKey) -> Result<Cell> {
        let cell = cell.into();
        if key.heap != self.ids.heap() {
            return Err(Error::WrongKey);
        }
        if cell.is_handle() {
            self.store.open(cell)?;
        }
        let number = key.number;
        self.store.alloc_with(Kind::SEALED, 1, 2, |words| {
            words.copy_from_slice(&[number, cell.bits()]);
            Ok(())
        })
    }

    /// What a sealed cell stands for. O(1).
    ///
    /// # Errors
    /// [`Error::NotSealed`] for any other cell; [`Error::WrongKey`] without the
    /// key it was sealed with; [`Error::Stale`] if the seal or the object that
    /// it stands for is gone.
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
