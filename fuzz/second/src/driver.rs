//! Runs worlds of random operations, counts them, and replays a world that fails.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use segheap::{Cell, Cursor, Heap, Limits, Settings};

use crate::dice::Dice;
use crate::model::Model;
use crate::world::{Check, Outcome, Side, Walk, World};
use crate::{
    copies, graph, hints, integers, life, limits, linear, numbers, sequences, sorting, tables,
    texts,
};

type Operation = (&'static str, usize, fn(&mut World) -> Check);

/// The operations, and how often each is chosen.
const OPERATIONS: &[Operation] = &[
    ("alloc sequence", 40, sequences::alloc),
    ("alloc table", 8, tables::alloc),
    ("alloc text", 25, texts::alloc),
    ("alloc integer", 8, integers::alloc),
    ("alloc pair on a register", 10, life::link),
    ("push", 40, sequences::push),
    ("pop", 10, sequences::pop),
    ("insert", 15, sequences::insert),
    ("remove", 12, sequences::remove),
    ("extend", 20, sequences::extend),
    ("resize", 8, sequences::resize),
    ("reserve", 4, sequences::reserve),
    ("set", 25, sequences::set),
    ("fill", 8, sequences::fill),
    ("copy_within, reverse", 8, sequences::shift),
    ("slices to write", 10, sequences::write),
    ("get, slice, window", 20, sequences::read),
    ("cursor in a sequence", 12, sequences::step),
    ("find", 6, sequences::search),
    ("sum, min, max, dot", 10, numbers::reduce),
    ("compare", 6, numbers::compare),
    ("table insert", 60, tables::insert),
    ("table flood", 2, tables::flood),
    ("table look-up", 25, tables::look_up),
    ("table remove", 25, tables::remove),
    ("table nth", 12, tables::nth),
    ("table clear", 1, tables::clear),
    ("table cursor", 15, tables::step),
    ("set algebra", 6, tables::combine),
    ("integer of the host", 8, integers::from_host),
    ("arithmetic", 20, integers::arithmetic),
    ("power", 4, integers::power),
    ("integer comparison", 5, integers::compare),
    ("parse_int", 5, integers::parse),
    ("text, substr", 8, texts::read),
    ("concat", 8, texts::concat),
    ("join", 5, texts::join),
    ("convert_chars", 4, texts::chars),
    ("key_eq, hash", 10, texts::keys),
    ("copy_across", 15, copies::copy),
    ("append_across", 12, copies::append),
    ("convert_across", 12, copies::convert_new),
    ("hint", 8, hints::take),
    ("hint access", 20, hints::access),
    ("hint of a text", 2, hints::text_hint),
    ("windows_mut", 6, hints::windows),
    ("sort_by", 5, sorting::sort),
    ("deep_eq", 8, graph::deep_eq),
    ("display", 6, graph::display),
    ("transplant", 4, graph::transplant),
    ("path_from_roots", 2, graph::path),
    ("edges", 3, graph::edges),
    ("dump, graphviz", 1, graph::dump),
    ("free", 14, life::free),
    ("contains, upgrade", 6, life::test),
    ("collect", 3, life::collect),
    ("collect at a limit", 1, life::collect_at_limit),
    ("collect_and_recycle", 1, life::recycle),
    ("compact", 1, life::compact),
    ("compact_step", 4, life::compact_step),
    ("region open", 4, life::open),
    ("region close", 4, life::close),
    ("pin", 3, life::pin),
    ("unpin", 3, life::unpin),
    ("watch", 4, life::watch),
    ("drain_dead", 2, life::drain),
    ("seal", 5, life::seal),
    ("unseal", 5, life::unseal),
    ("policy", 1, life::policy),
    ("set_limits", 2, limits::set),
    ("fail_growth_after", 2, limits::inject),
    ("linear memory", 1, linear::program),
];

/// How many of them, the first ones, fill a heap.
const FILLING: usize = 5;

/// Operations that are rare in every world.
const RARE: [Operation; 2] = [("clear heap", 1, life::clear), ("churn of a slot", 1, life::churn)];

/// How many operations of each sort were run, and how they ended.
#[derive(Debug)]
pub struct Tally {
    rows: Vec<[u64; 4]>,
    ordered: u64,
    worlds: u64,
}

/// A disagreement of a heap and its model.
#[derive(Debug)]
pub struct Failure {
    seed: u64,
    world: u64,
    operation: u64,
    what: String,
    log: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.log.iter().rev().take(30).rev() {
            writeln!(f, "  {line}")?;
        }
        let Failure { seed, world, operation, what, .. } = self;
        write!(f, "seed {seed}, world {world}, operation {operation} of it: {what}")
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(ASCII_MARKDOWN);
        table.set_header(["Operation", "Run", "Succeeded", "Failed as predicted", "Refused"]);
        let mut sums = [0; 4];
        for ((name, ..), row) in OPERATIONS.iter().chain(&RARE).zip(&self.rows) {
            let run: u64 = row.iter().sum();
            sums[0] += run;
            (1..4).for_each(|n| sums[n] += row[n]);
            table.add_row(
                [name.to_string(), run.to_string()]
                    .into_iter()
                    .chain(row[1..].iter().map(u64::to_string)),
            );
        }
        let sums = sums.map(|sum| sum.to_string());
        table.add_row(["all".to_owned()].into_iter().chain(sums));
        writeln!(f, "{table}")?;
        write!(f, "{} worlds; {} tables were seen as trees", self.worlds, self.ordered)
    }
}

