//! Bulk copies and conversions, compared with `copy_from_slice` of as many elements of
//! the wider side, and with a loop over the public accessors. Text is compared with
//! validation by `std` or `simdutf8` followed by a copy. Lengths count elements: 4,096
//! are 4 KiB of bytes or 32 KiB of numbers. New objects are freed in the same pass.

use std::hint::black_box;
use std::rc::Rc;

use segheap::{
    Bytes, Cell, ConvertTo, CopyTo, Error, F64Arr, Handle, Heap, I64Arr, List, Mutable, Sequence,
    Str, U8Arr,
};

use super::comparison::{Comparison, Pass, comparison};
use super::{Entry, heap, repeating, writing};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

pub(crate) const COMPARISONS: &[Entry] = &[
    ("bytes to text, 64 B", || text(ASCII, 64)),
    ("bytes to text, 4 KiB", || text(ASCII, 4 * KIB)),
    ("bytes to text, 1 MiB", || text(ASCII, MIB)),
    ("bytes to text, 4 KiB, mixed", || text(MIXED, 4 * KIB)),
    ("bytes to text, 1 MiB, mixed", || text(MIXED, MIB)),
    ("bytes to bytes, 64 B", || existing::<Bytes, U8Arr>(64, Some)),
    ("bytes to bytes, 4 KiB", || existing::<Bytes, U8Arr>(4 * KIB, Some)),
    ("bytes to bytes, 1 MiB", || existing::<Bytes, U8Arr>(MIB, Some)),
    ("bytes to bytes, 64 MiB", || existing::<Bytes, U8Arr>(64 * MIB, Some)),
    ("list to list, 4,096", || existing::<List, List>(4_096, Some)),
    ("list to bytes, new, 4,096", || new::<List, Bytes>(4_096, narrow)),
    ("bytes to list, new, 4,096", || new::<Bytes, List>(4_096, |byte| Some(byte.into()))),
    ("list to i64, new, 4,096", || new::<List, I64Arr>(4_096, Cell::as_int)),
    ("i64 to list, new, 4,096", || new::<I64Arr, List>(4_096, Cell::int)),
    ("list to f64, new, 4,096", || new::<List, F64Arr>(4_096, float)),
    ("f64 to list, new, 4,096", || new::<F64Arr, List>(4_096, |float| Some(float.into()))),
    ("list to i64, new, 1M", || new::<List, I64Arr>(MIB, Cell::as_int)),
    ("i64 to list, new, 1M", || new::<I64Arr, List>(MIB, Cell::int)),
    ("list to f64, new, 1M", || new::<List, F64Arr>(MIB, float)),
    ("f64 to list, new, 1M", || new::<F64Arr, List>(MIB, |float| Some(float.into()))),
    ("list to bytes, existing, 4,096", || existing::<List, Bytes>(4_096, narrow)),
    ("bytes to list, existing, 4,096", || existing::<Bytes, List>(4_096, |b| Some(b.into()))),
    ("list to i64, existing, 4,096", || existing::<List, I64Arr>(4_096, Cell::as_int)),
    ("i64 to list, existing, 4,096", || existing::<I64Arr, List>(4_096, Cell::int)),
    ("list to f64, existing, 4,096", || existing::<List, F64Arr>(4_096, float)),
    ("f64 to list, existing, 4,096", || existing::<F64Arr, List>(4_096, |f| Some(f.into()))),
    ("list to i64, existing, 1M", || existing::<List, I64Arr>(MIB, Cell::as_int)),
    ("i64 to list, existing, 1M", || existing::<I64Arr, List>(MIB, Cell::int)),
    ("list to f64, existing, 1M", || existing::<List, F64Arr>(MIB, float)),
    ("f64 to list, existing, 1M", || existing::<F64Arr, List>(MIB, |f| Some(f.into()))),
    ("append texts of 16 B to a builder", || builder(16)),
    ("append texts of 64 B to a builder", || builder(64)),
];

/// Elements of objects and vectors: the numbers 0 to 127, which every element type
/// holds, and which are ASCII as bytes.
trait Sample: Copy + 'static {
    fn sample(number: u8) -> Self;
    fn number(self) -> u64;
}

