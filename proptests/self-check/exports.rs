//! What a Wasm module exports, for hosts without a command line.

use std::sync::OnceLock;

static REPORT: OnceLock<String> = OnceLock::new();

/// Runs the check. Returns the number of the report's first line that is not as
/// expected, or 0.
#[unsafe(no_mangle)]
pub extern "C" fn self_check() -> usize {
    crate::first_difference(REPORT.get_or_init(crate::report)).unwrap_or(0)
}

/// The report's address in linear memory.
#[unsafe(no_mangle)]
pub extern "C" fn report_address() -> *const u8 {
    REPORT.get_or_init(crate::report).as_ptr()
}

/// The report's length in bytes.
#[unsafe(no_mangle)]
pub extern "C" fn report_len() -> usize {
    REPORT.get_or_init(crate::report).len()
}

/// Entropy that the host passes in.
#[cfg(all(feature = "getrandom", getrandom_backend = "custom"))]
mod entropy {
    use segheap::{Error, Heap, Settings};

    #[link(wasm_import_module = "host")]
    unsafe extern "C" {
        /// Fills memory with random bytes; 0 if that is done.
        fn entropy(address: *mut u8, len: usize) -> u32;
    }

    #[unsafe(no_mangle)]
    unsafe extern "Rust" fn __getrandom_v03_custom(
        address: *mut u8,
        len: usize,
    ) -> Result<(), getrandom::Error> {
        match unsafe { entropy(address, len) } {
            0 => Ok(()),
            _ => Err(getrandom::Error::new_custom(1)),
        }
    }

    /// The hash of a text in a heap with random seeds, or -1 without entropy.
    #[unsafe(no_mangle)]
    pub extern "C" fn random_hash() -> i64 {
        let hash = |settings| {
            let mut heap = Heap::with(settings);
            let text = heap.string("segmented")?;
            heap.hash(text)
        };
        match Settings::try_random().and_then(hash) {
            Ok(hash) => i64::from(hash),
            Err(error) => -1 - i64::from(error != Error::NoEntropy),
        }
    }
}
