//! Slots that a peak has left are given back, and no handle of before them comes alive
//! when they return.

use proptest::prelude::*;
use segheap::{Cell, Error, Handle, Heap, Kind, Limits, Pair, Policy, Settings, abi};

use crate::support::config;

/// What happens between two checks.
#[derive(Clone, Debug)]
enum Step {
    /// Allocates as many objects.
    Alloc(u32),
    /// Allocates as many objects while a growth of memory fails after so many.
    AllocRefused(u32, u64),
    /// Collects; keeps every object whose number, divided by `.0`, has a remainder below
    /// `.1`.
    Collect(u32, u32),
    /// Frees the other objects one by one.
    Free(u32, u32),
    /// Opens a region, allocates in it, and closes it.
    Region(u32),
    Compact,
    CompactABit(u64),
    /// Collects and recycles; the host forgets all handles of objects that are gone.
    Recycle,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let chosen = || (1_u32..100_000, prop_oneof![0_u32..3, 0_u32..100_000]);
    let step = prop_oneof![
        3 => prop_oneof![1_u32..100, 70_000_u32..120_000].prop_map(Step::Alloc),
        1 => (1_u32..90_000, 0_u64..6).prop_map(|(n, after)| Step::AllocRefused(n, after)),
        4 => chosen().prop_map(|(of, below)| Step::Collect(of, below)),
        1 => chosen().prop_map(|(of, below)| Step::Free(of, below)),
        1 => prop_oneof![1_u32..100, 1_u32..90_000].prop_map(Step::Region),
        1 => Just(Step::Compact),
        2 => (1_u64..1 << 20).prop_map(Step::CompactABit),
        1 => Just(Step::Recycle),
    ];
    prop::collection::vec(step, 1..12)
}

/// A heap of pairs, and for each handle that it has returned whether its object is live.
struct Run {
    heap: Heap,
    pairs: Vec<(Handle<Pair>, bool)>,
}

impl Run {
    fn new(seed: u64) -> Run {
        let limits = Limits::NONE.with_bytes(256 << 20);
        Run { heap: Heap::with(Settings::seeded(seed).limits(limits)), pairs: Vec::new() }
    }

    fn alloc(&mut self, n: u32) -> Result<(), Error> {
        for _ in 0..n {
            let number = self.pairs.len() as u32;
            let pair = self.heap.alloc(Pair::of(number.into(), Cell::NULL))?;
            self.pairs.push((pair, true));
        }
        Ok(())
    }

    fn roots(&self) -> impl Iterator<Item = Cell> + use<> {
        let live = self.pairs.iter().filter(|(_, live)| *live);
        live.map(|(pair, _)| pair.cell()).collect::<Vec<_>>().into_iter()
    }

    fn step(&mut self, step: &Step) -> Result<(), Error> {
        match *step {
            Step::Alloc(n) => self.alloc(n)?,
            Step::AllocRefused(n, after) => {
                self.heap.fail_growth_after(Some(after));
                let result = self.alloc(n);
                self.heap.fail_growth_after(None);
                assert_refused(result);
            }
            Step::Collect(of, below) => {
                for (number, (_, live)) in self.pairs.iter_mut().enumerate() {
                    *live &= number as u32 % of < below;
                }
                self.heap.collect(self.roots())?;
            }
            Step::Free(of, below) => {
                for (number, (pair, live)) in self.pairs.iter_mut().enumerate() {
                    if *live && number as u32 % of >= below {
                        self.heap.free(*pair)?;
                        *live = false;
                    }
                }
            }
            Step::Region(n) => {
                let region = self.heap.open_region()?;
                let first = self.pairs.len();
                self.alloc(n)?;
                let kept = self.pairs[first..].iter_mut().enumerate().filter_map(|(n, pair)| {
                    pair.1 = n % 1_000 == 0;
                    pair.1.then_some(pair.0.cell())
                });
                self.heap.close_region(region, kept.collect::<Vec<_>>())?;
            }
            Step::Compact => self.heap.compact(),
            Step::CompactABit(work) => drop(self.heap.compact_step(work)?),
            Step::Recycle => {
                let none: [Cell; 0] = [];
                self.heap.collect_and_recycle(self.roots(), none)?;
                self.forget();
            }
        }
        self.check();
        Ok(())
    }

