//! Mutable sequences against a vector: five growable kinds, three of fixed length.
//! Elements are compared by their bits.

use proptest::prelude::*;
use segheap::{
    Bytes, Cell, Closure, Cursor, Error, F64Arr, Growable, Handle, Heap, I64Arr, List, Mutable,
    Pair, SequenceInit, Struct, U8Arr, abi,
};

use crate::support::{
    Bounds, assert_same, beyond_bits, bounds, config, heap, index, out_of_range, resolve,
};

/// Converts elements from and to 64 bits.
trait Bits: Mutable {
    fn element(bits: u64) -> Self::Element;
    fn bits(element: Self::Element) -> u64;
    /// The bits of the element that is made from `bits`.
    fn stored(bits: u64) -> u64 {
        Self::bits(Self::element(bits))
    }
    fn all(elements: &[Self::Element]) -> Vec<u64> {
        elements.iter().map(|&element| Self::bits(element)).collect()
    }
    fn elements(bits: &[u64]) -> Vec<Self::Element> {
        bits.iter().map(|&bits| Self::element(bits)).collect()
    }
}

trait Array: Bits + Growable {
    fn of(elements: &[Self::Element]) -> SequenceInit<'_, Self>;
    fn zeroed(len: usize) -> SequenceInit<'static, Self>;
    fn with_capacity(len: usize) -> SequenceInit<'static, Self>;
    const ZERO: u64;
}

macro_rules! bits {
    ($($Kind:ident)*: $element:expr, $bits:expr) => {$(
        impl Bits for $Kind {
            fn element(bits: u64) -> Self::Element {
                $element(bits)
            }
            fn bits(element: Self::Element) -> u64 {
                $bits(element)
            }
        }
    )*};
}
bits!(List Struct Closure Pair: |bits| abi::cell(bits).unwrap_or(Cell::NULL), abi::bits);
bits!(Bytes U8Arr: |bits| bits as u8, u64::from);
bits!(I64Arr: |bits| bits as i64, |int| int as u64);
bits!(F64Arr: f64::from_bits, f64::to_bits);

macro_rules! array {
    ($($Kind:ident: $zero:expr;)*) => {$(
        impl Array for $Kind {
            fn of(elements: &[Self::Element]) -> SequenceInit<'_, Self> {
                $Kind::of(elements)
            }
            fn zeroed(len: usize) -> SequenceInit<'static, Self> {
                $Kind::zeroed(len)
            }
            fn with_capacity(len: usize) -> SequenceInit<'static, Self> {
                $Kind::with_capacity(len)
            }
            const ZERO: u64 = $zero;
        }
    )*};
}
array! {
    List: 0xFFFC << 48;
    Bytes: 0;
    F64Arr: 0;
    I64Arr: 0;
    U8Arr: 0;
}

#[derive(Clone, Debug)]
enum Op {
    Get(usize),
    Set(usize, u64),
    Slice(Bounds),
    Fill(Bounds, u64),
    Rewrite(Bounds, u64),
    Reverse,
    Swap(usize, usize),
    RotateLeft(usize),
    RotateRight(usize),
    Next,
    Restart,
    Push(u64),
    Pop,
    PopFront(usize),
    RemoveRange(Bounds),
    Splice(Bounds, Vec<u64>),
    Dedup,
    Shrink,
    Compact,
    Insert(usize, u64),
    Remove(usize),
    Truncate(usize),
    Resize(usize, u64),
    Extend(Vec<u64>),
    Reserve(usize),
}

fn element() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), crate::support::immediate().prop_map(abi::bits)]
}

/// Sizes too large for any object: on 32 bits, there is none.
const TOO_LARGE: [usize; 3] = match usize::BITS {
    32 => [4000, 5000, 6000],
    _ => [usize::MAX, beyond_bits(32), beyond_bits(40)],
};

/// Sizes: valid ones, and ones too large for any object.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0_usize..40,
        1 => 0_usize..3000,
        1 => prop::sample::select(TOO_LARGE.to_vec()),
    ]
}

