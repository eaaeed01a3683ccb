"""requirements/venv.sh where something is lacking: a line says what to do, no environment is left half-made."""

from __future__ import annotations

import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "requirements/venv.sh"


def run(directory: Path, pythons: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", SCRIPT, "demo"],
        cwd=directory,
        env={"PATH": "/usr/bin:/bin", "PYTHON": pythons},
        capture_output=True,
        text=True,
        check=False,
    )


def launcher(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_without_a_fitting_python_it_says_which_are_needed(tmp_path: Path) -> None:
    done = run(tmp_path, "no-such-python")

    assert done.returncode == 1
    assert "needs Python 3.11 to 3.14" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_launcher_that_does_not_run_is_passed_over_and_a_missing_venv_module_is_named(tmp_path: Path) -> None:
    broken = launcher(tmp_path / "broken", "echo 'version not installed' >&2; exit 127")
    without_venv = launcher(
        tmp_path / "without-venv", 'case "$1" in -c|--version) exit 0;; *) mkdir .venv; exit 1;; esac'
    )

    done = run(tmp_path, f"{broken} {without_venv}")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"venv: {without_venv} cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"
    ]
    assert not (tmp_path / ".venv").exists()
