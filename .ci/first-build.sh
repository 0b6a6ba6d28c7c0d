#!/usr/bin/env bash
# The first command of the README, in an empty target folder: how many crates it compiles, and how
# long it takes with the crates downloaded.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

crates_max=40
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cargo fetch --quiet
started=$(date +%s%N)
CARGO_TARGET_DIR=$scratch/target cargo run --release -p segheap --example tour -- README.md \
    >"$scratch/tour" 2>"$scratch/build"
elapsed=$((($(date +%s%N) - started) / 1000000))
crates=$(grep -c '^ *Compiling ' "$scratch/build")
printf 'cargo run --release -p segheap --example tour: %d crates, %d.%03d s\n' \
    "$crates" "$((elapsed / 1000))" "$((elapsed % 1000))"
[[ -s $scratch/tour ]]
((crates <= crates_max)) || { printf 'at most %d crates wanted\n' "$crates_max"; exit 1; }
