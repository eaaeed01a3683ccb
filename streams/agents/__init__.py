"""Faust alone: topics in, batches out to the core."""
