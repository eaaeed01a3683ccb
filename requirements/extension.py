"""Compile the C extensions of this tree in place: `python requirements/extension.py [--required]`, from its root.

Every C file whose name begins with an underscore is an extension module beside the Python that it stands in for.
Without a compiler or Python's headers nothing is built, a line says so, and Roundtrip runs on the Python: slower, with
the same results (docs/decisions/0014). With --required that is a failure. What is newer than its source is left.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("ingest", "schemas", "streams")
FLAGS = ("-O2", "-std=c11", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-missing-field-initializers",
         "-ffp-contract=off")  # fmt: skip
"""No fused multiply-add: a number must be the same, to the last digit, with and without the extension."""
SHARED = ("-bundle", "-undefined", "dynamic_lookup") if sys.platform == "darwin" else ("-shared",)


def sources(root: Path = ROOT) -> list[Path]:
    """C files of extension modules."""
    return sorted(path for package in PACKAGES for path in (root / package).rglob("_*.c"))


def target(source: Path) -> Path:
    """Where this interpreter looks for the extension of a source."""
    return source.with_suffix(sysconfig.get_config_var("EXT_SUFFIX"))


def stale(source: Path) -> bool:
    """Whether it has to be compiled (again): built from an older source, or not at all."""
    built = target(source)
    newest = max(path.stat().st_mtime for path in (source, *source.parent.glob("*.h")))
    return not built.exists() or built.stat().st_mtime < newest


def compile_one(source: Path) -> None:
    """Build beside its place and move it there: a running worker keeps the one it has loaded."""
    compiler = os.environ.get("CC", "cc")
    built = target(source)
    partial = built.with_suffix(f".{os.getpid()}.tmp")
    include = sysconfig.get_path("include")
    try:
        done = subprocess.run(
            [*compiler.split(), *FLAGS, *SHARED, f"-I{include}", str(source), "-o", str(partial), "-lm"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise OSError(done.stderr.strip())
        if done.stderr:
            print(done.stderr, file=sys.stderr)
        partial.replace(built)
    finally:
        partial.unlink(missing_ok=True)


def main() -> int:
    """Build what is stale; returns the exit code."""
    for source in filter(stale, sources()):
        name = source.relative_to(ROOT)
        # An extension that no longer fits its source would be worse than none.
        target(source).unlink(missing_ok=True)
        try:
            compile_one(source)
        except OSError as error:
            first = str(error).partition("\n")[0]
            print(f"extension: {name} is not compiled, plain Python does its work: {first}", file=sys.stderr)
            if "--required" in sys.argv:
                print(error, file=sys.stderr)
                return 1
        else:
            print(f"extension: {name} compiled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
