#!/usr/bin/env bash
# Bring .venv to the state that the given requirements files ask for: tools/venv.sh requirements.txt [requirements-test.txt]
#
# Copies of the requirements in .venv say what is installed, so a second run does nothing. A marker stands in .venv while
# it is worked on: finding one means that an earlier run was killed half-way, and then .venv is made anew, not trusted.
set -eu
cd "$(dirname "$0")/.."
marker=.venv/being-installed

installed() {
    local file
    for file in "$@"; do
        cat "$file" constraints.txt | cmp -s - ".venv/installed-$file" || return 1
    done
}

if [ -e "$marker" ]; then
    if kill -0 "$(cat "$marker")" 2>/dev/null; then
        echo "Process $(cat "$marker") is installing into .venv: wait for it (or, where it is no such thing, delete .venv)." >&2
        exit 1
    fi
    echo "The last installation into .venv was interrupted: starting it again from the beginning."
    rm -rf .venv
elif [ -e .venv ] && ! .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
    echo ".venv does not work (half made, or its Python is gone): making it again."
    rm -rf .venv
elif installed "$@"; then
    exit 0
fi

if [ -e .venv ]; then
    echo "Bringing .venv up to date with $*."
else
    python=$(bash tools/find_python.sh)
    echo "Making .venv with $("$python" --version) and installing $*."
    echo "This happens once, fetches some 3 GB, and takes minutes."
    mkdir .venv
    echo $$ >"$marker"
    "$python" -m venv .venv
fi

arguments=()
for file in "$@"; do arguments+=(-r "$file"); done
# A person sees pip at work; a log gets only what goes wrong.
[ -t 1 ] || arguments+=(-qq --progress-bar=off)

echo $$ >"$marker"
stopped=
trap 'stopped=yes' INT TERM HUP
status=0
.venv/bin/python -m pip install --disable-pip-version-check "${arguments[@]}" || status=$?
if [ -n "$stopped" ] || [ "$status" -ge 128 ]; then
    echo "Interrupted: the next run makes .venv anew." >&2
    exit 130 # and the marker stays
fi
if [ "$status" -ne 0 ]; then
    rm -f "$marker" # pip has put back what it changed
    echo "Installing failed. Put right what pip names above, and run this again." >&2
    exit 1
fi
for file in "$@"; do cat "$file" constraints.txt >".venv/installed-$file"; done
rm -f "$marker"
