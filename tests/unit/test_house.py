"""What must hold in the whole tree: sizes of files, the locks, the pages, and no word about anyone's machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

LONGER_THAN_400_LINES: dict[str, str] = {}
"""Path of a Python file to the reason why it is not split."""

LOCKS = ("bootstrap", "demo", "dev")

# Put together here, so that this file does not hold what it forbids.
ADDRESSES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted"),
        ("repo1", "maven"),
        ("repo", "maven", "apache"),
        ("registry", "npmjs"),
        ("deb", "debian"),
    )
)
SOMEONES_PATH = re.compile(r"(?<![\w.~-])/(?:home|root|Users|work)/\w")


@cache
def tracked(pattern: str) -> tuple[str, ...]:
    """Paths under version control that match, with forward slashes, from the root."""
    listed = subprocess.run(["git", "ls-files", "-z", pattern], cwd=ROOT, capture_output=True, check=True, text=True)
    return tuple(path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file())


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked(name: str) -> dict[str, list[Requirement]]:
    """Requirements of a lock by name; one name has several when Python versions differ."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            requirement = Requirement(line.removesuffix("\\"))
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def version(requirement: Requirement) -> str:
    (pin,) = requirement.specifier
    assert pin.operator == "=="
    return pin.version


def test_a_python_file_has_at_most_400_lines_or_a_reason() -> None:
    longer = {path for path in tracked("*.py") if len((ROOT / path).read_bytes().splitlines()) > 400}

    assert longer == LONGER_THAN_400_LINES.keys()


def test_no_file_names_a_package_registry_or_a_path_of_someones_machine() -> None:
    found = []
    for path in tracked("*"):
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {address}" for address in ADDRESSES if address in text]
        found += [f"{path}: {match.group()}" for match in SOMEONES_PATH.finditer(text)]

    assert found == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_each_file_by_its_hash_and_names_no_index(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text(encoding="utf-8")

    entries = re.split(r"\n(?! )", text.strip())
    for entry in entries:
        assert re.fullmatch(
            r"[a-z0-9][a-z0-9.-]*==[0-9][\w.]*( ; [^\\\n@]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry
        ), entry.partition("\n")[0]


@pytest.mark.parametrize(("name", "groups"), [("dev", ("build", "dev")), ("demo", ("build",))])
def test_a_lock_holds_all_that_the_project_declares(name: str, groups: tuple[str, ...]) -> None:
    declared = list(project()["project"]["dependencies"])
    for extra in project()["project"]["optional-dependencies"].values():
        declared += extra
    for group in groups:
        declared += project()["dependency-groups"][group]
    lock = locked(name)

    missing = [
        text
        for text in declared
        for wanted in [Requirement(text)]
        if not any(
            wanted.specifier.contains(version(pinned)) for pinned in lock.get(canonicalize_name(wanted.name), [])
        )
    ]
    assert missing == [], "make lock"


def test_the_demo_runs_on_the_versions_that_are_tested() -> None:
    demo, dev = locked("demo"), locked("dev")

    assert {name: [version(one) for one in demo[name]] for name in demo} == {
        name: [version(one) for one in dev[name]] for name in demo
    }


@pytest.mark.parametrize("page", ["README.md", *tracked("docs/**.md")])
def test_a_make_command_on_a_page_is_one_that_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / page).read_text(encoding="utf-8")

    assert set(re.findall(r"(?:`|^\s*(?:\$ )?)make ([a-z]+)", text, re.MULTILINE)) <= targets


def test_decisions_are_numbered_without_a_gap_and_have_their_parts() -> None:
    notes = sorted(path for path in tracked("docs/decisions/*.md"))

    assert [int(Path(path).name[:4]) for path in notes] == list(range(1, len(notes) + 1))
    for path in notes:
        headings = re.findall(r"^## (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
        assert headings[:3] == ["Context", "Decision", "Consequences"], path


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
