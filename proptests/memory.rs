//! `Memory` against a vector of bytes with the bounds checks of Wasm: both ranges
//! are checked before the first byte is written, sums do not wrap, and empty
//! accesses are checked too.

use proptest::prelude::*;
use segheap::memory::{IndexType, Memory, MemoryType, OutOfBounds};

use crate::support::config;

const PAGE: u64 = 65_536;

#[derive(Clone, Debug)]
pub enum Op {
    Load { width: u32, address: u64, offset: u64 },
    Store { width: u32, address: u64, offset: u64, value: u64 },
    Fill { address: u64, value: u8, len: u64 },
    Init { address: u64, segment: Vec<u8>, source: u64, len: u64 },
    Copy { address: u64, source: u64, len: u64 },
    CopyFrom { address: u64, source: u64, len: u64 },
    Grow { delta: u64 },
}

/// Addresses: small, near the end of a page, near 2^32 and near 2^64.
fn address() -> impl Strategy<Value = u64> {
    let edges = prop::sample::select(vec![0, PAGE, 2 * PAGE, 3 * PAGE, 1 << 32, u64::MAX]);
    prop_oneof![
        2 => 0..3 * PAGE,
        4 => (edges, -9_i64..=9).prop_map(|(edge, near)| edge.saturating_add_signed(near)),
    ]
}

fn len() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0_u64..20, 2 => Just(0), 2 => address()]
}

pub fn op() -> impl Strategy<Value = Op> {
    let width = || prop::sample::select(vec![1_u32, 2, 4, 8]);
    let offset = || prop_oneof![3 => Just(0), 1 => 0_u64..9, 1 => address()];
    prop_oneof![
        4 => (width(), address(), offset())
            .prop_map(|(width, address, offset)| Op::Load { width, address, offset }),
        4 => (width(), address(), offset(), any::<u64>())
            .prop_map(|(width, address, offset, value)| Op::Store { width, address, offset, value }),
        2 => (address(), any::<u8>(), len())
            .prop_map(|(address, value, len)| Op::Fill { address, value, len }),
        2 => (address(), prop::collection::vec(any::<u8>(), 0..20), len(), len())
            .prop_map(|(address, segment, source, len)| Op::Init { address, segment, source, len }),
        3 => (address(), address(), len())
            .prop_map(|(address, source, len)| Op::Copy { address, source, len }),
        2 => (address(), address(), len())
            .prop_map(|(address, source, len)| Op::CopyFrom { address, source, len }),
        1 => prop_oneof![0_u64..3, Just(1 << 48), Just(1 << 63), Just(u64::MAX)]
            .prop_map(|delta| Op::Grow { delta }),
    ]
}

/// Checks a range, in arithmetic that cannot overflow.
fn range(size: usize, address: u128, len: u128) -> Result<std::ops::Range<usize>, OutOfBounds> {
    let end = address + len;
    if end > size as u128 { Err(OutOfBounds) } else { Ok(address as usize..end as usize) }
}

fn reference_init(
    model: &mut [u8],
    address: u64,
    segment: &[u8],
    source: u64,
    len: u64,
) -> Result<(), OutOfBounds> {
    let to = range(model.len(), address.into(), len.into())?;
    let from = range(segment.len(), source.into(), len.into())?;
    let staged = segment[from].to_vec();
    model[to].copy_from_slice(&staged);
    Ok(())
}

