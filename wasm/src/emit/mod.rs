//! Writing the module: its memories and what is in them, and the functions of the guest.

mod access;
mod alloc;
mod asm;
mod check;
mod keys;
mod loops;
mod map;
mod text;

use wasm_encoder::{ConstExpr, DataSection, ExportKind, MemorySection, MemoryType, Module};

use crate::image::Memories;
use crate::index::Seeds;
use crate::layout::{BASE, COUNT, MEMORIES, SEED, name};
use crate::segments::segments;
use asm::{Functions, Guest};
use check::Checks;

/// The bytes of a page.
const PAGE: u64 = 1 << 16;
/// The bytes that addresses of 32 bits reach.
const NARROW: u64 = 1 << 32;

/// What a module has beside the heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choices {
    pub(crate) seeds: Seeds,
    /// Whether all addresses have 64 bits.
    pub(crate) all_wide: bool,
    /// Whether the loops of benchmarks are exported.
    pub(crate) has_loops: bool,
}

/// Writes the module with these memories.
pub(crate) fn write(memories: &Memories, choices: Choices) -> Vec<u8> {
    let (mut section, mut wide) = (MemorySection::new(), Vec::new());
    for words in &memories.words {
        let bytes = crate::layout::len_of(words).saturating_mul(8);
        let memory64 = choices.all_wide || bytes >= NARROW;
        wide.push(memory64);
        let minimum = bytes.div_ceil(PAGE);
        let (maximum, shared, page_size_log2) = (None, false, None);
        section.memory(MemoryType { minimum, maximum, memory64, shared, page_size_log2 });
    }
    let guest = guest(memories, choices, wide);
    let mut functions = Functions::default();
    for memory in 0..MEMORIES {
        functions.exports.export(&name(memory), ExportKind::Memory, memory);
    }
    add_functions(&mut functions, &guest, choices.has_loops);
    let mut data = DataSection::new();
    for (memory, at, bytes) in segments(memories) {
        let offset = if guest.is_wide(memory) {
            ConstExpr::i64_const(at.cast_signed())
        } else {
            ConstExpr::i32_const(u32::try_from(at).unwrap_or(u32::MAX).cast_signed())
        };
        data.active(memory, &offset, bytes);
    }
    let mut module = Module::new();
    module.section(&functions.types).section(&functions.functions).section(&section);
    module.section(&functions.exports).section(&functions.code).section(&data);
    module.finish()
}

/// What the code depends on.
fn guest(memories: &Memories, choices: Choices, wide: Vec<bool>) -> Guest {
    let half = |selector, field| u32::try_from(memories.state(selector, field)).unwrap_or(0);
    let selectors: [u64; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    Guest {
        wide,
        slots: selectors.map(|of| (memories.state(of, BASE), half(of, COUNT))),
        seeds: selectors.map(|of| half(of, SEED)),
        hash: (choices.seeds.start, choices.seeds.factor),
    }
}

fn add_functions(functions: &mut Functions, guest: &Guest, has_loops: bool) {
    let checks = Checks::add(functions, guest);
    let words = access::add(functions, guest, checks);
    let texts = text::add(functions, guest, checks);
    let allocs = alloc::add(functions, guest, checks);
    let copy = text::add_copies(functions, guest, checks, allocs.text);
    let keys = keys::add(functions, guest, checks, texts);
    let map = map::add(functions, guest, checks, (keys, allocs));
    if has_loops {
        loops::add(functions, guest, &loops::Called { words, map, copy });
    }
}
