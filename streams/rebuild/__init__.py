"""Rows computed again: from what is stored, beside live traffic (rebuild), or from a range of the log (replay)."""