macro_rules! sample {
    ($($Type:ty: $self:ident => $number:expr;)*) => {$(
        impl Sample for $Type {
            fn sample(number: u8) -> $Type {
                number.into()
            }
            fn number($self) -> u64 {
                $number
            }
        }
    )*};
}
sample! {
    u8: self => self.into();
    i64: self => self.cast_unsigned();
    f64: self => self as u64;
    Cell: self => float(self).map_or(u64::MAX, |float| float as u64);
}

fn samples<T: Sample>(len: usize) -> Vec<T> {
    (0..len).map(|n| T::sample((n % 127) as u8)).collect()
}

fn sum<T: Sample>(elements: &[T]) -> u64 {
    elements.iter().map(|element| element.number()).sum()
}

fn narrow(cell: Cell) -> Option<u8> {
    u8::try_from(cell.as_int()?).ok()
}

fn float(cell: Cell) -> Option<f64> {
    cell.as_float().or_else(|| Some(cell.as_int()? as f64))
}

/// A kind whose objects are built from elements.
trait Build: Sequence<Element: Sample> {
    fn build(heap: &mut Heap, elements: &[Self::Element]) -> Handle<Self>;
}

macro_rules! build {
    ($($Kind:ident)*) => {$(
        impl Build for $Kind {
            fn build(heap: &mut Heap, elements: &[Self::Element]) -> Handle<$Kind> {
                heap.alloc($Kind::of(elements)).unwrap()
            }
        }
    )*};
}
build!(Bytes U8Arr I64Arr F64Arr List);

/// Repetitions of a pass over `len` elements.
fn times(len: usize) -> usize {
    (MIB / 16 / len).max(1)
}

/// The conversion of an element in the loop.
type Convert<S, D> = fn(<S as Sequence>::Element) -> Option<<D as Sequence>::Element>;

/// A pass that repeats the same work on one state.
fn repeated<S: 'static>(
    times: usize,
    state: S,
    mut pass: impl FnMut(&mut S) + 'static,
    result: impl FnMut(&S) -> u64 + 'static,
) -> Pass {
    writing(state, move |state| (0..times).for_each(|_| pass(state)), result, |_| ())
}

/// The peer of a conversion: a copy of its wider side.
fn copy<S: Build, D: Build>(len: usize) -> Pass {
    fn copy<T: Sample>(len: usize) -> Pass {
        repeated(
            times(len),
            (samples::<T>(len), vec![T::sample(127); len]),
            |(from, to)| black_box(&mut to[..]).copy_from_slice(black_box(&from[..])),
            |(_, to)| sum(to),
        )
    }
    if size_of::<S::Element>() > size_of::<D::Element>() {
        copy::<S::Element>(len)
    } else {
        copy::<D::Element>(len)
    }
}

/// A heap with a source, and a target of as many elements of other values.
fn pair<S: Build, D: Build>(len: usize) -> (Heap, Handle<S>, Handle<D>) {
    let mut heap = heap();
    let source = S::build(&mut heap, &samples(len));
    let target = D::build(&mut heap, &vec![D::Element::sample(127); len]);
    (heap, source, target)
}

fn sum_object<K: Build>(heap: &Heap, object: Handle<K>) -> u64 {
    sum(heap.get(object).unwrap().as_slice())
}

/// Into an existing object.
fn existing<S: Build + CopyTo<D>, D: Build + Mutable>(
    len: usize,
    convert: Convert<S, D>,
) -> Comparison {
    comparison(
        times(len),
        (len, convert),
        [
            ("segheap", |input| {
                repeated(
                    times(input.0),
                    pair::<S, D>(input.0),
                    |(heap, source, target)| {
                        heap.copy_across(black_box(*target), 0, black_box(*source), ..).unwrap();
                    },
                    |(heap, _, target)| sum_object(heap, *target),
                )
            }),
            ("copy", |input| copy::<S, D>(input.0)),
            ("loop", |input| {
                repeated(
                    times(input.0),
                    pair::<S, D>(input.0),
                    move |(heap, source, target)| {
                        element_loop(heap, black_box(*source), black_box(*target), input.1)
                            .unwrap();
                    },
                    |(heap, _, target)| sum_object(heap, *target),
                )
            }),
        ],
    )
}

#[inline(never)]
fn element_loop<S: Build, D: Build + Mutable>(
    heap: &mut Heap,
    source: Handle<S>,
    target: Handle<D>,
    convert: Convert<S, D>,
) -> Result<(), Error> {
    for i in 0..heap.get(source)?.len() {
        let element = heap.get(source)?.get(i)?;
        heap.get_mut(target)?.set(i, convert(element).unwrap())?;
    }
    Ok(())
}

