#!/usr/bin/env bash
# Seeds the faults of seeded_faults.txt one by one in a copy of the checkout, and wants a test to fail
# for each. A fault that no longer applies or does not compile is an error of the list.
#
#   proptests/seeded_faults.sh             all faults
#   proptests/seeded_faults.sh NAME...     these
#   proptests/seeded_faults.sh --check     only whether all of them still apply
#
# Random tests start from a fixed seed (PROPTEST_RNG_SEED), so that a run can be repeated.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

root=$PWD
list=$root/proptests/seeded_faults.txt
# Where files are taken from.
sound=$root
work=${CARGO_TARGET_DIR:-$root/target}/seeded_faults
copy=$work/checkout
seconds_max=180
export CARGO_TARGET_DIR=$work/target CARGO_INCREMENTAL=1 CARGO_PROFILE_DEV_DEBUG=0
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-1} PROPTEST_MAX_SHRINK_ITERS=0

die() {
    printf 'seeded_faults: %s\n' "$*" >&2
    exit 1
}

# Reads the fault NAME of the list: what, tests, file, count, old and new lines.
read_fault() {
    local name=$1 line found=0
    what='' tests='' file='' count=1 old=() new=()
    while IFS= read -r line; do
        if ((!found)); then
            [[ $line == "fault $name: "* ]] && found=1 what=${line#*: }
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
        *) die "$name: not understood: $line" ;;
        esac
    done <"$list"
    ((found)) || die "no fault is called $name"
    [[ $what && $tests && $file ]] && ((${#old[@]} > 0 && ${#old[@]} == ${#new[@]})) ||
        die "$name: incomplete"
}

# Writes the file of the fault with its lines replaced.
seed() {
    local name=$1 to=$2 lines at n places=0
    mapfile -t lines <"$sound/$file"
    for ((at = 0; at + ${#old[@]} <= ${#lines[@]}; at++)); do
        for ((n = 0; n < ${#old[@]}; n++)); do
            [[ ${lines[at + n]} == *"${old[n]}"* ]] || continue 2
        done
        places=$((places + 1))
        for ((n = 0; n < ${#old[@]}; n++)); do
            lines[at + n]=${lines[at + n]/"${old[n]}"/"${new[n]}"}
        done
    done
    ((places == count)) || die "$name: applies to $places places of $file, not to $count"
    printf '%s\n' "${lines[@]}" >"$to"
}

# run_tests TESTS LOG: runs them in the copy; not 0 if one fails.
run_tests() {
    local targets=() filters=() word
    for word in $1; do
        case $word in
        lib) targets+=(--lib) ;;
        wasm) targets+=(--test wasm) ;;
        *::*) filters+=("$word") ;;
        *) filters+=("$word::") ;;
        esac
    done
    (
        cd "$copy"
        cargo test --quiet --no-run --test proptests "${targets[@]}" >"$2" 2>&1 || {
            grep -A 9 '^error' "$2" >&2
            exit 99
        }
        # A fault may ask for any amount of memory.
        ulimit -v $((12 << 20))
        status=0
        if ((${#targets[@]})); then
            timeout "$seconds_max" cargo test --no-fail-fast "${targets[@]}" >>"$2" 2>&1 || status=$?
        fi
        timeout "$seconds_max" cargo test --test proptests -- "${filters[@]}" >>"$2" 2>&1 || status=$?
        exit "$status"
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

# Two copies: the checkout may change meanwhile.
sound=$work/sound
rm -rf "$copy" "$sound"
mkdir -p "$copy"
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"
cp -r "$copy" "$sound"
list=$sound/proptests/seeded_faults.txt

all=()
for name in "${names[@]}"; do
    read_fault "$name"
    all+=($tests)
done
mapfile -t all < <(printf '%s\n' "${all[@]}" | sort -u)
run_tests "${all[*]}" "$work/none.log" || {
    (($? == 99)) && die 'the checkout does not compile'
    grep -E '^test .* FAILED$' "$work/none.log" >&2
    die 'tests fail without a fault'
}

missed=0 errors=0
printf '| Fault | File | Tests that fail | |\n|---|---|---|---|\n'
for name in "${names[@]}"; do
    read_fault "$name"
    seed "$name" "$copy/$file"
    status=0
    log=$work/$name.log
    run_tests "$tests" "$log" || status=$?
    # Not with its old time: cargo goes by times.
    cp "$sound/$file" "$copy/$file"
    mapfile -t red < <(sed -nE 's/^test (.*) \.\.\. FAILED$/`\1`/p' "$log" | sort -u)
    if ((status == 124)); then
        red+=("no end in $seconds_max s")
    elif ((status)) && grep -q '(signal: ' "$log"; then
        red+=('the run is aborted')
    fi
    if ((status == 99 || status && !${#red[@]})); then
        # Not by a test.
        verdict='NOT RUN' errors=$((errors + 1))
    elif ((status)); then
        verdict=held
    else
        verdict=MISSED missed=$((missed + 1))
    fi
    more=$((${#red[@]} - shown))
    text=$(printf ', %s' "${red[@]:0:shown}")
    ((more > 0)) && text+=", $more more"
    printf '| %s | `%s` | %s | %s |\n' "$name" "${file#src/}" "${text#, }" "$verdict"
done
printf '\n%d faults, %d missed, %d not run, in %d s\n' \
    "${#names[@]}" "$missed" "$errors" "$SECONDS"
((missed == 0 && errors == 0))
