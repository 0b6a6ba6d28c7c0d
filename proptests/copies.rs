//! Bulk copies beside a twin that takes one element at a time, on a heap that is
//! compared as a whole before and after.

use core::ops::{Bound, Range};

use proptest::collection::vec;
use proptest::prelude::*;
use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, HasKind, Heap, I64Arr, Kind, Limits, List, Map,
    Pair, Set, Settings, Str, Struct, U8Arr, Unpacked, Usage, abi,
};

type Bounds = (Bound<usize>, Bound<usize>);
const ALL: Bounds = (Bound::Unbounded, Bound::Unbounded);

const SIX: [Kind; 6] =
    [Kind::STR, Kind::BYTES, Kind::U8ARR, Kind::I64ARR, Kind::F64ARR, Kind::LIST];

/// The documented table: `y` a route, `n` a route into new objects only.
const ROUTES: [&[u8; 6]; 6] = [b"nyy---", b"nyyy-y", b"nyyyyy", b"-yyyyy", b"--yyyy", b"-yyyyy"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Over,
    Append,
    Convert,
}
use Form::{Append, Convert, Over};
const FORMS: [Form; 3] = [Over, Append, Convert];

fn has_route(from: Kind, to: Kind, form: Form) -> bool {
    let index = |kind| SIX.iter().position(|&six| six == kind);
    let (Some(from), Some(to)) = (index(from), index(to)) else { return false };
    match ROUTES[from][to] {
        b'y' => true,
        b'n' => form == Convert,
        _ => false,
    }
}

fn routes() -> impl Iterator<Item = (Kind, Kind, Form)> {
    let pairs = SIX.into_iter().flat_map(|from| SIX.into_iter().map(move |to| (from, to)));
    let all = pairs.flat_map(|(from, to)| FORMS.into_iter().map(move |form| (from, to, form)));
    all.filter(|&(from, to, form)| has_route(from, to, form))
}

fn is_bytes(kind: Kind) -> bool {
    [Kind::STR, Kind::BYTES, Kind::U8ARR].contains(&kind)
}

/// An element; floats by their bits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum El {
    Byte(u8),
    Int(i64),
    Float(u64),
    Cell(Cell),
}
use El::{Byte, Float, Int};

fn int_cell(int: i64) -> Cell {
    abi::cell(0xFFFA << 48 | int.cast_unsigned() & 0xFFFF_FFFF_FFFF).unwrap()
}

/// The element as one of `to`, if that loses nothing.
fn fitted(element: El, to: Kind) -> Option<El> {
    let float = |value: f64| Some(Float(value.to_bits()));
    let byte = |value: i128| u8::try_from(value).ok().map(Byte);
    match (element, to) {
        (Byte(value), Kind::I64ARR) => Some(Int(value.into())),
        (Byte(value), Kind::F64ARR) => float(value.into()),
        (Byte(value), Kind::LIST) => Some(El::Cell(int_cell(value.into()))),
        (Byte(_), _) => Some(element),
        (Int(_), Kind::I64ARR) => Some(element),
        (Int(value), Kind::F64ARR) => {
            (value as f64 as i128 == i128::from(value)).then_some(Float((value as f64).to_bits()))
        }
        (Int(value), Kind::LIST) => (-140_737_488_355_328..=140_737_488_355_327)
            .contains(&value)
            .then(|| El::Cell(int_cell(value))),
        (Int(value), _) => byte(value.into()),
        (Float(_), Kind::F64ARR) => Some(element),
        (Float(bits), Kind::LIST) => {
            let nan = f64::from_bits(bits).is_nan();
            abi::cell(if nan { 0x7FF8 << 48 } else { bits }).map(El::Cell)
        }
        (Float(bits), _) => {
            let value = f64::from_bits(bits);
            if !value.is_finite() || value.fract() != 0.0 || value.abs() > 2_f64.powi(63) {
                return None;
            }
            let value = value as i128;
            if to == Kind::I64ARR { i64::try_from(value).ok().map(Int) } else { byte(value) }
        }
        (El::Cell(_), Kind::LIST) => Some(element),
        (El::Cell(cell), _) => match (cell.unpack(), to) {
            (Unpacked::Int(value), Kind::I64ARR) => Some(Int(value)),
            (Unpacked::Int(value), Kind::F64ARR) => float(value as f64),
            (Unpacked::Float(value), Kind::F64ARR) => float(value),
            (Unpacked::Int(value), _) => byte(value.into()),
            _ => None,
        },
    }
}

const P47: i64 = 1 << 47;
const P53: i64 = 1 << 53;
const WHOLES: [i64; 14] = [
    0,
    P53,
    P53 - 1,
    P53 + 2,
    -P53 - 2,
    1 << 54,
    3 << 60,
    i64::MIN,
    i64::MAX - 1023,
    (1 << 51) - 1,
    1 << 51,
    (1 << 51) + 1,
    -(1 << 51) - 1,
    1 << 52,
];
const FLOATS: [u64; 16] = [
    0,
    0x8000_0000_0000_0000,
    0x7FF0_0000_0000_0000,
    0xFFF0_0000_0000_0000,
    0x7FF8_0000_0000_0000,
    0xFFFF_1234_5678_9ABC,
    0xFFFA_0000_0000_0007,
    0x7FF0_0000_0000_0001,
    1,
    0x3FE0_0000_0000_0000,
    0x43E0_0000_0000_0000,
    0xC3E0_0000_0000_0000,
    0xC3E0_0000_0000_0001,
    0x7E37_E43C_8800_759C,
    0x4070_0000_0000_0000,
    0x4320_0000_0000_0001,
];

