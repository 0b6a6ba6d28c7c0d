//! Two heaps, each beside its model, and what a host keeps of them.

use std::fmt::Debug;

use segheap::{Cell, Cursor, Error, Heap, Kind, Limits, Region, Resource, SealKey, Usage, abi};

use crate::dice::Dice;
use crate::hints::Hint;
use crate::model::{Model, Object};
use crate::value::{Value, bits, decode, encode, values};

/// A disagreement, or nothing.
pub(crate) type Check<T = ()> = Result<T, String>;

/// How an operation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was not run.
    #[default]
    Skipped,
    /// It succeeded.
    Done,
    /// It failed as predicted.
    Failed,
    /// A limit or an injected failure refused it.
    Refused,
}

/// A cursor in an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    /// The object.
    pub(crate) object: Cell,
    /// The cursor of the heap.
    pub(crate) cursor: Cursor,
    /// The index of the next element, or the number of the last entry returned.
    pub(crate) at: u64,
}

/// A heap, its model, and what its host keeps.
pub(crate) struct Side {
    /// The heap.
    pub(crate) heap: Heap,
    /// Its model.
    pub(crate) model: Model,
    /// The cells that are roots of collections.
    pub(crate) registers: Vec<Cell>,
    /// Open regions and closed ones, with the numbers of their tokens.
    pub(crate) regions: Vec<(Region, u64)>,
    /// The keys of seals.
    pub(crate) keys: Vec<SealKey>,
    /// Iterations.
    pub(crate) walks: Vec<Walk>,
    /// Range hints.
    pub(crate) hints: Vec<Hint>,
    /// Whether growth fails from some point on.
    pub(crate) injected: bool,
    /// Keys whose hashes collide.
    pub(crate) flood: Vec<i64>,
}

/// Two heaps and the dice.
pub(crate) struct World {
    /// The dice.
    pub(crate) dice: Dice,
    /// The heaps.
    pub(crate) sides: [Side; 2],
    /// The heap that the operation is about.
    pub(crate) me: usize,
    /// Cells that were handles once.
    pub(crate) attic: Vec<Cell>,
    /// The usage before the operation.
    pub(crate) before: Usage,
    /// How the operation ended.
    pub(crate) outcome: Outcome,
    /// The operations, if they are recorded.
    pub(crate) log: Option<Vec<String>>,
    /// Tables that were seen to be search trees.
    pub(crate) ordered: u64,
}

impl World {
    /// The side that the operation is about.
    pub(crate) fn side(&mut self) -> &mut Side {
        &mut self.sides[self.me]
    }

    /// The heap that the operation is about.
    pub(crate) fn heap(&mut self) -> &mut Heap {
        &mut self.sides[self.me].heap
    }

    /// Its model.
    pub(crate) fn model(&mut self) -> &mut Model {
        &mut self.sides[self.me].model
    }

