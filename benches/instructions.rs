//! The hottest operations of a VM, each in a loop of its own that amortises its
//! surroundings. `benches/instructions.sh` runs this under callgrind and compares the
//! instructions of an iteration with `benches/instructions.txt`. By itself it prints
//! nothing; without `--bench` each loop runs once, as a test.

mod arguments;

use std::hint::black_box;

use arguments::Arguments;
use clap::Command;

use segheap::{
    Bytes, Cell, Closure, Error, F64Arr, Handle, Heap, I64Arr, KeyHint, List, Map, Pair, RangeHint,
    Region, Set, Settings, Str, Struct,
};

/// Iterations of each loop; `benches/instructions.sh` divides by it.
const ITERATIONS: usize = 1_000;

type Operation = fn(&mut Fixture) -> Result<(), Error>;

/// A heap with the objects of the operations.
struct Fixture {
    heap: Heap,
    list: Handle<List>,
    stack: Handle<List>,
    pair: Handle<Pair>,
    record: Handle<Struct>,
    /// Of no shape that an inline cache has.
    closed: Handle<Struct>,
    closure: Handle<Closure>,
    floats: Handle<F64Arr>,
    ints: Handle<I64Arr>,
    bytes: Handle<Bytes>,
    text: Handle<Str>,
    map: Handle<Map>,
    /// A map of integers.
    counts: Handle<Map>,
    /// A record of 8 fields.
    fields: Handle<Map>,
    hints: [KeyHint; 8],
    set: Handle<Set>,
    texts: Vec<Cell>,
    others: Vec<Cell>,
    hint: RangeHint<List>,
    live: Vec<Handle<Pair>>,
    /// 64 integers in no order, and a list of them that is sorted again and again.
    unsorted: Vec<Cell>,
    sorted: Handle<List>,
    /// Two equal lists of 8 lists of 8 integers.
    nested: [Cell; 2],
    builder: Handle<Bytes>,
    /// Integers of two limbs and of one.
    wide: [Cell; 2],
    /// An empty heap.
    other: Heap,
    versions: Versions,
    /// After a young collection, and while a cycle marks: states of objects are kept.
    young: Collecting,
    marking: Collecting,
    names: Names,
    many: Many,
    keyed: Keyed,
}

/// A heap that does not only collect at once, and an old list in it.
struct Collecting {
    heap: Heap,
    list: Handle<List>,
    hint: RangeHint<List>,
}

impl Collecting {
    fn new(begin: impl FnOnce(&mut Heap, [Cell; 2]) -> Result<(), Error>) -> Result<Self, Error> {
        let mut heap = Heap::with(Settings::seeded(1));
        let list = heap.alloc(List::zeroed(ITERATIONS))?;
        let more = heap.alloc(List::zeroed(100 * ITERATIONS))?;
        let hint = heap.hint(list, ..)?;
        begin(&mut heap, [list.into(), more.into()])?;
        Ok(Collecting { heap, list, hint })
    }
}

/// A heap with many objects, all of them pinned, watched, and allocated in an open region.
struct Many {
    heap: Heap,
    objects: Vec<Cell>,
    region: Region,
}

impl Many {
    const OBJECTS: u32 = 80_000;

    fn new() -> Result<Many, Error> {
        let mut heap = Heap::with(Settings::seeded(4));
        let region = heap.open_region()?;
        let objects: Vec<Cell> = (0..Self::OBJECTS)
            .map(|n| Ok(heap.alloc(Pair::of(n.into(), Cell::NULL))?.into()))
            .collect::<Result<_, Error>>()?;
        for (&object, token) in objects.iter().zip(0..) {
            heap.pin(object)?;
            heap.watch(object, token)?;
        }
        heap.allocated_in(&region, Cell::NULL)?;
        heap.allocated_in(&region, objects[0])?;
        Ok(Many { heap, objects, region })
    }

    /// An object, in no order.
    fn pick(&self, i: usize) -> Cell {
        self.objects[i * 7919 % self.objects.len()]
    }
}

/// Maps by a hash of the VM's own, and by pairs.
struct Keyed {
    heap: Heap,
    own: Handle<Map>,
    by_pairs: Handle<Map>,
    /// Values that are equal to the keys, but other objects.
    pairs: Vec<Cell>,
}

