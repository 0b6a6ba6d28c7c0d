//! Get and set, compared with a `Vec<Vec<u64>>`, a `SlotMap<DefaultKey, Vec<u64>>`
//! and a slice. Lists and vectors hold the same 64 bits per element, so that no
//! contender unboxes.

use std::hint::black_box;

use segheap::abi::bits;
use segheap::{Cell, Error, Handle, Heap, I64Arr, List, RangeHint};
use slotmap::DefaultKey;

use super::comparison::{Comparison, Pass, comparison};
use super::{Entry, Random, Slots, cells, heap, reading, words, writing};

pub(crate) const COMPARISONS: &[Entry] = &[
    ("sum of a view, 1M", sum),
    ("get in a loop over one list", one_list),
    ("get, sequential, checks not hoisted", || get(Lists::in_order(16, 64, 16_384))),
    ("get, random, 1,000 lists of 8", || get(Lists::random(1_000, 8, 16_384))),
    ("get, random, 100,000 lists of 8", || get(Lists::random(100_000, 8, 262_144))),
    ("get, pointer chase, 100,000 lists of 8", || chase(100_000)),
    ("get, through a range hint, random", hinted),
    ("set, sequential, checks not hoisted", || set(Lists::in_order(16, 64, 16_384))),
    ("set, random, 1,000 lists of 8", || set(Lists::random(1_000, 8, 16_384))),
    ("set, random, 100,000 lists of 8", || set(Lists::random(100_000, 8, 262_144))),
];

// One sequence.

#[inline(never)]
fn sum_view(heap: &Heap, array: Handle<I64Arr>) -> Result<i64, Error> {
    Ok(heap.get(array)?.as_slice().iter().fold(0, |sum, &n| sum.wrapping_add(n)))
}

#[inline(never)]
fn sum_slice(slice: &[i64]) -> i64 {
    slice.iter().fold(0, |sum, &n| sum.wrapping_add(n))
}

#[inline(never)]
fn walk_heap(heap: &Heap, list: Handle<List>, n: usize) -> Result<u64, Error> {
    let mut sum = 0_u64;
    for i in 0..n {
        sum = sum.wrapping_add(bits(heap.get(list)?.get(i)?));
    }
    Ok(sum)
}

#[inline(never)]
fn walk_view(heap: &Heap, list: Handle<List>, n: usize) -> Result<u64, Error> {
    let (view, mut sum) = (heap.get(list)?, 0_u64);
    for i in 0..n {
        sum = sum.wrapping_add(bits(view.get(i)?));
    }
    Ok(sum)
}

#[inline(never)]
#[allow(clippy::needless_range_loop, reason = "the peer of a get by index")]
fn walk_vec(v: &[u64], n: usize) -> u64 {
    let mut sum = 0_u64;
    for i in 0..n {
        sum = sum.wrapping_add(v[i]);
    }
    sum
}

#[inline(never)]
fn walk_slots(slots: &Slots, key: DefaultKey, n: usize) -> Option<u64> {
    let mut sum = 0_u64;
    for i in 0..n {
        sum = sum.wrapping_add(*slots.get(key)?.get(i)?);
    }
    Some(sum)
}

fn sum() -> Comparison {
    let numbers: Vec<i64> = (0..1_000_000).collect();
    comparison(
        numbers.len(),
        numbers,
        [
            ("segheap", |numbers| {
                let mut heap = heap();
                let array = heap.alloc(I64Arr::of(&numbers)).unwrap();
                reading(move || sum_view(&heap, black_box(array)).unwrap().cast_unsigned())
            }),
            ("slice", |numbers| reading(move || sum_slice(black_box(&numbers)).cast_unsigned())),
        ],
    )
}

fn one_list() -> Comparison {
    fn of_heap(cells: &[Cell], walk: fn(&Heap, Handle<List>, usize) -> Result<u64, Error>) -> Pass {
        let (mut heap, n) = (heap(), cells.len());
        let list = heap.alloc(List::of(cells)).unwrap();
        reading(move || walk(&heap, black_box(list), black_box(n)).unwrap())
    }
    let cells = cells(32_768);
    comparison(
        cells.len(),
        cells,
        [
            ("segheap", |cells| of_heap(&cells, walk_heap)),
            ("segheap, one view", |cells| of_heap(&cells, walk_view)),
            ("Vec", |cells| {
                let vec = words(&cells);
                reading(move || walk_vec(black_box(&vec), black_box(vec.len())))
            }),
            ("slotmap", |cells| {
                let (mut slots, n) = (Slots::new(), cells.len());
                let key = slots.insert(words(&cells));
                reading(move || walk_slots(&slots, black_box(key), black_box(n)).unwrap())
            }),
        ],
    )
}

/// The operands of a VM's instruction: a register and an index. All registers refer to
/// one array, which the compiler cannot know.
type Instruction = (usize, usize);
const REGISTERS: usize = 16;

