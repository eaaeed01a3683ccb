"""The pages that are generated from the declarations of settings and metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from infra.runtime.metrics import GROUPS
from infra.runtime.reference import PAGES, SettingRow, setting_rows

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_says_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), f"docs/{name} is out of date: make docs"


@pytest.mark.parametrize("row", list(setting_rows()), ids=lambda row: row.variable)
def test_a_setting_says_what_it_is(row: SettingRow) -> None:
    assert row.description


@pytest.mark.parametrize(
    "metric", [metric for group in GROUPS for metric in group(CollectorRegistry()).declared], ids=lambda one: one.name
)
def test_a_metric_says_what_it_is_and_its_name_what_it_counts(metric) -> None:
    assert metric.help
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind != "histogram" or metric.name.endswith(("_seconds", "_bytes", "_statements"))