/// The edges of what elements of `from` there are; all the rest is random.
fn edges(from: Kind, handles: &[Cell]) -> Vec<El> {
    let ints = [255, 256, -1, 257, P47, P47 - 1, -P47, -P47 - 1, P53 + 1, i64::MAX, i64::MIN + 1];
    let ints = ints.into_iter().chain(WHOLES);
    let floats = FLOATS.into_iter().chain(WHOLES.map(|int| (int as f64).to_bits()));
    let floats = floats.chain([255.5_f64, 256.0, 255.0, -1.0, -0.5, 1e15 + 0.5].map(f64::to_bits));
    match from {
        Kind::I64ARR => ints.map(Int).collect(),
        Kind::F64ARR => floats.map(Float).collect(),
        Kind::LIST => {
            let text = ["", "a", "ñ", "12345"].map(|text| Cell::short_str(text).unwrap());
            let odd = [Cell::TRUE, Cell::FALSE, Cell::NULL, Cell::deopt(7).unwrap()];
            let odd = odd.into_iter().chain([Cell::deopt((1 << 48) - 1).unwrap()]);
            let floats = floats.map(|bits| Cell::float(f64::from_bits(bits)));
            let cells = ints.filter_map(Cell::int).chain(floats).chain(text).chain(odd);
            cells.chain(handles.iter().copied()).map(El::Cell).collect()
        }
        _ => [0, 255, 1, 127, 128].map(Byte).to_vec(),
    }
}

/// Random elements that fit, and ones that do not, for one pair of kinds.
struct Source {
    from: Kind,
    to: Kind,
    fitting: Vec<El>,
    misfits: Vec<El>,
}

impl Source {
    fn new(from: Kind, to: Kind, handles: &[Cell]) -> Source {
        let (fitting, misfits) = edges(from, handles)
            .into_iter()
            .partition(|&edge| !has_route(from, to, Convert) || fitted(edge, to).is_some());
        Source { from, to, fitting, misfits }
    }

    fn is_text(&self) -> bool {
        self.from == Kind::STR || self.to == Kind::STR && is_bytes(self.from)
    }

    fn element(&self, raw: u64) -> El {
        let value = raw >> 8;
        let random = match self.from {
            Kind::I64ARR if is_bytes(self.to) => Int((value & 0xFF).cast_signed()),
            Kind::I64ARR => Int(value.cast_signed() << 16 >> (value & 63)),
            Kind::F64ARR if is_bytes(self.to) => Float(f64::from(value as u8).to_bits()),
            Kind::F64ARR if self.to == Kind::I64ARR => {
                Float(((value.cast_signed() << 16 >> (value & 63)) as f64).to_bits())
            }
            Kind::F64ARR => Float(value.rotate_left(8)),
            Kind::LIST if value & 1 == 0 && self.to == Kind::F64ARR => {
                El::Cell(Cell::float(f64::from_bits(value << 8)))
            }
            Kind::LIST if is_bytes(self.to) => El::Cell(Cell::from(value as u8)),
            Kind::LIST => El::Cell(int_cell(value.cast_signed() << 16 >> (16 + (value & 47)))),
            _ => Byte(value as u8),
        };
        let fits = !has_route(self.from, self.to, Convert) || fitted(random, self.to).is_some();
        if raw & 3 == 0 || !fits { self.edge(raw >> 2) } else { random }
    }

    fn edge(&self, raw: u64) -> El {
        self.fitting[raw as usize % self.fitting.len()]
    }

    /// As many elements as there are numbers, or characters of as many.
    fn elements(&self, raws: &[u64]) -> Vec<El> {
        if !self.is_text() {
            return raws.iter().map(|&raw| self.element(raw)).collect();
        }
        raws.iter().flat_map(|&raw| char_of(raw).to_string().into_bytes()).map(Byte).collect()
    }

    /// Puts something that does not fit at a place, if there is such a thing.
    fn spoil(&self, elements: &mut [El], place: usize, raw: u64) {
        if self.from == Kind::STR || elements.is_empty() {
            return;
        }
        let place = place.min(elements.len() - 1);
        if self.is_text() {
            let odd: [&[u8]; 8] = [
                b"\xFF",
                b"\x80",
                b"\xC0\x80",
                b"\xED\xA0\x80",
                b"\xF4\x90\x80\x80",
                b"\xF0\x9F",
                b"\xE2",
                b"\x80\x80\x80\x80\x80",
            ];
            let odd = odd[raw as usize % odd.len()];
            elements[place..].iter_mut().zip(odd).for_each(|(to, &byte)| *to = Byte(byte));
        } else if !self.misfits.is_empty() {
            elements[place] = self.misfits[raw as usize % self.misfits.len()];
        }
    }
}

fn char_of(raw: u64) -> char {
    match raw & 7 {
        0..=2 => char::from(b' ' + (raw >> 8) as u8 % 95),
        3 => 'ñ',
        4 => ['€', '\u{800}', '\u{FFFF}', '\u{D7FF}'][(raw >> 8) as usize & 3],
        5 => ['😀', '\u{10000}', '\u{10FFFF}', '🎈'][(raw >> 8) as usize & 3],
        6 => char::from_u32((raw >> 8) as u32 % 0x11_0000).unwrap_or('x'),
        _ => '\0',
    }
}

