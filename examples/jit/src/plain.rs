//! The accessors in Rust: what compiled code does, step by step.

use std::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use segheap::abi::Base;
use segheap::abi::layout::{cell, slot};

use crate::vm::{Array, Vm, Work, barrier, bulk_fill, bulk_sum, push, safe_point};

/// An open object: `len` elements of a word each from address `first` on.
#[derive(Clone, Copy)]
struct Open {
    first: usize,
    len: u32,
    can_change: bool,
}

/// A field of the slot at an address.
///
/// # Safety
/// `address` is that of a slot of a heap that nothing changes meanwhile, and `offset` one of the
/// constants of [`slot`].
unsafe fn field(address: usize, offset: usize) -> u32 {
    let place = with_exposed_provenance::<u32>(address.wrapping_add(offset));
    // SAFETY: by the contract of this function, four bytes of a slot lie there, aligned; their
    // provenance was exposed by `abi::bases_mut`.
    unsafe { place.read() }
}

/// Opens the object of a handle; `None` if it is none of this kind, or lies where compiled code
/// does not look.
///
/// # Safety
/// `base` is that of the kind of an object without header whose elements have a word each, in a
/// heap that was not used by `&mut` since.
unsafe fn open(base: &Base, object: u64) -> Option<Open> {
    let index = usize::try_from(object & cell::SLOT_MASK).ok()?;
    if index >= base.slot_count {
        return None;
    }
    let address = base.slots.wrapping_add(index.wrapping_mul(slot::BYTES));
    // SAFETY: `address` is that of slot `index`, which is below the number of slots.
    let read = |offset| unsafe { field(address, offset) };
    if u64::from(read(slot::KEY)) != object >> cell::KEY_SHIFT {
        return None;
    }
    let first = usize::try_from(read(slot::OFF)).ok()?.wrapping_mul(8);
    Some(Open {
        first: base.memory.wrapping_add(first),
        len: read(slot::LEN),
        can_change: read(slot::CAP) <= slot::CAP_MASK,
    })
}

impl Open {
    fn address(self, index: u64) -> Option<usize> {
        let offset = usize::try_from(index).ok()?.wrapping_mul(8);
        (index < u64::from(self.len)).then(|| self.first.wrapping_add(offset))
    }

    /// # Safety
    /// The heap was not used by `&mut` since the object was opened.
    unsafe fn get(self, index: u64) -> Option<u64> {
        let place = with_exposed_provenance::<u64>(self.address(index)?);
        // SAFETY: the key of the slot has proved that it is live, so that its elements lie in the
        // memory, aligned to words; `index` is below their number.
        Some(unsafe { place.read() })
    }

    /// # Safety
    /// As for [`Open::get`]; the object may change, and `value` is an element of its kind.
    unsafe fn set(self, index: u64, value: u64) -> Option<()> {
        let place = with_exposed_provenance_mut::<u64>(self.address(index)?);
        // SAFETY: as in `get`; the address comes from `as_mut_ptr` of the memory.
        unsafe { place.write(value) };
        Some(())
    }
}

/// What a loop keeps of its object in registers while it calls functions that use the heap.
#[derive(Clone, Copy)]
struct Kept {
    open: Open,
    moves: u64,
    epoch: u64,
}

impl Vm {
    /// Does the work as compiled code does. Returns the element or the sum, 0 for writes; `None` if
    /// it is left to [`Vm::run_safely`]: part of a loop with checks or calls may be done then.
    ///
    /// `object` is the bits of a cell, as is a value for a list.
    pub fn run_plainly(
        &mut self,
        array: Array,
        work: Work,
        object: u64,
        operands: [u64; 2],
    ) -> Option<u64> {
        let [first, second] = operands;
        match work {
            Work::Get => self.get(array, object, first),
            Work::Set => self.set(array, object, first, second).map(|()| 0),
            Work::SumChecked => {
                let each = (0..first).map(|index| self.get(array, object, index));
                sum(array, each)
            }
            Work::SumHinted => {
                // SAFETY: as in `get`; nothing uses the heap before the end of the loop.
                let open = unsafe { open(&self.base(array), object)? };
                if first > u64::from(open.len) {
                    return None;
                }
                // SAFETY: as above.
                sum(array, (0..first).map(|index| unsafe { open.get(index) }))
            }
            Work::SumBulk => {
                let done = bulk_sum(self, array as u64, object, first);
                (done != 0).then_some(self.result)
            }
            Work::FillChecked => {
                // The first write says whether there is an object.
                for index in 0..first {
                    self.set(array, object, index, second)?;
                }
                (first > 0).then_some(0)
            }
            Work::FillHinted => {
                let open = self.open_to_change(array, object)?;
                if first > u64::from(open.len) {
                    return None;
                }
                for index in 0..first {
                    // SAFETY: it may change; nothing uses the heap before the end of the loop.
                    unsafe { open.set(index, second)? };
                }
                Some(0)
            }
            Work::FillBulk => {
                (bulk_fill(self, array as u64, object, first, second) != 0).then_some(0)
            }
            Work::PushEach => self.push_each(array, object, first, second).map(|()| 0),
            Work::CopyCollecting => self.copy_collecting(array, object, first, second).map(|()| 0),
        }
    }

