"""A term replayed in event time says what living through it said."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from infra.dev.front.process import Front
from infra.runtime.settings import Settings
from tests.e2e.term import late_by, run

pytestmark = pytest.mark.clickhouse


def test_a_term_replayed_in_another_order_gives_the_same_states_and_the_same_warnings_with_the_same_dates(
    clickhouse_front: Front, tmp_path: Path
) -> None:
    lived, replayed = run(clickhouse_front, tmp_path, students=40, days=22, seed=7)
    assert lived.digests == replayed.digests
    assert lived.rows == replayed.rows
    assert lived.rows["warnings"] > 3
    assert replayed.refolds > lived.refolds
    # The day is over when it is judged, which is in the evening after it; what providers tell up to two days late is
    # dated as if it had come in time.
    assert {1} <= set(late_by(lived, ZoneInfo(Settings().district.timezone))) <= {1, 2, 3}
