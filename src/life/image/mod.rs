//! Images: a heap as bytes, and back.
//!
//! An image is a sequence of words of 64 bits, little-endian:
//!
//! | Words | Content |
//! |---|---|
//! | 1 | `segheap` and a zero byte |
//! | 1 | the version of the format: [`VERSION`] |
//! | 1 | a fingerprint of the kinds and their layouts |
//! | 1 | the seed of generations |
//! | 1 | the last serial number of a seal key or a region |
//! | 3 | how many symbols, pins and watches there are |
//! | | for each arena, those of host objects and of seals first: its slots (`arena/slots/image`), then the blocks of its live objects in the order of the slots, without gaps |
//! | 1 each | the slots of the texts that are symbols |
//! | 2 each | pinned objects, and how often each is pinned |
//! | 2 each | watched objects and freed ones whose tokens were not drained, with their tokens, in the order of attachment |
//!
//! A block has all its words, so that an object keeps its capacity. Those that hold nothing
//! are zero: spare capacity, the end of a text, removed entries at the end of a table, its
//! hashes and its index. Hashes depend on a seed that is in no image; [`load`] computes them
//! anew. Those that a VM gives the keys of a map are in the image, as nothing else knows them.
//! Frozen objects and values are known by flags of their slots, weak tables by one of their
//! header. Where a block lies is not stored: it follows from the sizes of those before it.

mod load;
mod save;
mod times;

use core::fmt;

use super::inspect::Fault;
use crate::arena::{Sink, Source, Unloadable};
use crate::heap::{Heap, Settings};
use crate::words::{Elements, Error, KeyBy, Kind};

use load::Loader;
use save::Unsaved;
pub use times::LoadTimes;
use times::Phase;

/// `segheap`, and a zero byte.
const MAGIC: u64 = u64::from_le_bytes(*b"segheap\0");
/// The version of the format.
const VERSION: u64 = 1;

/// Why [`Heap::save`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SaveError<E> {
    /// The heap cannot be saved: [`Error::NoHostCopy`], [`Error::RegionOpen`].
    Heap(Error),
    /// The writer failed.
    Write(E),
}

/// Why [`Heap::load`] failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadError<E> {
    /// The heap has no room: [`Error::Limit`], [`Error::OutOfMemory`],
    /// [`Error::ArenaFull`].
    Heap(Error),
    /// The reader failed, or came to its end.
    Read(E),
    /// The bytes do not begin as an image does.
    NotAnImage,
    /// The image has another version of the format, this one.
    Version(u64),
    /// The image is of a build with other kinds.
    OtherKinds,
    /// The image is broken, here.
    Broken(Fault),
}

impl<E: fmt::Display> fmt::Display for SaveError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SaveError::Heap(error) => write!(f, "the heap cannot be saved: {error}"),
            SaveError::Write(error) => write!(f, "the image cannot be written: {error}"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for LoadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Heap(error) => write!(f, "the image cannot be loaded: {error}"),
            LoadError::Read(error) => write!(f, "the image cannot be read: {error}"),
            LoadError::NotAnImage => f.write_str("not the image of a heap"),
            LoadError::Version(found) => {
                write!(f, "an image of version {found} of the format, not {VERSION}")
            }
            LoadError::OtherKinds => f.write_str("the image is of a build with other kinds"),
            LoadError::Broken(fault) => write!(f, "the image is broken: {fault}"),
        }
    }
}

impl<E: core::error::Error> core::error::Error for SaveError<E> {}

impl<E: core::error::Error> core::error::Error for LoadError<E> {}

/// A number that differs, all but certainly, for other kinds, other numbers of them and
/// other layouts: an FNV-1a hash.
fn fingerprint(heap: &Heap) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut add = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    for arena in heap.store.arenas().iter() {
        let shape = arena.shape();
        let elements = match shape.elements {
            Elements::Bytes => 0,
            Elements::Ints => 1,
            Elements::Floats => 2,
            Elements::Cells => 3,
            Elements::Entries(stride) => stride.saturating_add(3),
        };
        let key = match shape.key {
            KeyBy::Identity => 0,
            KeyBy::Text => 1,
            KeyBy::Integer => 2,
        };
        Kind::name(arena.kind()).bytes().for_each(&mut add);
        [shape.header, elements, key].into_iter().flat_map(u32::to_le_bytes).for_each(&mut add);
    }
    hash
}

