#!/usr/bin/env bash
# Seeds the faults of seeded_faults.txt one by one in a copy of the checkout and expects a test to fail
# for each. A fault that does not apply or does not compile is an error of the list.
#
#   proptests/seeded_faults.sh             all faults
#   proptests/seeded_faults.sh NAME...     these faults
#   proptests/seeded_faults.sh --check     only checks that all faults apply
#
# Random tests start from a fixed seed (PROPTEST_RNG_SEED), so that a run is reproducible. As many faults as
# there are cores are seeded side by side (LANES). A fault builds only the modules that its tests need.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
list=$root/proptests/seeded_faults.txt
# The sources without faults.
original=$root
work=${CARGO_TARGET_DIR:-$root/target}/seeded_faults
seconds_max=180
lanes=${LANES:-$(nproc)}
# A fault is built once and run for seconds: what makes builds fast counts.
export CARGO_INCREMENTAL=1 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_LTO=off
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-1} PROPTEST_MAX_SHRINK_ITERS=0

die() {
    printf 'seeded_faults: %s\n' "$*" >&2
    exit 1
}

# Reads the fault NAME of the list: title, tests, file, count, old and new lines.
read_fault() {
    local name=$1 line found=0
    title='' tests='' file='' count=1 old=() new=()
    while IFS= read -r line; do
        if ((!found)); then
            [[ $line == "fault $name: "* ]] && found=1 title=${line#*: }
            continue
        fi
        case $line in
        'run '*) tests=${line#run } ;;
        'in '*' x'*) file=${line#in } count=${file##* x} file=${file% x*} ;;
        'in '*) file=${line#in } ;;
        '- '*) old+=("${line#- }") ;;
        '+ '*) new+=("${line#+ }") ;;
        '+') new+=('') ;;
        '') break ;;
        *) die "$name: invalid line: $line" ;;
        esac
    done <"$list"
    ((found)) || die "no fault has the name $name"
    [[ $title && $tests && $file ]] && ((${#old[@]} > 0 && ${#old[@]} == ${#new[@]})) ||
        die "$name: incomplete"
}

# seed NAME TO: writes the file of the fault, with its lines replaced, to TO.
seed() {
    local name=$1 to=$2 lines first n matches=0
    mapfile -t lines <"$original/$file"
    for ((first = 0; first + ${#old[@]} <= ${#lines[@]}; first++)); do
        for ((n = 0; n < ${#old[@]}; n++)); do
            [[ ${lines[first + n]} == *"${old[n]}"* ]] || continue 2
        done
        matches=$((matches + 1))
        for ((n = 0; n < ${#old[@]}; n++)); do
            lines[first + n]=${lines[first + n]/"${old[n]}"/"${new[n]}"}
        done
    done
    ((matches == count)) || die "$name: matches $matches times in $file, expected $count"
    printf '%s\n' "${lines[@]}" >"$to"
}

# modules_of TESTS: prints the modules of main.rs that these tests need, sorted.
modules_of() {
    local todo=() module seen=' '
    for module in $1; do
        [[ $module == lib || $module == wasm ]] || todo+=("${module%%::*}")
    done
    while ((${#todo[@]})); do
        module=${todo[-1]}
        unset 'todo[-1]'
        [[ $seen == *" $module "* ]] && continue
        seen+="$module "
        todo+=(${uses[$module]})
    done
    printf '%s\n' $seen | sort | xargs
}

# Which modules of main.rs each of them uses.
declare -A uses=()
read_uses() {
    local modules module
    mapfile -t modules < <(sed -n 's/^mod \([a-z_]*\);$/\1/p' "$original/proptests/main.rs")
    for module in "${modules[@]}"; do
        # From `crate::module` and from `use crate::{module::…}`.
        uses[$module]=$(
            cd "$original/proptests"
            cat $(find . -path "./$module.rs" -o -path "./$module/*.rs") | tr '\n' ' ' |
                grep -oE 'crate::([a-z_]+|\{[^;]*;)' | grep -oE '[a-z_]+' |
                grep -xF -f <(printf '%s\n' "${modules[@]}") | sort -u | xargs || true
        )
    done
}

# keep_modules MODULES: drops the others from main.rs of the copy, and warnings of what they had used.
keep_modules() {
    local main=$copy/proptests/main.rs
    sed -E -e '1i #![allow(warnings)]' -e '/^#\[cfg/d' \
        -e "/^mod (${1// /|});\$/b" -e '/^#\[macro_use\]$/,/^mod /b' -e '/^mod /d' \
        "$original/proptests/main.rs" >"$main.kept"
    if cmp -s "$main.kept" "$main"; then rm "$main.kept"; else mv "$main.kept" "$main"; fi
}

# run_until_failure LOG COMMAND...: runs a test command, and ends it as soon as a test has failed.
run_until_failure() {
    local log=$1 pid
    shift
    # A process group of its own, which `timeout` ends as a whole.
    timeout "$seconds_max" "$@" >>"$log" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        if grep -qE '^test .* \.\.\. FAILED$' "$log"; then
            kill "$pid" 2>/dev/null || true
        fi
        sleep 0.1
    done
    wait "$pid"
}

# run_tests TESTS LOG: runs them in the copy; fails if one of them does, with 99 if they do not compile.
run_tests() {
    local packages=() targets=() filters=() word
    for word in $1; do
        case $word in
        lib) packages+=(-p segheap) targets+=(--lib) ;;
        wasm) packages+=(-p segheap-wasm-tests) targets+=(--test wasm) ;;
        *::*) filters+=("$word") ;;
        *) filters+=("$word::") ;;
        esac
    done
    (
        cd "$copy"
        cargo test --quiet --no-run -p segheap-proptests "${packages[@]}" \
            --test proptests "${targets[@]}" >"$2" 2>&1 || {
            grep -A 9 '^error' "$2" >&2
            exit 99
        }
        # A fault may make an allocation arbitrarily large.
        ulimit -v $((12 << 20))
        if ((${#targets[@]})); then
            run_until_failure "$2" cargo test "${packages[@]}" "${targets[@]}" || exit
        fi
        run_until_failure "$2" cargo test -p segheap-proptests --test proptests -- "${filters[@]}"
    )
}

names=()
while IFS= read -r line; do
    [[ $line == 'fault '*': '* ]] && line=${line#fault } && names+=("${line%%: *}")
done <"$list"

for name in "${names[@]}"; do
    read_fault "$name"
    seed "$name" /dev/null
done
if [[ ${1-} == --check ]]; then
    printf '%d faults apply\n' "${#names[@]}"
    exit
fi
shown=3
(($#)) && names=("$@") shown=1000

# enter LANE: each lane has a copy of the checkout and a target directory of its own.
enter() {
    copy=$work/checkout-$1
    export CARGO_TARGET_DIR=$work/target-$1
}

# Copies, since the checkout may change during the run.
original=$work/original
rm -rf "$original" "$work"/checkout*
mkdir -p "$original"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$original"
for ((lane = 0; lane < lanes; lane++)); do
    enter "$lane"
    cp -r "$original" "$copy"
done
list=$original/proptests/seeded_faults.txt

all=()
for name in "${names[@]}"; do
    read_fault "$name"
    all+=($tests)
done
mapfile -t all < <(printf '%s\n' "${all[@]}" | sort -u)
enter 0
seconds_max=1800 run_tests "${all[*]}" "$work/none.log" || {
    (($? == 99)) && die 'the checkout does not compile'
    grep -E '^test .* FAILED$' "$work/none.log" >&2
    die 'tests fail without a fault'
}

# try_fault NAME: seeds it, runs its tests, and prints a row of the table.
try_fault() {
    local name=$1 status=0 log=$work/$1.log failing verdict more text
    read_fault "$name"
    seed "$name" "$copy/$file"
    keep_modules "$(modules_of "$tests")"
    run_tests "$tests" "$log" || status=$?
    # With a new modification time, by which cargo decides what to rebuild.
    cp "$original/$file" "$copy/$file"
    # From the lines of tests or of their panics: either may be torn by output.
    mapfile -t failing < <(sed -nE -e "s/^thread '([a-z0-9_]+(::[a-z0-9_]+)+)' .*panicked at .*/\`\1\`/p" \
        -e 's/^test ([a-z0-9_]+(::[a-z0-9_]+)+) \.\.\. FAILED$/`\1`/p' "$log" | sort -u)
    if ((status == 124)); then
        failing+=("timeout after $seconds_max s")
    elif ((status)) && grep -q '(signal: ' "$log"; then
        failing+=('the test process aborted')
    fi
    if ((status == 99 || status && !${#failing[@]})); then
        # Another failure than that of a test.
        verdict='NOT RUN'
    elif ((status)); then
        verdict=detected
    else
        verdict=MISSED
    fi
    more=$((${#failing[@]} - shown))
    text=$(printf ', %s' "${failing[@]:0:shown}")
    ((more > 0)) && text+=", $more more"
    printf '| %s | `%s` | %s | %s |\n' "$name" "${file#src/}" "${text#, }" "$verdict" | tee -a "$work/rows"
}

# next: prints the name of the next fault, once to one lane; fails after the last.
next() {
    local n
    exec {lock}>"$work/lock"
    flock "$lock"
    n=$(<"$work/next")
    echo "$((n + 1))" >"$work/next"
    exec {lock}>&-
    ((n < ${#names[@]})) && printf '%s' "${names[n]}"
}

run_lane() {
    local name
    enter "$1"
    while name=$(next); do try_fault "$name"; done
}

# Side by side those that build the same modules.
read_uses
mapfile -t names < <(for name in "${names[@]}"; do
    read_fault "$name"
    printf '%s\t%s\n' "$(modules_of "$tests")" "$name"
done | sort -s -t $'\t' -k 1,1 | cut -f 2)

printf '| Fault | File | Failing tests | |\n|---|---|---|---|\n'
echo 0 >"$work/next"
: >"$work/rows"
for ((lane = 0; lane < lanes; lane++)); do run_lane "$lane" & done
wait
detected=$(grep -c '| detected |$' "$work/rows" || true)
missed=$(grep -c '| MISSED |$' "$work/rows" || true)
printf '\n%d faults, %d missed, %d not run, in %d s\n' \
    "${#names[@]}" "$missed" "$((${#names[@]} - detected - missed))" "$SECONDS"
((detected == ${#names[@]}))
