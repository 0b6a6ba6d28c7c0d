#!/usr/bin/env bash
# The library and its examples compile with the oldest Rust that Cargo.toml names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(sed -n '/^\[package\]/,/^\[features\]/ s/^rust-version = "\(.*\)"/\1.0/p' Cargo.toml)
rustup run "$version" rustc --version 2>/dev/null ||
    rustup toolchain install "$version" --profile minimal

# A target directory of its own: the toolchains would rebuild each other's files.
check() {
    cargo "+$version" check --quiet --package segheap --target-dir target/msrv "$@"
    printf 'Rust %s: cargo check %s passes\n' "$version" "$*"
}

check --all-features --examples
check --no-default-features
