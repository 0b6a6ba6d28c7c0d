#!/usr/bin/env bash
# Times the kernels in Mochi, Lua 5.4 and Python, alternating, and prints a table
# of medians and ratios. The output of each run has to equal KERNEL.out.
#   examples/mochi/kernels/run.sh [ROUNDS [KERNEL...]]
# The variables MOCHI, LUA and PYTHON select other executables.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

rounds=${1:-5}
shift || true
kernels=("$@")
[[ ${#kernels[@]} -gt 0 ]] ||
    kernels=(fib binary_trees nsieve nbody map1m strbytes knuc spectral_norm mandelbrot)
target=${CARGO_TARGET_DIR:-../../../target}
declare -A command=(
    [mochi]=${MOCHI:-$target/release/mochi}
    [lua]=${LUA:-lua5.4}
    [py]=${PYTHON:-python3}
)
declare -A remedy=(
    [mochi]='cargo build --release -p segheap-mochi'
    [lua]='install Lua 5.4 (Debian: lua5.4), or set LUA'
    [py]='install Python 3 (Debian: python3), or set PYTHON'
)
languages=()
for language in mochi lua py; do
    if command -v "${command[$language]}" >/dev/null; then
        languages+=("$language")
    else
        printf '%s is missing: %s\n' "${command[$language]}" "${remedy[$language]}" >&2
    fi
done
[[ ${languages[0]:-} == mochi ]] || exit 1

# Bypass wrappers that select a version: they take longer than the program.
[[ ! ${languages[*]} =~ py ]] ||
    command[py]=$("${command[py]}" -c 'import sys; print(sys.executable)')

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# clock NAME LANGUAGE FILE [EXPECTED]: runs a program and records its microseconds.
clock() {
    local started=$EPOCHREALTIME ended
    "${command[$2]}" "$3" >"$scratch/output" || { printf '%s fails\n' "$3" >&2; exit 1; }
    ended=$EPOCHREALTIME
    if [[ $# -gt 3 ]] && ! cmp -s "$scratch/output" "$4"; then
        printf 'the output of %s differs from %s:\n' "$3" "$4" >&2
        diff "$scratch/output" "$4" >&2 || true
        exit 1
    fi
    printf '%d\n' "$((${ended//[!0-9]/} - ${started//[!0-9]/}))" >>"$scratch/$1.$2"
}

# median NAME LANGUAGE: the median of its microseconds, or nothing if it never ran.
median() {
    [[ -f $scratch/$1.$2 ]] || return 0
    sort -n "$scratch/$1.$2" | awk '{ t[NR] = $1 } END { print (t[int((NR + 1) / 2)] + t[int(NR / 2) + 1]) / 2 }'
}

for ((round = 1; round <= rounds; round++)); do
    printf 'round %d of %d\n' "$round" "$rounds" >&2
    for kernel in "${kernels[@]}"; do
        for language in "${languages[@]}"; do
            clock "$kernel" "$language" "$kernel.$language" "$kernel.out"
        done
    done
done
for language in mochi lua py; do : >"$scratch/empty.$language"; done
for ((round = 0; round < 20; round++)); do
    for language in "${languages[@]}"; do
        clock start "$language" "$scratch/empty.$language"
    done
done

row() {
    awk -v name="$1" -v mochi="$2" -v lua="$3" -v py="$4" '
        function ms(us) { return us == "" ? "-" : sprintf("%.1f", us / 1000) }
        function ratio(us) { return us == "" ? "-" : sprintf("%.2f", mochi / us) }
        BEGIN { printf "| %s | %s | %s | %s | %s | %s |\n", name, ms(mochi), ms(lua), ms(py), ratio(lua), ratio(py) }'
}
printf '%s, %d rounds, %s\n\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)" "$rounds" "$(date +%F)"
printf '| Kernel | Mochi ms | Lua ms | Python ms | Mochi / Lua | Mochi / Python |\n|---|---:|---:|---:|---:|---:|\n'
for kernel in "${kernels[@]}"; do
    row "$kernel" "$(median "$kernel" mochi)" "$(median "$kernel" lua)" "$(median "$kernel" py)"
done
row 'empty program' "$(median start mochi)" "$(median start lua)" "$(median start py)"
if [[ -f $scratch/binary_trees.mochi ]]; then
    # Each line of its output ends with the number of nodes that were allocated.
    awk -v all="$(median binary_trees mochi)" -v start="$(median start mochi)" '
        { nodes += $NF }
        END { printf "\nbinary_trees: %d nodes, %.1f ns per node, allocation and collection included\n", nodes, (all - start) * 1000 / nodes }
    ' binary_trees.out
fi
