"""Fixtures for all tests: each module of tests/fixtures is a plugin, so a fixture is at hand by its name."""

from __future__ import annotations

from pathlib import Path

pytest_plugins = sorted(
    f"tests.fixtures.{module.stem}" for module in (Path(__file__).parent / "fixtures").glob("[a-z]*.py")
)
