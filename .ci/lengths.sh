#!/usr/bin/env bash
# Functions of at most 60 lines and files of at most 500 in src. Reads formatted code: a function
# ends at the first closing brace that is indented as its `fn` is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find src -name '*.rs' -print0 | sort -z | xargs -0 awk -v function_max=60 -v file_max=500 '
    function too_long(what, lines, max) {
        printf "%s: %d lines, at most %d wanted\n", what, lines, max
        failed = 1
    }
    FNR == 1 { if (file && lines > file_max) too_long(file, lines, file_max); file = FILENAME; name = "" }
    { lines = FNR }
    name == "" && match($0, /^ *(pub(\([a-z]+\))? )?(const )?fn [a-z_0-9]+/) && !/;$/ && !/\}$/ {
        indent = match($0, /[^ ]/) - 1
        name = $0
        sub(/^.*fn /, "", name)
        sub(/[^a-z_0-9].*$/, "", name)
        first = FNR
        next
    }
    name != "" && match($0, /^ *\}/) && RLENGTH == indent + 1 {
        length_of = FNR - first + 1
        if (length_of > longest) { longest = length_of; longest_name = FILENAME ": " name }
        if (length_of > function_max) too_long(FILENAME ": " name, length_of, function_max)
        functions++
        name = ""
    }
    END {
        if (lines > file_max) too_long(file, lines, file_max)
        printf "%d functions, the longest %d lines (%s)\n", functions, longest, longest_name
        exit failed || functions < 300
    }
'
