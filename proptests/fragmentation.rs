//! Memory that was freed serves objects of other sizes, without a collection.

use proptest::prelude::*;
use segheap::{Bytes, Error, Handle, Heap, Kind, Limits, List, Settings};

/// Objects of bytes, each filled with a byte of its own.
#[derive(Default)]
struct Objects(Vec<(Handle<Bytes>, usize, u8)>);

impl Objects {
    fn alloc(&mut self, heap: &mut Heap, size: usize) -> Result<(), Error> {
        let fill = u8::try_from(self.0.len() % 251).expect("a byte");
        let object = heap.alloc(Bytes::zeroed(size))?;
        heap.get_mut(object)?.fill(.., fill)?;
        self.0.push((object, size, fill));
        Ok(())
    }

    /// Frees all but each object `n`, counted from the first one.
    fn thin(&mut self, heap: &mut Heap, n: usize) -> Result<(), Error> {
        let all = std::mem::take(&mut self.0);
        for (index, object) in all.into_iter().enumerate() {
            if index % n == 0 {
                self.0.push(object);
            } else {
                heap.free(object.0)?;
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(|object| object.1).sum()
    }

    fn check(&self, heap: &mut Heap) -> Result<(), Error> {
        heap.verify().expect("sound");
        for &(object, size, fill) in &self.0 {
            let bytes = heap.get(object)?.as_slice();
            assert!(bytes.len() == size && bytes.iter().all(|&byte| byte == fill));
        }
        Ok(())
    }
}

fn memory_bytes(heap: &Heap) -> usize {
    heap.usage().arena(Kind::BYTES).map_or(0, |arena| arena.pages as usize) << 16
}

#[test]
fn an_empty_arena_takes_any_size() -> Result<(), Error> {
    let limits = Limits::NONE.with_bytes(8 << 20);
    let mut heap = Heap::with(Settings::seeded(1).limits(limits));
    let mut objects = Vec::new();
    while let Ok(object) = heap.alloc(Bytes::zeroed(100)) {
        objects.push(object);
    }
    objects.into_iter().try_for_each(|object| heap.free(object))?;
    let size = memory_bytes(&heap) * 3 / 4;
    assert_eq!(heap.alloc(Bytes::zeroed(size)).map(drop), Ok(()));
    Ok(())
}

/// Objects of one size fill 2 MiB, then all but a tenth are freed, and larger ones follow.
#[test]
fn phases_of_growing_sizes_share_memory() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(7));
    let (mut live, mut peak) = (Objects::default(), 0);
    for phase in 0..24 {
        let size = (32.0 * 1.35_f64.powi(phase)) as usize;
        let mut next = Objects::default();
        for _ in 0..(2 << 20) / size {
            next.alloc(&mut heap, size)?;
        }
        peak = peak.max(live.bytes() + next.bytes());
        live.thin(&mut heap, usize::MAX)?;
        next.thin(&mut heap, 10)?;
        live.0.append(&mut next.0);
        live.check(&mut heap)?;
    }
    // Size classes round up by a quarter at most.
    assert!(memory_bytes(&heap) < peak * 2, "{} for {peak}", memory_bytes(&heap));
    Ok(())
}

#[test]
fn lists_that_grow_in_turn_share_memory() -> Result<(), Error> {
    let mut heap = Heap::with(Settings::seeded(7));
    let lists: Vec<_> = (0..16).map(|_| heap.alloc(List::new())).collect::<Result<_, _>>()?;
    for n in 0..40_000_u32 {
        for &list in &lists {
            heap.get_mut(list)?.push(n.into())?;
        }
    }
    heap.verify().expect("sound");
    let payload = lists.len() * 40_000 * 8;
    let pages = heap.usage().arena(Kind::LIST).map_or(0, |arena| arena.pages as usize);
    assert!(pages << 16 < payload * 3, "{} for {payload}", pages << 16);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn random_phases_keep_objects(
        phases in prop::collection::vec((1_usize..3_000, 1_usize..400, 1_usize..40), 1..24),
    ) {
        let run = || -> Result<(), Error> {
            let mut heap = Heap::with(Settings::seeded(1));
            let mut live = Objects::default();
            for (size, count, kept) in phases {
                for n in 0..count {
                    live.alloc(&mut heap, size + n % 7)?;
                }
                live.thin(&mut heap, kept)?;
                live.check(&mut heap)?;
            }
            Ok(())
        };
        run().map_err(|error| TestCaseError::fail(error.to_string()))?;
    }
}
