//! [`Vm`]: a heap and its addresses.

use segheap::abi::layout::{cell::SLOT_MASK, slot};
use segheap::abi::{self, Bases};
use segheap::{Cell, Error, F64Arr, Heap, I64Arr, Kind, List};

/// A heap, and the addresses of its arenas.
///
/// Compiled code gets the address of this; hence the layout of C. No field is public: between two
/// calls of its functions, `bases` is that of `heap`, which all `unsafe` code here relies on.
#[derive(Debug)]
#[repr(C)]
pub struct Vm {
    pub(crate) bases: Bases,
    /// What compiled code has computed.
    pub(crate) result: u64,
    heap: Heap,
    /// What the collector keeps at a safe point.
    roots: Vec<Cell>,
}

/// What a function of compiled code accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Array {
    /// `I64Arr`: elements are the bits of an `i64`.
    Ints,
    /// `F64Arr`: elements are the bits of an `f64`.
    Floats,
    /// `List`: elements are the bits of cells. Sums are those of integers in cells.
    List,
}

/// What a function of compiled code does. All of them take an object and two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Reads an element, by index: checked.
    Get,
    /// Writes an element, by index and value: checked.
    Set,
    /// Adds the first elements, by their number: each read checked.
    SumChecked,
    /// The same, the range proved once before the loop.
    SumHinted,
    /// The same, by a call of the bulk operation.
    SumBulk,
    /// Writes the first elements, by their number and one value: each write checked.
    FillChecked,
    /// The same, the range proved once before the loop.
    FillHinted,
    /// The same, by a call of the bulk operation.
    FillBulk,
    /// Pushes the first elements, by their number, to another object: the value, and allocates an
    /// object for each. The range is proved before the loop; addresses are kept in registers, while
    /// the memory may move in each turn.
    PushEach,
    /// Copies the first elements, by their number, from another object: the value. There is a safe
    /// point after each, at which the collector works; addresses are kept as above.
    CopyCollecting,
}

impl Array {
    /// All of them.
    pub const ALL: [Array; 3] = [Array::Ints, Array::Floats, Array::List];

    /// The kind of the objects.
    pub const fn kind(self) -> Kind {
        match self {
            Array::Ints => Kind::I64ARR,
            Array::Floats => Kind::F64ARR,
            Array::List => Kind::LIST,
        }
    }
}

impl Work {
    /// All of it.
    pub const ALL: [Work; 10] = [
        Work::Get,
        Work::Set,
        Work::SumChecked,
        Work::SumHinted,
        Work::SumBulk,
        Work::FillChecked,
        Work::FillHinted,
        Work::FillBulk,
        Work::PushEach,
        Work::CopyCollecting,
    ];
}

impl Vm {
    /// Takes a heap.
    pub fn new(mut heap: Heap) -> Vm {
        Vm { bases: abi::bases_mut(&mut heap), result: 0, heap, roots: Vec::new() }
    }

    /// What the collector keeps at safe points of compiled code.
    pub fn roots(&self) -> &[Cell] {
        &self.roots
    }

    /// Sets [`Vm::roots`].
    pub fn set_roots(&mut self, roots: Vec<Cell>) {
        self.roots = roots;
    }

    /// The heap, to read.
    pub fn heap(&self) -> &Heap {
        &self.heap
    }

