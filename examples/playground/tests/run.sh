#!/usr/bin/env bash
# Builds the page and tests it in headless Chromium; the screenshots are in target/playground/screenshots.
# Installs what is missing: Debian's chromium, playwright-core; ends with code 75 where that fails.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."

# lacking WHAT: ends the script, as something cannot be installed.
lacking() {
    printf 'cannot install %s\n' "$1" >&2
    exit 75
}

command -v chromium >/dev/null || {
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null
} || lacking chromium
modules=$PWD/target/playground/test
mkdir -p "$modules"
cmp -s "$here/package-lock.json" "$modules/installed.json" || {
    cp "$here"/package*.json "$modules"
    npm ci --prefix "$modules" --no-audit --no-fund --ignore-scripts --silent || lacking playwright-core
    cp "$here/package-lock.json" "$modules/installed.json"
}

bash examples/playground/serve.sh --build
rm -rf target/playground/screenshots
PAGE=$PWD/target/playground/page PROGRAMS=$PWD/examples/mochi MODULES=$modules \
    SCREENSHOTS=$PWD/target/playground/screenshots node --test "$@" "$here/page.test.mjs"
