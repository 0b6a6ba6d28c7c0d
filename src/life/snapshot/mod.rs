//! Heap snapshots in the format that the DevTools of Chrome open.
//!
//! A snapshot is one text: counts, nodes, edges, strings, in this order. Nodes are the live
//! objects by arena and slot, edges those of each node in turn. An edge refers to a node by
//! its number, so a bitmap of live slots is made first, in the mark bits, with the number of
//! bits before each word beside it: the number of an object is O(1), and takes no memory
//! that could be refused. Strings come last and are found in the same walk once more, but
//! for names of the VM, of which each is written once.

mod json;
mod names;
mod objects;

use core::fmt;

use self::json::Json;
use self::names::Interned;
pub use self::names::SnapshotNames;
use self::objects::{Bits, Place, edges, is_live, live, self_size, shown};
use super::trace::Bases;
use crate::arena::Arenas;
use crate::heap::Heap;
use crate::kinds::Closure;
use crate::words::{Cell, HasKind, KeyBy, Kind, to_u64, to_usize};

/// What [`Heap::write_heap_snapshot`] has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotTotals {
    /// Nodes: the live objects, host objects and seals included, and four more: the root,
    /// what the garbage collector starts from, the roots and the pins.
    pub nodes: u64,
    /// Edges: references to live objects, also from roots and pins, and those between the
    /// four nodes that are no objects.
    pub edges: u64,
    /// The bytes of all nodes: blocks, 16 for the slot of each object, and values of the host.
    pub bytes: u64,
    /// How often a name of the VM was left out, as the limit left no memory for it.
    pub names_lost: u64,
}

/// What precedes the counts: the fields of nodes and edges, and the names of their types.
const META: &str = concat!(
    r#"{"snapshot":{"meta":{"node_fields":["type","name","id","self_size","edge_count","#,
    r#""trace_node_id","detachedness"],"node_types":[["hidden","array","string","object","code","#,
    r#""closure","regexp","number","native","synthetic","concatenated string","sliced string","#,
    r#""symbol","bigint","object shape"],"string","number","number","number","number","number"],"#,
    r#""edge_fields":["type","name_or_index","to_node"],"edge_types":[["context","element","#,
    r#""property","internal","hidden","shortcut","weak"],"string_or_number","node"],"#,
    r#""trace_function_info_fields":["function_id","name","script_name","script_id","line","#,
    r#""column"],"trace_node_fields":["id","function_info_index","count","size","children"],"#,
    r#""sample_fields":["timestamp_us","last_assigned_id"],"location_fields":["object_index","#,
    r#""script_id","line","column"]},"node_count":"#,
);
/// What follows the edges, up to the strings.
const REST: &str =
    "],\n\"trace_function_infos\":[],\n\"trace_tree\":[],\n\"samples\":[],\n\"locations\":[],\n";

/// The fields of a node.
const FIELDS: u64 = 7;

/// Types of nodes, by their place in [`META`].
mod node {
    pub(super) const STRING: u64 = 2;
    pub(super) const OBJECT: u64 = 3;
    pub(super) const CLOSURE: u64 = 5;
    pub(super) const NATIVE: u64 = 8;
    pub(super) const SYNTHETIC: u64 = 9;
    pub(super) const BIGINT: u64 = 13;
}

/// Types of edges, by their place in [`META`].
mod edge {
    pub(super) const ELEMENT: u64 = 1;
    pub(super) const PROPERTY: u64 = 2;
    pub(super) const INTERNAL: u64 = 3;
    pub(super) const SHORTCUT: u64 = 5;
}

/// The names of the nodes that are no objects, in their order, which DevTools know.
const SYNTHETIC: [&str; 4] = ["", "(GC roots)", "(roots)", "(pins)"];
/// The first strings, after these: names of edges.
const EDGES: [&str; 3] = ["root", "key", "content"];
const ROOT: u64 = 4;
const KEY: u64 = 5;
const CONTENT: u64 = 6;
/// The string with the name of the kind whose arena comes first.
const KINDS: u64 = 7;
/// The first string that is no such name.
const FIRST: u64 = KINDS + Arenas::COUNT as u64;