impl Keyed {
    fn new() -> Result<Keyed, Error> {
        let mut heap = Heap::with(Settings::seeded(5));
        let (own, by_pairs) = (heap.alloc(Map::new())?, heap.alloc(Map::new())?);
        let mut pairs = Vec::new();
        for n in 0..ITERATIONS as u32 {
            heap.map_insert_by(own, n.into(), n.into(), u64::from(n) << 16, Keyed::same)?;
            let [key, equal] = [0; 2].map(|_| heap.alloc_value(Pair::of(n.into(), 1.into())));
            heap.map_insert(by_pairs, key?.into(), n.into())?;
            pairs.push(equal?.into());
        }
        Ok(Keyed { heap, own, by_pairs, pairs })
    }

    /// The equality of two integers, as code of the VM.
    fn same(_: &mut Heap, a: Cell, b: Cell) -> Result<bool, Error> {
        Ok(a == b)
    }
}

/// The newest versions of a list and of a text.
struct Versions {
    heap: Heap,
    list: Handle<List>,
    text: Cell,
}

impl Versions {
    fn new() -> Result<Versions, Error> {
        let mut heap = Heap::with(Settings::seeded(1));
        let (list, text) = (heap.alloc(List::new())?, heap.string("a text")?);
        Ok(Versions { heap, list, text })
    }
}

/// A heap with 64 symbols.
struct Names {
    heap: Heap,
    texts: Vec<String>,
    symbols: Vec<Cell>,
    /// The values of 8, and of all.
    fields: Handle<Map>,
    many: Handle<Map>,
}

impl Names {
    fn new() -> Result<Names, Error> {
        let mut heap = Heap::with(Settings::seeded(3));
        let texts: Vec<String> = (0..64).map(|n| format!("a name, {n:08}")).collect();
        let symbols: Vec<Cell> =
            texts.iter().map(|text| heap.intern(text)).collect::<Result<_, _>>()?;
        let (fields, many) = (heap.alloc(Map::new())?, heap.alloc(Map::new())?);
        for (n, &symbol) in symbols.iter().enumerate() {
            if n < 8 {
                heap.map_insert(fields, symbol, Cell::TRUE)?;
            }
            heap.map_insert(many, symbol, Cell::TRUE)?;
        }
        Ok(Names { heap, texts, symbols, fields, many })
    }
}

impl Fixture {
    fn new() -> Result<Fixture, Error> {
        let mut heap = Heap::with(Settings::seeded(1));
        let cells: Vec<Cell> = (0..ITERATIONS as u32).map(Cell::from).collect();
        let list = heap.alloc(List::of(&cells))?;
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        for i in 0..ITERATIONS {
            texts.push(heap.string(&format!("a name, {i:08}"))?);
            others.push(heap.string(&format!("a name, {i:08}"))?);
        }
        let map = heap.alloc(Map::new())?;
        let counts = heap.alloc(Map::new())?;
        for &key in &cells {
            heap.get_mut(counts)?.insert(key, key)?;
        }
        let fields = heap.alloc(Map::new())?;
        for &key in texts.iter().take(8) {
            heap.get_mut(fields)?.insert(key, key)?;
        }
        let set = heap.alloc(Set::new())?;
        let short = ["a", "ab", "x", "y1"].map(|text| Cell::short_str(text).unwrap_or_default());
        for &key in cells.iter().chain(&texts).chain(&short) {
            heap.get_mut(map)?.insert(key, key)?;
            heap.get_mut(set)?.insert(key)?;
        }
        let unsorted: Vec<Cell> = (0..64_u32).map(|n| Cell::from(n * 37 % 64)).collect();
        let mut nested = [Cell::NULL; 2];
        for outer in &mut nested {
            let inner = cells[..64].chunks(8).map(|cells| heap.alloc(List::of(cells)));
            let inner = inner.map(|list| list.map(Cell::from)).collect::<Result<Vec<_>, _>>()?;
            *outer = heap.alloc(List::of(&inner))?.into();
        }
        Ok(Fixture {
            sorted: heap.alloc(List::of(&unsorted))?,
            builder: heap.alloc(Bytes::with_capacity(1_024))?,
            wide: [heap.int128(-(1 << 100))?, heap.int(i64::MAX - 7)?],
            unsorted,
            nested,
            other: Heap::with(Settings::seeded(2)),
            versions: Versions::new()?,
            young: Collecting::new(|heap, roots| heap.collect_young(roots).map(drop))?,
            marking: Collecting::new(|heap, roots| {
                let step = heap.step(roots, 2 * 8 * ITERATIONS as u64)?;
                assert!(!step.finished, "there is more to mark");
                Ok(())
            })?,
            names: Names::new()?,
            many: Many::new()?,
            keyed: Keyed::new()?,
            stack: heap.alloc(List::with_capacity(ITERATIONS))?,
            pair: heap.alloc(Pair::of(1.into(), 2.into()))?,
            record: heap.alloc(Struct::new(7, 3))?,
            closed: heap.alloc(Struct::new(7, 3))?,
            closure: heap.alloc(Closure::of(7, &cells[..3]))?,
            floats: heap.alloc(F64Arr::zeroed(ITERATIONS))?,
            ints: heap.alloc(I64Arr::zeroed(64))?,
            bytes: heap.alloc(Bytes::zeroed(4_096))?,
            text: heap.alloc(Str::new("sixteen bytes :)"))?,
            hint: heap.hint(list, ..)?,
            live: Vec::with_capacity(ITERATIONS),
            heap,
            list,
            map,
            counts,
            fields,
            hints: [KeyHint::default(); 8],
            set,
            texts,
            others,
        })
    }
}