    /// Records an operation.
    pub(crate) fn note(&mut self, what: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            let line = format!("{} {}", ["A", "B"][self.me], what());
            log.push(line);
        }
    }

    /// Whether an error is one that limits or injected failures explain.
    fn refuses(&self, error: Error) -> bool {
        let side = &self.sides[self.me];
        let limits = side.heap.limits();
        match error {
            Error::OutOfMemory => side.injected,
            Error::Limit(Resource::Bytes) => limits.bytes != usize::MAX || side.injected,
            Error::Limit(Resource::Pages(_)) => limits.pages != Limits::NONE.pages,
            Error::Limit(Resource::Slots(kind)) => {
                let arena = self.before.arena(kind).unwrap_or(&self.before.seals);
                limits.slots != u32::MAX && (arena.free == 0 && arena.live >= limits.slots)
            }
            _ => false,
        }
    }

    /// Compares results; `None` if the operation failed as it should.
    pub(crate) fn settle<T: Debug + PartialEq>(
        &mut self,
        got: Result<T, Error>,
        want: Result<T, Vec<Error>>,
    ) -> Check<Option<T>> {
        match (got, want) {
            (Ok(got), Ok(want)) if got == want => {
                self.outcome = Outcome::Done;
                Ok(Some(got))
            }
            (Err(got), Err(want)) if want.contains(&got) => {
                self.outcome = Outcome::Failed;
                Ok(None)
            }
            (got, want) => Err(format!("returned {got:?}, expected {want:?}")),
        }
    }

    /// As [`World::settle`], for operations that may need memory.
    pub(crate) fn settle_growing<T: Debug + PartialEq>(
        &mut self,
        got: Result<T, Error>,
        want: Result<T, Vec<Error>>,
    ) -> Check<Option<T>> {
        match got {
            Err(error) if self.refuses(error) => {
                self.outcome = Outcome::Refused;
                Ok(None)
            }
            got => self.settle(got, want),
        }
    }

    /// As [`World::settle_growing`], for operations that allocate several objects.
    pub(crate) fn settle_many<T: Debug + PartialEq>(
        &mut self,
        got: Result<T, Error>,
        want: Result<T, Vec<Error>>,
    ) -> Check<Option<T>> {
        if let Err(Error::Limit(Resource::Slots(_))) = got
            && self.heap().limits().slots != u32::MAX
        {
            self.outcome = Outcome::Refused;
            return Ok(None);
        }
        self.settle_growing(got, want)
    }

    /// Compares a result that is a value or a new object.
    pub(crate) fn settle_made(
        &mut self,
        got: Result<Cell, Error>,
        want: Result<Made, Vec<Error>>,
    ) -> Check<Option<Cell>> {
        match (got, want) {
            (Ok(cell), Ok(Made::Object(object))) => {
                let found = self.read(cell)?;
                if found != object {
                    return Err(format!("allocated {found:?}, expected {object:?}"));
                }
                self.adopt(cell, object)?;
                self.outcome = Outcome::Done;
                Ok(Some(cell))
            }
            (Ok(cell), Ok(Made::Value(value))) => self.settle(Ok(cell), Ok(encode(&value))),
            (got, want) => {
                let want = want.map(|made| format!("{made:?}"));
                self.settle_growing(got.map(|cell| format!("{cell:?}")), want).map(|_| None)
            }
        }
    }

    /// Takes a new object into the model and into a register.
    pub(crate) fn adopt(&mut self, cell: Cell, object: Object) -> Check {
        self.model().allocated(cell, object)?;
        self.keep(cell);
        Ok(())
    }

    /// Stores a cell in a register.
    pub(crate) fn keep(&mut self, cell: Cell) {
        let place = self.dice.below(self.sides[self.me].registers.len());
        let old = std::mem::replace(&mut self.side().registers[place], cell);
        if old.kind().is_some() && self.dice.percent(10) {
            let place = self.dice.below(self.attic.len());
            self.attic[place] = old;
        }
    }

    /// Reads an object of the heap.
    pub(crate) fn read(&self, cell: Cell) -> Check<Object> {
        self.sides[self.me].read(cell)
    }
}

/// A value, or an object that holds one.
#[derive(Debug, PartialEq)]
pub(crate) enum Made {
    /// A value in the cell.
    Value(Value),
    /// A new object.
    Object(Object),
}