fn fixed_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        index().prop_map(Op::Get),
        (index(), element()).prop_map(|(index, element)| Op::Set(index, element)),
        bounds().prop_map(Op::Slice),
        (bounds(), element()).prop_map(|(bounds, element)| Op::Fill(bounds, element)),
        (bounds(), element()).prop_map(|(bounds, element)| Op::Rewrite(bounds, element)),
        Just(Op::Reverse),
        (index(), index()).prop_map(|(a, b)| Op::Swap(a, b)),
        index().prop_map(Op::RotateLeft),
        index().prop_map(Op::RotateRight),
        Just(Op::Next),
        Just(Op::Restart),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => fixed_op(),
        3 => element().prop_map(Op::Push),
        1 => Just(Op::Pop),
        2 => (1_usize..8).prop_map(Op::PopFront),
        2 => bounds().prop_map(Op::RemoveRange),
        1 => (bounds(), prop::collection::vec(element(), 0..20))
            .prop_map(|(bounds, elements)| Op::Splice(bounds, elements)),
        1 => Just(Op::Dedup),
        1 => Just(Op::Shrink),
        1 => Just(Op::Compact),
        1 => (index(), element()).prop_map(|(index, element)| Op::Insert(index, element)),
        1 => index().prop_map(Op::Remove),
        1 => size().prop_map(Op::Truncate),
        1 => (size(), element()).prop_map(|(size, element)| Op::Resize(size, element)),
        1 => prop::collection::vec(element(), 0..20).prop_map(Op::Extend),
        1 => size().prop_map(Op::Reserve),
    ]
}

/// An object, its model, and an iteration over both.
struct Subject<K> {
    object: Handle<K>,
    model: Vec<u64>,
    cursor: Cursor,
    position: usize,
}

impl<K: Bits> Subject<K> {
    fn new(object: Handle<K>, model: Vec<u64>) -> Self {
        Subject { object, model, cursor: Cursor::default(), position: 0 }
    }

    fn compare(&self, heap: &Heap) {
        let view = heap.get(self.object).unwrap();
        assert_eq!(K::all(view.as_slice()), self.model);
        assert_eq!((view.len(), view.is_empty()), (self.model.len(), self.model.is_empty()));
    }

    /// Runs an operation on a sequence of fixed length.
    fn run_fixed(&mut self, heap: &mut Heap, op: &Op) {
        let (len, model) = (self.model.len(), &mut self.model);
        match *op {
            Op::Get(index) => {
                let got = heap.get(self.object).unwrap().get(index).map(K::bits);
                assert_eq!(got, model.get(index).copied().ok_or(out_of_range(index, len)));
            }
            Op::Set(index, bits) => {
                let got = heap.get_mut(self.object).unwrap().set(index, K::element(bits));
                let element = model.get_mut(index).ok_or(out_of_range(index, len));
                assert_eq!(got, element.map(|element| *element = K::stored(bits)));
            }
            Op::Slice(bounds) => {
                let got = heap.get(self.object).unwrap().slice(bounds).map(K::all);
                assert_same(got, resolve(bounds, len).map(|range| model[range].to_vec()), bounds);
            }
            Op::Fill(bounds, bits) => {
                let got = heap.get_mut(self.object).unwrap().fill(bounds, K::element(bits));
                let expected = resolve(bounds, len).map(|range| model[range].fill(K::stored(bits)));
                assert_same(got, expected, bounds);
            }
            Op::Rewrite(bounds, bits) => {
                let mut view = heap.get_mut(self.object).unwrap();
                let got = view.slice_mut(bounds).map(|slice| {
                    for (n, element) in slice.iter_mut().enumerate() {
                        *element = K::element(bits.wrapping_add(n as u64));
                    }
                });
                let expected = resolve(bounds, len).map(|range| {
                    for (n, element) in model[range].iter_mut().enumerate() {
                        *element = K::stored(bits.wrapping_add(n as u64));
                    }
                });
                assert_same(got, expected, bounds);
            }
            Op::Reverse => {
                heap.get_mut(self.object).unwrap().reverse().unwrap();
                model.reverse();
            }
            Op::Swap(a, b) => {
                let got = heap.get_mut(self.object).unwrap().swap(a, b);
                let beyond = [a, b].into_iter().find(|&index| index >= len);
                assert_eq!(got, beyond.map_or(Ok(()), |index| Err(out_of_range(index, len))));
                if got.is_ok() {
                    model.swap(a, b);
                }
            }
            Op::RotateLeft(mid) | Op::RotateRight(mid) => {
                let mut view = heap.get_mut(self.object).unwrap();
                let left = matches!(op, Op::RotateLeft(_));
                let got = if left { view.rotate_left(mid) } else { view.rotate_right(mid) };
                assert_eq!(got, if mid > len { Err(out_of_range(mid, len)) } else { Ok(()) });
                match got {
                    Ok(()) if left => model.rotate_left(mid),
                    Ok(()) => model.rotate_right(mid),
                    Err(_) => {}
                }
            }
            Op::Next => {
                // A cursor over a sequence counts elements, whether the block moves or not.
                let got = heap.get(self.object).unwrap().next(&mut self.cursor).map(K::bits);
                assert_eq!(got, model.get(self.position).copied());
                self.position += usize::from(got.is_some());
            }
            Op::Restart => (self.cursor, self.position) = (Cursor::default(), 0),
            _ => {}
        }
        self.compare(heap);
    }
}

