//! Sequences as elements, and snapshots of a heap.

use segheap::{
    Bignum, Bytes, Cell, Closure, Error, F64Arr, Heap, I64Arr, Kind, List, Map, Pair, Set,
    Settings, Str, Struct, U8Arr, Usage, abi,
};

use super::Element::{Byte, Float, Int};
use super::{Element, is_bytes};

/// Allocates a sequence.
pub(super) fn alloc(heap: &mut Heap, kind: Kind, elements: &[Element]) -> Result<Cell, Error> {
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
        Kind::LIST => heap.alloc(List::of(of!(Element::Cell)))?.cell(),
        kind => panic!("{kind} has no routes"),
    })
}

/// Reads a sequence.
pub(super) fn read(heap: &Heap, object: Cell) -> Result<Vec<Element>, Error> {
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
        _ => heap.get::<List>(object)?.as_slice().iter().map(|&v| Element::Cell(v)).collect(),
    })
}

/// All observable state of a heap: counts, slots, and the bytes of each live object.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) usage: Usage,
    pub(super) slots: Vec<Vec<[u32; 4]>>,
    pub(super) objects: Vec<(Kind, u32, Vec<u8>)>,
}

impl Snapshot {
    pub(super) fn of(heap: &Heap) -> Snapshot {
        let mut snapshot = Snapshot { usage: heap.usage(), slots: Vec::new(), objects: Vec::new() };
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
                snapshot.objects.push((kind, index as u32, memory[off..off + bytes].to_vec()));
            }
            snapshot.slots.push(slots.to_vec());
        }
        snapshot
    }

    /// Asserts that `later` differs in no object but this one. Returns how many objects
    /// are new.
    pub(super) fn assert_others_unchanged(&self, later: &Snapshot, changed: Cell) -> usize {
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
                "the copy changed another object: {}#{}",
                object.0,
                object.1,
            );
        }
        assert!(old.next().is_none(), "the copy freed an object");
        for (kind, (before, after)) in Kind::ALL.iter().zip(self.slots.iter().zip(&later.slots)) {
            assert!(*kind == changed.0 || before == after, "the copy changed slots of {kind}");
        }
        new
    }
}

/// A heap with objects of each kind, which no copy may change.
pub(super) fn populated() -> (Heap, Vec<Cell>) {
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

/// Elements that are zero or null.
pub(super) fn zeroes(kind: Kind, len: usize) -> Vec<Element> {
    let zero = match kind {
        Kind::I64ARR => Int(0),
        Kind::F64ARR => Float(0),
        Kind::LIST => Element::Cell(Cell::NULL),
        _ => Byte(0),
    };
    vec![zero; len]
}
