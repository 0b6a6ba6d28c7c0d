#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod back;
mod emit;
mod error;
mod image;
mod index;
mod layout;
mod module;
mod segments;
mod status;

use core::convert::Infallible;

use segheap::{Heap, LoadError, Settings};

pub use error::{FromModuleError, ToModuleError};
pub use status::Status;

use back::{Image, Source};
use emit::Choices;
use image::Memories;
use index::Seeds;
use module::{Instance, Segments};

/// How a module is written. The default is what [`to_module`] does.
///
/// ```
/// use segheap::Heap;
/// use segheap_wasm::Options;
/// let (mut heap, mut fork) = (Heap::new(), Heap::new());
/// let narrow = Options::new().hash_seed(7).to_module(&mut heap)?;
/// assert_eq!(narrow, Options::new().hash_seed(7).to_module(&mut heap)?);
/// assert_ne!(narrow, Options::new().hash_seed(7).wide().to_module(&mut fork)?);
/// # Ok::<(), segheap_wasm::ToModuleError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Options {
    choices: Choices,
}

impl Default for Options {
    fn default() -> Options {
        Options::new()
    }
}

impl Options {
    /// Returns the default: addresses of 64 bits in memories of 4 GiB and more only, and a
    /// random hash seed.
    pub fn new() -> Options {
        Options { choices: Choices { seeds: Seeds::random(), all_wide: false, has_loops: false } }
    }

    /// Sets the seed of the hashes of keys in the guest, so that equal heaps are equal modules.
    /// Keys that are chosen by one who knows it make look-ups of maps linear.
    pub const fn hash_seed(mut self, seed: u64) -> Options {
        let factor = (seed ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        self.choices.seeds = Seeds::new(seed, factor);
        self
    }

    /// Gives all memories addresses of 64 bits, so that each can grow beyond 4 GiB.
    pub const fn wide(mut self) -> Options {
        self.choices.all_wide = true;
        self
    }

    /// Adds the loops of the benchmarks.
    #[doc(hidden)]
    pub const fn loops(mut self) -> Options {
        self.choices.has_loops = true;
        self
    }

    /// Writes a heap as a module. As [`to_module`].
    ///
    /// # Errors
    /// Those of [`to_module`].
    pub fn to_module(self, heap: &mut Heap) -> Result<Vec<u8>, ToModuleError> {
        let mut words = Vec::new();
        let saved = heap.save_with(|bytes| {
            let (chunks, _) = bytes.as_chunks::<8>();
            words.extend(chunks.iter().map(|bytes| u64::from_le_bytes(*bytes)));
            Ok::<(), Infallible>(())
        });
        saved.map_err(ToModuleError::Save)?;
        let memories = Memories::of(heap, &words, self.choices.seeds);
        let memories = memories.map_err(|_| ToModuleError::OtherVersion)?;
        drop(words);
        Ok(emit::write(&memories, self.choices))
    }
}

/// Writes a heap as a Wasm 3.0 module, which an engine with multiple memories, multiple values
/// and bulk memory instructions runs; memories of 4 GiB and more need 64-bit addresses, too.
/// Every cell means in the guest what it means in the heap. A collection in steps that has
/// found garbage is ended first; [`Heap::compact`] and a collection before it make a smaller
/// module. A module is as secret as the heap: the seeds of generations and of the guest's
/// hashes are in it. O(slots + payload).
///
/// ```
/// use segheap::{Heap, List, Settings, abi};
/// use segheap_wasm::{from_module, to_module};
/// let mut heap = Heap::new();
/// let list = heap.alloc(List::of(&[7.into()]))?.cell();
/// let module = to_module(&mut heap)?;
/// let loaded = from_module(&module, Settings::random())?;
/// assert_eq!(loaded.display(abi::cell(abi::bits(list)).unwrap()).to_string(), "[7]");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`ToModuleError::Save`] as for [`Heap::save`]; [`ToModuleError::OtherVersion`] only if this
/// crate is for another version of segheap.
pub fn to_module(heap: &mut Heap) -> Result<Vec<u8>, ToModuleError> {
    Options::new().to_module(heap)
}

/// Makes a heap from a module of [`to_module`], as [`Heap::load`] makes one from an image, with
/// the limits and the hash seed of `settings`. Whatever the bytes are, the result is an error or
/// a heap that [`Heap::verify`] finds no fault with. Memory is reserved as objects are read, and
/// within the limits; objects are at most as large as the memories that the module declares,
/// which may be much larger than the module. O(slots + payload).
///
/// # Errors
/// [`FromModuleError::NotAModule`] if the bytes are no module;
/// [`FromModuleError::NotAHeap`] if its memories are none that [`to_module`] writes;
/// [`FromModuleError::Load`] if a heap in them is broken, or does not fit into the limits.
pub fn from_module(module: &[u8], settings: Settings) -> Result<Heap, FromModuleError> {
    load(Segments::read(module)?, settings)
}

/// Makes a heap from the memories of a running instance of a module, with what the guest wrote:
/// the bytes of the exported memories in the order of [`memory_names`]. As [`from_module`].
///
/// ```
/// use segheap::Settings;
/// use segheap_wasm::{FromModuleError, from_memories};
/// let empty = [[0_u8; 0]; 17];
/// let error = from_memories(&empty, Settings::random()).err();
/// assert!(matches!(error, Some(FromModuleError::NotAHeap(_))));
/// ```
///
/// # Errors
/// Those of [`from_module`], but [`FromModuleError::NotAModule`].
pub fn from_memories<M: AsRef<[u8]>>(
    memories: &[M],
    settings: Settings,
) -> Result<Heap, FromModuleError> {
    load(Instance(memories), settings)
}

/// Returns the names under which a module exports its memories, in their order.
///
/// ```
/// let names: Vec<String> = segheap_wasm::memory_names().collect();
/// assert_eq!((names[0].as_str(), names[16].as_str()), ("memory.Str", "state"));
/// ```
pub fn memory_names() -> impl Iterator<Item = String> {
    (0..layout::MEMORIES).map(layout::name)
}

fn load(source: impl Source, settings: Settings) -> Result<Heap, FromModuleError> {
    let mut image = Image::new(source).map_err(FromModuleError::NotAHeap)?;
    Heap::load_with(|bytes| image.fill(bytes), settings).map_err(|error| match error {
        LoadError::Read(what) => FromModuleError::NotAHeap(what),
        LoadError::Heap(error) => FromModuleError::Load(LoadError::Heap(error)),
        LoadError::NotAnImage => FromModuleError::Load(LoadError::NotAnImage),
        LoadError::Version(found) => FromModuleError::Load(LoadError::Version(found)),
        LoadError::OtherKinds => FromModuleError::Load(LoadError::OtherKinds),
        LoadError::Broken(fault) => FromModuleError::Load(LoadError::Broken(fault)),
        _ => FromModuleError::NotAHeap("of a version of segheap that this crate is not for"),
    })
}
