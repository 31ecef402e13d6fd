#!/usr/bin/env bash
# Run tests on other interpreters than that of the main environment.
#
#   scripts/other_pythons.sh "/usr/bin/python3 3.13" command [argument ...]
#
# Each is a path, or a version: then it is the pythonX.Y in PATH, or the newest X.Y of pyenv.
# The command follows "python -m" and is run in an environment of its own, .venv-VERSION, made
# of the lock file for tests.  An interpreter that is not there is named; with CI=true in the
# environment that is a failure.
set -eu
cd "$(dirname "$0")/.."

wanted=$1
shift
main=${VENV:-.venv}

version_of() {
    "$1" -c 'import platform, sys; sys.version_info >= (3, 11) or sys.exit(1); print(platform.python_version())' \
        2>/dev/null
}

# A shim of pyenv is in PATH whether its version is selected or not: what counts is that it runs.
candidates() {
    case $1 in
        */*) echo "$1" ;;
        *)
            command -v "python$1" || true
            printf '%s\n' "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/"python$1" | sort -rV
            ;;
    esac
}

find_python() {
    local candidate
    while read -r candidate; do
        if version_of "$candidate" >/dev/null; then
            echo "$candidate"
            return
        fi
    done < <(candidates "$1")
    return 1
}

test_on() {
    local python=$1 version venv
    shift
    version=$(version_of "$python")
    venv=".venv-$version"
    if [ "$version" = "$(version_of "$main/bin/python" || true)" ]; then
        echo "Python $version is that of $main, where the tests have run."
        return
    fi
    echo "Now on Python $version ($python):"
    VENV=$venv PYTHON=$python scripts/environment.sh test
    "$venv/bin/python" -m "$@"
}

missing=0
for each in $wanted; do
    if python=$(find_python "$each"); then
        test_on "$python" "$@"
    else
        echo "Not tested on $each: there is none of 3.11 or newer (README.md, \"Five minutes\")." >&2
        missing=1
    fi
done
[ "${CI:-}" != true ] || [ $missing = 0 ]
