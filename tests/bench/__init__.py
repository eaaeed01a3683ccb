"""Benchmarks: ``make bench``. What they measure, and what was found, is in docs/performance.md."""
