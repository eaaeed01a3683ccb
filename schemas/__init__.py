"""Contracts: topics, events, Avro schemas, ClickHouse tables, registry tables. Imports nothing of ours."""