    /// Uses the heap by `&mut`: a safe point. The addresses are renewed after it, also after a
    /// panic.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Heap) -> T) -> T {
        struct Renew<'v>(&'v mut Vm);
        impl Drop for Renew<'_> {
            fn drop(&mut self) {
                self.0.bases.renew(&mut self.0.heap);
            }
        }
        change(&mut Renew(self).0.heap)
    }

    /// What the accessors do, by the functions of the heap: what the VM does if they leave it to
    /// it. Returns the element or the sum; 0 for writes.
    ///
    /// # Errors
    /// Those of the heap; [`Error::OutOfRange`] for a range that the object does not have;
    /// [`Error::NotAnInteger`] for a sum of cells that are no integers. What [`Work::CopyCollecting`]
    /// has written before an object was freed stays.
    pub fn run_safely(
        &mut self,
        array: Array,
        work: Work,
        object: Cell,
        operands: [u64; 2],
    ) -> Result<u64, Error> {
        let [first, second] = operands;
        let count = usize::try_from(first).unwrap_or(usize::MAX);
        if work == Work::CopyCollecting {
            return self.copy_safely(array, object, count, cell(second)).map(|()| 0);
        }
        self.change(|heap| match work {
            Work::Get => get(heap, array, object, count),
            Work::Set => set(heap, array, object, count, second).map(|()| 0),
            Work::SumChecked | Work::SumHinted | Work::SumBulk => sum(heap, array, object, count),
            Work::FillChecked | Work::FillHinted | Work::FillBulk => {
                fill(heap, array, object, count, second).map(|()| 0)
            }
            Work::PushEach | Work::CopyCollecting => {
                has(heap, array, object, count)?;
                for index in 0..count {
                    let element = get(heap, array, object, index)?;
                    push_one(heap, array, cell(second), element)?;
                }
                Ok(0)
            }
        })
    }

    fn copy_safely(
        &mut self,
        array: Array,
        object: Cell,
        count: usize,
        source: Cell,
    ) -> Result<(), Error> {
        has(&self.heap, array, object, count)?;
        for (index, turn) in (0..count).zip(0..) {
            let element = get(&self.heap, array, source, index)?;
            self.change(|heap| set(heap, array, object, index, element))?;
            safe_point(self, turn);
        }
        Ok(())
    }
}

/// Checks that the object has so many elements.
fn has(heap: &Heap, array: Array, object: Cell, count: usize) -> Result<(), Error> {
    count.checked_sub(1).map_or(Ok(()), |last| get(heap, array, object, last).map(drop))
}

fn get(heap: &Heap, array: Array, object: Cell, index: usize) -> Result<u64, Error> {
    match array {
        Array::Ints => heap.get::<I64Arr>(object)?.get(index).map(i64::cast_unsigned),
        Array::Floats => heap.get::<F64Arr>(object)?.get(index).map(f64::to_bits),
        Array::List => heap.get::<List>(object)?.get(index).map(abi::bits),
    }
}

fn set(heap: &mut Heap, array: Array, object: Cell, index: usize, value: u64) -> Result<(), Error> {
    match array {
        Array::Ints => heap.get_mut::<I64Arr>(object)?.set(index, value.cast_signed()).map(drop),
        Array::Floats => {
            heap.get_mut::<F64Arr>(object)?.set(index, f64::from_bits(value)).map(drop)
        }
        Array::List => heap.get_mut::<List>(object)?.set(index, cell(value)).map(drop),
    }
}

/// Pushes an element, and allocates an object that has it as well: a push moves the block of an
/// object at times, an allocation moves memory while all blocks stay in their places.
fn push_one(heap: &mut Heap, array: Array, object: Cell, element: u64) -> Result<(), Error> {
    match array {
        Array::Ints => {
            heap.get_mut::<I64Arr>(object)?.push(element.cast_signed())?;
            heap.alloc(I64Arr::of(&[element.cast_signed()])).map(drop)
        }
        Array::Floats => {
            heap.get_mut::<F64Arr>(object)?.push(f64::from_bits(element))?;
            heap.alloc(F64Arr::of(&[f64::from_bits(element)])).map(drop)
        }
        Array::List => {
            heap.get_mut::<List>(object)?.push(cell(element))?;
            heap.alloc(List::of(&[cell(element)])).map(drop)
        }
    }
}

/// The cell with these bits, which were those of one.
fn cell(bits: u64) -> Cell {
    abi::cell(bits).unwrap_or_default()
}

/// The sum of the first elements.
fn sum(heap: &Heap, array: Array, object: Cell, count: usize) -> Result<u64, Error> {
    match array {
        Array::Ints => {
            let numbers = heap.window::<I64Arr>(object, ..count)?;
            Ok(numbers.iter().fold(0_i64, |sum, &n| sum.wrapping_add(n)).cast_unsigned())
        }
        Array::Floats => {
            let numbers = heap.window::<F64Arr>(object, ..count)?;
            Ok(numbers.iter().fold(0.0, |sum, &n| sum + n).to_bits())
        }
        Array::List => {
            let mut sum = 0_i64;
            for &cell in heap.window::<List>(object, ..count)? {
                sum = sum.wrapping_add(cell.as_int().ok_or(Error::NotAnInteger)?);
            }
            Ok(sum.cast_unsigned())
        }
    }
}

