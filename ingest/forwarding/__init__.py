"""Forwarding: a part of the stream, sent on to other learning record stores, at least once."""
