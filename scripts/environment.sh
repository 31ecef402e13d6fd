#!/usr/bin/env bash
# Make a virtual environment with Trickster in it: once, and again when what it needs changes.
#
#   scripts/environment.sh [run|test|dev]
#
# What is installed stands in requirements/, version by version, with hashes.
# PYTHON names the interpreter (default: the first in PATH that is new enough), VENV the directory.
set -eu
cd "$(dirname "$0")/.."

purpose=${1:-run}
lock="requirements/$purpose.txt"
venv=${VENV:-.venv}
made="$venv/.trickster"
stamp="$venv/.trickster-$purpose"

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

# With PYTHON given, an environment of another version will not do.  Nor will one for other
# versions of what is needed: it would keep what nothing needs any more.
is_usable() {
    is_new_enough "$venv/bin/python" || return 1
    [ -z "${PYTHON:-}" ] || [ "$("$PYTHON" --version 2>&1)" = "$("$venv/bin/python" --version)" ] \
        || return 1
    [ "$(cat "$made" 2>/dev/null)" = "$(digest requirements/*.txt)" ]
}

digest() {
    { cat "$@"; pwd; "$venv/bin/python" --version; } | cksum
}

pip_install() {
    "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-input "$@" </dev/null
}

[ -e "$lock" ] || die "There is no $lock."
if ! is_usable; then
    make_venv
    digest requirements/*.txt >"$made"
fi
wanted=$(digest setup.py trickster/__init__.py "$lock")
if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing Trickster and what $lock names into $venv; this is done once."
    rm -f "$stamp"
    pip_install --require-hashes --requirement "$lock"
    # What was left there under the name that the distribution had would be found beside it.
    rm -rf trickster.egg-info
    pip_install --no-index --no-deps --no-build-isolation --editable .
    echo "$wanted" >"$stamp"
fi
