//! Keys by content: hash and order of values, whose parts never change. Both walk the parts
//! with a stack of fixed size: what is too large or too deep for a key is an error before it is
//! compared. No value that a program makes reaches itself. One in a forged image may: it is too
//! large.

use core::cmp::Ordering;

use bytemuck::cast_slice;

use super::keys::{Class, Keys};
use crate::arena::{Arena, Slot};
use crate::words::{
    Cell, Element, Elements, Error, GENERATION_MASK, KeyBy, KeyHasher, Result, to_u64, to_usize,
};

/// Levels of parts within parts, but for those that are last.
const DEPTH: usize = 64;
/// The parts of a key at most. Words of numbers and bytes count as parts.
const PARTS: usize = 1 << 20;

/// The parts of a value that are looked at before it is walked.
const FLAT: u32 = 64;

/// A value: an object that is a key by its content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value<'h> {
    arena: &'h Arena,
    slot: Slot,
}

/// Parts of two values.
type Both<'h> = (&'h [Cell], &'h [Cell]);

/// What is left to walk of the values around the present part.
#[derive(Debug)]
struct Stack<T> {
    levels: [T; DEPTH],
    depth: usize,
}

impl<T: Copy> Stack<T> {
    const fn new(nothing: T) -> Stack<T> {
        Stack { levels: [nothing; DEPTH], depth: 0 }
    }

    /// Has `rest` walked later. `None` if there are too many levels.
    fn push(&mut self, rest: T) -> Option<()> {
        *self.levels.get_mut(self.depth)? = rest;
        self.depth = self.depth.wrapping_add(1);
        Some(())
    }

    fn pop(&mut self) -> Option<T> {
        self.depth = self.depth.checked_sub(1)?;
        self.levels.get(self.depth).copied()
    }
}

impl<'h> Value<'h> {
    /// The object in a slot, if it is a value.
    #[inline(always)]
    pub(super) fn of(arena: &'h Arena, slot: Slot) -> Option<Value<'h>> {
        if slot.is_value() { Some(Value { arena, slot }) } else { None }
    }

    /// Kind and length, and the header.
    fn head(&self) -> Option<[u64; 2]> {
        let header = match self.arena.shape().header {
            0 => 0,
            _ => *self.arena.used(self.slot).ok()?.first()?,
        };
        Some(self.head_of(header))
    }

    #[inline(always)]
    fn header_words(&self) -> u32 {
        self.arena.shape().header
    }

    #[inline(always)]
    fn head_of(&self, header: u64) -> [u64; 2] {
        let kind = to_u64(self.arena.kind().index());
        [kind << 32 | u64::from(self.slot.len), header]
    }

    /// The header and the elements, if these are a few cells.
    #[inline(always)]
    fn flat(&self) -> Option<&'h [u64]> {
        let shape = self.arena.shape();
        if !matches!(shape.elements, Elements::Cells) || self.slot.len > FLAT {
            return None;
        }
        self.arena.words(self.slot, to_usize(shape.header.wrapping_add(self.slot.len))).ok()
    }

    /// The elements, as words of the block.
    fn body(&self) -> Option<&'h [u64]> {
        self.arena.used(self.slot).ok()?.get(to_usize(self.arena.shape().header)..)
    }

    /// The elements, if they are cells.
    fn parts(&self) -> Option<&'h [Cell]> {
        match self.arena.shape().elements {
            Elements::Cells => self.arena.cells(self.slot).ok(),
            _ => Some(&[]),
        }
    }

    /// Whether two values have the same few parts, bit by bit. One of the two has been hashed,
    /// so that none of its parts was freed.
    #[inline]
    fn is_same_flat(&self, other: &Value<'h>) -> Option<bool> {
        let (words, others) = (self.flat()?, other.flat()?);
        if self.arena.kind() != other.arena.kind() || words.len() != others.len() {
            return Some(false);
        }
        Some(words.iter().zip(others).all(|(a, b)| a == b))
    }

    /// The bytes of elements that are neither cells nor floats.
    fn bytes(&self) -> Option<&'h [u8]> {
        let bytes: &[u8] = cast_slice(self.body()?);
        bytes.get(..to_usize(self.slot.len).saturating_mul(self.arena.shape().element_bytes()))
    }
}

