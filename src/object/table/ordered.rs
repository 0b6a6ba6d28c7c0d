//! The index of an ordered table: a search tree over the entries, by hash and then by an
//! order of the keys, for tables whose hashes collide too often.
//!
//! The words of the buckets are links: two for each position, to the position + 1 of its
//! left and its right child, or 0. So a table becomes ordered without any memory. The
//! root takes the place of the index in the header. The tree is a scapegoat tree (Galperin
//! and Rivest, 1993): where an insertion gets too deep, the subtree of an ancestor that is
//! out of balance is rebuilt, by way of a list (Stout and Warren, 1986). An insertion
//! costs amortised O(log n) comparisons, a look-up O(log n).
//!
//! The key of a freed text or integer can no longer be compared. Whatever meets such an
//! entry on its way takes it out of the tree: it stays an entry, which no key matches.

use core::cmp::Ordering;

use super::Table;
use super::layout::{Layout, ORDERED, POSITIONS, set_index};
use crate::words::{Cell, to_usize};

/// More than the depth of any tree: log(2^29) to the base 1.5, and one.
const DEPTH_MAX: usize = 64;

/// A link: the left or the right one of a node, or the root. Nodes are positions + 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    node: u32,
    right: bool,
}

const ROOT: Branch = Branch { node: 0, right: false };

/// Where a descent from the root ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// At the entry of the key.
    Found(u32),
    /// At a branch without a node, where the key belongs.
    Missing,
    /// At an entry whose key cannot be compared.
    Freed(u32),
}

/// A descent: the branches from the root to its end.
#[derive(Clone, Debug)]
pub(crate) struct Descent {
    pub(crate) end: Step,
    path: [Branch; DEPTH_MAX],
    depth: usize,
}

impl Descent {
    /// The nodes above the end.
    #[cfg(test)]
    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    /// The last branch: to the node at which the descent ended, or where it belongs.
    pub(crate) fn last(&self) -> Branch {
        self.path.get(self.depth).copied().unwrap_or(ROOT)
    }
}

impl Table<&[u64]> {
    /// The node at a branch; 0 for none.
    #[inline]
    fn node(&self, branch: Branch) -> u32 {
        let Some(position) = branch.node.checked_sub(1) else {
            return self.half(POSITIONS);
        };
        let links = self.words.get(self.layout().index()..).unwrap_or_default();
        let links = bytemuck::cast_slice::<u64, u32>(links);
        let place = to_usize(position).wrapping_mul(2).wrapping_add(usize::from(branch.right));
        links.get(place).copied().unwrap_or(0)
    }

    /// Searches the tree for a key: of this hash, and by `compare` with the key of an
    /// entry, which is `None` for keys that cannot be compared. O(log n).
    pub(crate) fn descend(
        &self,
        hash: u32,
        mut compare: impl FnMut(Cell) -> Option<Ordering>,
    ) -> Descent {
        let mut descent = Descent { end: Step::Missing, path: [ROOT; DEPTH_MAX], depth: 0 };
        let mut branch = ROOT;
        loop {
            match descent.path.get_mut(descent.depth) {
                Some(place) => *place = branch,
                None => debug_assert!(false, "a tree is too deep"),
            }
            let node = self.node(branch);
            let Some(position) = node.checked_sub(1) else { return descent };
            let order = hash.cmp(&self.hash(position));
            let order = match (order, self.entry(position).and_then(|entry| entry.first())) {
                (Ordering::Equal, Some(&key)) => compare(key),
                (Ordering::Equal, None) => None,
                (order, _) => Some(order),
            };
            let right = match order {
                Some(Ordering::Less) => false,
                Some(Ordering::Greater) => true,
                Some(Ordering::Equal) => {
                    descent.end = Step::Found(position);
                    return descent;
                }
                None => {
                    descent.end = Step::Freed(position);
                    return descent;
                }
            };
            branch = Branch { node, right };
            descent.depth = descent.depth.saturating_add(1);
        }
    }

    /// The branch to the node of an entry, whatever its key. O(n).
    pub(crate) fn branch_to(&self, position: u32) -> Option<Branch> {
        let mut branches = Pending::new(ROOT);
        while let Some(branch) = branches.pop() {
            let node = self.node(branch);
            if node == position.wrapping_add(1) {
                return Some(branch);
            }
            branches.push_children(node);
        }
        None
    }

    /// The number of nodes below a branch. O(n) for n of them.
    fn count(&self, branch: Branch) -> u32 {
        let (mut branches, mut count) = (Pending::new(branch), 0_u32);
        while let Some(branch) = branches.pop() {
            let node = self.node(branch);
            count = count.saturating_add(u32::from(node != 0));
            branches.push_children(node);
        }
        count
    }

    /// The positions in the tree, in order. O(n).
    pub(super) fn in_order(self) -> impl Iterator<Item = u32> {
        let mut above = Pending::new(ROOT);
        let mut next = above.pop();
        core::iter::from_fn(move || {
            while let Some(branch) = next {
                let node = self.node(branch);
                next = (node != 0).then_some(Branch { node, right: false });
                if node != 0 {
                    above.push(branch);
                }
            }
            let node = self.node(above.pop()?);
            next = Some(Branch { node, right: true });
            node.checked_sub(1)
        })
    }
}

/// Branches to visit.
struct Pending {
    branches: [Branch; DEPTH_MAX],
    len: usize,
}

impl Pending {
    const fn new(branch: Branch) -> Pending {
        Pending { branches: [branch; DEPTH_MAX], len: 1 }
    }

    fn pop(&mut self) -> Option<Branch> {
        self.len = self.len.checked_sub(1)?;
        self.branches.get(self.len).copied()
    }