    fn push_each(&mut self, array: Array, object: u64, count: u64, to: u64) -> Option<()> {
        let mut kept = self.keep(array, object, count)?;
        for index in 0..count {
            kept = self.renewed(kept, array, object, count)?;
            // SAFETY: `renewed` has proved that the slot says the same still, and that the memory
            // is where it was.
            let element = unsafe { kept.open.get(index)? };
            if push(self, array as u64, to, element) == 0 {
                return None;
            }
        }
        (count > 0).then_some(())
    }

    fn copy_collecting(&mut self, array: Array, object: u64, count: u64, from: u64) -> Option<()> {
        let mut kept = self.keep(array, object, count)?;
        for index in 0..count {
            let element = self.get(array, from, index)?;
            // After each safe point: the collector may have scanned the object since.
            if array == Array::List && barrier(self, object) == 0 {
                return None;
            }
            kept = self.renewed(kept, array, object, count)?;
            if !kept.open.can_change {
                return None;
            }
            // SAFETY: as in `push_each`; it may change.
            unsafe { kept.open.set(index, element)? };
            safe_point(self, index);
        }
        (count > 0).then_some(())
    }

    fn base(&self, array: Array) -> Base {
        self.bases.of(array.kind())
    }

    /// Opens an object for a loop over its first `count` elements that calls functions.
    fn keep(&self, array: Array, object: u64, count: u64) -> Option<Kept> {
        let base = self.base(array);
        // SAFETY: as in `get`.
        let open = unsafe { open(&base, object)? };
        // Epoch 0 is none.
        let holds = count <= u64::from(open.len) && base.epoch != 0;
        holds.then_some(Kept { open, moves: self.bases.moves, epoch: base.epoch })
    }

    /// What was kept, or if it may not hold after a call, the object opened anew. One number tells
    /// whether memory has moved; another one, whether objects have within it, or were freed.
    fn renewed(&self, kept: Kept, array: Array, object: u64, count: u64) -> Option<Kept> {
        if kept.moves == self.bases.moves && kept.epoch == self.base(array).epoch {
            return Some(kept);
        }
        self.keep(array, object, count)
    }

    fn get(&self, array: Array, object: u64, index: u64) -> Option<u64> {
        // SAFETY: the bases of a `Vm` are those of its heap, which `&self` keeps from changes.
        unsafe { open(&self.base(array), object)?.get(index) }
    }

    /// Opens an object to store elements until the next safe point. The order matters: the barrier
    /// is one for what was opened before it.
    fn open_to_change(&mut self, array: Array, object: u64) -> Option<Open> {
        if array == Array::List && barrier(self, object) == 0 {
            return None;
        }
        // SAFETY: as in `get`.
        unsafe { open(&self.base(array), object) }.filter(|open| open.can_change)
    }

    fn set(&mut self, array: Array, object: u64, index: u64, value: u64) -> Option<()> {
        // SAFETY: the object was opened to change; the caller gives an element of its kind.
        unsafe { self.open_to_change(array, object)?.set(index, value) }
    }
}

/// The sum of elements; `None` if one of them is none, or no number. No elements are left to the
/// VM, as nothing has checked the object.
fn sum(array: Array, elements: impl Iterator<Item = Option<u64>>) -> Option<u64> {
    let (mut ints, mut floats, mut any) = (0_i64, 0.0, false);
    for bits in elements {
        let bits = bits?;
        any = true;
        match array {
            Array::Ints => ints = ints.wrapping_add(bits.cast_signed()),
            Array::Floats => floats += f64::from_bits(bits),
            Array::List if bits >> cell::TAG_SHIFT == cell::INT => {
                let shift = u64::BITS - cell::TAG_SHIFT;
                ints = ints.wrapping_add((bits << shift).cast_signed() >> shift);
            }
            Array::List => return None,
        }
    }
    let sum = if array == Array::Floats { floats.to_bits() } else { ints.cast_unsigned() };
    any.then_some(sum)
}
