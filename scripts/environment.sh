#!/usr/bin/env bash
# Make a virtual environment with Trickster in it: once, and again when what it needs changes.
#
#   scripts/environment.sh [extra]      for instance: scripts/environment.sh dev
#
# PYTHON names the interpreter (default: the first in PATH that is new enough), VENV the directory.
set -eu
cd "$(dirname "$0")/.."

extra=${1:-}
venv=${VENV:-.venv}
stamp="$venv/.trickster-${extra:-run}"

die() {
    echo "$*" >&2
    exit 1
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        command -v "$PYTHON" >/dev/null || die "PYTHON=$PYTHON: there is no such program."
        is_new_enough "$PYTHON" \
            || die "PYTHON=$PYTHON: Trickster needs Python 3.11 or newer; this says:" \
                "$("$PYTHON" --version 2>&1 | head -n 1)"
        echo "$PYTHON"
        return
    fi
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    die "Trickster needs Python 3.11 or newer; found $(python3 --version 2>&1 || true)." \
        "Install one, or name one: make PYTHON=/path/to/python3.12 ..."
}

make_venv() {
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        scripts/debian_packages.sh "$("$python" -c \
            'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    fi
    echo "Making a virtual environment in $venv with $("$python" --version)."
    "$python" -m venv --clear "$venv"
}

# With PYTHON given, an environment of another version will not do.
is_usable() {
    is_new_enough "$venv/bin/python" || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" --version 2>&1)" = "$("$venv/bin/python" --version)" ]
}

digest() {
    { cat setup.py trickster/__init__.py; pwd; "$venv/bin/python" --version; } | cksum
}

is_usable || make_venv
if [ "$(cat "$stamp" 2>/dev/null)" != "$(digest)" ]; then
    echo "Installing Trickster${extra:+ and its tools ($extra)} into $venv; this is done once."
    rm -f "$stamp"
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check \
        --editable ".${extra:+[$extra]}" </dev/null
    digest >"$stamp"
fi