impl Heap {
    /// Writes the live objects as a heap snapshot, for the DevTools of Chrome (tab Memory;
    /// the file has to be called `.heapsnapshot`): what there is by class, what refers to
    /// what, and what would be freed with an object. Returns the totals.
    ///
    /// `roots` are as for [`Heap::collect`]; pinned objects are roots as well. Objects that no
    /// root reaches are shown, too: a collection before the snapshot frees them. Values that
    /// are no references, such as numbers in a list, are not shown. A text shows its first
    /// 1,024 bytes, an entry of a map the text that is its key. `names` are those of the VM, or
    /// `()`.
    ///
    /// O(slots + live objects and their cells + texts shown), without recursion, in parts of
    /// up to 4 KiB. No memory is needed that a limit could refuse: a snapshot can be written
    /// of a heap that is full. Names of the VM take some, 24 bytes for each different one;
    /// those that do not fit are left out. The number of an object, which tells two snapshots
    /// of one heap what is the same, follows from its kind and slot: an object that was
    /// allocated in the slot of one that was freed has the number of that.
    ///
    /// ```
    /// use segheap::{Heap, List, Map};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::of(&[1.into()]))?;
    /// let globals = heap.alloc(Map::new())?;
    /// let name = heap.string("a global")?;
    /// heap.get_mut(globals)?.insert(name, list.into())?;
    ///
    /// let mut json = String::new();
    /// let totals = heap.write_heap_snapshot(&mut json, [globals], &()).unwrap();
    /// assert_eq!(totals.nodes, 4 + 3);
    /// assert!(json.contains(r#""a global""#));
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`fmt::Error`] if `out` fails.
    pub fn write_heap_snapshot<W, I, N>(
        &mut self,
        out: &mut W,
        roots: I,
        names: &N,
    ) -> Result<SnapshotTotals, fmt::Error>
    where
        W: fmt::Write + ?Sized,
        I: IntoIterator<Item: Into<Cell>> + Clone,
        N: SnapshotNames + ?Sized,
    {
        let (bases, len) = Bases::new(self.store.arenas());
        let (seed, left) = (self.roots.index_seed(), self.store.account().left());
        let mut bits = Bits::take(self, len);
        bits.number(bases);
        let roots = || roots.clone().into_iter().map(Into::into);
        let mut snapshot = Snapshot::new(bits.heap, &bits.words, bases, names);
        snapshot.count(roots());
        let mut interned = Interned::new(seed, left);
        snapshot.write(&mut Json::new(out), &mut interned, &roots)?;
        Ok(SnapshotTotals { names_lost: interned.lost, ..snapshot.totals })
    }

    /// [`Heap::write_heap_snapshot`] into a file or another [`std::io::Write`].
    ///
    /// ```
    /// use segheap::{Heap, List};
    /// let mut heap = Heap::new();
    /// let list = heap.alloc(List::new())?;
    /// let mut file = Vec::new(); // or a `std::fs::File`
    /// let totals = heap.save_heap_snapshot(&mut file, [list], &()).unwrap();
    /// assert!(file.starts_with(b"{\"snapshot\":") && totals.nodes == 5);
    /// # Ok::<(), segheap::Error>(())
    /// ```
    ///
    /// # Errors
    /// That of `out`.
    #[cfg(feature = "std")]
    pub fn save_heap_snapshot<W, I, N>(
        &mut self,
        out: W,
        roots: I,
        names: &N,
    ) -> std::io::Result<SnapshotTotals>
    where
        W: std::io::Write,
        I: IntoIterator<Item: Into<Cell>> + Clone,
        N: SnapshotNames + ?Sized,
    {
        let mut adapter = Adapter { out, error: None };
        let written = self.write_heap_snapshot(&mut adapter, roots, names);
        let error = adapter.error.unwrap_or_else(|| std::io::Error::other(fmt::Error));
        let totals = written.map_err(|fmt::Error| error)?;
        adapter.out.flush()?;
        Ok(totals)
    }
}