fn make(heap: &mut Heap, kind: Kind, elements: &[El]) -> Result<Cell, Error> {
    macro_rules! of {
        ($variant:path) => {
            &elements
                .iter()
                .map(|e| if let $variant(v) = e { *v } else { panic!() })
                .collect::<Vec<_>>()
        };
    }
    Ok(match kind {
        Kind::STR => heap.alloc(Str::from_utf8(of!(Byte))?)?.cell(),
        Kind::BYTES => heap.alloc(Bytes::of(of!(Byte)))?.cell(),
        Kind::U8ARR => heap.alloc(U8Arr::of(of!(Byte)))?.cell(),
        Kind::I64ARR => heap.alloc(I64Arr::of(of!(Int)))?.cell(),
        Kind::F64ARR => {
            let floats: Vec<f64> = of!(Float).iter().map(|&bits| f64::from_bits(bits)).collect();
            heap.alloc(F64Arr::of(&floats))?.cell()
        }
        Kind::LIST => heap.alloc(List::of(of!(El::Cell)))?.cell(),
        kind => panic!("{kind} is none of the six"),
    })
}

fn read(heap: &Heap, object: Cell) -> Result<Vec<El>, Error> {
    Ok(match object.kind() {
        Some(Kind::STR) => heap.get::<Str>(object)?.as_slice().iter().map(|&v| Byte(v)).collect(),
        Some(Kind::BYTES) => {
            heap.get::<Bytes>(object)?.as_slice().iter().map(|&v| Byte(v)).collect()
        }
        Some(Kind::U8ARR) => {
            heap.get::<U8Arr>(object)?.as_slice().iter().map(|&v| Byte(v)).collect()
        }
        Some(Kind::I64ARR) => {
            heap.get::<I64Arr>(object)?.as_slice().iter().map(|&v| Int(v)).collect()
        }
        Some(Kind::F64ARR) => {
            heap.get::<F64Arr>(object)?.as_slice().iter().map(|v| Float(v.to_bits())).collect()
        }
        _ => heap.get::<List>(object)?.as_slice().iter().map(|&v| El::Cell(v)).collect(),
    })
}

/// All that a program can see of a heap: counts, slots, and the bytes of every
/// live object.
#[derive(Debug, PartialEq)]
struct Seen {
    usage: Usage,
    slots: Vec<Vec<[u32; 4]>>,
    objects: Vec<(Kind, u32, Vec<u8>)>,
}

impl Seen {
    fn of(heap: &Heap) -> Seen {
        let mut seen = Seen { usage: heap.usage(), slots: Vec::new(), objects: Vec::new() };
        for kind in Kind::ALL {
            let slots = abi::slots(heap, kind).unwrap();
            let memory = abi::memory(heap, kind).unwrap().bytes();
            for (index, &[key, len, off, cap]) in slots.iter().enumerate() {
                if key >> 16 != 0xFFFF {
                    continue;
                }
                let (len, off, cap) = (len as usize, off as usize * 8, cap as usize * 8);
                let bytes = match kind {
                    Kind::MAP | Kind::SET => cap,
                    Kind::STRUCT | Kind::CLOSURE | Kind::BIGNUM => len * 8 + 8,
                    kind if is_bytes(kind) => len,
                    _ => len * 8,
                };
                assert!(bytes <= cap);
                if kind == Kind::STR {
                    assert!(core::str::from_utf8(&memory[off..off + bytes]).is_ok());
                }
                seen.objects.push((kind, index as u32, memory[off..off + bytes].to_vec()));
            }
            seen.slots.push(slots.to_vec());
        }
        seen
    }

    /// That no object but this one is different in `later`, and how many are new.
    fn others_kept(&self, later: &Seen, changed: Cell) -> usize {
        let changed = (changed.kind().unwrap(), abi::bits(changed) as u32);
        let mut old = self.objects.iter().peekable();
        let mut new = 0;
        for object in &later.objects {
            let Some(before) = old.next_if(|before| (before.0, before.1) == (object.0, object.1))
            else {
                new += 1;
                continue;
            };
            assert!(
                before.2 == object.2 || (object.0, object.1) == changed,
                "a copy changed another object: {}#{}",
                object.0,
                object.1,
            );
        }
        assert!(old.next().is_none(), "a copy freed an object");
        for (kind, (before, after)) in Kind::ALL.iter().zip(self.slots.iter().zip(&later.slots)) {
            assert!(*kind == changed.0 || before == after, "a copy changed slots of {kind}");
        }
        new
    }
}

/// A heap with an object of every kind, which nothing here may touch.
fn populated() -> (Heap, Vec<Cell>) {
    let mut heap = Heap::with(Settings::seeded(77));
    let text = heap.alloc(Str::new("not to be touched")).unwrap().cell();
    let map = heap.alloc(Map::new()).unwrap();
    heap.get_mut(map).unwrap().insert(text, Cell::TRUE).unwrap();
    let set = heap.alloc(Set::new()).unwrap();
    heap.get_mut(set).unwrap().insert(text).unwrap();
    let cells = [text, map.cell(), set.cell()];
    let mut all = cells.to_vec();
    all.push(heap.alloc(List::of(&cells)).unwrap().cell());
    all.push(heap.alloc(Struct::of(5, &cells)).unwrap().cell());
    all.push(heap.alloc(Closure::of(6, &cells)).unwrap().cell());
    all.push(heap.alloc(Bignum::of(true, &[1, 2, 3])).unwrap().cell());
    all.push(heap.alloc(Bignum::of(false, &[7])).unwrap().cell());
    all.push(heap.alloc(Pair::of(text, 1.into())).unwrap().cell());
    all.push(heap.alloc(Bytes::of(b"bytes")).unwrap().cell());
    all.push(heap.alloc(F64Arr::of(&[1.5, f64::NAN])).unwrap().cell());
    all.push(heap.alloc(I64Arr::of(&[i64::MIN, 3])).unwrap().cell());
    all.push(heap.alloc(U8Arr::of(&[9, 8])).unwrap().cell());
    (heap, all)
}

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

/// One copy.
#[derive(Clone, Copy, Debug)]
struct Op {
    form: Form,
    typed: bool,
    to: Kind,
    /// The source itself for a new object.
    target: Cell,
    at: usize,
    source: Cell,
    bounds: Bounds,
}

