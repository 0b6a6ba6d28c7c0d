//! The reference model: what each live object contains.

use segheap::{Cell, abi};

use crate::machine::sealed;

/// The contents of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Cells(u32, Vec<Cell>),
    Map(Vec<(Cell, Cell)>),
    Set(Vec<Cell>),
    Bytes(Vec<u8>),
    Ints(Vec<i64>),
    Floats(Vec<f64>),
    Big(i128),
    Seal(usize, Cell),
}

impl Body {
    /// All cells in the object.
    pub(super) fn cells(&self) -> Vec<Cell> {
        match self {
            Body::Cells(_, cells) | Body::Set(cells) => cells.clone(),
            Body::Map(entries) => entries.iter().flat_map(|&(k, v)| [k, v]).collect(),
            Body::Seal(_, cell) => vec![*cell],
            _ => Vec::new(),
        }
    }

    /// The contents with each cell replaced.
    pub(super) fn map(&self, to: impl Fn(Cell) -> Cell) -> Body {
        match self {
            Body::Cells(header, cells) => {
                Body::Cells(*header, cells.iter().map(|&c| to(c)).collect())
            }
            Body::Set(cells) => Body::Set(cells.iter().map(|&c| to(c)).collect()),
            Body::Map(entries) => Body::Map(entries.iter().map(|&(k, v)| (to(k), to(v))).collect()),
            other => other.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) body: Body,
    /// The number of regions that were open when it was allocated.
    pub(super) depth: usize,
}

/// Kind and index of a slot.
pub(super) type Slot = (u64, u64);

/// The slot that a handle refers to.
pub(super) fn slot_of(cell: Cell) -> Option<Slot> {
    is_handle(cell).then(|| (abi::bits(cell) >> 44, abi::bits(cell) & 0xFFFF_FFFF))
}

pub(super) fn is_handle(cell: Cell) -> bool {
    cell.kind().is_some()
}

pub(super) fn is_seal(cell: Cell) -> bool {
    cell.kind() == Some(sealed())
}
