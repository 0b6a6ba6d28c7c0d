//! [`Ephemerons`]: the entries of weak tables whose keys have not been reached, by key.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::arena::Account;
use crate::words::{Cell, to_u64, to_usize};

/// No entry.
const NONE: u32 = u32::MAX;
/// Entries for which there is room at first.
const FIRST: usize = 64;
/// How many entries of a bucket are compared with a new one.
const COMPARED: usize = 8;

/// An entry of a weak table, by its key: the value may change meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ephemeron {
    pub(crate) key: Cell,
    pub(crate) table: Cell,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    entry: Ephemeron,
    hash: u32,
    /// The next one in its bucket.
    next: u32,
}

/// A hash table of entries, in buckets by the hash of the key.
#[derive(Debug, Default)]
struct Links {
    links: Vec<Link>,
    /// The first entry of each bucket: a power of two of them.
    heads: Vec<u32>,
}

/// The entries of the weak tables that a collection has met and whose keys it had not reached.
/// As the key is reached, so is the value of the entry, and what is left at the end is
/// removed. So each entry is looked at a bounded number of times, whatever the order of keys
/// and values.
///
/// Where memory is refused, entries are lost: the collection then goes through all weak
/// tables until it reaches nothing more.
#[derive(Debug, Default)]
pub(crate) struct Ephemerons {
    links: Option<Box<[Links; 1]>>,
    is_lost: bool,
    /// Whether weak tables are looked at as they are reached. Before that, they wait until
    /// nothing else is left: most of their keys have been reached by then.
    is_late: bool,
}

impl Ephemerons {
    /// Whether there may be an entry.
    #[inline(always)]
    pub(crate) const fn is_any(&self) -> bool {
        self.links.is_some()
    }

    /// Whether memory was refused for an entry.
    pub(crate) const fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether entries may have to be removed after the sweep.
    pub(crate) const fn is_unfinished(&self) -> bool {
        self.is_any() || self.is_lost
    }

    /// Whether weak tables are looked at as they are reached.
    #[inline(always)]
    pub(crate) const fn is_late(&self) -> bool {
        self.is_late
    }

    pub(crate) const fn be_late(&mut self) {
        self.is_late = true;
    }

    /// The copy for a fork: entries are not known, if there are any.
    pub(crate) const fn for_fork(&self) -> Ephemerons {
        let is_lost = self.is_lost || self.is_any();
        Ephemerons { links: None, is_lost, is_late: self.is_late }
    }

    /// Adds an entry, unless memory is refused. Amortised expected O(1).
    pub(crate) fn add(&mut self, account: &mut Account, hash: u32, entry: Ephemeron) {
        if self.is_lost || self.bucket(hash).take(COMPARED).any(|(found, _)| found == entry) {
            return;
        }
        match self.room(account) {
            Some(links) => links.push(hash, entry),
            None => self.is_lost = true,
        }
    }

    /// Makes room for another entry.
    fn room(&mut self, account: &mut Account) -> Option<&mut Links> {
        if self.links.is_none() {
            let mut boxed = Vec::new();
            let bytes = size_of::<Links>();
            // What a limit refuses would be noted.
            if bytes > account.left() || account.reserve(&mut boxed, 1).is_err() {
                return None;
            }
            boxed.push(Links::default());
            self.links = boxed.into_boxed_slice().try_into().ok();
        }
        let [links] = &mut **self.links.as_mut()?;
        links.make_room(account).then_some(links)
    }

    /// The entries in the bucket of a hash, each with its place.
    fn bucket(&self, hash: u32) -> impl Iterator<Item = (Ephemeron, u32)> {
        let first = self.links.as_deref().map_or(NONE, |[links]| links.first(hash));
        core::iter::successors(self.link(first), |(link, _)| self.link(link.next))
            .map(|(link, place)| (link.entry, place))
    }

    fn link(&self, place: u32) -> Option<(Link, u32)> {
        let [links] = &**self.links.as_ref()?;
        links.links.get(to_usize(place)).map(|&link| (link, place))
    }

