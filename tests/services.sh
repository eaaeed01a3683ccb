#!/bin/sh
# What the tests need beyond the locks: PostgreSQL's server programs (tests/fixtures/postgres.py starts a server of its
# own), and a C compiler with Python's headers, so that the compiled parts are tested and not passed over.
set -eu

missing=""
if ! command -v initdb >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    missing="postgresql"
fi
if ! command -v "${CC:-cc}" >/dev/null 2>&1; then
    missing="$missing gcc libc6-dev"
fi
headers=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("include"))')
if [ ! -e "$headers/Python.h" ]; then
    missing="$missing python3-dev"
fi
if [ -z "$missing" ]; then
    exit 0
fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "tests: missing are PostgreSQL's server, a C compiler or Python's headers; install: apt-get install $missing," \
        "or brew install postgresql and Xcode's command line tools" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

install() {
    apt-get update -qq || return
    case $missing in
        *postgresql*)
            apt-get install -y -qq --no-install-recommends postgresql-common &&
                # The tests start a server of their own: none is to be left running on the machine.
                sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf ||
                return
            ;;
    esac
    # shellcheck disable=SC2086  # one package a word
    apt-get install -y -qq --no-install-recommends $missing
}

echo "tests: installing Debian's $missing"
export DEBIAN_FRONTEND=noninteractive
if ! install >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
