#!/bin/sh
# Makes or mends the virtual environment and installs the lock files named as arguments into it.
# Reads VENV (its folder, .venv) and PYTHON (the interpreter to make it with). Quick when nothing changed.
set -eu
venv=${VENV:-.venv}

stop() {
    echo "Error: $1" >&2
    exit 1
}

version_of() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true
}

# Python 3 only has minor versions that matter here: 3.11 or newer.
is_new_enough() {
    case $1 in
        3.[0-9] | 3.10 | 2.* | "") return 1 ;;
    esac
}

find_python() {
    newest_seen=
    # An interpreter that was asked for by name is never replaced by another.
    for python in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        version=$(version_of "$python")
        if is_new_enough "$version"; then
            return
        fi
        newest_seen=${newest_seen:-$version}
    done
    found="but found ${newest_seen:+Python }${newest_seen:-none}${PYTHON:+ at $PYTHON}"
    stop "this project needs Python 3.11 or newer $found: install one (https://www.python.org/downloads/) or name yours, as in make run PYTHON=/path/to/python3.12."
}

# A folder that was renamed keeps scripts that start the Python of its old path; a Python that was
# removed leaves a dangling link; an interrupted creation leaves no pip.
is_usable() {
    is_new_enough "$(version_of "$venv/bin/python")" &&
        "$venv/bin/python" -c 'import pip' 2>/dev/null &&
        { [ ! -f "$venv/.made-in" ] || [ "$(cat "$venv/.made-in")" = "$(parent)" ]; }
}

parent() {
    (cd -P "$venv/.." && pwd)
}

make_venv() {
    find_python
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        stop "$python has no venv module: install it (on Debian and Ubuntu: apt install python$version-venv) and repeat the command."
    fi
    echo "Making $venv with Python $version"
    "$python" -m venv --clear "$venv"
    parent > "$venv/.made-in"
}

is_installed() {
    cmp -s "$1" "$venv/.installed-$1" || ! grep -q '^[^#[:space:]]' "$1"
}

is_usable || make_venv
for file; do
    if [ -f "$file" ] && ! is_installed "$file"; then
        echo "Installing $file into $venv"
        "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check --require-hashes -r "$file"
        cp "$file" "$venv/.installed-$file"
    fi
done