/// Writes the first elements.
fn fill(
    heap: &mut Heap,
    array: Array,
    object: Cell,
    count: usize,
    value: u64,
) -> Result<(), Error> {
    match array {
        Array::Ints => heap.get_mut::<I64Arr>(object)?.fill(..count, value.cast_signed()),
        Array::Floats => heap.get_mut::<F64Arr>(object)?.fill(..count, f64::from_bits(value)),
        Array::List => heap.get_mut::<List>(object)?.fill(..count, cell(value)),
    }
}

/// What compiled code calls before it stores cells in an object: 0 if it may not.
pub(crate) extern "C" fn barrier(vm: &mut Vm, object: u64) -> u64 {
    let object = cell(object);
    // Nothing moves, unless the object is a version that gets a block of its own here.
    let moves = object.kind().is_some_and(|kind| is_version(&vm.heap, kind, object));
    let may = abi::write_barrier(&mut vm.heap, object).is_ok();
    if moves {
        vm.bases.renew(&mut vm.heap);
    }
    may.into()
}

/// Whether the slot of a handle is that of a version, if it is live.
fn is_version(heap: &Heap, kind: Kind, object: Cell) -> bool {
    let index = (abi::bits(object) & SLOT_MASK) as u32;
    abi::slot(heap, kind, index).is_some_and(|[.., cap]| cap & slot::SHARED != 0)
}

/// What compiled code calls to push an element: 0 if it has to be left.
pub(crate) extern "C" fn push(vm: &mut Vm, array: u64, object: u64, element: u64) -> u64 {
    let arrays = usize::try_from(array).ok().and_then(|n| Array::ALL.get(n));
    let Some(&array) = arrays else { return 0 };
    vm.change(|heap| push_one(heap, array, cell(object), element).is_ok()).into()
}

/// What compiled code calls in the turns of a loop: the collector takes a small step or, each
/// sixteenth time, collects young objects. Returns the objects that were freed.
pub(crate) extern "C" fn safe_point(vm: &mut Vm, turn: u64) -> u64 {
    let roots = std::mem::take(&mut vm.roots);
    let freed = vm.change(|heap| {
        let roots = roots.iter().copied();
        if turn % 16 == 15 {
            heap.collect_young(roots).map(|done| done.freed)
        } else {
            heap.step(roots, 64).map(|done| done.freed)
        }
    });
    vm.roots = roots;
    freed.unwrap_or(0)
}

/// What compiled code calls for the sum of the first elements: 0 if it has to be left.
pub(crate) extern "C" fn bulk_sum(vm: &mut Vm, array: u64, object: u64, count: u64) -> u64 {
    bulk(vm, array, object, count, |heap, array, object, count| sum(heap, array, object, count))
}

/// What compiled code calls to write the first elements: 0 if it has to be left.
pub(crate) extern "C" fn bulk_fill(
    vm: &mut Vm,
    array: u64,
    object: u64,
    count: u64,
    value: u64,
) -> u64 {
    let work = |heap: &mut Heap, array, object, count| fill(heap, array, object, count, value);
    bulk(vm, array, object, count, |heap, array, object, count| {
        work(heap, array, object, count).map(|()| 0)
    })
}

fn bulk(
    vm: &mut Vm,
    array: u64,
    object: u64,
    count: u64,
    work: impl FnOnce(&mut Heap, Array, Cell, usize) -> Result<u64, Error>,
) -> u64 {
    let arrays = usize::try_from(array).ok().and_then(|n| Array::ALL.get(n));
    let (Some(&array), Ok(count)) = (arrays, usize::try_from(count)) else { return 0 };
    let result = vm.change(|heap| work(heap, array, cell(object), count));
    result.map(|result| vm.result = result).is_ok().into()
}
