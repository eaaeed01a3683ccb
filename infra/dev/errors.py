"""What a person can put right: shown as one line, without a traceback."""

from __future__ import annotations


class LocalStackError(Exception):
    """Something about this machine or its state stops the local stack; the message says what to do."""
