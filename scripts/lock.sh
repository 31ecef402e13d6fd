#!/usr/bin/env bash
# Make the lock files anew: the newest releases that setup.py allows, with hashes.
#
#   scripts/lock.sh path/to/uv
#
# One file serves every Python that is supported, by markers.  The smaller ones take their
# versions from the largest, so that one environment can hold all of them.
set -eu
cd "$(dirname "$0")/.."

uv=$1
header() {
    echo '# Made by "make lock", of setup.py and requirements/backend.in; do not edit.'
}

compile() {
    local name=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
        --no-emit-index-url --no-emit-find-links --upgrade --output-file "requirements/$name.new" \
        "$@" setup.py requirements/backend.in
    { header; cat "requirements/$name.new"; } >"requirements/$name.txt"
    rm "requirements/$name.new"
}

trap 'rm -f requirements/*.new' EXIT
compile dev --extra dev
compile test --extra test --constraints requirements/dev.txt
compile run --extra demo --constraints requirements/dev.txt
compile lowest --extra test --resolution lowest-direct
