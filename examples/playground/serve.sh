#!/usr/bin/env bash
# Builds the page into target/playground/page and serves it on localhost. Needs rustup and Node.js.
#
#   bash examples/playground/serve.sh [PORT]      builds, and serves on http://localhost:8041 or the port
#   bash examples/playground/serve.sh --build     only builds
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

target=wasm32-wasip1
rustup target list --installed | grep -qx "$target" || rustup target add "$target"
cargo build --quiet --profile playground --package segheap-playground --target "$target"

page=target/playground/page
rm -rf "$page"
mkdir -p "$page"
cp -r "$here/page/." "$page"
cp "${CARGO_TARGET_DIR:-target}/$target/playground/segheap_playground.wasm" "$page/playground.wasm"
# Those of the programs that the page offers and does not bring itself.
grep -o "[a-z0-9_]*\.\(mochi\|in\)'" "$here/page/programs.js" | tr -d "'" | while read -r file; do
    [[ -e $page/programs/$file ]] || cp examples/mochi/{tests,kernels}/"$file" "$page/programs/" 2>/dev/null || true
    [[ -e $page/programs/$file ]]
done
printf 'playground.wasm: %d bytes, %d compressed\n' \
    "$(wc -c <"$page/playground.wasm")" "$(gzip -9 <"$page/playground.wasm" | wc -c)"

[[ ${1-} == --build ]] || exec node "$here/server.mjs" "$page" "${1:-8041}"