/// A writer of text over one of bytes, whose error it keeps.
#[cfg(feature = "std")]
struct Adapter<W> {
    out: W,
    error: Option<std::io::Error>,
}

#[cfg(feature = "std")]
impl<W: std::io::Write> fmt::Write for Adapter<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.out.write_all(text.as_bytes()).map_err(|error| {
            self.error = Some(error);
            fmt::Error
        })
    }
}

/// A snapshot that is being written.
struct Snapshot<'s, 'n, N: ?Sized> {
    heap: &'s Heap,
    bits: &'s [u64],
    bases: Bases,
    names: &'n N,
    totals: SnapshotTotals,
    roots: u64,
    pins: u64,
    /// The first string of the texts of each arena, if they are texts.
    texts: [Option<u64>; Arenas::COUNT],
    /// The first string of the short texts that are keys, one for each reference by one.
    short_keys: u64,
    /// The first string that is a name of the VM.
    named: u64,
}

impl<'s, 'n, N: SnapshotNames + ?Sized> Snapshot<'s, 'n, N> {
    fn new(heap: &'s Heap, bits: &'s [u64], bases: Bases, names: &'n N) -> Self {
        let mut next = FIRST;
        let texts = heap.store.arenas().each(|arena| {
            let first = Some(next).filter(|_| arena.shape().key == KeyBy::Text)?;
            next = first.saturating_add(u64::from(arena.usage().live));
            Some(first)
        });
        let totals = SnapshotTotals::default();
        let (roots, pins) = (0, 0);
        let (short_keys, named) = (next, next);
        Snapshot { heap, bits, bases, names, totals, roots, pins, texts, short_keys, named }
    }

    /// Counts nodes, edges and strings.
    fn count(&mut self, roots: impl Iterator<Item = Cell>) {
        let heap = self.heap;
        self.roots = to_u64(live(heap, roots).count());
        self.pins = to_u64(live(heap, heap.roots.pins()).count());
        let mut totals = SnapshotTotals { nodes: to_u64(SYNTHETIC.len()), ..self.totals };
        // The first node refers to roots as well: DevTools count distances from these.
        totals.edges = 3_u64.saturating_add(self.roots.saturating_mul(2)).saturating_add(self.pins);
        for arena in heap.store.arenas().iter() {
            for (cell, slot) in arena.live() {
                totals.nodes = totals.nodes.saturating_add(1);
                totals.bytes = totals.bytes.saturating_add(self_size(heap, cell, slot));
                for (place, _) in edges(heap, arena, slot) {
                    totals.edges = totals.edges.saturating_add(1);
                    let is_short = u64::from(place.short_key().is_some());
                    self.named = self.named.saturating_add(is_short);
                }
            }
        }
        self.totals = totals;
    }

    /// The place of a live object among the objects.
    #[inline]
    fn rank(&self, kind: Kind, slot: u32) -> u64 {
        let word = self.bases.of(kind).wrapping_add(to_usize(slot) / 64);
        let before = self.bits.get(word.wrapping_add(self.bases.words())).copied().unwrap_or(0);
        let below = (1_u64 << (slot % 64)).wrapping_sub(1);
        let live = self.bits.get(word).map_or(0, |live| (live & below).count_ones());
        before.wrapping_add(u64::from(live))
    }

    /// The string of an object, if it is a text.
    fn text_string(&self, cell: Cell) -> Option<u64> {
        let kind = cell.selector();
        let first = (*self.texts.get(kind.place())?)?;
        Some(first.wrapping_add(self.rank(kind, cell.slot()).wrapping_sub(self.rank(kind, 0))))
    }

