#!/usr/bin/env bash
# Builds the playground and tests it in headless Chromium, which is installed if it is missing, as Debian has it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

status=0
bash examples/playground/tests/run.sh || status=$?
case $status in
0) ;;
75)
    bash examples/playground/serve.sh --build
    echo 'built, but not driven: no browser here'
    ;;
*) exit "$status" ;;
esac
cargo clippy --quiet --profile playground --package segheap-playground --target wasm32-wasip1 -- -D warnings
echo 'lints: none for the playground, and for Mochi without its command line'