/// Runs so many operations. `progress` is called after each world with the number so far.
///
/// # Errors
/// The first disagreement.
pub fn run(
    seed: u64,
    operations: u64,
    mut progress: impl FnMut(u64),
) -> Result<Tally, Box<Failure>> {
    let rows = vec![[0; 4]; OPERATIONS.len() + RARE.len()];
    let mut tally = Tally { rows, ordered: 0, worlds: 0 };
    let mut dice = Dice::new(seed);
    let mut done = 0;
    while done < operations {
        let (world, most) = (dice.word(), 200 << dice.below(9));
        let most = most.min(operations - done);
        let mut at = 0;
        if let Err(what) = guarded(|| play(world, most, false, &mut tally, &mut at).1) {
            let mut again = 0;
            let mut log = Vec::new();
            let replay = || {
                let (lines, result) = play(world, most, true, &mut tally, &mut again);
                log = lines;
                result
            };
            let _ = guarded(replay);
            return Err(Box::new(Failure { seed, world, operation: at, what, log }));
        }
        done += at;
        tally.worlds += 1;
        progress(done);
    }
    Ok(tally)
}

/// Turns a panic into a disagreement.
fn guarded(run: impl FnOnce() -> Check) -> Check {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err("it panicked".into()))
}

/// One world; `at` is the number of operations begun.
fn play(
    seed: u64,
    operations: u64,
    log: bool,
    tally: &mut Tally,
    at: &mut u64,
) -> (Vec<String>, Check) {
    let mut world = World::new(seed);
    world.log = log.then(Vec::new);
    let wheel: Vec<usize> = OPERATIONS
        .iter()
        .enumerate()
        .flat_map(|(n, (_, weight, _))| std::iter::repeat_n(n, *weight))
        .collect();
    let mut result = Ok(());
    while *at < operations && result.is_ok() {
        *at += 1;
        let rare = world.dice.below(20_000);
        let few = world.sides.iter().any(|side| side.model.live < 60);
        let n = match rare {
            _ if rare < RARE.len() => OPERATIONS.len() + rare,
            _ if few && rare.is_multiple_of(4) => world.dice.below(FILLING),
            _ => world.dice.one(&wheel),
        };
        let (_, _, operation) =
            OPERATIONS.get(n).copied().unwrap_or_else(|| RARE[n - OPERATIONS.len()]);
        result = world.step(operation, *at);
        tally.rows[n][world.outcome as usize] += 1;
    }
    let result = result.and_then(|()| world.compare_all());
    tally.ordered += world.ordered;
    (world.log.unwrap_or_default(), result)
}