    fn write<W, I>(
        &self,
        json: &mut Json<'_, W>,
        interned: &mut Interned<'n>,
        roots: &dyn Fn() -> I,
    ) -> fmt::Result
    where
        W: fmt::Write + ?Sized,
        I: Iterator<Item = Cell>,
    {
        json.raw(META)?;
        json.number(self.totals.nodes)?;
        json.raw(",\"edge_count\":")?;
        json.number(self.totals.edges)?;
        json.raw(",\"trace_function_count\":0,\"extra_native_bytes\":0},\n\"nodes\":[")?;
        self.nodes(json, interned)?;
        json.raw("],\n\"edges\":[")?;
        self.edges_of_roots(json, interned, roots)?;
        self.edges(json, interned)?;
        json.raw(REST)?;
        self.strings(json, interned)?;
        json.raw("]}\n")?;
        json.flush()
    }

    /// The string of a name of the VM.
    fn name_string(&self, interned: &mut Interned<'n>, name: Option<&'n str>) -> Option<u64> {
        let number = interned.intern(self.heap.store.arenas().hash_seeds(), name?)?;
        Some(self.named.wrapping_add(number))
    }

    fn nodes<W: fmt::Write + ?Sized>(
        &self,
        json: &mut Json<'_, W>,
        interned: &mut Interned<'n>,
    ) -> fmt::Result {
        let counts = [self.roots.wrapping_add(1), 2, self.roots, self.pins];
        for (number, count) in (0_u64..).zip(counts) {
            let before = if number == 0 { "" } else { ",\n" };
            let id = number.wrapping_add(1);
            json.numbers(before, &[node::SYNTHETIC, number, id, 0, count, 0, 0])?;
        }
        for (place, arena) in (0_u64..).zip(self.heap.store.arenas().iter()) {
            let (kind, shape) = (arena.kind(), arena.shape());
            let of_type = match (shape.key, kind) {
                (KeyBy::Text, _) => node::STRING,
                (KeyBy::Integer, _) => node::BIGINT,
                (_, Closure::KIND) => node::CLOSURE,
                _ if shape.is_traced() => node::OBJECT,
                _ => node::NATIVE,
            };
            for (cell, slot) in arena.live() {
                let name = match shape.key {
                    KeyBy::Text => self.text_string(cell),
                    KeyBy::Integer => None,
                    KeyBy::Identity => {
                        self.name_string(interned, self.names.class(self.heap, cell))
                    }
                };
                let name = name.unwrap_or(KINDS.wrapping_add(place));
                // Beyond the numbers of the nodes that are no objects.
                let id = (u64::from(cell.slot()) << 4 | kind.selector()).wrapping_add(5);
                let size = self_size(self.heap, cell, slot);
                let count = to_u64(edges(self.heap, arena, slot).count());
                json.numbers(",\n", &[of_type, name, id, size, count, 0, 0])?;
            }
        }
        Ok(())
    }

    /// Writes an edge.
    #[inline]
    fn edge<W: fmt::Write + ?Sized>(
        &self,
        json: &mut Json<'_, W>,
        (of_type, name): (u64, u64),
        to: Cell,
    ) -> fmt::Result {
        let rank = self.rank(to.selector(), to.slot());
        let node = to_u64(SYNTHETIC.len()).wrapping_add(rank);
        json.numbers(",\n", &[of_type, name, node.wrapping_mul(FIELDS)])
    }