impl Op {
    /// Runs it; answers the object it has written.
    fn run(self, heap: &mut Heap) -> Result<Cell, Error> {
        let Op { form, typed, to, target, at, source, bounds } = self;
        match (form, typed) {
            (Over, true) => typed_copy(heap, target, at, source, bounds)?,
            (Over, false) => heap.copy_across_any(target, at, source, bounds)?,
            (Append, true) => typed_append(heap, target, source, bounds)?,
            (Append, false) => heap.append_across_any(target, source, bounds)?,
            (Convert, true) => return typed_convert(heap, to, source, bounds),
            (Convert, false) => return heap.convert_across_any(to, source, bounds),
        }
        Ok(target)
    }

    /// What the object written should hold then.
    fn twin(self, heap: &Heap) -> Result<Vec<El>, Error> {
        let Op { form, to, target, at, source, bounds, .. } = self;
        let from = source.kind().ok_or(Error::NotAHandle)?;
        if !has_route(from, to, form) {
            return Err(Error::NoRoute { from, to });
        }
        let mut written = if form == Convert { Vec::new() } else { read(heap, target)? };
        let source = read(heap, source)?;
        let range = naive_range(bounds, source.len())?;
        if (from, to) == (Kind::STR, Kind::STR) {
            for index in [range.start, range.end] {
                if matches!(source.get(index), Some(Byte(0x80..=0xBF))) {
                    return Err(Error::NotACharBoundary { index: index as u32 });
                }
            }
        }
        let at = if form == Over { at } else { written.len() };
        let end = at.saturating_add(range.len());
        if form == Over && (at > written.len() || end > written.len()) {
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
            let misfit = Error::NotConvertible { index: index as u32, to };
            let element = fitted(source[index], to).ok_or(misfit)?;
            match written.get_mut(at + n) {
                Some(place) => *place = element,
                None => written.push(element),
            }
        }
        Ok(written)
    }

    /// Runs it beside its twin; `hindered` if a limit may stop it. Answers
    /// whether one has.
    fn check(self, heap: &mut Heap, hindered: bool) -> bool {
        let before = Seen::of(heap);
        let there = if self.form == Convert {
            0
        } else {
            read(heap, self.target).map_or(0, |e| handles(&e))
        };
        let expected = self.twin(heap);
        let result = self.run(heap);
        let after = Seen::of(heap);
        match (&expected, result) {
            (_, Err(Error::Limit(_) | Error::OutOfMemory)) if hindered => {
                assert!(before == after, "{self:?}: a limit changed {before:?} to {after:?}");
                return true;
            }
            (Err(expected), Err(error)) => {
                let error = self.reversed(error);
                assert_eq!(error, *expected, "{self:?}");
                assert!(before == after, "{error} of {self:?} changed {before:?} to {after:?}");
            }
            (Ok(expected), Ok(written)) => {
                let holds = read(heap, written).unwrap();
                let differs = (0..expected.len()).find(|&n| holds.get(n) != expected.get(n));
                if let Some(n) = differs {
                    panic!("{self:?}, element {n}: {:?}, not {:?}", holds.get(n), expected[n]);
                }
                assert_eq!(holds.len(), expected.len(), "{self:?}");
                assert_eq!(written.kind(), Some(self.to));
                let new = before.others_kept(&after, written);
                assert_eq!(new, usize::from(self.form == Convert), "{self:?}");
                if self.source.kind() != Some(Kind::LIST) {
                    assert!(handles(&holds) <= there, "{self:?} made a handle");
                }
                if self.form == Convert {
                    heap.free(written).unwrap();
                }
            }
            (expected, result) => panic!("{self:?}: {result:?}, not {expected:?}"),
        }
        false
    }

    /// What a reversed range answers as its length is not looked at.
    fn reversed(self, error: Error) -> Error {
        match error {
            Error::OutOfRange { index, .. } if is_reversed(self.bounds) => {
                Error::OutOfRange { index, len: 0 }
            }
            error => error,
        }
    }
}

fn handles(elements: &[El]) -> usize {
    let is_handle = |element: &&El| matches!(element, El::Cell(cell) if cell.kind().is_some());
    elements.iter().filter(is_handle).count()
}

fn ends((start, end): Bounds) -> (usize, Option<usize>) {
    let start = match start {
        Bound::Included(start) => start,
        Bound::Excluded(start) => start.saturating_add(1),
        Bound::Unbounded => 0,
    };
    match end {
        Bound::Included(end) => (start, Some(end.saturating_add(1))),
        Bound::Excluded(end) => (start, Some(end)),
        Bound::Unbounded => (start, None),
    }
}

fn is_reversed(bounds: Bounds) -> bool {
    let (start, end) = ends(bounds);
    end.is_some_and(|end| start > end)
}

fn naive_range(bounds: Bounds, len: usize) -> Result<Range<usize>, Error> {
    let (start, end) = ends(bounds);
    let end = end.unwrap_or(len);
    let wrong = |index: usize| {
        let len = if is_reversed(bounds) { 0 } else { len as u32 };
        Err(Error::OutOfRange { index: index as u64, len })
    };
    match () {
        () if end > len => wrong(end),
        () if start > end => wrong(start),
        () => Ok(start..end),
    }
}

/// An index: most often within `len`, at times just or far beyond.
fn index(raw: u64, len: usize) -> usize {
    let within = (raw >> 8) as usize % (len + 1);
    match raw & 31 {
        0 => len + 1,
        1 => usize::MAX,
        2 => usize::MAX - 1,
        3 => len.saturating_sub(1),
        4..=9 => len,
        10..=13 => 0,
        14..=16 => within.min(511),
        _ => within,
    }
}

