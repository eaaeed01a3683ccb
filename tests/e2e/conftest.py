"""One platform for the tests that leave it running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.platform import Platform


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform that runs."""
    with Platform(tmp_path_factory.mktemp("e2e") / "data") as running:
        yield running.until_up()
