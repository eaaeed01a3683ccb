"""Statements from the analytics store, by keys made for reading, with their agents from the registry."""

from ingest.reading.agents import AgentReader
from ingest.reading.filters import Filter, cursor, from_cursor
from ingest.reading.rows import AskedId, by_ids

__all__ = ["AgentReader", "AskedId", "Filter", "by_ids", "cursor", "from_cursor"]