fn step(memory: &mut Memory, model: &mut Vec<u8>, other: &Memory, max: u64, op: &Op) {
    match *op {
        Op::Load { width, address, offset } => {
            let got = match width {
                1 => memory.load_u8(address, offset).map(u64::from),
                2 => memory.load_u16(address, offset).map(u64::from),
                4 => memory.load_u32(address, offset).map(u64::from),
                _ => memory.load_u64(address, offset),
            };
            let start = u128::from(address) + u128::from(offset);
            let expected = range(model.len(), start, width.into()).map(|range| {
                model[range].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
            });
            assert_eq!(got, expected);
        }
        Op::Store { width, address, offset, value } => {
            let got = match width {
                1 => memory.store_u8(address, offset, value as u8),
                2 => memory.store_u16(address, offset, value as u16),
                4 => memory.store_u32(address, offset, value as u32),
                _ => memory.store_u64(address, offset, value),
            };
            let start = u128::from(address) + u128::from(offset);
            let expected = range(model.len(), start, width.into()).map(|range| {
                for (n, byte) in model[range].iter_mut().enumerate() {
                    *byte = (value >> (8 * n)) as u8;
                }
            });
            assert_eq!(got, expected);
        }
        Op::Fill { address, value, len } => {
            let expected = range(model.len(), address.into(), len.into())
                .map(|range| model[range].fill(value));
            assert_eq!(memory.fill(address, value, len), expected);
        }
        Op::Init { address, ref segment, source, len } => {
            let expected = reference_init(model, address, segment, source, len);
            assert_eq!(memory.init(address, segment, source, len), expected);
        }
        Op::Copy { address, source, len } => {
            let segment = model.clone();
            let expected = reference_init(model, address, &segment, source, len);
            assert_eq!(memory.copy(address, source, len), expected);
        }
        Op::CopyFrom { address, source, len } => {
            let expected = reference_init(model, address, other.bytes(), source, len);
            assert_eq!(memory.copy_from(address, other, source, len), expected);
        }
        Op::Grow { delta } => {
            let old = memory.size();
            let grown = old.checked_add(delta).is_some_and(|pages| pages <= max);
            assert_eq!(memory.grow(delta), grown.then_some(old));
            if grown {
                model.resize(model.len() + (delta * PAGE) as usize, 0);
            }
        }
    }
    assert!(memory.bytes() == model.as_slice(), "{op:?}");
    assert_eq!(memory.size() * PAGE, model.len() as u64);
}

/// Whether addresses have 64 bits, the initial pages, and how many it may grow by.
pub type Extent = (bool, u64, u64);

pub fn extent() -> impl Strategy<Value = Extent> {
    (any::<bool>(), 0_u64..3, 0_u64..2)
}

/// Runs a program on a memory and on its model.
pub fn run((memory64, min, growth): Extent, ops: &[Op]) {
    let index = if memory64 { IndexType::I64 } else { IndexType::I32 };
    let ty = MemoryType::new(index, min, Some(min + growth));
    let mut memory = Memory::new(ty).unwrap();
    assert_eq!(memory.ty(), ty);
    let mut model = vec![0; (min * PAGE) as usize];
    let mut other = Memory::new(MemoryType::new(IndexType::I32, 1, None)).unwrap();
    for (n, address) in (0..PAGE).step_by(8).enumerate() {
        other.store_u64(address, 0, (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)).unwrap();
    }
    for op in ops {
        step(&mut memory, &mut model, &other, min + growth, op);
    }
    assert_eq!(memory.ty(), ty);
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn agrees_with_a_vector_of_bytes(
        extent in extent(),
        ops in prop::collection::vec(op(), 1..60),
    ) {
        run(extent, &ops);
    }

    /// No memory is made if the limits of its type are inconsistent, or if it
    /// cannot be allocated.
    #[test]
    fn limits_are_checked(
        memory64 in any::<bool>(),
        // A minimum of 4 GiB is valid too, but too large for a test.
        min in prop_oneof![0_u64..3, Just(1 << 48), Just(u64::MAX)],
        max in prop::option::of(prop_oneof![0_u64..3, Just(1 << 16), Just((1 << 16) + 1),
            Just(1 << 48), Just((1 << 48) + 1), Just(u64::MAX)]),
    ) {
        let index = if memory64 { IndexType::I64 } else { IndexType::I32 };
        let allowed = index.pages_max();
        let valid = min <= max.unwrap_or(allowed) && max.unwrap_or(allowed) <= allowed;
        let memory = Memory::new(MemoryType::new(index, min, max));
        prop_assert_eq!(memory.is_some(), valid && min < 3);
        if let Some(memory) = memory {
            prop_assert_eq!(memory.size(), min);
            prop_assert!(memory.bytes().iter().all(|&byte| byte == 0));
        }
    }
}

