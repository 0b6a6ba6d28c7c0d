//! What a call of the guest returns first.

use segheap::Error;

/// The first result of an exported function: whether it succeeded, and why not.
///
/// ```
/// use segheap::Error;
/// use segheap_wasm::Status;
/// assert_eq!(Status::from_code(6), Some(Status::OutOfRange));
/// assert_eq!(Status::OutOfRange.code(), 6);
/// assert_eq!(Status::of(Error::OutOfRange { index: 7, len: 2 }), Some(Status::OutOfRange));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The other results are those that were asked for.
    Ok,
    /// There is no entry of the key. `map_insert` has added one.
    None,
    /// The cell holds no handle.
    NotAHandle,
    /// The handle is of another kind.
    WrongKind,
    /// The cell is sealed.
    Sealed,
    /// The object was freed, or the handle is not one of this heap.
    Stale,
    /// An index or a range is beyond the object.
    OutOfRange,
    /// The object is frozen.
    Frozen,
    /// The cell holds no text.
    NotText,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// A memory cannot grow, or the object would be too large.
    NoRoom,
    /// The bits to be stored, or those of a key, are not those of a cell.
    NotACell,
    /// The VM gives the hashes of the map's keys.
    OtherHash,
    /// The key is a value, found by its content: only the heap does that.
    ValueKey,
}

impl Status {
    /// Every status, in the order of the codes.
    pub const ALL: [Status; 14] = [
        Status::Ok,
        Status::None,
        Status::NotAHandle,
        Status::WrongKind,
        Status::Sealed,
        Status::Stale,
        Status::OutOfRange,
        Status::Frozen,
        Status::NotText,
        Status::NotUtf8,
        Status::NoRoom,
        Status::NotACell,
        Status::OtherHash,
        Status::ValueKey,
    ];

    /// Returns the number that the guest returns.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// Returns the status with a number, or `None` if there is none.
    pub fn from_code(code: u32) -> Option<Status> {
        usize::try_from(code).ok().and_then(|code| Status::ALL.get(code)).copied()
    }

    /// Returns the status of an error of the heap, or `None` if no function of the guest has
    /// such an error.
    pub const fn of(error: Error) -> Option<Status> {
        Some(match error {
            Error::NotAHandle => Status::NotAHandle,
            Error::WrongKind { .. } => Status::WrongKind,
            Error::Sealed => Status::Sealed,
            Error::Stale { .. } => Status::Stale,
            Error::OutOfRange { .. } => Status::OutOfRange,
            Error::Frozen => Status::Frozen,
            Error::NotText => Status::NotText,
            Error::NotUtf8 { .. } => Status::NotUtf8,
            Error::Limit(_)
            | Error::ArenaFull { .. }
            | Error::ObjectTooLarge
            | Error::OutOfMemory => Status::NoRoom,
            Error::OtherHash => Status::OtherHash,
            _ => return None,
        })
    }
}
