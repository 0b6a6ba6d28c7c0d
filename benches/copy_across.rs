//! Every bulk copy between two kinds: into an existing object, appended to one,
//! and into a new one, which is killed again.
//!
//! ```text
//! cargo bench --bench copy_across                        all of it, about five minutes
//! cargo bench --bench copy_across -- 'List to I64Arr'    groups and rows by a pattern
//! cargo bench --bench copy_across -- ', 4096/'           one length of all routes
//! cargo bench --bench copy_across -- --test              answers only, no timing
//! ```
//!
//! Lengths count elements, so a row of 4,096 moves 4 KiB of bytes or 32 KiB of
//! numbers. Each group holds one route at one length, beside what to compare it
//! with: `copy_from_slice` of the same number of elements of the wider side, or
//! for short elements the loop over the public accessors that the bulk copy
//! replaces. Text is compared with validation by `std` or `simdutf8`, followed by
//! a copy. Compare rows of one group of one run, by their medians. Each row has
//! to come to the right answer before it is timed.
#![allow(missing_docs, reason = "nothing here is an interface")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a benchmark may panic, and peers are written as their users write them"
)]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use segheap::{
    Bytes, Cell, ConvertTo, CopyTo, F64Arr, Growable, Handle, Heap, I64Arr, List, Sequence,
    Settings, Str, U8Arr,
};

const LENGTHS: [usize; 3] = [64, 4_096, 1 << 20];
/// Between bytes and bytes also: far more than any cache.
const LONG: usize = 64 << 20;
/// The length at which the loop is timed as well.
const LOOPED: usize = 4_096;

/// What the benchmarks make objects and vectors of: the numbers 0 to 127, as
/// this type of element. They fit everywhere, and as bytes they are ASCII.
trait Sample: Copy {
    fn sample(number: u8) -> Self;
}

impl Sample for u8 {
    fn sample(number: u8) -> u8 {
        number
    }
}

impl Sample for i64 {
    fn sample(number: u8) -> i64 {
        number.into()
    }
}

impl Sample for f64 {
    fn sample(number: u8) -> f64 {
        number.into()
    }
}

impl Sample for Cell {
    fn sample(number: u8) -> Cell {
        number.into()
    }
}

fn samples<T: Sample>(len: usize) -> Vec<T> {
    (0..len).map(|n| T::sample((n % 127) as u8)).collect()
}

/// A kind, and how an object of it comes to be.
trait Made: Sequence<Element: Sample> {
    fn make(heap: &mut Heap, elements: &[Self::Element]) -> Handle<Self>;
}

macro_rules! made {
    ($($Kind:ident)*) => {$(
        impl Made for $Kind {
            fn make(heap: &mut Heap, elements: &[Self::Element]) -> Handle<$Kind> {
                heap.alloc($Kind::of(elements)).unwrap()
            }
        }
    )*};
}
made!(Bytes U8Arr I64Arr F64Arr List);

impl Made for Str {
    fn make(heap: &mut Heap, elements: &[u8]) -> Handle<Str> {
        heap.alloc(Str::from_utf8(elements).unwrap()).unwrap()
    }
}

fn heap() -> Heap {
    Heap::with(Settings::seeded(1))
}

/// A row: checks its answer once, then times it.
fn row<T>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    mut pass: impl FnMut() -> T,
    check: impl FnOnce(T) -> bool,
) {
    let answer = pass();
    assert!(check(answer), "{name}");
    group.bench_function(name, |bencher| bencher.iter(&mut pass));
}

fn group<'a>(c: &'a mut Criterion, name: &str, len: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(format!("{name}, {len}"));
    group.throughput(Throughput::Elements(len as u64));
    if len > 1 << 16 {
        group.sampling_mode(SamplingMode::Flat);
    }
    group
}

/// The lengths for a route: long ones for bytes only.
fn lengths<S: Sequence, D: Sequence>() -> impl Iterator<Item = usize> {
    let bytes = size_of::<S::Element>() == 1 && size_of::<D::Element>() == 1;
    LENGTHS.into_iter().chain(bytes.then_some(LONG))
}

/// The peer of a route: a copy of the wider of its sides.
fn bare_copy<S: Made, D: Made>(group: &mut BenchmarkGroup<'_, WallTime>, len: usize) {
    fn copy<T: Sample + PartialEq>(group: &mut BenchmarkGroup<'_, WallTime>, len: usize) {
        let (from, mut to) = (samples::<T>(len), vec![T::sample(127); len]);
        let pass = || {
            black_box(&mut to[..]).copy_from_slice(black_box(&from[..]));
            to.last() == from.last()
        };
        row(group, "copy_from_slice", pass, |copied| copied);
    }
    if size_of::<S::Element>() > size_of::<D::Element>() {
        copy::<S::Element>(group, len);
    } else {
        copy::<D::Element>(group, len);
    }
}