fn bounds(raw: [u64; 2], len: usize) -> Bounds {
    let [start, end] = raw.map(|raw| index(raw >> 3, len));
    // Mostly in order, so that not all is refused.
    let (start, end) =
        if raw[0] & 0x70_0000 != 0 && start > end { (end, start) } else { (start, end) };
    let start = match raw[0] & 7 {
        0..=2 => Bound::Unbounded,
        3 => Bound::Excluded(start),
        _ => Bound::Included(start),
    };
    let end = match raw[1] & 7 {
        0..=2 => Bound::Unbounded,
        3 => Bound::Included(end),
        _ => Bound::Excluded(end),
    };
    (start, end)
}

/// What a random copy is made of.
#[derive(Clone, Debug)]
pub struct Recipe {
    source: Vec<u64>,
    target: Vec<u64>,
    misfits: Vec<(usize, u64)>,
    bounds: [u64; 2],
    at: u64,
    /// Elements popped off the target again, so that there is room.
    spare: usize,
    /// Bits: 0-1 source and target are one object; 2-4 the source is dead; 5-7
    /// the target is.
    odd: u8,
}

fn recipe(lens: impl Strategy<Value = usize> + Clone + 'static) -> impl Strategy<Value = Recipe> {
    let raws =
        |lens: BoxedStrategy<usize>| (lens, any::<u64>()).prop_map(|(len, seed)| spread(seed, len));
    let place = prop_oneof![
        3 => prop_oneof![Just(0), Just(511), Just(512), Just(513), Just(1023), Just(1024)],
        2 => Just(usize::MAX),
        3 => 0..1100_usize,
    ];
    let misfits = prop_oneof![3 => Just(Vec::new()), 2 => vec((place, any::<u64>()), 1..4)];
    (
        raws(lens.clone().boxed()),
        raws(prop_oneof![3 => (0..24_usize).boxed(), 1 => lens.boxed()].boxed()),
        misfits,
        any::<[u64; 2]>(),
        any::<u64>(),
        0..8_usize,
        any::<u8>(),
    )
        .prop_map(|(source, target, misfits, bounds, at, spare, odd)| Recipe {
            source,
            target,
            misfits,
            bounds,
            at,
            spare,
            odd,
        })
}

/// Numbers of a seed.
fn spread(seed: u64, len: usize) -> Vec<u64> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    };
    (0..len).map(next).collect()
}

fn lens() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![4 => 0..20_usize, 3 => 505..520_usize, 2 => 1018..1030_usize, 1 => 0..1600_usize]
}

/// A copy: route, way to call, data.
pub type Copy = (usize, bool, Recipe);

pub fn copy() -> impl Strategy<Value = Copy> {
    (any::<usize>(), any::<bool>(), recipe(lens()))
}

/// Runs each beside its twin, on one heap.
pub fn run(copies: &[Copy]) {
    let routes: Vec<_> = routes().collect();
    let (mut heap, handles) = populated();
    for (route, typed, recipe) in copies {
        recipe.check(&mut heap, routes[route % routes.len()], &handles, *typed);
        assert_eq!(heap.verify(), Ok(()));
    }
}

impl Recipe {
    /// Allocates source and target in the heap, and the copy to be.
    fn prepare(
        &self,
        heap: &mut Heap,
        (from, to, form): (Kind, Kind, Form),
        handles: &[Cell],
        typed: bool,
    ) -> Op {
        let kinds = Source::new(from, to, handles);
        let mut elements = kinds.elements(&self.source);
        let len = elements.len();
        for &(place, raw) in &self.misfits {
            kinds.spoil(&mut elements, place, raw);
        }
        let source = make(heap, from, &elements).unwrap();
        let mut target = source;
        let mut target_len = len;
        if form != Convert && (from != to || self.odd & 3 != 0) {
            let filling = Source::new(to, to, handles).elements(&self.target);
            target = make(heap, to, &filling).unwrap();
            target_len = filling.len();
            if to != Kind::STR {
                let (spare, mut target) = (target_len.min(self.spare), target);
                target_len -= spare;
                shorten(heap, &mut target, target_len);
            }
        }
        // Mostly where the range fits.
        let bounds = bounds(self.bounds, len);
        let fits = naive_range(bounds, len).map_or(0, |range| range.len());
        let at = match target_len.checked_sub(fits) {
            Some(room) if self.at & 0xC000_0000_0000_0000 != 0 => {
                (self.at >> 8) as usize % (room + 1)
            }
            _ => index(self.at, target_len),
        };
        Op { form, typed, to, target, at, source, bounds }
    }

    /// Allocates objects, copies, takes them away again.
    fn check(&self, heap: &mut Heap, route: (Kind, Kind, Form), handles: &[Cell], typed: bool) {
        let op = self.prepare(heap, route, handles, typed);
        if self.odd & 0x1C == 0 && self.odd & 0xE0 != 0 {
            heap.free(op.source).unwrap();
        } else if self.odd & 0xE0 == 0 {
            heap.free(op.target).unwrap();
        }
        op.check(heap, false);
        for object in [op.source, op.target] {
            let _gone_already = heap.free(object);
        }
    }
}

fn shorten(heap: &mut Heap, object: &mut Cell, len: usize) {
    match object.kind() {
        Some(Kind::BYTES) => heap.get_mut::<Bytes>(*object).unwrap().truncate(len).unwrap(),
        Some(Kind::U8ARR) => heap.get_mut::<U8Arr>(*object).unwrap().truncate(len).unwrap(),
        Some(Kind::I64ARR) => heap.get_mut::<I64Arr>(*object).unwrap().truncate(len).unwrap(),
        Some(Kind::F64ARR) => heap.get_mut::<F64Arr>(*object).unwrap().truncate(len).unwrap(),
        _ => heap.get_mut::<List>(*object).unwrap().truncate(len).unwrap(),
    }
}

