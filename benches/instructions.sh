#!/usr/bin/env bash
# Counts the instructions of each operation in benches/instructions.rs with callgrind,
# and compares them with the bounds in benches/instructions.txt: detects regressions
# without a clock.
#
#   bash benches/instructions.sh            fails if an operation exceeds its bound
#   bash benches/instructions.sh --update   writes the counts, and bounds 15 % above
#
# callgrind has no AVX-512, so that all x86-64 machines with AVX2 count the same.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

table=benches/instructions.txt
iterations=1000

missing() {
    printf 'instructions are not counted: %s\n' "$1"
    exit 0
}
command -v valgrind >/dev/null || missing 'valgrind is not installed'
grep -qw avx2 /proc/cpuinfo 2>/dev/null || missing 'the table is for x86-64 with AVX2'

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

runner="['valgrind', '-q', '--tool=callgrind', '--callgrind-out-file=$scratch/out',
    '--toggle-collect=instructions::counted']"
cargo bench --quiet --bench instructions --config "target.'cfg(unix)'.runner = $runner"

callgrind_annotate --inclusive=yes --threshold=100 "$scratch/out" | awk -v iterations=$iterations '
    match($0, /[: ]instructions::[a-z0-9_]+/) {
        name = substr($0, RSTART + 15, RLENGTH - 15)
        gsub(",", "", $1)
        if (name != "main" && name != "counted") counts[name] = $1
    }
    END { for (name in counts) print name, int(counts[name] / iterations + 0.5) }
' | sort >"$scratch/counts"

if [[ ${1-} == --update ]]; then
    {
        printf '# Instructions of one iteration, and the bound that CI accepts. Written by\n'
        printf '# `bash benches/instructions.sh --update` with rustc %s.\n' \
            "$(rustc --version | cut -d ' ' -f 2)"
        awk '{ printf "%-26s %6d %6d\n", $1, $2, int($2 * 1.15 + 1) }' "$scratch/counts"
    } >"$table"
fi

awk '
    FNR == NR { counts[$1] = $2; next }
    /^#/ { next }
    !($1 in counts) { printf "%-26s is not counted\n", $1; failed = 1; next }
    {
        verdict = counts[$1] > $3 ? "exceeds its bound" : ""
        if (verdict) failed = 1
        printf "%-26s %6d, was %6d, at most %6d %s\n", $1, counts[$1], $2, $3, verdict
        delete counts[$1]
    }
    END {
        for (name in counts) { printf "%-26s %6d, is not in the table\n", name, counts[name]; failed = 1 }
        exit failed
    }
' "$scratch/counts" "$table"
