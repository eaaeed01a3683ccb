#!/bin/sh
# What the tests need beyond the locks: PostgreSQL's server programs. tests/fixtures/postgres.py starts a server of its own.
set -eu

if command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    exit 0
fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "tests: PostgreSQL's server is missing; install it: apt-get install postgresql, or brew install postgresql" >&2
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

install() {
    apt-get update -qq &&
        apt-get install -y -qq --no-install-recommends postgresql-common &&
        # The tests start a server of their own: none is to be left running on the machine.
        sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf &&
        apt-get install -y -qq --no-install-recommends postgresql
}

echo "tests: installing Debian's postgresql"
export DEBIAN_FRONTEND=noninteractive
if ! install >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