macro_rules! read_items {
    ($heap:expr, $cell:expr, $Kind:ident, $header:expr) => {{
        let view = $heap.get::<segheap::$Kind>($cell).map_err(unreadable)?;
        let items = values(view.as_slice());
        let header: fn(segheap::View<'_, segheap::$Kind>) -> u32 = $header;
        (items.len() == view.len() && view.is_empty() == items.is_empty())
            .then(|| Object::Items {
                kind: <segheap::$Kind as segheap::HasKind>::KIND,
                header: header(view),
                items,
            })
            .ok_or_else(|| format!("the length of {:?} is wrong", $cell))
    }};
}

fn unreadable(error: Error) -> String {
    format!("a live object cannot be read: {error:?}")
}

impl Side {
    /// Reads an object of the heap; of a seal, nothing.
    pub(crate) fn read(&self, cell: Cell) -> Check<Object> {
        let heap = &self.heap;
        match cell.kind() {
            Some(Kind::STR) => {
                let text = heap.get::<segheap::Str>(cell).map_err(unreadable)?;
                Ok(Object::Text(text.to_str().map_err(unreadable)?.to_owned()))
            }
            Some(Kind::BIGNUM) => self.read_integer(cell),
            Some(Kind::LIST) => read_items!(heap, cell, List, |_| 0),
            Some(Kind::STRUCT) => read_items!(heap, cell, Struct, |view| view.shape()),
            Some(Kind::CLOSURE) => read_items!(heap, cell, Closure, |view| view.function()),
            Some(Kind::PAIR) => read_items!(heap, cell, Pair, |_| 0),
            Some(Kind::BYTES) => read_items!(heap, cell, Bytes, |_| 0),
            Some(Kind::U8ARR) => read_items!(heap, cell, U8Arr, |_| 0),
            Some(Kind::I64ARR) => read_items!(heap, cell, I64Arr, |_| 0),
            Some(Kind::F64ARR) => read_items!(heap, cell, F64Arr, |_| 0),
            Some(Kind::MAP) => {
                let view = heap.get::<segheap::Map>(cell).map_err(unreadable)?;
                table(Kind::MAP, view.len(), view.iter())
            }
            Some(Kind::SET) => {
                let view = heap.get::<segheap::Set>(cell).map_err(unreadable)?;
                table(Kind::SET, view.len(), view.iter().map(|key| (key, Cell::NULL)))
            }
            other => Err(format!("an object of kind {other:?}")),
        }
    }

    fn read_integer(&self, cell: Cell) -> Check<Object> {
        use num_bigint::{BigInt, BigUint, Sign};
        let view = self.heap.get::<segheap::Bignum>(cell).map_err(unreadable)?;
        let digits: Vec<u32> =
            view.limbs().iter().flat_map(|&limb| [limb as u32, (limb >> 32) as u32]).collect();
        let sign = if view.is_negative() { Sign::Minus } else { Sign::Plus };
        let integer = BigInt::from_biguint(sign, BigUint::new(digits));
        let small = (i64::try_from(&integer).ok(), i128::try_from(&integer).ok());
        if view.limbs().last() == Some(&0) || (view.to_i64(), view.to_i128()) != small {
            return Err(format!("the parts of {view} disagree"));
        }
        Ok(Object::Integer(integer))
    }

    /// Compares a live object with its model.
    pub(crate) fn compare(&self, handle: u64, object: &Object) -> Check {
        let cell = abi::cell(handle).ok_or("a handle is no cell")?;
        if let Object::Seal { key, value } = object {
            let want = match value {
                Value::Handle(cell) if self.model.find(*cell).is_none() => {
                    Err(Error::Stale { kind: cell.kind().expect("a handle") })
                }
                value => Ok(value.clone()),
            };
            let got = self.heap.unseal(cell, &self.keys[*key]).map(decode);
            return if got == want { Ok(()) } else { Err(format!("{cell:?} stands for {got:?}")) };
        }
        let found = self.read(cell)?;
        if &found == object {
            return Ok(());
        }
        Err(format!("{cell:?} is {found:?}, expected {object:?}"))
    }

    /// The cells that the host has, beside those of the other heap.
    pub(crate) fn held(&self) -> impl Iterator<Item = Cell> {
        let walks = self.walks.iter().map(|walk| walk.object);
        self.registers.iter().copied().chain(walks).filter(|cell| bits(*cell) != 0)
    }
}

fn table(kind: Kind, len: usize, entries: impl Iterator<Item = (Cell, Cell)>) -> Check<Object> {
    let entries: Vec<_> = entries
        .map(|(key, value)| crate::model::Entry {
            serial: 0,
            key: decode(key),
            value: decode(value),
        })
        .collect();
    if entries.len() != len {
        return Err(format!("a table of {len} entries has {}", entries.len()));
    }
    Ok(Object::Table { kind, entries })
}