proptest! {
    /// Every pair, form and way to call, with little data.
    #[test]
    fn every_pair_and_form(recipe in recipe(0..20_usize)) {
        let (mut heap, handles) = populated();
        for (n, from) in SIX.into_iter().enumerate() {
            for (m, to) in SIX.into_iter().enumerate() {
                for form in FORMS {
                    let routed = has_route(from, to, form);
                    // Either call for one recipe, all the others by turns.
                    let typed = (recipe.at as usize >> 20).wrapping_add(n + m) & 1 == 0;
                    recipe.check(&mut heap, (from, to, form), &handles, routed && typed);
                }
            }
        }
    }

    /// Lengths around the blocks that elements are converted in.
    #[test]
    fn around_blocks(copies in vec(copy(), 4)) {
        run(&copies);
    }

    /// Lengths around the blocks that text is validated in, with characters of
    /// every length across their ends.
    #[test]
    fn text_around_blocks(
        shift in 0..8_usize,
        len in prop_oneof![4085..4110_usize, 8180..8205_usize, 12270..12300_usize, 0..64_usize],
        wide in prop_oneof![Just('é'), Just('€'), Just('😀'), Just('x')],
        others in vec((0..13_000_usize, any::<u64>()), 0..4),
        odd in prop_oneof![
            1 => Just(None),
            1 => (prop_oneof![
                4080..4105_usize, 8176..8200_usize, 0..8_usize, 0..13_000_usize, Just(usize::MAX)
            ], any::<u64>()).prop_map(Some),
        ],
        cut in prop_oneof![Just([0, 0]), any::<[u64; 2]>()],
        from in prop_oneof![Just(Kind::BYTES), Just(Kind::U8ARR), Just(Kind::STR)],
        typed in any::<bool>(),
    ) {
        let mut text = "a".repeat(shift);
        while text.len() < len {
            text.push(wide);
        }
        for (place, raw) in others {
            let place = place % (text.len() + 1);
            if text.is_char_boundary(place) {
                text.insert(place, char_of(raw));
            }
        }
        let kinds = Source::new(from, Kind::STR, &[]);
        let mut elements: Vec<El> = text.bytes().map(Byte).collect();
        if let Some((place, raw)) = odd {
            kinds.spoil(&mut elements, place, raw);
        }
        let mut heap = Heap::with(Settings::seeded(5));
        let source = make(&mut heap, from, &elements).unwrap();
        let bounds = bounds(cut, elements.len());
        let to = Kind::STR;
        let (form, target, at) = (Convert, source, 0);
        Op { form, typed, to, target, at, source, bounds }.check(&mut heap, false);
    }

    /// Parts of one object onto itself, and itself at its own end.
    #[test]
    fn onto_itself(
        kind in 1..6_usize,
        len in lens(),
        seed in any::<u64>(),
        copies in vec((any::<[u64; 2]>(), any::<u64>(), any::<bool>(), any::<bool>()), 1..6),
    ) {
        let kind = SIX[kind];
        let (mut heap, handles) = populated();
        let elements = Source::new(kind, kind, &handles).elements(&spread(seed, len));
        let source = make(&mut heap, kind, &elements).unwrap();
        for (raw, at, append, typed) in copies {
            let len = read(&heap, source).unwrap().len();
            if len > 4000 {
                break;
            }
            let bounds = bounds(raw, len);
            let room = naive_range(bounds, len).map_or(0, |range| len - range.len());
            let (any_at, raw) = (at & 15 == 0, at >> 8);
            let at = if any_at { index(raw, len) } else { raw as usize % (room + 1) };
            let form = if append { Append } else { Over };
            let (to, target) = (kind, source);
            Op { form, typed, to, target, at, source, bounds }.check(&mut heap, false);
        }
    }

    /// Limits and a host without memory: an error that they cause leaves all as
    /// it was, and without them the copy is what it always is.
    #[test]
    fn under_limits(
        route in any::<prop::sample::Index>(),
        typed in any::<bool>(),
        recipe in recipe(lens()),
        dummies in 0..9_usize,
        full in any::<bool>(),
        hole in 0..14_usize,
        bytes in 0..70_000_usize,
        // Of bytes, pages, slots, and growth refused.
        which in 0..5_usize,
    ) {
        let routes: Vec<_> = routes().collect();
        let route = *route.get(&routes);
        let (mut heap, handles) = populated();
        let op = recipe.prepare(&mut heap, route, &handles, typed);
        let to = op.to;
        for _ in 0..dummies {
            make(&mut heap, to, &[]).unwrap();
        }
        if full {
            fill(&mut heap, to, hole);
        }
        let usage = heap.usage();
        let arena = *usage.arena(to).unwrap();
        let none = Limits::default();
        let total = usage.total_bytes as usize;
        let limits = match which {
            0 => none.with_bytes(total),
            1 => none.with_bytes(total + bytes),
            2 => none.with_pages(arena.pages as u32),
            3 => none.with_slots(arena.live + arena.free + arena.retired),
            _ => none,
        };
        let refusals = if which == 4 { 0..12 } else { 0..1 };
        for n in refusals {
            heap.set_limits(limits);
            heap.fail_growth_after((which == 4).then_some(n));
            let stopped = op.check(&mut heap, true);
            heap.set_limits(none);
            heap.fail_growth_after(None);
            if !stopped {
                return Ok(());
            }
        }
        prop_assert!(which != 4, "no copy grows twelve times");
        op.check(&mut heap, false);
    }

    /// A text taken apart into characters, and put together from them.
    #[test]
    fn characters(
        raws in vec(any::<u64>(), 0..200),
        cut in any::<[u64; 2]>(),
        limit in prop_oneof![2 => Just(None), 1 => (0..4_u64).prop_map(Some)],
    ) {
        let (mut heap, _) = populated();
        let text: String = raws.iter().map(|&raw| char_of(raw)).collect();
        let source = heap.alloc(Str::new(&text)).unwrap();
        let bounds = bounds(cut, text.len());
        let expected = naive_range(bounds, text.len()).and_then(|range| {
            let outside = [range.start, range.end].into_iter().find(|&n| !text.is_char_boundary(n));
            match outside {
                Some(index) => Err(Error::NotACharBoundary { index: index as u32 }),
                None => Ok(text[range].chars().map(|char| char.to_string()).collect::<Vec<_>>()),
            }
        });
        let before = Seen::of(&heap);
        heap.fail_growth_after(limit);
        let made = heap.convert_chars(source, bounds);
        heap.fail_growth_after(None);
        let after = Seen::of(&heap);
        match (made, expected) {
            (Ok(list), Ok(expected)) => {
                let cells = heap.get(list).unwrap().as_slice().to_vec();
                prop_assert!(cells.iter().all(|cell| cell.kind().is_none()));
                let chars: Vec<String> =
                    cells.iter().map(|&cell| heap.text(cell).unwrap().to_string()).collect();
                prop_assert_eq!(chars, expected.clone());
                prop_assert_eq!(before.others_kept(&after, list.cell()), 1);
                let joined = heap.join(list, .., "").unwrap();
                prop_assert_eq!(heap.text(joined).unwrap().to_string(), expected.concat());
            }
            (Err(Error::OutOfMemory), _) if limit.is_some() => prop_assert!(before == after),
            (Err(error), Err(expected)) => {
                prop_assert!(before == after);
                match (error, expected) {
                    (Error::OutOfRange { index, .. }, Error::OutOfRange { index: expected, .. }) => {
                        prop_assert_eq!(index, expected);
                    }
                    _ => prop_assert_eq!(error, expected),
                }
            }
            (made, expected) => prop_assert!(false, "{:?}, not {:?}", made, expected),
        }
    }

    /// Texts of every length and in either form, joined.
    #[test]
    fn joined(
        parts in vec((0..12_usize, any::<u64>(), any::<bool>(), 0..24_u8), 0..40),
        separator in prop_oneof![Just(""), Just(", "), Just("€"), Just("a long separator")],
        cut in any::<[u64; 2]>(),
        limits in prop_oneof![3 => Just(None), 1 => (0..3_u64).prop_map(Some)],
    ) {
        let (mut heap, handles) = populated();
        let dead = heap.alloc(Str::new("no longer here")).unwrap().cell();
        let mut cells = Vec::new();
        let mut texts = Vec::new();
        for (len, seed, arena, odd) in parts {
            let text: String = spread(seed, len).into_iter().map(char_of).collect();
            let (cell, text) = match odd {
                0 => (Cell::from(1), Err(Error::NotText)),
                1 => (dead, Err(Error::Stale { kind: Kind::STR })),
                2 => (
                    handles[1],
                    Err(Error::WrongKind { found: Kind::MAP, wanted: Kind::STR }),
                ),
                // A short text in the arena is a text as well.
                _ if arena => (heap.alloc(Str::new(&text)).unwrap().cell(), Ok(text)),
                _ => (heap.string(&text).unwrap(), Ok(text)),
            };
            cells.push(cell);
            texts.push(text);
        }
        heap.free(dead).unwrap();
        let list = heap.alloc(List::of(&cells)).unwrap();
        let bounds = bounds(cut, cells.len());
        let expected = naive_range(bounds, cells.len()).and_then(|range| {
            let texts: Result<Vec<String>, Error> = texts[range].iter().cloned().collect();
            Ok(texts?.join(separator))
        });
        let before = Seen::of(&heap);
        heap.fail_growth_after(limits);
        let joined = heap.join(list, bounds, separator);
        heap.fail_growth_after(None);
        let after = Seen::of(&heap);
        prop_assert_eq!(heap.get(list).unwrap().as_slice(), &cells[..]);
        match (joined, expected) {
            (Ok(cell), Ok(expected)) => {
                prop_assert_eq!(heap.text(cell).unwrap().to_string(), expected.clone());
                let short = Cell::short_str(&expected);
                prop_assert!(short.is_none_or(|short| short == cell));
                let made = if expected.len() > 5 { cell } else { list.cell() };
                let new = before.others_kept(&after, made);
                prop_assert_eq!(new, usize::from(expected.len() > 5));
            }
            (joined, expected) => {
                // The scratch memory that the pieces were listed in may stay.
                prop_assert!(before.usage.arenas() == after.usage.arenas());
                prop_assert!(before.slots == after.slots && before.objects == after.objects);
                match (joined, expected) {
                    (Err(Error::Limit(_) | Error::OutOfMemory), _) if limits.is_some() => {}
                    (Err(Error::OutOfRange { index: got, .. }), Err(expected)) => {
                        let Error::OutOfRange { index, .. } = expected else { panic!("{expected}") };
                        prop_assert_eq!(got, index);
                    }
                    (joined, expected) => prop_assert_eq!(joined.err(), expected.err()),
                }
            }
        }
    }
}

