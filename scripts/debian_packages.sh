#!/usr/bin/env bash
# See to it that Debian packages are there; install what is missing when that is allowed.
#
#   scripts/debian_packages.sh [package[:program] ...]
#
# A package with a program counts as there when the program can be found, wherever it came from.
set -eu

PATH="$PATH:/usr/sbin:/sbin"
policy=/usr/sbin/policy-rc.d
missing=()

is_there() {
    local package=${1%%:*} program=${1#*:}
    if [ "$program" != "$1" ]; then
        command -v "$program" >/dev/null
    else
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed"
    fi
}

# Only the programs are wanted: nothing that a package brings shall run as a service, now or
# after the next start of the machine.
install_quietly() {
    export DEBIAN_FRONTEND=noninteractive
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null
    if command -v systemctl >/dev/null; then
        for package in "$@"; do
            for unit in $(dpkg-query -L "$package" | sed -n 's|^.*/systemd/system/\([^/@]*\.service\)$|\1|p'); do
                systemctl --quiet disable "$unit" 2>/dev/null || true
            done
        done
    fi
}

for wanted in "$@"; do
    is_there "$wanted" || missing+=("${wanted%%:*}")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Needed, and not found: ${missing[*]} (names of Debian packages). Please install them." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Needed, and not found. Please run: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
echo "Installing Debian packages, because what follows runs them: ${missing[*]}"
install_quietly "${missing[@]}" </dev/null
