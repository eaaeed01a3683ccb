"""Conformance to xAPI 1.0.3 and 2.0.0: the project's own cases, and a runner for ADL's public suite."""
