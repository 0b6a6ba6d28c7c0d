#!/usr/bin/env bash
# A new kind costs one file and one line: adds a kind of numbers and a kind of cells to a scratch copy
# of the sources, and runs the tests on it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git ls-files -z | xargs -0 cp --parents -t "$scratch"

cat >"$scratch/src/kinds/ticks.rs" <<'KIND'
//! [`Ticks`].

super::array! {
    /// A growable array of points in time.
    Ticks of i64
}
KIND
cat >"$scratch/src/kinds/tuple.rs" <<'KIND'
//! [`Tuple`].

use crate::object::{Mutable, SequenceInit};
use crate::words::Cell;

super::sequence! {
    /// A fixed number of cells.
    Tuple of Cell, "(" ")"
}

impl Mutable for Tuple {}

impl Tuple {
    /// A tuple of these cells.
    pub const fn of(cells: &[Cell]) -> SequenceInit<'_, Tuple> {
        SequenceInit::of(0, cells)
    }
}
KIND
list=$scratch/src/kinds/mod.rs
sed -i 's/^\( *\)#\[kind(U8Arr .*$/&\n\1#[kind(Ticks as TICKS, values)] mod ticks;\n\1#[kind(Tuple as TUPLE, cells)] mod tuple;/' "$list"
diff "$list" src/kinds/mod.rs || true
[[ $(diff "$list" src/kinds/mod.rs | grep -c '^<') -eq 2 ]]

# The dependencies built here serve features.sh, too.
export CARGO_TARGET_DIR=$PWD/target/features-0 PROPTEST_CASES=${PROPTEST_CASES:-20}
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_LTO=off CARGO_INCREMENTAL=0
cd "$scratch"
cargo fmt --all --check
cargo clippy --quiet -p segheap -- -D warnings
cargo test --quiet -p segheap -p segheap-proptests
