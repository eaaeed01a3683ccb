"""A stand-in for a ClickHouse server on one machine: the chdb engine behind the part of ClickHouse's HTTP interface
that clickhouse-connect uses.

chdb locks its directory to one process, so one process owns it and everything else connects to that one as to a
server. What it leaves out: users and rights (one optional credential), sessions (each request has one of its own), the
native protocol, ClickHouse's own block compression (``compress=1``), clusters and replication.
"""