#[inline(never)]
fn get_hinted(
    heap: &Heap,
    hints: &mut [RangeHint<I64Arr>],
    code: &[Instruction],
) -> Result<i64, Error> {
    let mut sum = 0_i64;
    for &(register, i) in code {
        sum = sum.wrapping_add(hints[register].get(heap, i)?);
    }
    Ok(sum)
}

#[inline(never)]
fn get_checked(heap: &Heap, arrays: &[Handle<I64Arr>], code: &[Instruction]) -> Result<i64, Error> {
    let mut sum = 0_i64;
    for &(register, i) in code {
        sum = sum.wrapping_add(heap.get(arrays[register])?.get(i)?);
    }
    Ok(sum)
}

/// The same without registers: the compiler hoists the checks out of the loop.
#[inline(never)]
fn get_hoisted(heap: &Heap, array: Handle<I64Arr>, code: &[Instruction]) -> Result<i64, Error> {
    let mut sum = 0_i64;
    for &(_, i) in code {
        sum = sum.wrapping_add(heap.get(array)?.get(i)?);
    }
    Ok(sum)
}

/// Random elements of one array.
fn hinted() -> Comparison {
    fn array() -> (Heap, Handle<I64Arr>) {
        let mut heap = heap();
        let numbers: Vec<i64> = (0..4_096).collect();
        let array = heap.alloc(I64Arr::of(&numbers)).unwrap();
        (heap, array)
    }
    let mut random = Random(9);
    let position = |_| (random.below(REGISTERS), random.below(4_096));
    let code: Vec<Instruction> = (0..65_536).map(position).collect();
    comparison(
        code.len(),
        code,
        [
            ("segheap", |code| {
                let (mut heap, array) = array();
                let mut hints = [(); REGISTERS].map(|()| heap.hint(array, ..).unwrap());
                reading(move || get_hinted(&heap, &mut hints, &code).unwrap().cast_unsigned())
            }),
            ("checked get", |code| {
                let (heap, array) = array();
                let arrays = black_box([array; REGISTERS]);
                reading(move || get_checked(&heap, &arrays, &code).unwrap().cast_unsigned())
            }),
            ("checked get, hoisted", |code| {
                let (heap, array) = array();
                reading(move || {
                    get_hoisted(&heap, black_box(array), &code).unwrap().cast_unsigned()
                })
            }),
        ],
    )
}

// Many lists.

/// Lists and the positions to visit. Both list and index are loaded from memory.
struct Lists {
    lists: usize,
    len: usize,
    positions: Vec<(usize, usize)>,
}

impl Lists {
    fn in_order(lists: usize, len: usize, n: usize) -> Lists {
        Lists { lists, len, positions: (0..n).map(|n| (n / len % lists, n % len)).collect() }
    }

    fn random(lists: usize, len: usize, n: usize) -> Lists {
        let mut random = Random(lists as u64);
        let positions = (0..n).map(|_| (random.below(lists), random.below(len))).collect();
        Lists { lists, len, positions }
    }

    fn cells(&self) -> Vec<Cell> {
        cells(self.lists * self.len)
    }

    fn positions<T: Copy>(&self, lists: &[T]) -> Vec<(T, usize)> {
        self.positions.iter().map(|&(list, i)| (lists[list], i)).collect()
    }

    fn in_heap(&self) -> (Heap, Vec<(Handle<List>, usize)>) {
        let (mut heap, cells) = (heap(), self.cells());
        let lists = cells.chunks(self.len).map(|cells| heap.alloc(List::of(cells)).unwrap());
        let lists: Vec<_> = lists.collect();
        (heap, self.positions(&lists))
    }

    fn in_vecs(&self) -> (Vec<Vec<u64>>, Vec<(usize, usize)>) {
        (self.cells().chunks(self.len).map(words).collect(), self.positions.clone())
    }

    fn in_slots(&self) -> (Slots, Vec<(DefaultKey, usize)>) {
        let (mut slots, cells) = (Slots::new(), self.cells());
        let keys: Vec<_> = cells.chunks(self.len).map(|cells| slots.insert(words(cells))).collect();
        (slots, self.positions(&keys))
    }
}

#[inline(never)]
fn get_heap(heap: &Heap, positions: &[(Handle<List>, usize)]) -> Result<u64, Error> {
    let mut sum = 0_u64;
    for &(list, i) in positions {
        sum = sum.wrapping_add(bits(heap.get(list)?.get(i)?));
    }
    Ok(sum)
}

#[inline(never)]
fn get_vecs(vecs: &[Vec<u64>], positions: &[(usize, usize)]) -> u64 {
    let mut sum = 0_u64;
    for &(list, i) in positions {
        sum = sum.wrapping_add(vecs[list][i]);
    }
    sum
}

#[inline(never)]
fn get_slots(slots: &Slots, positions: &[(DefaultKey, usize)]) -> Option<u64> {
    let mut sum = 0_u64;
    for &(list, i) in positions {
        sum = sum.wrapping_add(*slots.get(list)?.get(i)?);
    }
    Some(sum)
}

