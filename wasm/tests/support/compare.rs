//! Whether two heaps have the same objects with the same content.

use segheap::{Heap, Kind, Map, abi};

/// The slots of a heap, by arena: key, length, flags, and the words in use.
fn slot(heap: &Heap, kind: Kind, index: u32) -> Option<([u32; 3], Vec<u64>)> {
    let [key, len, off, room] = abi::slot(heap, kind, index)?;
    if key < 0xFFFF_0000 {
        return Some(([key, 0, 0], Vec::new()));
    }
    let flags = room & !abi::layout::slot::CAP_MASK;
    let cap = room & abi::layout::slot::CAP_MASK;
    let bytes = u64::from(len);
    let used = match kind {
        Kind::MAP | Kind::SET => 0,
        Kind::STR | Kind::BYTES | Kind::U8ARR => bytes.div_ceil(8),
        Kind::STRUCT | Kind::CLOSURE | Kind::BIGNUM => bytes + 1,
        _ => bytes,
    };
    assert!(used <= cap.into());
    let memory = abi::memory(heap, kind).unwrap();
    let mut words: Vec<u64> =
        (0..used).map(|n| memory.load_u64((u64::from(off) + n) * 8, 0).unwrap()).collect();
    let is_bytes = matches!(kind, Kind::STR | Kind::BYTES | Kind::U8ARR);
    if let (Some(last), true) = (words.last_mut(), is_bytes && !bytes.is_multiple_of(8)) {
        *last &= (1 << (bytes % 8 * 8)) - 1;
    }
    let len = if matches!(kind, Kind::MAP | Kind::SET) { 0 } else { len };
    Some(([key, len, flags], words))
}

/// Panics unless both heaps have the same handles and objects. The second one may have fewer
/// free slots.
pub fn assert_same(a: &Heap, b: &Heap) {
    for kind in Kind::ALL {
        assert_eq!(
            a.usage().arena(kind).unwrap().live,
            b.usage().arena(kind).unwrap().live,
            "{kind}"
        );
        for index in 0.. {
            let Some(found) = slot(b, kind, index) else { break };
            let expected = slot(a, kind, index);
            assert_eq!(expected.as_ref(), Some(&found), "{kind}#{index}");
            if kind == Kind::MAP && found.0[0] >= 0xFFFF_0000 {
                let cell = abi::cell(u64::from(found.0[0]) << 32 | u64::from(index)).unwrap();
                let (a, b) = (a.get::<Map>(cell).unwrap(), b.get::<Map>(cell).unwrap());
                assert!(a.iter().eq(b.iter()), "{kind}#{index}");
                assert_eq!(a.len(), b.len());
            }
        }
    }
}
