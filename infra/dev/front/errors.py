"""Errors of the engine as ClickHouse's HTTP interface tells them: code, name, status. Pure."""

from __future__ import annotations

import re

_FOUND = re.compile(r"Code: (\d+)\. (DB::.*?)(?: \(([A-Z][A-Z0-9_]*)\))?(?: \(version [^)]*\))?\s*$", re.DOTALL)

# The table of ClickHouse's HTTPHandler; what is not in it is 500.
_STATUS = {
    400: """
        BAD_ARGUMENTS BAD_QUERY_PARAMETER CANNOT_COMPILE_REGEXP CANNOT_PARSE_TEXT CANNOT_PARSE_ESCAPE_SEQUENCE
        CANNOT_PARSE_QUOTED_STRING CANNOT_PARSE_DATE CANNOT_PARSE_DATETIME CANNOT_PARSE_NUMBER
        CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING CANNOT_PARSE_IPV4 CANNOT_PARSE_IPV6
        CANNOT_PARSE_INPUT_ASSERTION_FAILED CANNOT_PARSE_UUID DUPLICATE_COLUMN ILLEGAL_COLUMN
        UNKNOWN_ELEMENT_IN_AST UNKNOWN_TYPE_OF_AST_NODE TOO_DEEP_AST TOO_BIG_AST UNEXPECTED_AST_STRUCTURE
        SYNTAX_ERROR INCORRECT_DATA TYPE_MISMATCH VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
    """,
    401: "REQUIRED_PASSWORD",
    403: "UNKNOWN_USER WRONG_PASSWORD AUTHENTICATION_FAILED SET_NON_GRANTED_ROLE",
    404: """
        UNKNOWN_TABLE UNKNOWN_FUNCTION UNKNOWN_IDENTIFIER UNKNOWN_TYPE UNKNOWN_STORAGE UNKNOWN_DATABASE
        UNKNOWN_SETTING UNKNOWN_DIRECTION_OF_SORTING UNKNOWN_AGGREGATE_FUNCTION UNKNOWN_FORMAT
        UNKNOWN_DATABASE_ENGINE UNKNOWN_TYPE_OF_QUERY UNKNOWN_ROLE
    """,
    408: "TIMEOUT_EXCEEDED",
    413: "QUERY_IS_TOO_LARGE",
    501: "NOT_IMPLEMENTED",
    503: "SOCKET_TIMEOUT CANNOT_OPEN_FILE CANNOT_SCHEDULE_TASK",
}
_STATUS_OF = {name: status for status, names in _STATUS.items() for name in names.split()}


class QueryError(Exception):
    """A statement that failed; ``code`` and ``name`` are ClickHouse's."""

    def __init__(self, code: int, name: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.name = name
        self.text = text

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return _STATUS_OF.get(self.name, 500)

    def message(self, version: str) -> str:
        """As a server words it."""
        return f"Code: {self.code}. {self.text} ({self.name}) (version {version})"


def from_engine(text: str) -> QueryError:
    """The error in a message of the engine; one it does not number is ClickHouse's 1001 (STD_EXCEPTION)."""
    found = _FOUND.search(text)
    if found is None:
        return QueryError(1001, "STD_EXCEPTION", f"DB::Exception: {text}")
    return QueryError(int(found[1]), found[3] or "UNKNOWN_EXCEPTION", found[2])


def refuse(code: int, name: str, text: str) -> QueryError:
    """An error of the front's own, worded as the engine words its."""
    return QueryError(code, name, f"DB::Exception: {text}")