/// Defines functions that repeat an operation.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($fixture:ident, $i:ident) $body:block)*) => {
        $(
            $(#[$doc])*
            #[inline(never)]
            fn $name($fixture: &mut Fixture) -> Result<(), Error> {
                for $i in 0..ITERATIONS {
                    _ = black_box($body);
                }
                Ok(())
            }
        )*
        const OPERATIONS: &[(&str, Operation)] = &[$((stringify!($name), $name)),*];
    };
}

operations! {
    list_get(fixture, i) { fixture.heap.get(black_box(fixture.list))?.get(i)? }
    list_set(fixture, i) { fixture.heap.get_mut(black_box(fixture.list))?.set(i, Cell::from(i as u32))? }
    list_set_young(fixture, i) {
        fixture.young.heap.get_mut(black_box(fixture.young.list))?.set(i, Cell::from(i as u32))?
    }
    list_set_marking(fixture, i) {
        fixture.marking.heap.get_mut(black_box(fixture.marking.list))?.set(i, Cell::from(i as u32))?
    }
    hint_set(fixture, i) { fixture.hint.set(&mut fixture.heap, i, Cell::from(i as u32))? }
    hint_set_young(fixture, i) {
        fixture.young.hint.set(&mut fixture.young.heap, i, Cell::from(i as u32))?
    }
    hint_set_marking(fixture, i) {
        fixture.marking.hint.set(&mut fixture.marking.heap, i, Cell::from(i as u32))?
    }
    list_push(fixture, i) { fixture.heap.get_mut(black_box(fixture.stack))?.push(Cell::from(i as u32))? }
    list_pop(fixture, _i) { fixture.heap.get_mut(black_box(fixture.stack))?.pop()? }
    pair_get(fixture, _i) { fixture.heap.get(black_box(fixture.pair))?.second()? }
    struct_get(fixture, _i) { fixture.heap.get(black_box(fixture.record))?.get(black_box(2))? }
    struct_set(fixture, _i) {
        fixture.heap.get_mut(black_box(fixture.record))?.set(black_box(2), Cell::NULL)?
    }
    /// An inline cache compares the shape, and knows the index.
    field_get_cached(fixture, _i) {
        fixture.heap.field(black_box(fixture.record), black_box(7), black_box(2))?
    }
    field_set_cached(fixture, _i) {
        let (record, shape) = (black_box(fixture.record), black_box(7));
        fixture.heap.set_field(record, shape, black_box(2), Cell::NULL)?
    }
    /// With room for the fields.
    record_of_3_fields_free(fixture, i) {
        let record = fixture.heap.alloc(Struct::with_capacity(0, 3))?;
        for shape in 1..4 {
            fixture.heap.get_mut(black_box(record))?.push_field(Cell::from(i as u32), shape)?;
        }
        fixture.heap.free(record)?
    }
    grow_record_to_8_fields_free(fixture, i) {
        let record = fixture.heap.alloc(Struct::new(0, 0))?;
        for shape in 1..9 {
            fixture.heap.get_mut(black_box(record))?.push_field(Cell::from(i as u32), shape)?;
        }
        fixture.heap.free(record)?
    }
    set_shape(fixture, i) { fixture.heap.get_mut(black_box(fixture.closed))?.set_shape(i as u32)? }
    /// Beside many others, here and below.
    unpin_pin(fixture, i) {
        let many = &mut fixture.many;
        let object = many.pick(i);
        assert!(many.heap.unpin(object));
        many.heap.pin(object)?
    }
    watch_unwatch(fixture, i) {
        let many = &mut fixture.many;
        let object = many.pick(i);
        many.heap.watch(object, 1 << 40)?;
        many.heap.unwatch(object, 1 << 40)
    }
    watch_free_drain(fixture, i) {
        let heap = &mut fixture.many.heap;
        let pair = heap.alloc(Pair::of(1.into(), 2.into()))?;
        heap.watch(pair, i as u64)?;
        heap.free(pair)?;
        assert_eq!(heap.drain_dead().next(), Some(i as u64));
    }
    allocated_in(fixture, i) {
        let many = &mut fixture.many;
        let object = many.pick(i);
        many.heap.allocated_in(&many.region, object)?
    }
    closure_get(fixture, _i) { fixture.heap.get(black_box(fixture.closure))?.get(black_box(1))? }
    f64_get(fixture, i) { fixture.heap.get(black_box(fixture.floats))?.get(i)? }
    f64_set(fixture, i) { fixture.heap.get_mut(black_box(fixture.floats))?.set(i, 0.5)? }
    text_get(fixture, _i) { fixture.heap.text(black_box(fixture.text).into())?.len() }
    hint_get(fixture, i) { fixture.hint.get(&fixture.heap, i)? }
    window_get(fixture, i) { fixture.heap.window(black_box(fixture.list), i..)?[0] }
    map_get_int(fixture, i) { fixture.heap.get(black_box(fixture.map))?.get(Cell::from(i as u32))? }
    element_get(fixture, i) { fixture.heap.element(black_box(fixture.list), i)? }
    element_set(fixture, i) {
        fixture.heap.set_element(black_box(fixture.list), i, Cell::from(i as u32))?
    }
    element_update(fixture, i) {
        fixture.heap.update_element(black_box(fixture.floats), i, |float| float + 1.0)?
    }
    map_get_int_direct(fixture, i) {
        fixture.heap.map_get(black_box(fixture.map), Cell::from(i as u32))?
    }
    map_get_missing_int_direct(fixture, i) {
        fixture.heap.map_get(black_box(fixture.map), Cell::from((i + ITERATIONS) as u32))?
    }
    map_get_by_own_hash(fixture, i) {
        let keyed = &mut fixture.keyed;
        let key = Cell::from(i as u32);
        keyed.heap.map_get_by(black_box(keyed.own), key, (i as u64) << 16, Keyed::same)?
    }
    map_get_pair(fixture, i) {
        let keyed = &fixture.keyed;
        keyed.heap.map_get(black_box(keyed.by_pairs), keyed.pairs[i])?
    }
    map_insert_over_direct(fixture, i) {
        fixture.heap.map_insert(black_box(fixture.map), Cell::from(i as u32), Cell::NULL)?
    }
    record_get_with_hint(fixture, i) {
        let hint = &mut fixture.hints[i % 8];
        fixture.heap.map_get_with(black_box(fixture.fields), fixture.texts[i % 8], hint)?
    }
    map_get_text(fixture, i) { fixture.heap.get(black_box(fixture.map))?.get(fixture.others[i])? }
    map_get_same_text(fixture, i) {
        fixture.heap.get(black_box(fixture.map))?.get(fixture.texts[i])?
    }
    map_get_symbol(fixture, i) {
        let names = &fixture.names;
        names.heap.map_get(black_box(names.fields), names.symbols[i % 8])?
    }
    map_get_symbol_of_64(fixture, i) {
        let names = &fixture.names;
        names.heap.map_get(black_box(names.many), names.symbols[i % 64])?
    }
    map_insert_over_symbol(fixture, i) {
        let names = &mut fixture.names;
        names.heap.map_insert(black_box(names.many), names.symbols[i % 64], Cell::NULL)?
    }
    intern(fixture, i) {
        let names = &mut fixture.names;
        names.heap.intern(&names.texts[i % 64])?
    }
    pair_alloc_free_beside_symbols(fixture, _i) {
        let heap = &mut fixture.names.heap;
        let pair = heap.alloc(Pair::of(1.into(), 2.into()))?;
        heap.free(pair)?
    }
    map_get_short_text(fixture, i) {
        let key = Cell::short_str(["a", "ab", "x", "y1"][i % 4]).unwrap_or_default();
        fixture.heap.get(black_box(fixture.map))?.get(key)?
    }
    map_get_missing_int(fixture, i) {
        fixture.heap.get(black_box(fixture.map))?.get(Cell::from((i + ITERATIONS) as u32))?
    }
    record_get(fixture, i) {
        fixture.heap.get(black_box(fixture.fields))?.get(fixture.texts[i % 8])?
    }
    map_remove_insert_int(fixture, i) {
        let key = Cell::from(i as u32);
        fixture.heap.get_mut(black_box(fixture.counts))?.remove(key)?;
        fixture.heap.get_mut(black_box(fixture.counts))?.insert(key, Cell::TRUE)?
    }
    map_insert_over(fixture, i) {
        fixture.heap.get_mut(black_box(fixture.map))?.insert(Cell::from(i as u32), Cell::NULL)?
    }
    set_contains_int(fixture, i) {
        fixture.heap.get(black_box(fixture.set))?.contains(Cell::from(i as u32))?
    }
    map_remove_insert(fixture, i) {
        fixture.heap.get_mut(black_box(fixture.map))?.remove(fixture.texts[i])?;
        fixture.heap.get_mut(black_box(fixture.map))?.insert(fixture.texts[i], Cell::TRUE)?
    }
    pair_alloc(fixture, i) {
        let pair = fixture.heap.alloc(Pair::of(Cell::from(i as u32), Cell::NULL))?;
        fixture.live.push(pair);
    }
    /// Once, with three times as many objects as iterations.
    collect_3_objects(fixture, i) {
        if i == 0 {
            let roots = fixture.live.iter().map(|&pair| Cell::from(pair));
            let kept = fixture.texts.iter().chain(&fixture.others).copied();
            let objects = [
                fixture.list.into(), fixture.stack.into(), fixture.pair.into(), fixture.record.into(),
                fixture.closure.into(), fixture.floats.into(), fixture.ints.into(), fixture.bytes.into(),
                fixture.text.into(), fixture.map.into(), fixture.set.into(), fixture.fields.into(),
                fixture.counts.into(), fixture.sorted.into(), fixture.builder.into(),
                fixture.wide[0], fixture.wide[1], fixture.nested[0], fixture.nested[1], fixture.closed.into(),
            ];
            fixture.heap.collect(roots.chain(kept).chain(objects))?;
        }
    }
    pair_free(fixture, _i) {
        if let Some(pair) = fixture.live.pop() {
            fixture.heap.free(pair)?;
        }
    }
    text_eq(fixture, i) {
        fixture.heap.text_eq(black_box(fixture.texts[i]), black_box(fixture.others[i]))?
    }
    text_alloc_free(fixture, _i) {
        let text = fixture.heap.string(black_box("sixteen bytes :)"))?;
        fixture.heap.free(text)?
    }
    region_of_a_pair(fixture, _i) {
        let region = fixture.heap.open_region()?;
        black_box(fixture.heap.alloc(Pair::of(Cell::TRUE, Cell::NULL))?);
        fixture.heap.close_region(region, [Cell::NULL])?
    }
    copy_bytes_16(fixture, i) {
        fixture.heap.copy_across(black_box(fixture.bytes), i, black_box(fixture.text), ..)?
    }
    list_from_i64_64(fixture, _i) {
        let list = fixture.heap.convert_across::<List>(black_box(fixture.ints), ..)?;
        fixture.heap.free(list)?
    }
    concat_free(fixture, _i) {
        let text = Cell::from(black_box(fixture.text));
        let text = fixture.heap.concat(&[text.into(), text.into()])?;
        fixture.heap.free(text)?
    }
    append_16(fixture, i) {
        if i % 64 == 0 {
            fixture.heap.get_mut(fixture.builder)?.truncate(0)?;
        }
        fixture.heap.append_across(black_box(fixture.builder), black_box(fixture.text), ..)?
    }
    /// All versions are kept.
    append_version(fixture, i) {
        let Versions { heap, list, .. } = &mut fixture.versions;
        *list = heap.append(black_box(*list), Cell::from(i as u32))?
    }
    /// Each is freed by its successor.
    append_version_free(fixture, i) {
        let Versions { heap, list, .. } = &mut fixture.versions;
        let old = core::mem::replace(list, heap.append(black_box(*list), Cell::from(i as u32))?);
        heap.free(old)?
    }
    append_text_free(fixture, _i) {
        let Versions { heap, text, .. } = &mut fixture.versions;
        let old = core::mem::replace(text, heap.append_text(black_box(*text), "abcdefghijkl")?);
        heap.free(old)?
    }
    text_from_bytes_64_free(fixture, _i) {
        let text = fixture.heap.convert_across::<Str>(black_box(fixture.bytes), ..64)?;
        fixture.heap.free(text)?
    }
    text_from_bytes_4096_free(fixture, _i) {
        let text = fixture.heap.convert_across::<Str>(black_box(fixture.bytes), ..)?;
        fixture.heap.free(text)?
    }
    grow_list_to_16_free(fixture, i) {
        let list = fixture.heap.alloc(List::new())?;
        for _ in 0..16 {
            fixture.heap.get_mut(black_box(list))?.push(Cell::from(i as u32))?;
        }
        fixture.heap.free(list)?
    }
    int_add_wide_free(fixture, i) {
        let sum = fixture.heap.add(black_box(fixture.wide[0]), Cell::from(i as u32))?;
        fixture.heap.free(sum)?
    }
    int_sub_wide_free(fixture, i) {
        let difference = fixture.heap.sub(black_box(fixture.wide[0]), Cell::from(i as u32))?;
        fixture.heap.free(difference)?
    }
    int_div_wide_free(fixture, i) {
        let quotient = fixture.heap.div(black_box(fixture.wide[0]), Cell::from(i as u32 + 3))?;
        fixture.heap.free(quotient)?
    }
    int_rem_wide(fixture, _i) {
        fixture.heap.rem(black_box(fixture.wide[0]), black_box(fixture.wide[1]))?
    }
    int_cmp_wide(fixture, i) {
        fixture.heap.cmp_int(black_box(fixture.wide[0]), Cell::from(i as u32))?
    }
    int_wrapping_mul(fixture, _i) {
        fixture.heap.wrapping_mul(black_box(fixture.wide[1]), black_box(fixture.wide[1]))?
    }
    int_shl(fixture, i) { fixture.heap.shl(black_box(Cell::from(i as u32)), black_box(3.into()))? }
    int_bitand(fixture, i) {
        fixture.heap.bitand(black_box(Cell::from(i as u32)), black_box(255.into()))?
    }
    int_div_floor(fixture, i) {
        fixture.heap.div_floor(black_box(Cell::from(i as u32)), black_box((-7).into()))?
    }
    int_mul_wide_free(fixture, _i) {
        let product = fixture.heap.mul(black_box(fixture.wide[1]), black_box(fixture.wide[1]))?;
        fixture.heap.free(product)?
    }
    sort_64(fixture, _i) {
        let mut list = fixture.heap.get_mut(fixture.sorted)?;
        list.as_mut_slice().copy_from_slice(&fixture.unsorted);
        fixture.heap.sort(black_box(fixture.sorted))?
    }
    sort_by_64(fixture, _i) {
        let mut list = fixture.heap.get_mut(fixture.sorted)?;
        list.as_mut_slice().copy_from_slice(&fixture.unsorted);
        fixture.heap.sort_by(black_box(fixture.sorted), |heap, a, b| heap.cmp_int(a, b))?
    }
    deep_eq_9_lists(fixture, _i) {
        let [a, b] = black_box(fixture.nested);
        fixture.heap.deep_eq(a, b)?
    }
    transplant_9_lists(fixture, i) {
        if i % 64 == 0 {
            fixture.other.clear();
        }
        fixture.other.transplant(&fixture.heap, black_box(fixture.nested[0]))?
    }
    int_add(fixture, i) { fixture.heap.add(black_box(Cell::from(i as u32)), black_box(1.into()))? }
}

/// Toggles the collection of callgrind.
#[inline(never)]
fn counted(fixture: &mut Fixture, operations: &[Operation]) -> Result<(), Error> {
    operations.iter().try_for_each(|operation| operation(fixture))
}

fn main() -> Result<(), Error> {
    let about = "Loops of the hottest operations, for `benches/instructions.sh` to count";
    let arguments = Arguments::parse(Command::new("instructions").about(about));
    if arguments.list(OPERATIONS.iter().map(|(name, _)| *name)) {
        return Ok(());
    }
    let selected = OPERATIONS.iter().filter(|(name, _)| arguments.selects(name));
    let operations: Vec<Operation> = selected.map(|(_, operation)| *operation).collect();
    let mut fixture = Fixture::new()?;
    // Reserves the capacity, so that no counted iteration grows an arena.
    operations.iter().try_for_each(|operation| operation(&mut fixture))?;
    if arguments.measures() { counted(black_box(&mut fixture), &operations) } else { Ok(()) }
}
