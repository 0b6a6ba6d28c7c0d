//! The operations that a VM does most, each in a function of its own, so often that
//! what surrounds a turn vanishes. `benches/instructions.sh` runs this under callgrind
//! and holds the instructions of a turn to `benches/instructions.txt`; by itself it
//! shows nothing.

use std::hint::black_box;

use segheap::{
    Bytes, Cell, Closure, Error, F64Arr, Handle, Heap, I64Arr, List, Map, Pair, RangeHint, Set,
    Settings, Str, Struct,
};

/// `benches/instructions.sh` divides by it.
const TURNS: usize = 1_000;

/// A heap with an object of each kind that is worked on.
struct World {
    heap: Heap,
    list: Handle<List>,
    stack: Handle<List>,
    pair: Handle<Pair>,
    record: Handle<Struct>,
    closure: Handle<Closure>,
    floats: Handle<F64Arr>,
    ints: Handle<I64Arr>,
    bytes: Handle<Bytes>,
    text: Handle<Str>,
    map: Handle<Map>,
    set: Handle<Set>,
    texts: Vec<Cell>,
    others: Vec<Cell>,
    hint: RangeHint<List>,
    live: Vec<Handle<Pair>>,
}

impl World {
    fn new() -> Result<World, Error> {
        let mut heap = Heap::with(Settings::seeded(1));
        let cells: Vec<Cell> = (0..TURNS as u32).map(Cell::from).collect();
        let list = heap.alloc(List::of(&cells))?;
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        for i in 0..TURNS {
            texts.push(heap.string(&format!("a name, {i:08}"))?);
            others.push(heap.string(&format!("a name, {i:08}"))?);
        }
        let map = heap.alloc(Map::new())?;
        let set = heap.alloc(Set::new())?;
        for &key in cells.iter().chain(&texts) {
            heap.get_mut(map)?.insert(key, key)?;
            heap.get_mut(set)?.insert(key)?;
        }
        Ok(World {
            stack: heap.alloc(List::with_capacity(TURNS))?,
            pair: heap.alloc(Pair::of(1.into(), 2.into()))?,
            record: heap.alloc(Struct::new(7, 3))?,
            closure: heap.alloc(Closure::of(7, &cells[..3]))?,
            floats: heap.alloc(F64Arr::zeroed(TURNS))?,
            ints: heap.alloc(I64Arr::zeroed(64))?,
            bytes: heap.alloc(Bytes::zeroed(4_096))?,
            text: heap.alloc(Str::new("sixteen bytes :)"))?,
            hint: heap.hint(list, ..)?,
            live: Vec::with_capacity(TURNS),
            heap,
            list,
            map,
            set,
            texts,
            others,
        })
    }
}

/// Functions that do the same thing in every turn.
macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident($world:ident, $turn:ident) $body:block)*) => {
        $(
            $(#[$doc])*
            #[inline(never)]
            fn $name($world: &mut World) -> Result<(), Error> {
                for $turn in 0..TURNS {
                    _ = black_box($body);
                }
                Ok(())
            }
        )*
        const OPERATIONS: &[fn(&mut World) -> Result<(), Error>] = &[$($name),*];
    };
}

operations! {
    list_get(world, i) { world.heap.get(black_box(world.list))?.get(i)? }
    list_set(world, i) { world.heap.get_mut(black_box(world.list))?.set(i, Cell::from(i as u32))? }
    list_push(world, i) { world.heap.get_mut(black_box(world.stack))?.push(Cell::from(i as u32))? }
    list_pop(world, _i) { world.heap.get_mut(black_box(world.stack))?.pop()? }
    pair_get(world, _i) { world.heap.get(black_box(world.pair))?.second()? }
    struct_get(world, _i) { world.heap.get(black_box(world.record))?.get(black_box(2))? }
    struct_set(world, _i) {
        world.heap.get_mut(black_box(world.record))?.set(black_box(2), Cell::NULL)?
    }
    closure_get(world, _i) { world.heap.get(black_box(world.closure))?.get(black_box(1))? }
    f64_get(world, i) { world.heap.get(black_box(world.floats))?.get(i)? }
    f64_set(world, i) { world.heap.get_mut(black_box(world.floats))?.set(i, 0.5)? }
    text_get(world, _i) { world.heap.text(black_box(world.text).into())?.len() }
    hint_get(world, i) { world.hint.get(&world.heap, i)? }
    window_get(world, i) { world.heap.window(black_box(world.list), i..)?[0] }
    map_get_int(world, i) { world.heap.get(black_box(world.map))?.get(Cell::from(i as u32))? }
    map_get_text(world, i) { world.heap.get(black_box(world.map))?.get(world.others[i])? }
    map_insert_over(world, i) {
        world.heap.get_mut(black_box(world.map))?.insert(Cell::from(i as u32), Cell::NULL)?
    }
    set_contains_int(world, i) {
        world.heap.get(black_box(world.set))?.contains(Cell::from(i as u32))?
    }
    map_remove_insert(world, i) {
        world.heap.get_mut(black_box(world.map))?.remove(world.texts[i])?;
        world.heap.get_mut(black_box(world.map))?.insert(world.texts[i], Cell::TRUE)?
    }
    pair_alloc(world, i) {
        let pair = world.heap.alloc(Pair::of(Cell::from(i as u32), Cell::NULL))?;
        world.live.push(pair);
    }
    /// In the first turn, and of three times as many as there are turns.
    collect_3_objects(world, i) {
        if i == 0 {
            let roots = world.live.iter().map(|&pair| Cell::from(pair));
            let kept = world.texts.iter().chain(&world.others).copied();
            let objects = [
                world.list.into(), world.stack.into(), world.pair.into(), world.record.into(),
                world.closure.into(), world.floats.into(), world.ints.into(), world.bytes.into(),
                world.text.into(), world.map.into(), world.set.into(),
            ];
            world.heap.collect(roots.chain(kept).chain(objects))?;
        }
    }
    pair_kill(world, _i) {
        if let Some(pair) = world.live.pop() {
            world.heap.free(pair)?;
        }
    }
    text_alloc_kill(world, _i) {
        let text = world.heap.string(black_box("sixteen bytes :)"))?;
        world.heap.free(text)?
    }
    frame_of_a_pair(world, _i) {
        let frame = world.heap.open_region()?;
        black_box(world.heap.alloc(Pair::of(Cell::TRUE, Cell::NULL))?);
        world.heap.close_region(frame, [Cell::NULL])?
    }
    copy_bytes_16(world, i) {
        world.heap.copy_across(black_box(world.bytes), i, black_box(world.text), ..)?
    }
    list_from_i64_64(world, _i) {
        let list = world.heap.convert_across::<List>(black_box(world.ints), ..)?;
        world.heap.free(list)?
    }
    concat_kill(world, _i) {
        let text = Cell::from(black_box(world.text));
        let text = world.heap.concat(&[text.into(), text.into()])?;
        world.heap.free(text)?
    }
    int_add(world, i) { world.heap.add(black_box(Cell::from(i as u32)), black_box(1.into()))? }
}

/// What callgrind counts.
#[inline(never)]
fn counted(world: &mut World) -> Result<(), Error> {
    OPERATIONS.iter().try_for_each(|operation| operation(world))
}

fn main() -> Result<(), Error> {
    let mut world = World::new()?;
    // Once before, so that everything has room, and no turn is the one that grows.
    OPERATIONS.iter().try_for_each(|operation| operation(&mut world))?;
    counted(black_box(&mut world))
}
