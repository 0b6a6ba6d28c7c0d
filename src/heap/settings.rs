//! [`Settings`]: seeds and limits of a new heap.

use core::fmt;

use crate::words::Limits;

#[cfg(doc)]
use crate::{Error, Heap};

/// The configuration of a new heap: seeds and limits.
///
/// ```
/// use segheap::{Heap, Limits, Settings};
/// let limits = Limits::NONE.with_bytes(64 << 20);
/// let heap = Heap::with(Settings::seeded(0x5EED).limits(limits));
/// assert_eq!(heap.usage().total_bytes, 0);
/// ```
#[derive(Clone, Copy)]
pub struct Settings {
    pub(super) generation_seed: u64,
    pub(super) hash_seed: u64,
    pub(super) limits: Limits,
}

/// Shows no seed.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Settings {
    /// Returns settings with both seeds derived from `seed`, and without limits: for
    /// hosts that have no entropy, and for runs that must be reproducible. Where
    /// handles or keys come from untrusted callers, pass a seed that they cannot know.
    ///
    /// ```
    /// use segheap::{Heap, Settings};
    /// let (a, b) = (Heap::with(Settings::seeded(7)), Heap::with(Settings::seeded(7)));
    /// assert_eq!(a.hash(1.into())?, b.hash(1.into())?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    pub const fn seeded(seed: u64) -> Settings {
        let hash_seed = seed.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(32);
        Settings { generation_seed: seed, hash_seed, limits: Limits::NONE }
    }

    /// Returns settings with random seeds and without limits.
    ///
    /// The seeds are those of [`RandomState`](std::hash::RandomState). Available with
    /// the feature `std`, except on wasm32-unknown-unknown, where `std` has no entropy:
    /// use `Settings::try_random` of the feature `getrandom` there.
    ///
    /// ```
    /// use segheap::{Heap, Limits, Settings};
    /// let heap = Heap::with(Settings::random().limits(Limits::NONE.with_bytes(1 << 24)));
    /// assert_eq!(heap.limits().bytes, 1 << 24);
    /// ```
    #[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
    pub fn random() -> Settings {
        use std::hash::{BuildHasher, Hasher, RandomState};
        let random = RandomState::new();
        let mut hasher = random.build_hasher();
        let generation_seed = hasher.finish();
        hasher.write_u8(1);
        Settings { hash_seed: hasher.finish(), generation_seed, limits: Limits::NONE }
    }

    /// Returns settings with random seeds from the operating system (by the crate
    /// `getrandom`), and without limits. Available with the feature `getrandom`.
    ///
    /// # Errors
    /// [`Error::NoEntropy`] if the system provides none.
    ///
    /// ```
    /// use segheap::{Heap, Settings};
    /// let heap = Heap::with(Settings::try_random()?);
    /// # assert_eq!(heap.usage().live(), 0);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[cfg(feature = "getrandom")]
    pub fn try_random() -> crate::words::Result<Settings> {
        let mut seeds = [[0; 8]; 2];
        getrandom::fill(seeds.as_flattened_mut()).map_err(|_| crate::Error::NoEntropy)?;
        let [generation_seed, hash_seed] = seeds.map(u64::from_le_bytes);
        Ok(Settings { generation_seed, hash_seed, limits: Limits::NONE })
    }

    /// Returns these settings with another seed for generations. It decides at which
    /// generations slots start, and so which handles of other heaps are rejected;
    /// nothing else depends on it.
    ///
    /// ```
    /// use segheap::{Heap, List, Settings};
    /// let new = |seed| Heap::with(Settings::seeded(1).generation_seed(seed));
    /// let (mut a, b, mut c) = (new(1), new(2), new(1));
    /// let list = a.alloc(List::new())?;
    /// assert!(!b.contains(list)); // no slot is in use
    /// c.alloc(List::new())?;
    /// assert!(c.contains(list)); // the same slot in the same generation
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[must_use]
    pub const fn generation_seed(self, seed: u64) -> Settings {
        Settings { generation_seed: seed, ..self }
    }

    /// Returns these settings with another seed for the hashes of keys. Heaps with the
    /// same seed return the same [`Heap::hash`].
    ///
    /// ```
    /// use segheap::{Heap, Settings};
    /// let a = Heap::with(Settings::seeded(1).hash_seed(7));
    /// let b = Heap::with(Settings::seeded(2).hash_seed(7));
    /// assert_eq!(a.hash(1.into())?, b.hash(1.into())?);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    #[must_use]
    pub const fn hash_seed(self, seed: u64) -> Settings {
        Settings { hash_seed: seed, ..self }
    }

    /// Returns these settings with other limits.
    ///
    /// ```
    /// use segheap::{Error, Heap, Limits, Resource, Settings};
    /// let limits = Limits::NONE.with_bytes(1_000);
    /// let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    /// assert_eq!(heap.string("a longer text"), Err(Error::Limit(Resource::Bytes)));
    /// ```
    #[must_use]
    pub const fn limits(self, limits: Limits) -> Settings {
        Settings { limits, ..self }
    }
}

#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
impl Default for Settings {
    fn default() -> Settings {
        Settings::random()
    }
}
