//! The program `mochi`: see [`segheap_mochi::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    segheap_mochi::cli::main()
}