    fn push(&mut self, branch: Branch) {
        debug_assert!(self.len < DEPTH_MAX, "a tree is too deep");
        if let Some(place) = self.branches.get_mut(self.len) {
            *place = branch;
            self.len = self.len.saturating_add(1);
        }
    }

    fn push_children(&mut self, node: u32) {
        if node != 0 {
            self.push(Branch { node, right: true });
            self.push(Branch { node, right: false });
        }
    }
}

impl Table<&mut [u64]> {
    fn set_node(&mut self, branch: Branch, node: u32) {
        if let Some(position) = branch.node.checked_sub(1) {
            let place = to_usize(position).wrapping_mul(2).wrapping_add(usize::from(branch.right));
            return self.put_half(self.read().layout().index(), place, node);
        }
        set_index(self.words, ORDERED, node);
    }

    /// Makes the index an empty tree. Every entry has to be linked then.
    pub(crate) fn order(&mut self) {
        set_index(self.words, ORDERED, 0);
    }

    /// Appends an entry of a new key, where its descent ended. Returns how many positions
    /// are used then. Amortised O(log n).
    pub(crate) fn append_ordered(&mut self, hash: u32, at: &Descent, entry: &[Cell]) -> u32 {
        let position = self.used;
        let used = self.append_unlinked(hash, entry);
        self.link_ordered(position, at);
        used
    }

    /// Links the entry at a position where its descent ended. Amortised O(log n).
    pub(crate) fn link_ordered(&mut self, position: u32, at: &Descent) {
        let node = position.wrapping_add(1);
        for right in [false, true] {
            self.set_node(Branch { node, right }, 0);
        }
        self.set_node(at.last(), node);
        if at.depth > depth_max(self.read().layout()) {
            self.balance(at);
        }
    }

    /// Rebuilds the subtree of the lowest ancestor that is out of balance.
    #[cold]
    fn balance(&mut self, at: &Descent) {
        let mut size = 1_u32;
        for depth in (0..at.depth).rev() {
            let (Some(&below), Some(&above)) =
                (at.path.get(depth.wrapping_add(1)), at.path.get(depth))
            else {
                return;
            };
            let sibling = Branch { right: !below.right, ..below };
            let whole = self.read().count(sibling).saturating_add(size).saturating_add(1);
            if size.saturating_mul(3) > whole.saturating_mul(2) {
                self.flatten(above);
                self.fold(above, whole);
                return;
            }
            size = whole;
        }
        debug_assert!(false, "a tree is too deep, but balanced");
    }

    /// Turns the subtree at a branch into a list by right links, in order. O(n).
    fn flatten(&mut self, branch: Branch) {
        let mut tail = branch;
        loop {
            let node = self.read().node(tail);
            if node == 0 {
                return;
            }
            let (left, right) = (Branch { node, right: false }, Branch { node, right: true });
            let child = self.read().node(left);
            if child == 0 {
                tail = right;
            } else {
                let inner = Branch { node: child, right: true };
                self.set_node(left, self.read().node(inner));
                self.set_node(inner, node);
                self.set_node(tail, child);
            }
        }
    }

    /// Turns a list of `size` nodes at a branch into a balanced tree. O(n).
    fn fold(&mut self, branch: Branch, size: u32) {
        let full =
            size.saturating_add(1).checked_ilog2().map_or(0, |log| (1_u32 << log).wrapping_sub(1));
        self.fold_once(branch, size.saturating_sub(full));
        let mut rest = full;
        while rest > 1 {
            rest /= 2;
            self.fold_once(branch, rest);
        }
    }

    /// Moves every other one of the first `2 * count` nodes of a list below the next one.
    fn fold_once(&mut self, branch: Branch, count: u32) {
        let mut scan = branch;
        for _ in 0..count {
            let child = self.read().node(scan);
            let lower = Branch { node: child, right: true };
            let upper = self.read().node(lower);
            self.set_node(scan, upper);
            let inner = Branch { node: upper, right: false };
            self.set_node(lower, self.read().node(inner));
            self.set_node(inner, child);
            scan = Branch { node: upper, right: true };
        }
    }

    /// Takes the node at a branch out of the tree. O(log n).
    pub(crate) fn unlink(&mut self, branch: Branch) {
        let node = self.read().node(branch);
        let (left, right) = (Branch { node, right: false }, Branch { node, right: true });
        let (lower, upper) = (self.read().node(left), self.read().node(right));
        if lower == 0 || upper == 0 {
            return self.set_node(branch, lower | upper);
        }
        // The next node in order takes its place.
        let (mut from, mut next) = (right, upper);
        loop {
            let before = Branch { node: next, right: false };
            match self.read().node(before) {
                0 => break,
                node => (from, next) = (before, node),
            }
        }
        let (next_left, next_right) =
            (Branch { node: next, right: false }, Branch { node: next, right: true });
        self.set_node(from, self.read().node(next_right));
        self.set_node(next_left, lower);
        self.set_node(next_right, self.read().node(right));
        self.set_node(branch, next);
    }

    /// Removes the entry at a position, to whose node a branch leads if it has one.
    /// Returns it, and how many positions are used then.
    pub(crate) fn remove_ordered(
        &mut self,
        branch: Option<Branch>,
        position: u32,
    ) -> Option<(super::Entry, u32)> {
        if let Some(branch) = branch {
            self.unlink(branch);
        }
        self.remove_unlinked(position)
    }
}

/// The depth beyond which some ancestor is out of balance: the logarithm of the capacity
/// to the base 1.5, rounded up.
fn depth_max(layout: Layout) -> usize {
    let log = layout.capacity.checked_ilog2().unwrap_or(0).saturating_add(1);
    // log 2 / log 1.5 is less than 12 / 7.
    to_usize(log.saturating_mul(12) / 7).saturating_add(1)
}
