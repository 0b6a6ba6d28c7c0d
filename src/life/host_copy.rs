//! Values of host objects in copies of a heap, or of a part of it: a hook of the host makes
//! each.

use core::any::Any;
use core::fmt;

use crate::arena::Account;
use crate::heap::{Hosts, NewValue};
use crate::words::{Cell, Error, Result};

/// A host object of which a copy is made in another heap, as the hook of
/// [`Heap::transplant_with`](crate::Heap::transplant_with) and
/// [`Heap::try_clone_with`](crate::Heap::try_clone_with) sees it. The hook reads the value by
/// [`HostCopy::get`], and gives the value of the copy to [`HostCopy::put`].
pub struct HostCopy<'c> {
    object: Cell,
    source: &'c Hosts,
    account: &'c mut Account,
    /// The bytes to declare for the new value.
    declared: usize,
    made: &'c mut Option<NewValue>,
}

/// Shows the object.
impl fmt::Debug for HostCopy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostCopy").field("object", &self.object).finish_non_exhaustive()
    }
}

/// What makes the values of copies.
pub(super) type Hook<'h> = dyn FnMut(&mut HostCopy<'_>) -> Result<()> + 'h;

impl<'c> HostCopy<'c> {
    pub(super) fn new(
        object: Cell,
        source: &'c Hosts,
        account: &'c mut Account,
        made: &'c mut Option<NewValue>,
    ) -> HostCopy<'c> {
        HostCopy { object, source, account, declared: source.declared(object), made }
    }

    /// Returns the object that is copied, a handle of the source. O(1).
    pub const fn object(&self) -> Cell {
        self.object
    }

    /// Returns the value of the object that is copied. O(1).
    ///
    /// # Errors
    /// [`Error::WrongHostType`] if it is no `T`.
    pub fn get<T: Any>(&self) -> Result<&'c T> {
        self.source.get(self.object)
    }

    /// Declares how many bytes the value of the copy owns beyond its own size, as
    /// [`Heap::set_host_bytes`](crate::Heap::set_host_bytes) does. Otherwise as many as those
    /// of the object that is copied. O(1).
    pub const fn set_host_bytes(&mut self, bytes: usize) {
        self.declared = bytes;
    }

    /// Gives the copy its value, of any type, in place of one that it was given before. O(1).
    ///
    /// # Errors
    /// [`Error::Limit`] or [`Error::OutOfMemory`] if there is no memory for it. The value is
    /// dropped.
    pub fn put<T: Any + Send + Sync>(&mut self, value: T) -> Result<()> {
        let value = NewValue::new(self.account, self.declared, value)?;
        if let Some(before) = self.made.replace(value) {
            self.account.replace(before.bytes(), 0);
        }
        Ok(())
    }
}

/// Calls `copy` with a hook that stores the error of the VM, and returns that error.
pub(super) fn with_hook<T, E: From<Error>>(
    mut hook: impl FnMut(&mut HostCopy<'_>) -> Result<(), E>,
    copy: impl FnOnce(&mut Hook<'_>) -> Result<T>,
) -> Result<T, E> {
    let mut failed = None;
    let copied = copy(&mut |object: &mut HostCopy<'_>| {
        hook(object).map_err(|error| {
            failed = Some(error);
            Error::NoHostCopy
        })
    });
    copied.map_err(|error| failed.unwrap_or_else(|| E::from(error)))
}