#[test]
fn growth_keeps_old_pages_and_zeroes_new_ones() {
    let mut memory = Memory::new(MemoryType::new(IndexType::I64, 1, Some(4))).unwrap();
    memory.fill(0, 0xAB, PAGE).unwrap();
    assert_eq!((memory.grow(0), memory.grow(3), memory.grow(1)), (Some(1), Some(1), None));
    assert!(memory.bytes()[..PAGE as usize].iter().all(|&byte| byte == 0xAB));
    assert!(memory.bytes()[PAGE as usize..].iter().all(|&byte| byte == 0));
    assert_eq!(memory.grow(0), Some(4));
}

#[test]
fn empty_accesses_are_checked() {
    let mut memory = Memory::new(MemoryType::new(IndexType::I32, 1, None)).unwrap();
    assert_eq!(memory.fill(PAGE, 1, 0), Ok(()));
    assert_eq!(memory.fill(PAGE + 1, 1, 0), Err(OutOfBounds));
    assert_eq!(memory.copy(PAGE, PAGE, 0), Ok(()));
    assert_eq!(memory.copy(0, PAGE + 1, 0), Err(OutOfBounds));
    assert_eq!(memory.init(0, b"abc", 3, 0), Ok(()));
    assert_eq!(memory.init(0, b"abc", 4, 0), Err(OutOfBounds));
    assert_eq!(memory.load_u64(u64::MAX, u64::MAX), Err(OutOfBounds));
}

#[test]
fn copies_keep_every_bit() {
    let mut memory = Memory::new(MemoryType::new(IndexType::I32, 1, None)).unwrap();
    // A signalling NaN, which a load into a float register would quieten.
    memory.store_u64(8, 0, 0x7FF0_0000_0000_0001).unwrap();
    memory.copy(16, 8, 8).unwrap();
    assert_eq!(memory.load_u64(16, 0), Ok(0x7FF0_0000_0000_0001));
}

/// The peak of the process's resident memory so far, in KiB.
#[cfg(target_os = "linux")]
fn peak_resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Whether the host has so much memory: others may refuse to map it.
#[cfg(target_os = "linux")]
fn host_has(bytes: u64) -> bool {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() > bytes >> 10
}

