#!/bin/sh
# Make .venv hold what requirements/$1.txt locks, and this project, editable: `sh requirements/venv.sh dev`.
# Run from the project's root; outside .venv only the caches of pip and uv are written. Why so: docs/decisions/0002.
set -eu

lock=$1
venv=.venv
if [ -e "$venv/.dev-installed" ]; then
    lock=dev  # an environment for development stays one: it has all that the demo needs
fi

say() { printf '%s\n' "venv: $*"; }

# A name on the path is not enough: version managers leave launchers for versions they do not have active.
usable() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' >/dev/null 2>&1
}

find_python() {
    for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        if usable "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    say "Roundtrip needs Python 3.11 to 3.14, and found none (${PYTHON:-python3.14 … python3.11, python3});" \
        "install one, or name one: make PYTHON=/path/to/python" >&2
    exit 1
}

if ! usable "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    say "making $venv with $("$python" --version)"
    rm -rf "$venv"
    if ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        say "$python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi

pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

install_with_uv() {
    # uv does not read pip's configuration: a machine that gets its packages from a mirror set there is served by pip.
    ! pip config list | grep -q 'index-url=' &&
        pip install --quiet --require-hashes --only-binary :all: -r requirements/bootstrap.txt &&
        "$venv/bin/uv" pip sync --quiet --require-hashes --python "$venv/bin/python" "requirements/$lock.txt"
}

say "installing requirements/$lock.txt (each file is checked against its SHA-256)"
if ! install_with_uv; then
    say "installing with pip instead of uv, which takes longer"
    pip install --require-hashes -r "requirements/$lock.txt"
fi
pip install --quiet --no-deps --no-build-isolation --no-index -e .
touch "$venv/.$lock-installed"
if [ "$lock" = dev ]; then
    touch "$venv/.demo-installed"
fi