    /// The first entry of a key, by its hash, and its place for [`Ephemerons::next`].
    pub(crate) fn first(&self, hash: u32, key: Cell) -> Option<(Ephemeron, u32)> {
        self.bucket(hash).find(|(entry, _)| entry.key == key)
    }

    /// The next entry of the same key after the one at a place.
    pub(crate) fn next(&self, place: u32) -> Option<(Ephemeron, u32)> {
        let (first, _) = self.link(place)?;
        let next = |(link, _): &(Link, u32)| self.link(link.next);
        let rest = core::iter::successors(self.link(first.next), next);
        rest.map(|(link, place)| (link.entry, place))
            .find(|(entry, _)| entry.key == first.entry.key)
    }

    /// Whether an entry is there.
    pub(crate) fn contains(&self, hash: u32, entry: Ephemeron) -> bool {
        self.bucket(hash).any(|(found, _)| found == entry)
    }

    /// Takes an entry out. None is found by its key from here on.
    pub(crate) fn pop(&mut self) -> Option<Ephemeron> {
        let [links] = &mut **self.links.as_mut()?;
        links.heads.clear();
        links.links.pop().map(|link| link.entry)
    }

    /// Forgets all entries, and gives their memory back.
    pub(crate) fn end(&mut self, account: &mut Account) {
        if let Some(boxed) = self.links.take() {
            let mut boxed = Vec::from(boxed as Box<[Links]>);
            for links in &mut boxed {
                links.links.clear();
                links.heads.clear();
                account.shrink(&mut links.links, 0);
                account.shrink(&mut links.heads, 0);
            }
            boxed.clear();
            account.shrink(&mut boxed, 0);
        }
        *self = Ephemerons::default();
    }

    /// Bytes requested.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        self.links.as_ref().map_or(0, |boxed| {
            let [links] = &**boxed;
            let bytes = links.links.capacity().saturating_mul(size_of::<Link>());
            let heads = links.heads.capacity().saturating_mul(size_of::<u32>());
            to_u64(bytes.saturating_add(heads).saturating_add(size_of::<Links>()))
        })
    }
}

impl Links {
    fn place(&self, hash: u32) -> usize {
        to_usize(hash) & self.heads.len().wrapping_sub(1)
    }

    fn first(&self, hash: u32) -> u32 {
        self.heads.get(self.place(hash)).copied().unwrap_or(NONE)
    }

    /// Adds an entry, for which there is room.
    fn push(&mut self, hash: u32, entry: Ephemeron) {
        let (place, next) = (self.place(hash), self.first(hash));
        let number = u32::try_from(self.links.len()).unwrap_or(NONE);
        self.links.push(Link { entry, hash, next });
        if let Some(head) = self.heads.get_mut(place) {
            *head = number;
        }
    }

    /// Makes room for another entry; returns whether there is.
    #[inline]
    fn make_room(&mut self, account: &mut Account) -> bool {
        let len = self.links.len();
        len < self.links.capacity().min(self.heads.len()) || self.grow(account)
    }

    #[cold]
    fn grow(&mut self, account: &mut Account) -> bool {
        let len = self.heads.len().saturating_mul(2).max(FIRST);
        let bytes = size_of::<Link>().saturating_add(size_of::<u32>()).saturating_mul(len);
        // Old and new ones exist during the copy; what a limit refuses would be noted.
        if bytes.saturating_mul(2) > account.left() || len > to_usize(NONE) {
            return false;
        }
        let links = account.reserve(&mut self.links, len);
        if links.is_err() || account.reserve(&mut self.heads, len).is_err() {
            return false;
        }
        self.heads.clear();
        self.heads.resize(len, NONE);
        let mask = len.wrapping_sub(1);
        for (link, number) in self.links.iter_mut().zip(0..) {
            if let Some(head) = self.heads.get_mut(to_usize(link.hash) & mask) {
                link.next = core::mem::replace(head, number);
            }
        }
        true
    }
}
