//! A bulk copy: how it is called, and its expected result.

use segheap::{Bytes, Cell, Error, F64Arr, HasKind, Heap, I64Arr, Kind, List, Str, U8Arr};

use super::Element::Byte;
use super::Form::{self, Append, Convert, Overwrite};
use super::snapshot::{Snapshot, read};
use super::{Bounds, Element, converted, has_route, is_reversed, resolve};

macro_rules! typed {
    ($($From:ident => $($To:ident)*;)*) => {
        fn typed_copy(
            heap: &mut Heap, target: Cell, at: usize, source: Cell, bounds: Bounds,
        ) -> Result<(), Error> {
            $($(if (source.kind(), target.kind()) == (Some($From::KIND), Some($To::KIND)) {
                return heap.copy_across(target.to_handle::<$To>()?, at, source.to_handle::<$From>()?, bounds);
            })*)*
            panic!("no route")
        }

        fn typed_append(
            heap: &mut Heap, target: Cell, source: Cell, bounds: Bounds,
        ) -> Result<(), Error> {
            $($(if (source.kind(), target.kind()) == (Some($From::KIND), Some($To::KIND)) {
                return heap.append_across(target.to_handle::<$To>()?, source.to_handle::<$From>()?, bounds);
            })*)*
            panic!("no route")
        }
    };
}
typed! {
    Str => Bytes U8Arr;
    Bytes => Bytes U8Arr I64Arr List;
    U8Arr => Bytes U8Arr I64Arr F64Arr List;
    I64Arr => Bytes U8Arr I64Arr F64Arr List;
    F64Arr => U8Arr I64Arr F64Arr List;
    List => Bytes U8Arr I64Arr F64Arr List;
}

macro_rules! typed_new {
    ($($From:ident => $($To:ident)*;)*) => {
        fn typed_convert(
            heap: &mut Heap, to: Kind, source: Cell, bounds: Bounds,
        ) -> Result<Cell, Error> {
            $($(if (source.kind(), to) == (Some($From::KIND), $To::KIND) {
                return heap.convert_across::<$To>(source.to_handle::<$From>()?, bounds).map(Cell::from);
            })*)*
            panic!("no route")
        }
    };
}
typed_new! {
    Str => Str Bytes U8Arr;
    Bytes => Str Bytes U8Arr I64Arr List;
    U8Arr => Str Bytes U8Arr I64Arr F64Arr List;
    I64Arr => Bytes U8Arr I64Arr F64Arr List;
    F64Arr => U8Arr I64Arr F64Arr List;
    List => Bytes U8Arr I64Arr F64Arr List;
}

/// A bulk copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) form: Form,
    pub(super) typed: bool,
    pub(super) to: Kind,
    /// Unused by `Convert`, which allocates the target.
    pub(super) target: Cell,
    pub(super) at: usize,
    pub(super) source: Cell,
    pub(super) bounds: Bounds,
}

impl Op {
    /// Runs the copy. Returns the object it wrote.
    pub(super) fn run(self, heap: &mut Heap) -> Result<Cell, Error> {
        let Op { form, typed, to, target, at, source, bounds } = self;
        match (form, typed) {
            (Overwrite, true) => typed_copy(heap, target, at, source, bounds)?,
            (Overwrite, false) => heap.copy_across_any(target, at, source, bounds)?,
            (Append, true) => typed_append(heap, target, source, bounds)?,
            (Append, false) => heap.append_across_any(target, source, bounds)?,
            (Convert, true) => return typed_convert(heap, to, source, bounds),
            (Convert, false) => return heap.convert_across_any(to, source, bounds),
        }
        Ok(target)
    }