/// Into a new object.
fn make<S: Made + ConvertTo<D>, D: Made>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    converted: &[D::Element],
) {
    let mut heap = heap();
    let source = S::make(&mut heap, &samples(converted.len()));
    let made = heap.convert_across::<D>(source, ..).unwrap();
    assert!(heap.get(made).unwrap().as_slice() == converted);
    heap.kill(made).unwrap();
    let pass = || {
        let made = heap.convert_across::<D>(black_box(source), ..).unwrap();
        heap.kill(black_box(made)).unwrap();
    };
    row(group, "new", pass, |()| true);
}

/// Into an existing object, appended, into a new one; `convert` is what the loop
/// does to an element.
fn route<S: Made + CopyTo<D>, D: Made + Growable>(
    c: &mut Criterion,
    convert: fn(S::Element) -> Option<D::Element>,
) {
    for len in lengths::<S, D>() {
        let mut group = group(c, &format!("{} to {}", S::KIND, D::KIND), len);
        let group = &mut group;
        let converted: Vec<_> =
            samples::<S::Element>(len).into_iter().filter_map(convert).collect();
        let right =
            |heap: &Heap, target: Handle<D>| heap.get(target).unwrap().as_slice() == converted;
        bare_copy::<S, D>(group, len);

        let mut heap = heap();
        let source = S::make(&mut heap, &samples(len));
        let blank = || vec![D::Element::sample(127); len];
        let target = D::make(&mut heap, &blank());
        heap.copy_across(target, 0, source, ..).unwrap();
        assert!(right(&heap, target));
        let pass = || heap.copy_across(black_box(target), 0, black_box(source), ..);
        row(group, "existing", pass, |done| done.is_ok());

        heap.get_mut(target).unwrap().truncate(0).unwrap();
        heap.append_across(target, source, ..).unwrap();
        assert!(right(&heap, target));
        let pass = || {
            heap.get_mut(target)?.truncate(0)?;
            heap.append_across(black_box(target), black_box(source), ..)
        };
        row(group, "append", pass, |done| done.is_ok());
        make::<S, D>(group, &converted);

        if len == LOOPED {
            let target = D::make(&mut heap, &blank());
            let mut pass = || {
                let (target, source) = (black_box(target), black_box(source));
                for i in 0..heap.get(source)?.len() {
                    let element = heap.get(source)?.get(i)?;
                    heap.get_mut(target)?.set(i, convert(element).unwrap())?;
                }
                Ok::<(), segheap::Error>(())
            };
            pass().unwrap();
            row(group, "loop", pass, |done| done.is_ok());
            assert!(right(&heap, target));
        }
    }
}

fn copies(c: &mut Criterion) {
    route::<Bytes, Bytes>(c, Some);
    route::<Bytes, U8Arr>(c, Some);
    route::<U8Arr, Bytes>(c, Some);
    route::<U8Arr, U8Arr>(c, Some);
    route::<I64Arr, I64Arr>(c, Some);
    route::<F64Arr, F64Arr>(c, Some);
    route::<List, List>(c, Some);
    route::<Str, Bytes>(c, Some);
    route::<Str, U8Arr>(c, Some);
    for len in lengths::<Str, Str>() {
        let mut group = group(c, "Str to Str", len);
        bare_copy::<Str, Str>(&mut group, len);
        make::<Str, Str>(&mut group, &samples(len));
    }
}

fn conversions(c: &mut Criterion) {
    route::<Bytes, I64Arr>(c, |byte| Some(byte.into()));
    route::<Bytes, List>(c, |byte| Some(byte.into()));
    route::<U8Arr, I64Arr>(c, |byte| Some(byte.into()));
    route::<U8Arr, F64Arr>(c, |byte| Some(byte.into()));
    route::<U8Arr, List>(c, |byte| Some(byte.into()));
    route::<I64Arr, Bytes>(c, |int| u8::try_from(int).ok());
    route::<I64Arr, U8Arr>(c, |int| u8::try_from(int).ok());
    route::<I64Arr, F64Arr>(c, exact);
    route::<I64Arr, List>(c, Cell::int);
    route::<F64Arr, U8Arr>(c, |float| whole(float).and_then(|int| u8::try_from(int).ok()));
    route::<F64Arr, I64Arr>(c, whole);
    route::<F64Arr, List>(c, |float| Some(float.into()));
    route::<List, Bytes>(c, |cell| u8::try_from(cell.as_int()?).ok());
    route::<List, U8Arr>(c, |cell| u8::try_from(cell.as_int()?).ok());
    route::<List, I64Arr>(c, Cell::as_int);
    route::<List, F64Arr>(c, |cell| cell.as_float().or_else(|| exact(cell.as_int()?)));
}

