#!/bin/sh
# Writes each requirements*.txt from its .in: exact pins and hashes for every system and Python.
set -eu
venv=${VENV:-.venv}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Not from requirements-dev.txt: that file may be the broken one.
"$venv/bin/python" -m uv --version >/dev/null 2>&1 ||
    "$venv/bin/python" -m pip install --quiet --no-input --disable-pip-version-check uv

# The product's packages come second, so that what the others share with them has one version.
for name in requirements requirements-app requirements-optional requirements-dev; do
    # uv keeps the old pins, but it chokes on a merge's conflict marks and keeps a hash list that a
    # merge cut short: it sees the pins alone, and asks the index for the hashes.
    if [ -f "$name.txt" ]; then
        grep -v -e '^<<<<<<< ' -e '^=======$' -e '^>>>>>>> ' -e '--hash=' "$name.txt" |
            sed 's/ \\$//' > "$scratch/$name.txt"
    fi
    case $name in
        requirements | requirements-app) constraint= ;;
        *) constraint="--constraint requirements-app.txt" ;;
    esac
    # shellcheck disable=SC2086  # an empty option must vanish
    "$venv/bin/python" -m uv pip compile --quiet ${UPGRADE:+--upgrade} $constraint \
        --universal --no-strip-extras --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
        --output-file "$scratch/$name.txt" "$name.in"
    cat "$scratch/$name.txt" > "$name.txt"
    echo "$name.txt: $(grep -c '==' "$name.txt" || true) packages"
done