/// Into a new object.
fn new<S: Build + ConvertTo<D>, D: Build>(len: usize, convert: Convert<S, D>) -> Comparison {
    comparison(
        times(len),
        (len, convert),
        [
            ("segheap", |input| {
                let (mut heap, source, expected) = pair::<S, D>(input.0);
                let made = heap.convert_across::<D>(source, ..).unwrap();
                let result = sum_object(&heap, made);
                heap.free(made).unwrap();
                heap.free(expected).unwrap();
                repeating(times(input.0), move || {
                    let made = heap.convert_across::<D>(black_box(source), ..).unwrap();
                    heap.free(black_box(made)).unwrap();
                    result
                })
            }),
            ("copy", |input| copy::<S, D>(input.0)),
        ],
    )
}

// Text.

const ASCII: &str = "plain words, 16 ";
const MIXED: &str = "Größe: 3 µm, naïve 文字列, Ελληνικά, 🦀 and plain words";

/// Valid UTF-8 bytes to a new text.
fn text(words: &'static str, len: usize) -> Comparison {
    // Pads to exactly `len` bytes.
    let mut text = words.repeat(len / words.len());
    text.extend(std::iter::repeat_n('.', len - text.len()));
    comparison(
        times(len),
        text.into_bytes(),
        [
            ("segheap", |bytes| {
                let mut heap = heap();
                let source = heap.alloc(Bytes::of(&bytes)).unwrap();
                let made = heap.convert_across::<Str>(source, ..).unwrap();
                let result = sum(heap.get(made).unwrap().as_slice());
                heap.free(made).unwrap();
                repeating(times(bytes.len()), move || {
                    let made = heap.convert_across::<Str>(black_box(source), ..).unwrap();
                    heap.free(black_box(made)).unwrap();
                    result
                })
            }),
            ("simdutf8 + copy", |bytes| {
                validated(bytes, |bytes| simdutf8::basic::from_utf8(bytes).unwrap())
            }),
            ("simdutf8 + String", |bytes| {
                let result = sum(&bytes);
                repeating(times(bytes.len()), move || {
                    let text = simdutf8::basic::from_utf8(black_box(&bytes)).unwrap();
                    black_box(String::from(text));
                    result
                })
            }),
            ("std + copy", |bytes| validated(bytes, |bytes| std::str::from_utf8(bytes).unwrap())),
            ("copy", |bytes| validated(bytes, |bytes| bytes)),
        ],
    )
}

fn validated<T: AsRef<[u8]> + ?Sized + 'static>(
    bytes: Rc<Vec<u8>>,
    validate: impl Fn(&[u8]) -> &T + 'static,
) -> Pass {
    repeated(
        times(bytes.len()),
        vec![0; bytes.len()],
        move |to| black_box(&mut to[..]).copy_from_slice(validate(black_box(&bytes)).as_ref()),
        |to| sum(to),
    )
}

/// Appends 256 short texts to a builder with enough capacity.
fn builder(len: usize) -> Comparison {
    let texts: Vec<String> = (0..256).map(|n| format!("{n:len$}")).collect();
    comparison(
        texts.len(),
        texts,
        [
            ("segheap", |texts| {
                let mut heap = heap();
                let handles: Vec<Handle<Str>> =
                    texts.iter().map(|text| heap.alloc(Str::new(text)).unwrap()).collect();
                let builder = heap.alloc(Bytes::with_capacity(texts.concat().len())).unwrap();
                writing(
                    heap,
                    move |heap| {
                        for &text in black_box(&handles) {
                            heap.append_across(builder, text, ..).unwrap();
                        }
                    },
                    move |heap| sum_object(heap, builder),
                    move |heap| heap.get_mut(builder).unwrap().truncate(0).unwrap(),
                )
            }),
            ("Vec", |texts| {
                writing(
                    Vec::with_capacity(texts.concat().len()),
                    move |built| {
                        for text in black_box(&*texts) {
                            built.extend_from_slice(text.as_bytes());
                        }
                    },
                    |built| sum::<u8>(built),
                    Vec::clear,
                )
            }),
        ],
    )
}