impl<K: Array> Subject<K> {
    /// Runs an operation on a growable sequence.
    fn run(&mut self, heap: &mut Heap, op: &Op) {
        let (len, model) = (self.model.len(), &mut self.model);
        let mut view = heap.get_mut(self.object).unwrap();
        let too_large = |len: usize| u32::try_from(len).map_err(|_| Error::ObjectTooLarge);
        match *op {
            Op::Push(bits) => {
                assert_eq!(view.push(K::element(bits)), Ok(()));
                model.push(K::stored(bits));
            }
            Op::Pop => assert_eq!(view.pop().map(|popped| popped.map(K::bits)), Ok(model.pop())),
            Op::PopFront(count) => {
                for _ in 0..count {
                    let expected = (!model.is_empty()).then(|| model.remove(0));
                    assert_eq!(view.pop_front().map(|popped| popped.map(K::bits)), Ok(expected));
                }
            }
            Op::RemoveRange(bounds) => {
                let expected = resolve(bounds, len).map(|range| drop(model.drain(range)));
                assert_same(view.remove_range(bounds), expected, bounds);
            }
            Op::Splice(bounds, ref bits) => {
                let got = view.splice(bounds, &K::elements(bits));
                let stored = bits.iter().map(|&bits| K::stored(bits));
                let expected = resolve(bounds, len).map(|range| drop(model.splice(range, stored)));
                assert_same(got, expected, bounds);
            }
            Op::Dedup => {
                assert_eq!(view.dedup(), Ok(()));
                model.dedup_by(|a, b| K::element(*a) == K::element(*b));
            }
            Op::Shrink => assert_eq!(view.shrink_to_fit(), Ok(())),
            Op::Compact => {
                heap.compact();
                assert_eq!(heap.verify(), Ok(()));
            }
            Op::Insert(index, bits) => {
                let got = view.insert(index, K::element(bits));
                if index <= len {
                    assert_eq!(got, Ok(()));
                    model.insert(index, K::stored(bits));
                } else {
                    assert_eq!(got, Err(out_of_range(index, len)));
                }
            }
            Op::Remove(index) => {
                let got = view.remove(index).map(K::bits);
                if index < len {
                    assert_eq!(got, Ok(model.remove(index)));
                } else {
                    assert_eq!(got, Err(out_of_range(index, len)));
                }
            }
            Op::Truncate(size) => {
                assert_eq!(view.truncate(size), Ok(()));
                model.truncate(size);
            }
            Op::Resize(size, bits) => {
                let got = view.resize(size, K::element(bits));
                let expected = too_large(size).map(|_| model.resize(size, K::stored(bits)));
                assert_eq!(got, expected);
            }
            Op::Extend(ref bits) => {
                assert_eq!(view.extend(&K::elements(bits)), Ok(()));
                model.extend(bits.iter().map(|&bits| K::stored(bits)));
            }
            Op::Reserve(more) => {
                let got = view.reserve(more);
                assert_eq!(got, too_large(len.saturating_add(more)).map(drop));
            }
            _ => return self.run_fixed(heap, op),
        }
        self.compare(heap);
    }
}