    /// Writes the edges of the nodes that are no objects.
    fn edges_of_roots<W, I>(
        &self,
        json: &mut Json<'_, W>,
        interned: &mut Interned<'n>,
        roots: &dyn Fn() -> I,
    ) -> fmt::Result
    where
        W: fmt::Write + ?Sized,
        I: Iterator<Item = Cell>,
    {
        let live_roots = || (0_usize..).zip(roots()).filter(|(_, root)| is_live(self.heap, *root));
        json.numbers("", &[edge::ELEMENT, 1, FIELDS])?;
        for (position, root) in live_roots() {
            let name = self.name_string(interned, self.names.root(position)).unwrap_or(ROOT);
            self.edge(json, (edge::SHORTCUT, name), root)?;
        }
        json.numbers(",\n", &[edge::ELEMENT, 1, FIELDS.saturating_mul(2)])?;
        json.numbers(",\n", &[edge::ELEMENT, 2, FIELDS.saturating_mul(3)])?;
        for (position, root) in live_roots() {
            let name = self.name_string(interned, self.names.root(position));
            let name = name.map(|name| (edge::INTERNAL, name));
            self.edge(json, name.unwrap_or((edge::ELEMENT, to_u64(position))), root)?;
        }
        for (position, pin) in (0_u64..).zip(live(self.heap, self.heap.roots.pins())) {
            self.edge(json, (edge::ELEMENT, position), pin)?;
        }
        Ok(())
    }

    /// Writes the edges of the objects.
    fn edges<W: fmt::Write + ?Sized>(
        &self,
        json: &mut Json<'_, W>,
        interned: &mut Interned<'n>,
    ) -> fmt::Result {
        let mut short_key = self.short_keys;
        for arena in self.heap.store.arenas().iter() {
            for (cell, slot) in arena.live() {
                for (place, to) in edges(self.heap, arena, slot) {
                    let name = match place {
                        Place::Content => (edge::INTERNAL, CONTENT),
                        Place::Key => (edge::INTERNAL, KEY),
                        Place::Element(index) => {
                            let name = self.names.field(self.heap, cell, index);
                            let name = self.name_string(interned, name);
                            let name = name.map(|name| (edge::PROPERTY, name));
                            name.unwrap_or((edge::ELEMENT, u64::from(index)))
                        }
                        Place::Member(position) => (edge::ELEMENT, u64::from(position)),
                        Place::Value(..) if place.short_key().is_some() => {
                            short_key = short_key.wrapping_add(1);
                            (edge::PROPERTY, short_key.wrapping_sub(1))
                        }
                        Place::Value(key, position) => {
                            let key = Some(key).filter(|&key| is_live(self.heap, key));
                            let name = key.and_then(|key| self.text_string(key));
                            let name = name.map(|name| (edge::PROPERTY, name));
                            name.unwrap_or((edge::ELEMENT, u64::from(position)))
                        }
                    };
                    self.edge(json, name, to)?;
                }
            }
        }
        Ok(())
    }

    /// Writes the strings, in the order of their numbers.
    fn strings<W: fmt::Write + ?Sized>(
        &self,
        json: &mut Json<'_, W>,
        interned: &Interned<'n>,
    ) -> fmt::Result {
        let arenas = self.heap.store.arenas();
        json.raw("\"strings\":[")?;
        let kinds = arenas.iter().map(|arena| arena.kind().name());
        let mut before = "";
        for text in SYNTHETIC.into_iter().chain(EDGES).chain(kinds) {
            json.raw(core::mem::replace(&mut before, ",\n"))?;
            json.string(text)?;
        }
        for arena in arenas.iter().filter(|arena| arena.shape().key == KeyBy::Text) {
            for (_, slot) in arena.live() {
                let words = arena.used(slot).unwrap_or_default();
                let bytes = bytemuck::cast_slice(words).get(..to_usize(slot.len));
                json.raw(before)?;
                json.string(shown(bytes.unwrap_or_default()))?;
            }
        }
        for arena in arenas.iter() {
            for (_, slot) in arena.live() {
                let places = edges(self.heap, arena, slot).map(|(place, _)| place);
                for key in places.filter_map(Place::short_key) {
                    json.raw(before)?;
                    json.string(key.as_str())?;
                }
            }
        }
        for name in interned.iter() {
            json.raw(before)?;
            json.string(name)?;
        }
        Ok(())
    }
}
