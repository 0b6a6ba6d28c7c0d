#!/usr/bin/env bash
# Tests the library on a target of 32 bits. Installs the target, and the C
# libraries that its binaries are linked with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=i686-unknown-linux-gnu

rustup target list --installed | grep -qx "$target" || rustup target add "$target"
if command -v apt-get >/dev/null && ! dpkg -s gcc-multilib >/dev/null 2>&1; then
    sudo=
    if ((EUID != 0)); then sudo=sudo; fi
    $sudo apt-get update -qq
    $sudo apt-get install -y -qq gcc-multilib
fi

export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_LTO=off CARGO_INCREMENTAL=0
cargo test --target "$target" --package segheap --package segheap-proptests "$@"
