#!/usr/bin/env bash
# Lints every combination of the library's features, tests it with none and with all (`cargo
# test` has the default), and checks that it builds for a target without std. Two are built at
# a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

features=(std bigint simd getrandom)
# No std, 32 bits, no atomics of 64 bits.
bare=thumbv7m-none-eabi

# What is built once and run for seconds need not be optimized across its parts.
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_LTO=off CARGO_INCREMENTAL=0
export PROPTEST_CASES=${PROPTEST_CASES:-8}

# A crate of its own, and the slowest tests of what no feature touches.
skipped=(--skip codegen)
for test in collection::exhaustive collection::regions::allocation_at images::every_byte peaks:: \
    limits::a_map_fills requests::operations_with flooding::plausible coverage::; do
    skipped+=(--skip "$test")
done

# combination NUMBER: the features whose bits are set.
combination() {
    local list= n
    for n in "${!features[@]}"; do
        if (($1 >> n & 1)); then list+=${list:+,}${features[n]}; fi
    done
    printf '%s' "$list"
}

# run COMMAND...: prints its output only if it fails.
run() {
    local output
    if ! output=$("$@" 2>&1); then
        printf 'failed: %s\n%s\n' "$*" "$output"
        return 1
    fi
}

check() {
    local started=$SECONDS list
    list=$(combination "$1")
    run cargo clippy -p segheap --no-default-features --features "$list" -- -D warnings
    # One in each lane.
    case $list in
    '' | std,bigint,simd,getrandom) ;;
    *)
        printf 'features [%s]: lints pass (%d s)\n' "$list" "$((SECONDS - started))"
        return
        ;;
    esac
    run cargo test -p segheap -p segheap-proptests --lib --test proptests \
        --no-default-features --features "$list" -- "${skipped[@]}"
    printf 'features [%s]: lints and tests pass (%d s)\n' "$list" "$((SECONDS - started))"
}

# lane FIRST: every second combination, in a target directory of its own.
lane() {
    local n
    export CARGO_TARGET_DIR=target/features-$1
    for ((n = $1; n < 1 << ${#features[@]}; n += 2)); do check "$n"; done
}

lane 0 &
lanes=($!)
lane 1 &
lanes+=($!)
status=0
for lane in "${lanes[@]}"; do wait "$lane" || status=1; done
((status == 0))

run cargo clippy -p segheap --no-default-features --features proptest \
    --target-dir target/features-0 -- -D warnings
printf 'features [proptest]: lints pass\n'

# `Heap::new`, which the examples call, needs std.
for list in default std,bigint,simd,getrandom; do
    run cargo test --doc -p segheap --target-dir target/features-1 --features "$list"
    printf 'documentation tests with %s pass\n' "$list"
done

rustup target list --installed | grep -qx "$bare" || rustup target add "$bare"
for list in '' bigint simd bigint,simd; do
    run cargo check -p segheap --target "$bare" --target-dir target/features-0 \
        --no-default-features --features "$list"
    printf 'builds for %s with [%s]\n' "$bare" "$list"
done
printf 'All combinations of features pass in %d s.\n' "$SECONDS"
