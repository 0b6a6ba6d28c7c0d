//! What the words of an object have to be, whatever wrote them: for
//! [`Heap::verify`](crate::Heap::verify), and for images, which anything may have written.

use crate::arena::{Arena, Arenas, Slot};
use crate::object::Integer;
use crate::object::table::Table;
use crate::words::{
    Cell, Elements, KeyBy, Kind, SELECTOR_SHIFT, Shape, TAG_HANDLE, TAG_INT, TAG_SHIFT, to_u64,
    to_usize, utf8,
};

/// Checks the words of a live object that fits into its block; of a table, all but its
/// hashes and its index. `are_elements` says that elements need no
/// check. O(words).
///
/// # Errors
/// The first fault, as a description.
pub(super) fn verify_content(
    arena: &Arena,
    slot: Slot,
    are_elements: bool,
) -> Result<(), &'static str> {
    let shape = arena.shape();
    let words = arena.used(slot).map_err(|_| "the object leaves its block")?;
    if let Elements::Entries(stride) = shape.elements {
        let table = Table::new(words, slot.len, to_usize(stride));
        table.verify_entries()?;
        return table.has_only(is_cell).then_some(()).ok_or("a word is no cell");
    }
    let (header, elements) = words.split_at(to_usize(shape.header).min(words.len()));
    if header.iter().any(|&word| word > shape.header_max) {
        return Err("the header is too large");
    }
    let mut cells = Cell::slice(elements).iter();
    if shape.elements == Elements::Cells && !are_elements && !cells.all(|&cell| is_cell(cell)) {
        return Err("a word is no cell");
    }
    match shape.key {
        KeyBy::Text if are_elements => Ok(()),
        KeyBy::Text => {
            let bytes = bytemuck::cast_slice(words).get(..to_usize(slot.len));
            bytes.and_then(utf8::to_str).map(drop).ok_or("text is not UTF-8")
        }
        KeyBy::Integer => {
            let Integer { negative, limbs } = Integer::of(words);
            let normal = limbs.last() != Some(&0) && !(negative && limbs.is_empty());
            let sound = normal && to_u64(limbs.len()) == u64::from(slot.len);
            sound.then_some(()).ok_or("an integer is not normalised")
        }
        KeyBy::Identity => Ok(()),
    }
}

/// Checks that a value, if the object is one, has only parts that never change: its content
/// is its hash. A part that was freed stays so; one that is allocated later could be anything.
/// O(len).
///
/// # Errors
/// The first fault, as a description.
pub(super) fn verify_value(arenas: &Arenas, arena: &Arena, slot: Slot) -> Result<(), &'static str> {
    if !slot.is_value() {
        return Ok(());
    }
    let cells = arena.cells(slot).map_err(|_| "the object leaves its block")?;
    for &part in cells.iter().filter(|part| part.is_handle()) {
        let of = arenas.of(part).filter(|arena| arena.kind() != Kind::SEALED);
        let of = of.ok_or("a value has a part that is sealed")?;
        match of.find(part) {
            Some(slot) if slot.is_frozen() || of.shape().key != KeyBy::Identity => {}
            Some(_) => return Err("a value has a part that can change"),
            None if of.is_known(part) => {}
            None => return Err("a value has a part that is not allocated yet"),
        }
    }
    Ok(())
}

/// Whether any object of this shape may have the words as elements, wherever it begins and ends:
/// cells, ASCII text, numbers. Words that hold nothing are zero, which is all of that.
pub(super) fn are_elements(shape: &Shape, words: &[u64]) -> bool {
    match (shape.elements, shape.key) {
        (Elements::Entries(_), _) | (_, KeyBy::Integer) => false,
        (Elements::Cells, _) => {
            are_common(words) || Cell::slice(words).iter().all(|&cell| is_cell(cell))
        }
        (_, KeyBy::Text) => words.iter().fold(0, |all, &word| all | word) & NOT_ASCII == 0,
        (_, KeyBy::Identity) => true,
    }
}

/// The bits of bytes that are no ASCII characters.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// Whether all words are cells of a few sorts, which most are.
#[cfg_attr(
    feature = "simd",
    multiversion::multiversion(targets("x86_64+avx2+bmi1+bmi2+fma+lzcnt+popcnt"))
)]
fn are_common(words: &[u64]) -> bool {
    /// The exponent of a float that is infinite or a NaN; all tags have it.
    const EXPONENT: u64 = 0x7FF0 << TAG_SHIFT;
    /// The first handle of a kind, and how many words are such handles.
    const HANDLES: u64 = TAG_HANDLE << TAG_SHIFT;
    const OBJECTS: u64 = to_u64(Kind::COUNT) << SELECTOR_SHIFT;
    let mut all = true;
    for &word in words {
        let is_finite = word & EXPONENT != EXPONENT;
        let is_int = word >> TAG_SHIFT == TAG_INT;
        let is_object = word.wrapping_sub(HANDLES) < OBJECTS;
        let is_bool = word.wrapping_sub(Cell::FALSE.bits()) <= 1;
        all &= is_finite | is_int | is_object | is_bool | (word == Cell::NULL.bits());
    }
    all
}

/// Whether the word is a cell that a constructor or an allocation can return.
pub(super) fn is_cell(cell: Cell) -> bool {
    cell.is_canonical() && cell.kind().is_none_or(Kind::has_arena)
}
