//! Objects and graphs of objects.

use alloc::vec::Vec;

use proptest::prelude::*;

use super::values::{immediate, text};
use crate::heap::Heap;
use crate::kinds::{
    Bignum, Bytes, Closure, F64Arr, I64Arr, List, Map, Pair, Set, Str, Struct, U8Arr,
};
use crate::words::{Cell, Error, Kind, Result};

/// An object to be allocated.
#[derive(Clone, Debug)]
pub struct ObjectRecipe {
    /// Its kind.
    pub kind: Kind,
    /// Its cells, if it has any, before those of the graph; the keys of entries.
    pub cells: Vec<Cell>,
    /// Its shape, its function, or its numbers.
    pub number: u32,
    /// Its text.
    pub text: alloc::string::String,
}

impl ObjectRecipe {
    /// Allocates the object, with its own cells and `more`.
    ///
    /// ```
    /// use segheap::testing::ObjectRecipe;
    /// use segheap::{Heap, Kind, Settings};
    /// let mut heap = Heap::with(Settings::seeded(1));
    /// let recipe =
    ///     ObjectRecipe { kind: Kind::LIST, cells: vec![1.into()], number: 0, text: String::new() };
    /// let list = recipe.build(&mut heap, &[2.into()])?;
    /// assert_eq!(heap.display(list).to_string(), "[1, 2]");
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Heap::alloc`](crate::Heap::alloc); [`Error::Stale`] for a key that was freed.
    pub fn build(&self, heap: &mut Heap, more: &[Cell]) -> Result<Cell> {
        let cells: Vec<Cell> = self.cells.iter().chain(more).copied().collect();
        let cell = |n: usize| cells.get(n).copied().unwrap_or_default();
        Ok(match self.kind {
            Kind::STR => heap.alloc(Str::new(&self.text))?.cell(),
            Kind::LIST => heap.alloc(List::of(&cells))?.cell(),
            Kind::MAP => {
                let map = heap.alloc(Map::new())?;
                for (n, &value) in (0_u32..).zip(&cells) {
                    let key = self.cells.get(crate::words::to_usize(n)).copied();
                    heap.get_mut(map)?.insert(key.unwrap_or(n.into()), value)?;
                }
                map.cell()
            }
            Kind::SET => {
                let set = heap.alloc(Set::new())?;
                for &member in &cells {
                    heap.get_mut(set)?.insert(member)?;
                }
                set.cell()
            }
            Kind::STRUCT => heap.alloc(Struct::of(self.number, &cells))?.cell(),
            Kind::CLOSURE => heap.alloc(Closure::of(self.number, &cells))?.cell(),
            Kind::BIGNUM => {
                heap.alloc(Bignum::of(self.number % 2 == 1, &[self.number.into(), 1]))?.cell()
            }
            Kind::BYTES => heap.alloc(Bytes::of(self.text.as_bytes()))?.cell(),
            Kind::PAIR => heap.alloc(Pair::of(cell(0), cell(1)))?.cell(),
            Kind::F64ARR => heap.alloc(F64Arr::of(&[self.number.into(), 2.5, 3.0, -4.0]))?.cell(),
            Kind::I64ARR => {
                heap.alloc(I64Arr::of(&[self.number.into(), -2, 300, i64::MAX]))?.cell()
            }
            Kind::U8ARR => heap.alloc(U8Arr::of(self.text.as_bytes()))?.cell(),
            kind => self.of_family(heap, kind)?,
        })
    }

    /// An object of a kind whose family says how it is made.
    fn of_family(&self, heap: &mut Heap, kind: Kind) -> Result<Cell> {
        macro_rules! families {
            ($($Kind:ident as $NAME:ident, $family:ident;)*) => {
                match kind {
                    $(Kind::$NAME => families! { $family $Kind },)*
                    _ => Err(Error::NotAHandle),
                }
            };
            (values $Kind:ident) => { Ok(heap.alloc(crate::$Kind::zeroed(4))?.cell()) };
            (cells $Kind:ident) => { Ok(heap.alloc(crate::$Kind::of(&[Cell::TRUE; 4]))?.cell()) };
            ($family:ident $Kind:ident) => { Err(Error::NotAHandle) };
        }
        crate::kinds::each_kind!(families)
    }
}

/// Returns objects of every kind, which refer to no other.
///
/// ```
/// use proptest::prelude::*;
/// use segheap::{Heap, Settings};
/// proptest!(|(object in segheap::testing::object())| {
///     let mut heap = Heap::with(Settings::seeded(1));
///     let cell = object.build(&mut heap, &[])?;
///     prop_assert_eq!(cell.kind(), Some(object.kind));
/// });
/// ```
pub fn object() -> impl Strategy<Value = ObjectRecipe> {
    let cells = prop::collection::vec(immediate(), 0..4);
    (prop::sample::select(&Kind::ALL[..]), cells, 0_u32..5, text())
        .prop_map(|(kind, cells, number, text)| ObjectRecipe { kind, cells, number, text })
}

/// A graph of objects, which may have cycles; returned by [`graph`].
#[derive(Clone, Debug)]
pub struct Graph {
    /// The objects, each with the numbers of those that it refers to.
    pub nodes: Vec<(ObjectRecipe, Vec<u16>)>,
}

impl Graph {
    /// Allocates the objects; returns their handles, in order. An object refers to those
    /// before it, modulo their number; a list also to those after it. O(objects + references).
    ///
    /// ```
    /// use proptest::prelude::*;
    /// use segheap::{Heap, Settings};
    /// proptest!(|(graph in segheap::testing::graph(30))| {
    ///     let mut heap = Heap::with(Settings::seeded(1));
    ///     let objects = graph.build(&mut heap)?;
    ///     let freed = heap.collect([objects[0]])?.freed;
    ///     prop_assert!(freed < objects.len() as u64 && heap.contains(objects[0]));
    /// });
    /// ```
    ///
    /// # Errors
    /// As [`Heap::alloc`](crate::Heap::alloc).
    pub fn build(&self, heap: &mut Heap) -> Result<Vec<Cell>> {
        let mut objects: Vec<Cell> = Vec::new();
        for (recipe, edges) in &self.nodes {
            let earlier = edges.iter().filter_map(|&edge| super::Instruction::pick(edge, &objects));
            let cells: Vec<Cell> = earlier.copied().collect();
            objects.push(recipe.build(heap, &cells)?);
        }
        for ((_, edges), &object) in self.nodes.iter().zip(&objects) {
            let last = edges.last().and_then(|&edge| super::Instruction::pick(edge, &objects));
            if let (Ok(mut list), Some(&last)) = (heap.get_mut::<List>(object), last) {
                list.push(last)?;
            }
        }
        Ok(objects)
    }
}

/// Returns graphs of one to `len` objects of every kind.
pub fn graph(len: usize) -> impl Strategy<Value = Graph> {
    let edges = prop::collection::vec(any::<u16>(), 0..4);
    prop::collection::vec((object(), edges), 1..=len.max(1)).prop_map(|nodes| Graph { nodes })
}