/// Uses up every word of an arena's pages; then frees one block, if told which.
fn fill(heap: &mut Heap, kind: Kind, hole: usize) {
    let pages = heap.usage().arena(kind).unwrap().pages as u32;
    heap.set_limits(Limits::NONE.with_pages(pages.max(1)));
    let mut fillers = Vec::new();
    for words in (0..14).rev().map(|n| 1_usize << n) {
        let len = if is_bytes(kind) { words * 8 } else { words };
        let elements = vec_of_zeroes(kind, len);
        while let Ok(filler) = make(heap, kind, &elements) {
            fillers.push(filler);
        }
    }
    heap.set_limits(Limits::default());
    if let Some(&filler) = fillers.get(hole) {
        heap.free(filler).unwrap();
    }
}

fn vec_of_zeroes(kind: Kind, len: usize) -> Vec<El> {
    let zero = match kind {
        Kind::I64ARR => Int(0),
        Kind::F64ARR => Float(0),
        Kind::LIST => El::Cell(Cell::NULL),
        _ => Byte(0),
    };
    vec![zero; len]
}

/// A misfit at either end of a block and of the source, on every route that
/// knows misfits, behind elements that a quick look cannot tell from misfits.
#[test]
fn misfits_at_the_borders_of_blocks() {
    let (mut heap, handles) = populated();
    for (from, to, form) in routes() {
        let kinds = Source::new(from, to, &handles);
        for (len, places) in [
            (1, &[0][..]),
            (512, &[0, 511]),
            (513, &[512]),
            (1026, &[0, 510, 511, 512, 513, 1023, 1024, 1025]),
        ] {
            for &place in places {
                let raw = place as u64;
                let mut elements: Vec<El> = (0..len as u64)
                    .map(|n| if kinds.is_text() { Byte(b'a') } else { kinds.edge(n + raw) })
                    .collect();
                kinds.spoil(&mut elements, place, raw);
                kinds.spoil(&mut elements, place + 1 + place % 3, raw + 1);
                let source = make(&mut heap, from, &elements).unwrap();
                let target = make(&mut heap, to, &vec_of_zeroes(to, len + 2)).unwrap();
                let start = place.min(3);
                for bounds in [ALL, (Bound::Included(start), Bound::Unbounded)] {
                    let typed = place & 1 == 0;
                    Op { form, typed, to, target, at: 1, source, bounds }.check(&mut heap, false);
                }
                heap.free(source).unwrap();
                heap.free(target).unwrap();
            }
        }
    }
}