/// Growth maps no pages: the host is not killed for memory that nobody writes. In a
/// process of its own, as the other tests use memory too.
#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn growth_leaves_pages_to_the_host() {
    const CHILD: &str = "SEGHEAP_TEST_GROWTH";
    let growths: [(&str, fn()); 4] = [
        ("8 GiB at once", || {
            let mut memory = Memory::new(MemoryType::new(IndexType::I64, 1, None)).unwrap();
            memory.fill(0, 0xAB, PAGE).unwrap();
            let grown = memory.grow((8 << 30) / PAGE - 1);
            if grown.is_none() && !host_has(8 << 30) {
                return;
            }
            assert_eq!(grown, Some(1));
            let size = memory.size() * PAGE;
            assert_eq!((size, memory.bytes().len() as u64), (8 << 30, 8 << 30));
            assert_eq!(memory.load_u8(PAGE - 1, 0), Ok(0xAB));
            assert_eq!(memory.load_u64(size - 8, 0), Ok(0));
            memory.store_u64(size - 8, 0, 7).unwrap();
            assert_eq!(memory.load_u64(size - 7, 0), Err(OutOfBounds));
        }),
        ("1 GiB by 16 MiB", || {
            let mut memory = Memory::new(MemoryType::new(IndexType::I32, 0, None)).unwrap();
            for step in 0..64 {
                assert_eq!(memory.grow(256), Some(256 * step));
                assert_eq!(memory.load_u64(256 * PAGE * step, 0), Ok(0));
                memory.store_u64(256 * PAGE * step, 8, step).unwrap();
                // Spare words are not accessible.
                assert_eq!(memory.load_u8(256 * PAGE * (step + 1), 0), Err(OutOfBounds));
                assert_eq!(memory.bytes().len() as u64, 256 * PAGE * (step + 1));
            }
            assert!((0..64).all(|step| memory.load_u64(256 * PAGE * step, 8) == Ok(step)));
            assert_eq!(memory.grow(1), Some(64 * 256));
        }),
        ("more than the host has", || {
            let mut memory = Memory::new(MemoryType::new(IndexType::I64, 1, None)).unwrap();
            memory.store_u64(8, 0, 7).unwrap();
            for pages in [1 << 31, 1 << 32, (1 << 47) - 2, 1 << 47, (1 << 48) - 1, u64::MAX] {
                assert_eq!(memory.grow(pages), None);
            }
            assert_eq!((memory.size(), memory.load_u64(8, 0)), (1, Ok(7)));
            assert!(Memory::new(MemoryType::new(IndexType::I64, 1 << 31, None)).is_none());
        }),
        ("capacity of 1 GiB in an arena", || {
            let mut heap = segheap::Heap::with(segheap::Settings::seeded(1));
            let small = heap.alloc(segheap::List::of(&[7.into()])).unwrap();
            let list = heap.alloc(segheap::List::with_capacity(1 << 27)).unwrap();
            heap.get_mut(list).unwrap().push(8.into()).unwrap();
            assert_eq!(heap.get(small).unwrap().get(0), Ok(7.into()));
            let bytes = heap.usage().total_bytes;
            assert!((1 << 30..(1 << 30) + (1 << 26)).contains(&bytes), "{bytes}");
        }),
    ];
    if let Ok(name) = std::env::var(CHILD) {
        let growth = growths.iter().find(|growth| growth.0 == name).unwrap().1;
        let before = peak_resident();
        growth();
        let added = peak_resident() - before;
        assert!(added < 16 << 10, "{name}: {added} KiB more");
        return;
    }
    for (name, _) in growths {
        let test = std::env::current_exe().unwrap();
        let run = std::process::Command::new(test)
            .args(["--exact", "memory::growth_leaves_pages_to_the_host"])
            .env(CHILD, name)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success() && printed.contains("1 passed"), "{name}: {printed}");
    }
}

/// Growth in any steps, with writes in between: spare words are zero when they become
/// pages.
#[test]
fn growth_in_steps() {
    for index in [IndexType::I32, IndexType::I64] {
        for steps in [[1, 1, 40, 1], [17, 3, 16, 64], [100, 1, 1, 1], [16, 20, 90, 15]] {
            let mut memory = Memory::new(MemoryType::new(index, 0, Some(300))).unwrap();
            let mut model: Vec<u8> = Vec::new();
            for (n, step) in steps.into_iter().enumerate() {
                assert_eq!(memory.grow(step), Some(model.len() as u64 / PAGE));
                let old = model.len();
                model.resize(old + (step * PAGE) as usize, 0);
                assert!(memory.bytes() == model.as_slice());
                for start in (old..model.len()).step_by(3 * PAGE as usize + 4096) {
                    let byte = n as u8 + 1;
                    memory.fill(start as u64, byte, 5).unwrap();
                    model[start..start + 5].fill(byte);
                }
                let end = model.len() as u64;
                memory.fill(end - 1, 0xFF, 1).unwrap();
                model[end as usize - 1] = 0xFF;
                assert_eq!(memory.store_u8(end, 0, 1), Err(OutOfBounds));
                assert_eq!(memory.fill(end - 1, 1, 2), Err(OutOfBounds));
                assert_eq!(memory.copy(end, 0, 1), Err(OutOfBounds));
                assert_eq!(memory.grow(300), None);
                assert!(memory.bytes() == model.as_slice());
            }
        }
    }
}