impl Heap {
    /// Writes the heap to a file, or to anything else that is a writer, as an image, from
    /// which [`Heap::load`] makes a heap in which every cell means what it means in this one.
    /// So a VM stores its globals as the bits of cells ([`abi::bits`](crate::abi::bits))
    /// beside the image. MEP-41, section 4, describes the format.
    ///
    /// The image has all objects with their handles and capacities, and which of them are
    /// frozen, values or weak; the order of maps and sets, hashes of [`Heap::map_insert_by`],
    /// symbols, pins, tokens of [`Heap::watch`], sealed cells, and what each slot that is free
    /// or retired knows of its generations. It has no limits, policy, hints, keys of seals or
    /// other hashes of keys. A collection in steps that has found garbage is ended first. Gaps
    /// between blocks are left out; [`Heap::compact`] before it leaves out spare capacity, too,
    /// and a collection garbage.
    ///
    /// Words that hold nothing are zero, so that no image has content that was freed, and
    /// heaps with the same settings and history have the same image. An image is as secret
    /// as the heap: the seed of generations is in it. It is not encrypted or signed. The
    /// heap, its forks and the heaps that are loaded from the image are one trust domain, as
    /// in [`Heap::try_clone`].
    ///
    /// Written in parts of up to 16 KiB, and objects that are larger as a whole. O(slots +
    /// payload).
    ///
    /// ```
    /// use segheap::{Heap, List, Settings, abi};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into(), 2.into()]))?;
    /// let mut file = Vec::new(); // or a `std::fs::File`
    /// heap.save(&mut file)?;
    /// let globals = [abi::bits(list.into())];
    ///
    /// let loaded = Heap::load(&file[..], Settings::random())?;
    /// let list = abi::cell(globals[0]).unwrap();
    /// assert_eq!(loaded.display(list).to_string(), "[1, 2]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SaveError::Write`] if the writer fails. [`SaveError::Heap`] of
    /// [`Error::NoHostCopy`] if there is a host object, of [`Error::RegionOpen`] if a region
    /// is open; nothing is written then.
    #[cfg(feature = "std")]
    pub fn save(
        &mut self,
        mut writer: impl std::io::Write,
    ) -> Result<(), SaveError<std::io::Error>> {
        self.save_with(|bytes| writer.write_all(bytes))
    }

    /// Makes a heap from an image of [`Heap::save`], with the limits and the hash seed of
    /// `settings`; the seed of generations comes from the image.
    ///
    /// The image may come from anyone. Whatever its bytes are, the result is an error or a
    /// heap that [`Heap::verify`] finds no fault with: each object is checked, cells that
    /// refer to no object are stale as always. Memory is reserved as bytes arrive, up to
    /// twice as much as has come and within the limits, whatever lengths the image states.
    /// The indices of maps and sets are computed with the new hash seed; hashes of
    /// [`Heap::map_insert_by`] come from the image, and their keys are not compared. Values may
    /// reach themselves in a forged image: as keys they are [`Error::KeyTooLarge`]. Whoever
    /// wrote the image decides what the objects are and which handles open them: that a VM can
    /// do with them what it expects, it has to check itself. All heaps of one image are one
    /// trust domain, as those of [`Heap::try_clone`].
    ///
    /// Reads nothing beyond the image, in parts of up to 16 KiB. O(slots + payload), and
    /// O(n log n) for n keys that collide; for each value that is a key, the time to hash it,
    /// O(2^20) at most.
    ///
    /// ```
    /// use segheap::{Heap, Limits, LoadError, Settings};
    /// let mut image = Vec::new();
    /// Heap::new().save(&mut image)?;
    /// let settings = Settings::random().limits(Limits::NONE.with_bytes(64 << 20));
    /// assert_eq!(Heap::load(&image[..], settings)?.limits().bytes, 64 << 20);
    /// image[0] = b'S';
    /// assert!(matches!(Heap::load(&image[..], settings), Err(LoadError::NotAnImage)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`LoadError::Read`] if the reader fails or ends before the image does;
    /// [`LoadError::NotAnImage`], [`LoadError::Version`] and [`LoadError::OtherKinds`] by its
    /// first words; [`LoadError::Broken`] with the place if it is damaged;
    /// [`LoadError::Heap`] of [`Error::Limit`] if it does not fit into the limits, of
    /// [`Error::OutOfMemory`] if the global allocator fails.
    #[cfg(feature = "std")]
    pub fn load(
        mut reader: impl std::io::Read,
        settings: Settings,
    ) -> Result<Heap, LoadError<std::io::Error>> {
        Heap::load_with(|bytes| reader.read_exact(bytes), settings)
    }

