#!/usr/bin/env bash
# The example of compiled code: its tests, its table, and its accessors in Rust under Miri, where a nightly
# compiler can have that. `.ci/heap-module.sh` has its lints, as both build Cranelift.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cargo test --quiet --release --package segheap-jit
cargo run --quiet --release --package segheap-jit

if cargo +nightly miri --version >/dev/null 2>&1 ||
    rustup component add --toolchain nightly miri rust-src >/dev/null 2>&1; then
    # Addresses pass through numbers: that is the contract.
    MIRIFLAGS=-Zmiri-permissive-provenance cargo +nightly miri test --quiet --package segheap-jit \
        --no-default-features --test side_by_side
else
    echo 'accessors not run under Miri: no nightly compiler that has it here'
fi
