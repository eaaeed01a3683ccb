"""Shared by every service: settings, logging, metrics, and the clients of Kafka, ClickHouse and the registry."""
