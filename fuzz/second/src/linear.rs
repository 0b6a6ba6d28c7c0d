//! Linear memory, against a vector of bytes.

use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};

use crate::dice::Dice;
use crate::world::{Check, Outcome, World};

const PAGE: usize = 65_536;

/// A short program on a memory of its own.
pub(crate) fn program(w: &mut World) -> Check {
    w.note(|| "a program on a memory".into());
    let index = w.dice.one(&[IndexType::I32, IndexType::I64]);
    let ty = MemoryType::new(index, w.dice.below(2) as u64, Some(2));
    let mut memory = Memory::new(ty).ok_or("a memory of a page")?;
    let mut model = vec![0; ty.min as usize * PAGE];
    for _ in 0..12 {
        step(&mut w.dice, &mut memory, &mut model)?;
    }
    w.outcome = Outcome::Done;
    if memory.bytes() == model { Ok(()) } else { Err("the bytes of a memory differ".into()) }
}

/// An address: near an end of the memory, or beyond.
fn address(dice: &mut Dice, len: usize) -> u64 {
    match dice.below(8) {
        0 => dice.one(&[u64::MAX, u64::MAX - 7, 1 << 32, (1 << 32) - 1]),
        1..=3 => (len as u64).saturating_sub(dice.below(12) as u64),
        4 => len as u64 + dice.below(3) as u64,
        _ => dice.below(40) as u64,
    }
}

/// The bytes of an access in the model.
fn range(model: &[u8], address: u64, len: u64) -> Result<std::ops::Range<usize>, OutOfBounds> {
    let end = u128::from(address) + u128::from(len);
    if end > model.len() as u128 {
        return Err(OutOfBounds);
    }
    Ok(address as usize..end as usize)
}

fn step(dice: &mut Dice, memory: &mut Memory, model: &mut Vec<u8>) -> Check {
    let (a, b) = (address(dice, model.len()), address(dice, model.len()));
    let (len, byte) = (dice.below(10) as u64, dice.word() as u8);
    let (same, form) = match dice.below(6) {
        0 => {
            let delta = dice.one(&[0, 1, 1, 2, u64::MAX]);
            let old = (model.len() / PAGE) as u64;
            let grown = old.checked_add(delta).filter(|&pages| pages <= 2);
            if let Some(pages) = grown {
                model.resize(pages as usize * PAGE, 0);
            }
            (memory.grow(delta) == grown.map(|_| old), "grow")
        }
        1 => {
            let want = range(model, a, len).map(|range| model[range].fill(byte));
            (memory.fill(a, byte, len) == want, "fill")
        }
        2 => {
            let ranges = range(model, a, len).and_then(|to| Ok((to, range(model, b, len)?)));
            let want = ranges.map(|(to, from)| model.copy_within(from, to.start));
            (memory.copy(a, b, len) == want, "copy")
        }
        3 => {
            let (segment, from) = (*b"a segment", dice.below(11) as u64);
            let want = range(model, a, len).and_then(|to| {
                let from = range(&segment, from, len)?;
                model[to].copy_from_slice(&segment[from]);
                Ok(())
            });
            (memory.init(a, &segment, from, len) == want, "init")
        }
        form => {
            let (offset, word) = (dice.one(&[0, 1, 7, u64::MAX]), dice.word());
            let start = a.checked_add(offset).ok_or(OutOfBounds);
            let place = start.and_then(|start| range(model, start, 8));
            if form == 4 {
                let want = place.map(|place| model[place].copy_from_slice(&word.to_le_bytes()));
                (memory.store_u64(a, offset, word) == want, "store")
            } else {
                let want = place
                    .map(|place| u64::from_le_bytes(model[place].try_into().expect("eight bytes")));
                (memory.load_u64(a, offset) == want, "load")
            }
        }
    };
    if !same || memory.size() as usize * PAGE != model.len() {
        return Err(format!("{form} at {a} of {len} bytes (from {b}) of {} differs", model.len()));
    }
    Ok(())
}
