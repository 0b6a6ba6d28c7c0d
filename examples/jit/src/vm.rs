//! [`Vm`]: a heap and its addresses.

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
    pub const ALL: [Work; 8] = [
        Work::Get,
        Work::Set,
        Work::SumChecked,
        Work::SumHinted,
        Work::SumBulk,
        Work::FillChecked,
        Work::FillHinted,
        Work::FillBulk,
    ];
}

impl Vm {
    /// Takes a heap.
    pub fn new(mut heap: Heap) -> Vm {
        Vm { bases: abi::bases_mut(&mut heap), result: 0, heap }
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
    /// [`Error::NotAnInteger`] for a sum of cells that are no integers.
    pub fn run_safely(
        &mut self,
        array: Array,
        work: Work,
        object: Cell,
        operands: [u64; 2],
    ) -> Result<u64, Error> {
        let [first, second] = operands;
        let count = usize::try_from(first).unwrap_or(usize::MAX);
        self.change(|heap| match (work, array) {
            (Work::Get, Array::Ints) => {
                heap.get::<I64Arr>(object)?.get(count).map(i64::cast_unsigned)
            }
            (Work::Get, Array::Floats) => heap.get::<F64Arr>(object)?.get(count).map(f64::to_bits),
            (Work::Get, Array::List) => heap.get::<List>(object)?.get(count).map(abi::bits),
            (Work::Set, Array::Ints) => {
                heap.get_mut::<I64Arr>(object)?.set(count, second.cast_signed()).map(|_| 0)
            }
            (Work::Set, Array::Floats) => {
                heap.get_mut::<F64Arr>(object)?.set(count, f64::from_bits(second)).map(|_| 0)
            }
            (Work::Set, Array::List) => {
                heap.get_mut::<List>(object)?.set(count, cell(second)).map(|_| 0)
            }
            (Work::SumChecked | Work::SumHinted | Work::SumBulk, _) => {
                sum(heap, array, object, count)
            }
            (Work::FillChecked | Work::FillHinted | Work::FillBulk, _) => {
                fill(heap, array, object, count, second).map(|()| 0)
            }
        })
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
    // No safe point: nothing moves, and no epoch changes.
    u64::from(abi::write_barrier(&mut vm.heap, object).is_ok())
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
