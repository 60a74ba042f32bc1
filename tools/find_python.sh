#!/usr/bin/env bash
# Print the Python that .venv is made with: $PYTHON, or the first one found that is 3.10 to 3.14 and can make an environment.
set -u

usable() {
    # Running it is the only proof: a version manager leaves commands on PATH that only print an error.
    "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

if [ -n "${PYTHON:-}" ]; then
    usable "$PYTHON" && { command -v "$PYTHON"; exit 0; }
    echo "PYTHON=$PYTHON is not a Python from 3.10 to 3.14 with the modules venv and ensurepip. Name another one." >&2
    exit 1
fi
for candidate in python3.13 python3.12 python3.11 python3.10 python3.14 python3 python; do
    usable "$candidate" && { command -v "$candidate"; exit 0; }
done
cat >&2 <<'MESSAGE'
No Python from 3.10 to 3.14 with the modules venv and ensurepip was found.
Install one (Debian and Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.13),
or name one that is not on the PATH: PYTHON=path/to/python3 make app
MESSAGE
exit 1