    /// The elements that the object must have then, or the error.
    fn expected(self, heap: &Heap) -> Result<Vec<Element>, Error> {
        let Op { form, to, target, at, source, bounds, .. } = self;
        let from = source.kind().ok_or(Error::NotAHandle)?;
        if !has_route(from, to, form) {
            return Err(Error::NoRoute { from, to });
        }
        let mut written = if form == Convert { Vec::new() } else { read(heap, target)? };
        let source = read(heap, source)?;
        let range = resolve(bounds, source.len())?;
        if (from, to) == (Kind::STR, Kind::STR) {
            for index in [range.start, range.end] {
                if matches!(source.get(index), Some(Byte(0x80..=0xBF))) {
                    return Err(Error::NotACharBoundary { index: index as u32 });
                }
            }
        }
        let at = if form == Overwrite { at } else { written.len() };
        let end = at.saturating_add(range.len());
        if form == Overwrite && (at > written.len() || end > written.len()) {
            return Err(Error::OutOfRange { index: end as u64, len: written.len() as u32 });
        }
        if to == Kind::STR {
            let bytes = source[range.clone()].iter();
            let bytes: Vec<u8> =
                bytes.map(|e| if let Byte(byte) = e { *byte } else { panic!() }).collect();
            if let Err(error) = core::str::from_utf8(&bytes) {
                let valid_up_to = (range.start + error.valid_up_to()) as u32;
                return Err(Error::NotUtf8 { valid_up_to });
            }
        }
        for (n, index) in range.enumerate() {
            let error = Error::NotConvertible { index: index as u32, to };
            let element = converted(source[index], to).ok_or(error)?;
            match written.get_mut(at + n) {
                Some(old) => *old = element,
                None => written.push(element),
            }
        }
        Ok(written)
    }

    /// Runs the copy and compares with the reference. With limited memory it may also
    /// fail for lack of it; returns whether it did.
    pub(super) fn check(self, heap: &mut Heap, limited: bool) -> bool {
        let before = Snapshot::of(heap);
        let old_handles = if self.form == Convert {
            0
        } else {
            read(heap, self.target).map_or(0, |e| handles(&e))
        };
        let expected = self.expected(heap);
        let result = self.run(heap);
        let after = Snapshot::of(heap);
        match (&expected, result) {
            (_, Err(Error::Limit(_) | Error::OutOfMemory)) if limited => {
                assert!(before == after, "{self:?} failed and changed {before:?} to {after:?}");
                return true;
            }
            (Err(expected), Err(error)) => {
                let error = self.without_len(error);
                assert_eq!(error, *expected, "{self:?}");
                assert!(
                    before == after,
                    "{self:?} failed with {error} and changed {before:?} to {after:?}"
                );
            }
            (Ok(expected), Ok(written)) => {
                let elements = read(heap, written).unwrap();
                let differs = (0..expected.len()).find(|&n| elements.get(n) != expected.get(n));
                if let Some(n) = differs {
                    panic!("{self:?}, element {n}: {:?}, not {:?}", elements.get(n), expected[n]);
                }
                assert_eq!(elements.len(), expected.len(), "{self:?}");
                assert_eq!(written.kind(), Some(self.to));
                let new = before.assert_others_unchanged(&after, written);
                assert_eq!(new, usize::from(self.form == Convert), "{self:?}");
                if self.source.kind() != Some(Kind::LIST) {
                    assert!(handles(&elements) <= old_handles, "{self:?} forged a handle");
                }
                if self.form == Convert {
                    heap.free(written).unwrap();
                }
            }
            (expected, result) => panic!("{self:?}: {result:?}, not {expected:?}"),
        }
        false
    }

    /// Clears the length in the error of a reversed range, which has a test of its own.
    fn without_len(self, error: Error) -> Error {
        match error {
            Error::OutOfRange { index, .. } if is_reversed(self.bounds) => {
                Error::OutOfRange { index, len: 0 }
            }
            error => error,
        }
    }
}

/// The number of handles among the elements.
fn handles(elements: &[Element]) -> usize {
    let is_handle =
        |element: &&Element| matches!(element, Element::Cell(cell) if cell.kind().is_some());
    elements.iter().filter(is_handle).count()
}