    /// Forgets the handles of objects that are gone. Those that stay are renumbered.
    fn forget(&mut self) {
        self.pairs.retain(|(_, live)| *live);
        for (number, (pair, _)) in self.pairs.iter().enumerate() {
            let mut open = self.heap.get_mut(*pair).expect("live");
            open.set(0, (number as u32).into()).expect("a pair");
        }
    }

    fn check(&mut self) {
        self.heap.verify().expect("sound");
        for (number, &(pair, live)) in self.pairs.iter().enumerate() {
            let bits = abi::bits(pair.cell());
            let slot = abi::slot(&self.heap, Kind::PAIR, bits as u32);
            assert_eq!(slot.is_some_and(|[key, ..]| u64::from(key) == bits >> 32), live);
            match self.heap.get(pair) {
                Ok(pair) => assert!(live && pair.first() == Ok((number as u32).into())),
                Err(error) => assert!(!live && error == Error::Stale { kind: Kind::PAIR }),
            }
        }
        let live = self.pairs.iter().filter(|(_, live)| *live).count();
        assert_eq!(self.heap.usage().live(), live as u64);
        assert_eq!(self.heap.objects::<Pair>().count(), live);
    }
}

fn assert_refused(result: Result<(), Error>) {
    assert!(matches!(result, Ok(()) | Err(Error::OutOfMemory)), "{result:?}");
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn handles_of_a_peak_stay_stale(seed: u64, steps in steps()) {
        let mut run = Run::new(seed);
        run.alloc(80_000).unwrap();
        for step in &steps {
            run.step(step).unwrap();
        }
    }
}

/// The bytes of the pages and the slots of the pairs.
fn bytes(heap: &Heap) -> u64 {
    heap.usage().arena(Kind::PAIR).map_or(0, |arena| arena.reserved_bytes)
}

#[test]
fn ten_survivors_of_a_peak_take_little() -> Result<(), Error> {
    for survivors in [vec![], vec![199_999], (0..10).map(|n| n * 20_011).collect()] {
        let mut run = Run::new(7);
        run.alloc(200_000)?;
        let peak = bytes(&run.heap);
        for (number, (_, live)) in run.pairs.iter_mut().enumerate() {
            *live = survivors.contains(&number);
        }
        run.heap.collect(run.roots())?;
        run.heap.compact();
        run.check();
        let (after, pages) = (bytes(&run.heap), survivors.len() as u64 + 1);
        assert!(after <= pages * (8 << 10) + (70 << 10), "{after} of {peak} bytes");

        // As many objects again, of which some have slots from before.
        run.alloc(200_000)?;
        run.check();
        assert!(bytes(&run.heap) <= peak * 5 / 4);
    }
    Ok(())
}

/// What a limit on slots counts are the objects, wherever they lie.
#[test]
fn a_limit_on_slots_holds_after_a_peak() -> Result<(), Error> {
    let mut run = Run::new(3);
    let slots = 100_000;
    run.heap.set_limits(Limits::NONE.with_slots(slots));
    for round in 0..4 {
        let result = run.alloc(2 * slots);
        assert!(matches!(result, Err(Error::Limit(_))), "{result:?}");
        assert_eq!(run.heap.usage().live(), u64::from(slots));
        run.step(&Step::Collect(20_011 + round, 1))?;
    }
    Ok(())
}

/// A table that survivors on every page keep from folding is swept as a whole: the next
/// collection waits until that is paid for.
#[test]
fn a_large_table_is_swept_seldom() -> Result<(), Error> {
    let mut run = Run::new(5);
    run.heap.set_policy(Policy::DEFAULT.with_bytes_min(1));
    run.alloc(100_000)?;
    run.step(&Step::Collect(100, 1))?;
    let slots = run.heap.usage().arena(Kind::PAIR).map_or(0, |arena| arena.live + arena.free);
    let mut allocated = 0;
    while !run.heap.should_collect() {
        run.alloc(1)?;
        allocated += 1;
    }
    // A pair takes 32 bytes, its slot 16 of them.
    assert!(slots >= 100_000 && allocated * 32 >= (slots - 8_000) * 4, "{allocated} of {slots}");
    Ok(())
}
