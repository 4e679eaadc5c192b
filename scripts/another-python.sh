#!/bin/sh
# Runs `python ARGUMENTS` with the newest supported Python other than that of the main one, in an
# environment of its own; says so and succeeds when this machine has no other.
set -eu
own=$("${VENV:-.venv}/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

for version in 3.13 3.12 3.11; do
    [ "$version" = "$own" ] && continue
    # pyenv's own command of that name fails unless the version is the chosen one: look behind it.
    for python in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
        if "$python" -c 'import ensurepip' 2>/dev/null; then
            export VENV=".venv-py$version" PYTHON="$python"
            sh scripts/venv.sh requirements.txt requirements-app.txt requirements-optional.txt requirements-dev.txt
            echo "On Python $version:"
            exec "$VENV/bin/python" "$@"
        fi
    done
done
echo "No other Python than $own is installed here: the tests ran on that one only."
