"""The rules of the specification, by part of a statement; each rule names its section and how to mend a breach."""

from ingest.xapi.validation.statements import batch

__all__ = ["batch"]