fn exact(int: i64) -> Option<f64> {
    let float = int as f64;
    (float < 9_223_372_036_854_775_808.0 && float as i64 == int).then_some(float)
}

fn whole(float: f64) -> Option<i64> {
    let int = float as i64;
    (int != i64::MAX && int as f64 == float).then_some(int)
}

// ------------------------------------------------------------------------ text

/// Text of exactly `len` bytes.
fn text_of(words: &str, len: usize) -> Vec<u8> {
    let mut text = words.repeat(len / words.len());
    text.extend(std::iter::repeat_n('.', len - text.len()));
    text.into_bytes()
}

/// Bytes that turn out to be text, into a new object.
fn text(c: &mut Criterion) {
    let mixed = "Größe: 3 µm, naïve 文字列, Ελληνικά, 🦀 and plain words";
    for (name, words) in [("ASCII", "plain words, 16 "), ("mixed", mixed)] {
        for len in LENGTHS.into_iter().chain([LONG]) {
            let mut group = group(c, &format!("Bytes to Str, {name}"), len);
            let group = &mut group;
            let bytes = text_of(words, len);
            let mut to = vec![0; len];
            let mut copied = |valid: &str| {
                to.copy_from_slice(valid.as_bytes());
                black_box(to.last().copied())
            };
            let right = |last| last == bytes.last().copied();
            let valid = || simdutf8::basic::from_utf8(black_box(&bytes)).unwrap();
            row(group, "simdutf8 and copy_from_slice", || copied(valid()), right);
            row(
                group,
                "simdutf8 and String::from",
                || black_box(String::from(valid())).len(),
                |n| n == len,
            );
            let valid = || std::str::from_utf8(black_box(&bytes)).unwrap();
            row(group, "std and copy_from_slice", || copied(valid()), right);
            row(
                group,
                "copy_from_slice",
                || {
                    to.copy_from_slice(black_box(&bytes));
                    black_box(to.last().copied())
                },
                right,
            );

            let mut heap = heap();
            let source = heap.alloc(Bytes::of(&bytes)).unwrap();
            let made = heap.convert_across::<Str>(source, ..).unwrap();
            assert_eq!(heap.get(made).unwrap().text(), bytes);
            heap.kill(made).unwrap();
            let pass = || {
                let made = heap.convert_across::<Str>(black_box(source), ..)?;
                heap.kill(black_box(made))
            };
            row(group, "new", pass, |done| done.is_ok());
        }
    }
}

/// Many short texts, one behind the other, into a builder.
fn builder(c: &mut Criterion) {
    let pieces = 256;
    for len in [16, 64] {
        let mut group = group(c, "256 texts to a builder, bytes each", len);
        let group = &mut group;
        let texts: Vec<String> = (0..pieces).map(|n| format!("{n:len$}")).collect();
        let whole = texts.concat();
        let mut built = Vec::with_capacity(whole.len());
        let pass = || {
            built.clear();
            for text in black_box(&texts) {
                built.extend_from_slice(text.as_bytes());
            }
            built.len()
        };
        row(group, "Vec", pass, |n| n == whole.len());

        let mut heap = heap();
        let handles: Vec<Handle<Str>> =
            texts.iter().map(|text| heap.alloc(Str::new(text)).unwrap()).collect();
        let builder = heap.alloc(Bytes::with_capacity(whole.len())).unwrap();
        let mut pass = || {
            heap.get_mut(builder)?.truncate(0)?;
            for &text in black_box(&handles) {
                heap.append_across(builder, text, ..)?;
            }
            Ok::<(), segheap::Error>(())
        };
        pass().unwrap();
        row(group, "append", pass, |done| done.is_ok());
        assert_eq!(heap.get(builder).unwrap().as_slice(), whole.as_bytes());
    }
}

criterion_group! {
    name = copy_across;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    targets = copies, conversions, text, builder
}
criterion_main!(copy_across);