#[inline(never)]
fn set_heap(heap: &mut Heap, positions: &[(Handle<List>, usize)], cell: Cell) -> Result<(), Error> {
    for &(list, i) in positions {
        heap.get_mut(list)?.set(i, cell)?;
    }
    Ok(())
}

#[inline(never)]
fn set_vecs(vecs: &mut [Vec<u64>], positions: &[(usize, usize)], word: u64) {
    for &(list, i) in positions {
        vecs[list][i] = word;
    }
}

#[inline(never)]
fn set_slots(slots: &mut Slots, positions: &[(DefaultKey, usize)], word: u64) -> Option<()> {
    for &(list, i) in positions {
        *slots.get_mut(list)?.get_mut(i)? = word;
    }
    Some(())
}

fn get(lists: Lists) -> Comparison {
    comparison(
        lists.positions.len(),
        lists,
        [
            ("segheap", |lists| {
                let (heap, positions) = lists.in_heap();
                reading(move || get_heap(&heap, black_box(&positions)).unwrap())
            }),
            ("Vec of Vec", |lists| {
                let (vecs, positions) = lists.in_vecs();
                reading(move || get_vecs(&vecs, black_box(&positions)))
            }),
            ("slotmap", |lists| {
                let (slots, positions) = lists.in_slots();
                reading(move || get_slots(&slots, black_box(&positions)).unwrap())
            }),
        ],
    )
}

/// The cell that a set writes.
fn seven() -> Cell {
    black_box(Cell::from(7_u32))
}

fn set(lists: Lists) -> Comparison {
    comparison(
        lists.positions.len(),
        lists,
        [
            ("segheap", |lists| {
                writing(
                    lists.in_heap(),
                    |(heap, positions)| set_heap(heap, black_box(positions), seven()).unwrap(),
                    |(heap, positions)| get_heap(heap, positions).unwrap(),
                    |_| (),
                )
            }),
            ("Vec of Vec", |lists| {
                writing(
                    lists.in_vecs(),
                    |(vecs, positions)| set_vecs(vecs, black_box(positions), bits(seven())),
                    |(vecs, positions)| get_vecs(vecs, positions),
                    |_| (),
                )
            }),
            ("slotmap", |lists| {
                writing(
                    lists.in_slots(),
                    |(slots, positions)| {
                        set_slots(slots, black_box(positions), bits(seven())).unwrap()
                    },
                    |(slots, positions)| get_slots(slots, positions).unwrap(),
                    |_| (),
                )
            }),
        ],
    )
}

/// The successor of each list, on one cycle through all lists in random order.
fn cycle(n: usize) -> Vec<(usize, usize)> {
    let mut random = Random(n as u64);
    let order = random.order(n);
    let mut next = vec![(0, 0); n];
    for (i, &from) in order.iter().enumerate() {
        next[from] = (order[(i + 1) % n], random.below(7));
    }
    next
}

#[inline(never)]
fn chase_heap(heap: &Heap, mut list: Cell, n: usize) -> Result<u64, Error> {
    let mut sum = 0;
    for _ in 0..n {
        let view = heap.get::<List>(list)?;
        let position = view.get(0)?.as_int().unwrap_or(0);
        list = view.get(1 + position as usize)?;
        sum += position.cast_unsigned();
    }
    Ok(sum)
}

#[inline(never)]
fn chase_vecs(vecs: &[Vec<u64>], mut list: u64, n: usize) -> u64 {
    let mut sum = 0;
    for _ in 0..n {
        let vec = &vecs[list as usize];
        let position = vec[0];
        list = vec[1 + position as usize];
        sum += position;
    }
    sum
}

/// The first element of each list is the position of the link to the next list.
fn chase(n: usize) -> Comparison {
    comparison(
        n,
        cycle(n),
        [
            ("segheap", |next| {
                let mut heap = heap();
                let lists: Vec<_> =
                    next.iter().map(|_| heap.alloc(List::zeroed(8)).unwrap()).collect();
                for (&(to, position), &list) in next.iter().zip(&lists) {
                    let mut view = heap.get_mut(list).unwrap();
                    view.set(0, (position as u32).into()).unwrap();
                    view.set(1 + position, lists[to].into()).unwrap();
                }
                let first = Cell::from(lists[0]);
                reading(move || chase_heap(&heap, black_box(first), lists.len()).unwrap())
            }),
            ("Vec of Vec", |next| {
                let mut vecs: Vec<Vec<u64>> = Vec::new();
                for &(to, position) in next.iter() {
                    let mut vec = vec![0; 8];
                    vec[0] = position as u64;
                    vec[1 + position] = to as u64;
                    vecs.push(vec);
                }
                reading(move || chase_vecs(&vecs, black_box(0), vecs.len()))
            }),
        ],
    )
}
