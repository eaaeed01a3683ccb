"""The live tail: statements as they are accepted, read from the log, sent to whoever listens."""