/// Floats as keys: 0.0 and -0.0 are one.
fn float_bits(float: f64) -> u64 {
    let float = if float == 0.0 { 0.0 } else { float };
    if float.is_nan() { f64::NAN.to_bits() } else { float.to_bits() }
}

/// Floats of an array, as the bits of keys.
fn float_keys(body: &[u64]) -> impl Iterator<Item = u64> {
    f64::slice(body).iter().map(|&float| float_bits(float))
}

impl<'h> Keys<'h> {
    /// The value that a cell refers to, if it is one.
    #[inline(always)]
    fn value(self, cell: Cell) -> Option<Value<'h>> {
        let arena = self.arena(cell).filter(|_| cell.is_handle())?;
        Value::of(arena, arena.find(cell)?)
    }

    /// Whether a cell is a handle of a kind whose objects are keys by their identity, or by
    /// their content.
    #[inline(always)]
    pub(crate) fn is_of_values(self, cell: Cell) -> bool {
        let arena = self.arena(cell).filter(|_| cell.is_handle());
        arena.is_some_and(|arena| matches!(arena.shape().key, KeyBy::Identity))
    }

    /// A live value of a few integers, and its hash; `None` for other keys.
    #[inline(always)]
    pub(crate) fn plain_value(self, cell: Cell) -> Option<(Value<'h>, u32)> {
        let arena = self.arena(cell).filter(|_| self.is_of_values(cell))?;
        let value = Value::of(arena, arena.find(cell)?)?;
        Some((value, self.hash_flat(value)?))
    }

    /// Whether an entry is a live value with the same few parts as one of integers.
    #[inline(always)]
    pub(crate) fn is_plain_value(self, entry: Cell, value: Value<'h>) -> bool {
        let other = self.value(entry);
        other.is_some_and(|other| value.is_same_flat(&other) == Some(true))
    }

    /// The hash of a value. O(parts).
    ///
    /// # Errors
    /// [`Error::Stale`] if a part was freed; [`Error::KeyTooLarge`].
    #[inline(never)]
    pub(super) fn hash_value(self, value: Value<'h>) -> Result<u32> {
        if let Some(hash) = self.hash_flat(value) {
            return Ok(hash);
        }
        let (mut hasher, mut left) = (self.hasher(), PARTS);
        let parts = self.hash_head(&mut hasher, &mut left, value)?;
        if parts.iter().any(|part| part.is_handle()) {
            return self.hash_parts(hasher, left, parts);
        }
        for &part in parts {
            hasher.word(self.part_word(part)?);
        }
        Ok(hasher.finish())
    }

    /// [`Keys::hash_value`] of a few parts that are integers, which are hashed as their bits.
    #[inline(always)]
    fn hash_flat(self, value: Value<'h>) -> Option<u32> {
        let (header, parts) = value.flat()?.split_at_checked(to_usize(value.header_words()))?;
        let mut hasher = self.hasher();
        let [head, header] = value.head_of(header.first().copied().unwrap_or(0));
        hasher.word(head);
        hasher.word(header);
        for part in Cell::slice(parts) {
            hasher.word(part.as_int().map(|_| part.bits())?);
        }
        Some(hasher.finish())
    }

    /// [`Keys::hash_value`] of parts of which some may be values.
    fn hash_parts(
        self,
        mut hasher: KeyHasher<'h>,
        mut left: usize,
        parts: &'h [Cell],
    ) -> Result<u32> {
        let mut stack = Stack::new(&[][..]);
        let mut rest = parts;
        loop {
            while let [part, others @ ..] = rest {
                rest = others;
                match self.value(*part) {
                    None => hasher.word(self.part_word(*part)?),
                    Some(value) => {
                        if !rest.is_empty() {
                            stack.push(rest).ok_or(Error::KeyTooLarge)?;
                        }
                        rest = self.hash_head(&mut hasher, &mut left, value)?;
                    }
                }
            }
            match stack.pop() {
                Some(parts) => rest = parts,
                None => return Ok(hasher.finish()),
            }
        }
    }

    /// Hashes all of a value but its parts, which are returned.
    fn hash_head(
        self,
        hasher: &mut KeyHasher<'_>,
        left: &mut usize,
        value: Value<'h>,
    ) -> Result<&'h [Cell]> {
        let lost = Error::Stale { kind: value.arena.kind() };
        let words = value.body().ok_or(lost)?.len().saturating_add(1);
        *left = left.checked_sub(words).ok_or(Error::KeyTooLarge)?;
        value.head().ok_or(lost)?.into_iter().for_each(|word| hasher.word(word));
        match value.arena.shape().elements {
            Elements::Cells => {}
            Elements::Floats => {
                float_keys(value.body().ok_or(lost)?).for_each(|word| hasher.word(word));
            }
            _ => hasher.bytes(value.bytes().ok_or(lost)?),
        }
        value.parts().ok_or(lost)
    }

    /// What a part that is no value is hashed as: equal keys as one word.
    #[inline]
    fn part_word(self, part: Cell) -> Result<u64> {
        if part.as_int().is_some() {
            return Ok(part.bits());
        }
        if let Some(float) = part.as_float() {
            return Ok(float_bits(float));
        }
        if !part.is_handle() {
            let text = part.as_short_str();
            return Ok(text.map_or(part.bits(), |text| self.hash_text(text.as_bytes()).into()));
        }
        let key = self.key_of_part(part)?;
        Ok(match key.class {
            Class::Int(int) => Cell::int(int).map_or(u64::from(key.hash), Cell::bits),
            Class::Bits => part.bits() & !GENERATION_MASK,
            _ => u64::from(key.hash),
        })
    }

    /// The order of two values, in which those that are the same key are equal. `None` if a
    /// part was freed, or one of them is too large for a key. O(parts).
    #[inline(never)]
    pub(super) fn compare_values(self, a: Value<'h>, b: Value<'h>) -> Option<Ordering> {
        if a.is_same_flat(&b) == Some(true) {
            return Some(Ordering::Equal);
        }
        let mut left = PARTS;
        let (order, parts) = self.compare_heads(&mut left, a, b)?;
        if order.is_ne() { Some(order) } else { self.compare_parts(left, parts) }
    }

    /// [`Keys::compare_values`] of parts of which some may be values.
    fn compare_parts(self, mut left: usize, parts: Both<'h>) -> Option<Ordering> {
        const NOTHING: Both<'_> = (&[], &[]);
        let mut stack = Stack::new(NOTHING);
        let mut rest = parts;
        loop {
            while let ([a, of_a @ ..], [b, of_b @ ..]) = rest {
                rest = (of_a, of_b);
                if a == b && !a.is_handle() {
                    continue;
                }
                let order = match (self.value(*a), self.value(*b)) {
                    (Some(a), Some(b)) => {
                        if !of_a.is_empty() {
                            stack.push(rest)?;
                        }
                        let (order, parts) = self.compare_heads(&mut left, a, b)?;
                        rest = parts;
                        order
                    }
                    (None, None) => self.compare(&self.key_of_part(*a).ok()?, *b)?,
                    (None, Some(_)) => Ordering::Less,
                    (Some(_), None) => Ordering::Greater,
                };
                if order.is_ne() {
                    return Some(order);
                }
            }
            match stack.pop() {
                Some(parts) => rest = parts,
                None => return Some(Ordering::Equal),
            }
        }
    }

    /// Compares all of two values but their parts, which are returned.
    fn compare_heads(
        self,
        left: &mut usize,
        a: Value<'h>,
        b: Value<'h>,
    ) -> Option<(Ordering, Both<'h>)> {
        *left = left.checked_sub(a.body()?.len().saturating_add(1))?;
        let order = a.head()?.cmp(&b.head()?);
        if order.is_ne() {
            return Some((order, (&[], &[])));
        }
        let order = match a.arena.shape().elements {
            Elements::Cells => order,
            Elements::Floats => float_keys(a.body()?).cmp(float_keys(b.body()?)),
            _ => a.bytes()?.cmp(b.bytes()?),
        };
        Some((order, (a.parts()?, b.parts()?)))
    }
}