    /// [`Heap::save`] without `std`: `write` is called with the bytes of the image, part by
    /// part.
    ///
    /// ```
    /// use segheap::{Heap, SaveError, Settings};
    /// let (mut heap, mut flash) = (Heap::with(Settings::seeded(7)), [0_u8; 4096]);
    /// let mut len = 0;
    /// heap.save_with(|bytes| {
    ///     let end = len + bytes.len();
    ///     flash.get_mut(len..end).ok_or("full")?.copy_from_slice(bytes);
    ///     len = end;
    ///     Ok::<(), &str>(())
    /// })?;
    /// assert_eq!(flash[..8], *b"segheap\0");
    /// assert_eq!(heap.save_with(|_| Err("worn out")), Err(SaveError::Write("worn out")));
    /// # Ok::<(), SaveError<&str>>(())
    /// ```
    ///
    /// # Errors
    /// [`SaveError::Write`] with the error that `write` has returned; others as for
    /// [`Heap::save`].
    pub fn save_with<E>(
        &mut self,
        mut write: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), SaveError<E>> {
        let mut failed = None;
        let mut take = |bytes: &[u8]| write(bytes).map_err(|error| failed = Some(error)).is_ok();
        let saved = save::save(self, &mut Sink::new(&mut take));
        match (saved, failed) {
            (Ok(()), _) => Ok(()),
            (Err(Unsaved::Heap(error)), _) => Err(SaveError::Heap(error)),
            (Err(Unsaved::NotWritten), Some(error)) => Err(SaveError::Write(error)),
            (Err(Unsaved::NotWritten), None) => Err(SaveError::Heap(Error::Corrupt)),
        }
    }

    /// [`Heap::load`] without `std`: `read` is called to fill bytes with those of the image
    /// that come next, all of them.
    ///
    /// ```
    /// use segheap::{Heap, LoadError, Settings};
    /// let mut image = Vec::new();
    /// let saved = Heap::with(Settings::seeded(7)).save_with(|bytes| {
    ///     image.extend_from_slice(bytes);
    ///     Ok::<(), ()>(())
    /// });
    /// assert_eq!(saved, Ok(()));
    /// let mut rest = &image[..];
    /// let heap = Heap::load_with(
    ///     |bytes| {
    ///         let (next, others) = rest.split_at_checked(bytes.len()).ok_or("too short")?;
    ///         bytes.copy_from_slice(next);
    ///         rest = others;
    ///         Ok::<(), &str>(())
    ///     },
    ///     Settings::seeded(8),
    /// )?;
    /// assert_eq!(heap.usage().live(), 0);
    /// # Ok::<(), LoadError<&str>>(())
    /// ```
    ///
    /// # Errors
    /// [`LoadError::Read`] with the error that `read` has returned; others as for
    /// [`Heap::load`].
    pub fn load_with<E>(
        read: impl FnMut(&mut [u8]) -> Result<(), E>,
        settings: Settings,
    ) -> Result<Heap, LoadError<E>> {
        Heap::load_phases(read, settings, |_| ())
    }

    /// [`Heap::load_with`] that calls `ended` as each phase ends.
    fn load_phases<E>(
        mut read: impl FnMut(&mut [u8]) -> Result<(), E>,
        settings: Settings,
        ended: impl FnMut(Phase),
    ) -> Result<Heap, LoadError<E>> {
        let mut failed = None;
        let mut fill = |bytes: &mut [u8]| read(bytes).map_err(|error| failed = Some(error)).is_ok();
        let loaded = Loader::new(&mut Source::new(&mut fill)).load(settings, ended);
        loaded.map_err(|refused| match (refused, failed) {
            (LoadError::Read(()), Some(error)) => LoadError::Read(error),
            (LoadError::Read(()), None) => LoadError::Heap(Error::Corrupt),
            (LoadError::Heap(error), _) => LoadError::Heap(error),
            (LoadError::NotAnImage, _) => LoadError::NotAnImage,
            (LoadError::Version(found), _) => LoadError::Version(found),
            (LoadError::OtherKinds, _) => LoadError::OtherKinds,
            (LoadError::Broken(fault), _) => LoadError::Broken(fault),
        })
    }
}

/// What a part that cannot be loaded means for the whole image.
fn refusal(kind: Option<Kind>, refused: Unloadable) -> LoadError<()> {
    match refused {
        Unloadable::NotRead => LoadError::Read(()),
        Unloadable::Heap(error) => LoadError::Heap(error),
        Unloadable::Broken(slot, what) => LoadError::Broken(Fault { kind, slot, what }),
    }
}