/// Every edge on every route, alone and among many.
#[test]
fn edges_on_every_route() {
    let (mut heap, handles) = populated();
    for (from, to, form) in routes() {
        let kinds = Source::new(from, to, &handles);
        for (n, &edge) in kinds.fitting.iter().chain(&kinds.misfits).enumerate() {
            if kinds.is_text() {
                continue;
            }
            let mut many = vec![kinds.edge(0); 9];
            many[n % 9] = edge;
            for elements in [&[edge][..], &many] {
                let source = make(&mut heap, from, elements).unwrap();
                let target = make(&mut heap, to, &vec_of_zeroes(to, 9)).unwrap();
                for typed in [true, false] {
                    Op { form, typed, to, target, at: 0, source, bounds: ALL }
                        .check(&mut heap, false);
                }
                heap.free(source).unwrap();
                heap.free(target).unwrap();
            }
        }
    }
}

/// What is no copy at all: cells that are no handles, kinds without routes, all
/// twelve and the spare ones.
#[test]
fn no_route() {
    let (mut heap, objects) = populated();
    // Where handles of spare kinds can be made at all.
    let spare = [12_u64, 15].map(|selector| abi::cell(0xFFFF << 48 | selector << 44));
    let mut handles = objects.clone();
    handles.extend(spare.into_iter().flatten());
    let plain = [Cell::NULL, Cell::TRUE, 1.into(), 1.5.into(), Cell::short_str("a").unwrap()];
    let before = Seen::of(&heap);
    for &source in &handles {
        let from = source.kind().unwrap();
        for &target in &handles {
            let to = target.kind().unwrap();
            let sealed = !Kind::ALL.contains(&from) || !Kind::ALL.contains(&to);
            let no_route = Err(if sealed { Error::Sealed } else { Error::NoRoute { from, to } });
            let bounds = (Bound::Included(usize::MAX), Bound::Unbounded);
            for form in FORMS {
                let op = Op { form, typed: false, to, target, at: 0, source, bounds };
                let result = op.run(&mut heap);
                if has_route(from, to, form) {
                    assert!(matches!(result, Err(Error::OutOfRange { .. })), "{op:?}: {result:?}");
                } else {
                    assert_eq!(result, no_route, "{op:?}");
                }
            }
        }
        for cell in plain {
            let not = Err(Error::NotAHandle);
            assert_eq!(heap.copy_across_any(cell, 0, source, ..), not);
            assert_eq!(heap.copy_across_any(source, 0, cell, ..), not);
            assert_eq!(heap.append_across_any(cell, source, ..), not);
            assert_eq!(heap.append_across_any(source, cell, ..), not);
            assert_eq!(heap.convert_across_any(from, cell, ..), Err(Error::NotAHandle));
        }
    }
    assert!(before == Seen::of(&heap));
}

/// A copy that fails takes nothing from what fits afterwards.
#[test]
fn a_misfit_leaves_free_blocks_whole() {
    let limits = Limits::NONE.with_pages(1);
    let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    let large = heap.alloc(Bytes::zeroed(4096 * 8)).unwrap();
    heap.alloc(Bytes::zeroed(3584 * 8)).unwrap();
    let mut cells = vec![Cell::from(1); 512 * 8];
    cells.push(Cell::NULL);
    let list = heap.alloc(List::of(&cells)).unwrap();
    heap.free(large).unwrap();
    let misfit = Error::NotConvertible { index: 512 * 8, to: Kind::BYTES };
    assert_eq!(heap.convert_across::<Bytes>(list, ..).map(drop), Err(misfit));
    assert_eq!(heap.alloc(Bytes::zeroed(4096 * 8)).map(drop), Ok(()));
}