/// Integers whose hashes have equal low and high bits, under a hash seed.
fn flood(hash_seed: u64) -> Vec<i64> {
    static FLOOD: OnceLock<Vec<i64>> = OnceLock::new();
    let compute = || {
        let heap = Heap::with(Settings::seeded(0).hash_seed(hash_seed));
        let hash = |int: &i64| heap.hash(Cell::int(*int).expect("48 bits")).expect("a hash");
        let all = (0..1 << 22).filter(|int| hash(int) & 0xFF == 1 && hash(int) >> 26 == 1);
        all.take(300).collect()
    };
    FLOOD.get_or_init(compute).clone()
}

const FLOOD_SEED: u64 = 7;

impl World {
    /// A world of two heaps.
    fn new(seed: u64) -> World {
        let mut dice = Dice::new(seed);
        let generations = dice.word();
        let sides = [Side::new(&mut dice, generations), Side::new(&mut dice, generations)];
        let before = sides[0].heap.usage();
        let attic = vec![Cell::NULL; 12];
        let (me, outcome, log, ordered) = (0, Outcome::Skipped, None, 0);
        World { dice, sides, me, attic, before, outcome, log, ordered }
    }

    /// Runs an operation and checks what it left.
    fn step(&mut self, operation: fn(&mut World) -> Check, count: u64) -> Check {
        self.me = self.dice.below(2);
        self.before = self.sides[self.me].heap.usage();
        self.outcome = Outcome::Skipped;
        operation(self)?;
        let after = self.sides[self.me].heap.usage();
        limits::check(self, &after)?;
        let failed = matches!(self.outcome, Outcome::Failed | Outcome::Refused);
        if count.is_multiple_of(300) || failed && self.dice.below(100) == 0 {
            self.compare_all()?;
        }
        if self.sides[self.me].model.objects.len() > 400 {
            self.outcome = Outcome::Skipped;
            return life::collect(self);
        }
        Ok(())
    }

    /// Compares all objects of the heaps, and verifies them.
    fn compare_all(&mut self) -> Check {
        for side in &mut self.sides {
            for (handle, object) in &side.model.objects {
                side.compare(*handle, object)?;
            }
            let unknown = side
                .heap
                .objects::<segheap::List>()
                .map(Cell::from)
                .find(|list| side.model.find(*list).is_none());
            if let Some(list) = unknown {
                return Err(format!("{list:?} is live"));
            }
            side.heap.verify().map_err(|fault| fault.to_string())?;
        }
        Ok(())
    }
}

impl Side {
    /// A heap with settings of its own.
    fn new(dice: &mut Dice, generations: u64) -> Side {
        let mut settings = Settings::seeded(dice.word());
        if dice.percent(50) {
            // Handles of the other heap are often those of live objects.
            settings = settings.generation_seed(generations);
        }
        let flooded = dice.percent(25);
        if flooded {
            settings = settings.hash_seed(FLOOD_SEED);
        }
        let limits = match dice.below(6) {
            0 => Limits::NONE.with_bytes(1 << (12 + dice.below(10))),
            1 => Limits::NONE.with_slots(1 + dice.below(60) as u32),
            2 => Limits::NONE.with_pages(dice.below(3) as u32).with_integer_bits(300),
            _ => Limits::NONE,
        };
        let mut heap = Heap::with(settings.limits(limits));
        let key = |heap: &mut Heap| heap.new_seal_key().expect("a key");
        let keys = vec![key(&mut heap), key(&mut heap)];
        let walk = Walk { object: Cell::NULL, cursor: Cursor::default(), at: 0 };
        Side {
            heap,
            model: Model::default(),
            registers: vec![Cell::NULL; 24],
            regions: Vec::new(),
            keys,
            walks: vec![walk; 4],
            hints: Vec::new(),
            injected: false,
            flood: if flooded { flood(FLOOD_SEED) } else { Vec::new() },
        }
    }
}