/// A neighbour in the same arena, which no operation may write.
fn neighbour<K: Array>(heap: &mut Heap) -> Subject<K> {
    let elements = K::elements(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let object = heap.alloc(K::of(&elements)).unwrap();
    Subject::new(object, K::all(&elements))
}

fn growable<K: Array>(start: &[u64], form: u8, ops: &[Op]) {
    let mut heap = heap(5);
    let before = neighbour::<K>(&mut heap);
    let mut subject = match form {
        0 => {
            let object = heap.alloc(K::zeroed(start.len())).unwrap();
            Subject::new(object, vec![K::ZERO; start.len()])
        }
        1 => Subject::new(heap.alloc(K::with_capacity(start.len())).unwrap(), vec![]),
        _ => {
            let elements = K::elements(start);
            Subject::new(heap.alloc(K::of(&elements)).unwrap(), K::all(&elements))
        }
    };
    subject.compare(&heap);
    let after = neighbour::<K>(&mut heap);
    for op in ops {
        subject.run(&mut heap, op);
    }
    before.compare(&heap);
    after.compare(&heap);
    assert_eq!(heap.verify(), Ok(()));
    // What a front was cut from is used again.
    heap.free(subject.object).unwrap();
    heap.alloc(K::zeroed(100)).unwrap();
    assert_eq!(heap.verify(), Ok(()));
}

fn fixed<K: Bits>(heap: &mut Heap, object: Handle<K>, model: Vec<u64>, ops: &[Op]) {
    let mut subject = Subject::new(object, model);
    subject.compare(heap);
    for op in ops {
        subject.run_fixed(heap, op);
    }
}

fn program() -> impl Strategy<Value = (Vec<u64>, u8, Vec<Op>)> {
    (prop::collection::vec(element(), 0..12), 0_u8..3, prop::collection::vec(op(), 1..60))
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn list((start, form, ops) in program()) {
        growable::<List>(&start, form, &ops);
    }

    #[test]
    fn bytes((start, form, ops) in program()) {
        growable::<Bytes>(&start, form, &ops);
    }

    #[test]
    fn f64arr((start, form, ops) in program()) {
        growable::<F64Arr>(&start, form, &ops);
    }

    #[test]
    fn i64arr((start, form, ops) in program()) {
        growable::<I64Arr>(&start, form, &ops);
    }

    #[test]
    fn u8arr((start, form, ops) in program()) {
        growable::<U8Arr>(&start, form, &ops);
    }

    #[test]
    fn structs(
        shape in any::<u32>(),
        start in prop::collection::vec(element(), 0..12),
        nulls in any::<bool>(),
        ops in prop::collection::vec(fixed_op(), 1..40),
    ) {
        let mut heap = heap(5);
        let fields = Struct::elements(&start);
        let (object, model) = if nulls {
            let model = vec![abi::bits(Cell::NULL); start.len()];
            (heap.alloc(Struct::new(shape, start.len())).unwrap(), model)
        } else {
            (heap.alloc(Struct::of(shape, &fields)).unwrap(), Struct::all(&fields))
        };
        fixed(&mut heap, object, model, &ops);
        prop_assert_eq!(heap.get(object).unwrap().shape(), shape);
    }

    #[test]
    fn closures(
        function in any::<u32>(),
        start in prop::collection::vec(element(), 0..12),
        ops in prop::collection::vec(fixed_op(), 1..40),
    ) {
        let mut heap = heap(5);
        let upvalues = Closure::elements(&start);
        let object = heap.alloc(Closure::of(function, &upvalues)).unwrap();
        fixed(&mut heap, object, Closure::all(&upvalues), &ops);
        prop_assert_eq!(heap.get(object).unwrap().function(), function);
    }

    #[test]
    fn pairs(
        (first, second) in (element(), element()),
        ops in prop::collection::vec(fixed_op(), 1..40),
    ) {
        let mut heap = heap(5);
        let (first, second) = (Pair::element(first), Pair::element(second));
        let object = heap.alloc(Pair::of(first, second)).unwrap();
        let view = heap.get(object).unwrap();
        prop_assert_eq!((view.first(), view.second()), (Ok(first), Ok(second)));
        fixed(&mut heap, object, Pair::all(&[first, second]), &ops);
    }
}

#[test]
fn the_error_of_a_reversed_range_reports_the_length() {
    let mut heap = heap(5);
    let list = heap.alloc(List::zeroed(10)).unwrap();
    let (start, end) = (5, 3);
    assert_eq!(heap.get(list).unwrap().slice(start..end), Err(out_of_range(5, 10)));
}
