"""The supervisor over real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.dev import health
from infra.dev.ports import any_free
from infra.dev.supervisor import Backoff, Spec, StartError, Supervisor

SLEEP = "import time; time.sleep(600)"
SERVE = "import sys, http.server as h; h.test(h.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')"
QUICK = Backoff(first=0.2, longest=1.0, stable=60.0)


def spec(tmp_path: Path, name: str, program: str, *arguments: str, **more: object) -> Spec:
    return Spec(name, [sys.executable, "-c", program, *arguments], tmp_path / f"{name}.log", **more)  # type: ignore[arg-type]


def pump(supervisor: Supervisor, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not until():
        assert time.monotonic() < deadline, supervisor.statuses()
        supervisor.tick()
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def supervisor(notices: list[str]) -> Iterator[Supervisor]:
    with Supervisor(on_notice=notices.append, backoff=QUICK) as supervisor:
        yield supervisor


def test_a_child_counts_as_up_only_when_it_answers(supervisor: Supervisor, tmp_path: Path) -> None:
    port = any_free()
    check = health.http(f"http://127.0.0.1:{port}/")
    assert not check()
    supervisor.start(spec(tmp_path, "web", SERVE, str(port), ready=check))
    assert check()
    assert health.tcp("127.0.0.1", port)()
    [status] = supervisor.statuses()
    assert (status.name, status.state, status.restarts) == ("web", "up", 0)
    assert status.pid is not None
    assert psutil.pid_exists(status.pid)


def test_children_are_stopped_in_reverse_order(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    open(sys.argv[2], 'a').write(sys.argv[1]); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); open(sys.argv[3], 'w'); time.sleep(600)"
    )
    order = tmp_path / "order"
    with Supervisor() as supervisor:
        for name in "abc":
            mark = tmp_path / f"{name}.up"
            supervisor.start(spec(tmp_path, name, program, name, str(order), str(mark), ready=mark.exists))
    assert order.read_text() == "cba"
    assert {status.state for status in supervisor.statuses()} == {"stopped"}


def test_a_child_that_dies_is_named_with_the_end_of_its_log_and_started_again(
    supervisor: Supervisor, notices: list[str], tmp_path: Path
) -> None:
    supervisor.start(spec(tmp_path, "worker", f"print('last words', flush=True); {SLEEP}"))
    pid = supervisor.statuses()[0].pid
    assert pid is not None
    pump(supervisor, lambda: "last words" in (tmp_path / "worker.log").read_text())
    os.kill(pid, signal.SIGKILL)
    pump(supervisor, lambda: supervisor.statuses()[0].state == "restarting")
    assert supervisor.statuses()[0].reason == "was killed by SIGKILL"
    assert "worker was killed by SIGKILL, starting it again in 0.2 s" in notices[0]
    assert "last words" in notices[0]
    pump(supervisor, lambda: supervisor.statuses()[0].state == "up")
    assert supervisor.statuses()[0].restarts == 1
    assert supervisor.statuses()[0].pid != pid


def test_a_child_that_dies_again_and_again_counts_as_failed_and_is_still_tried(
    supervisor: Supervisor, notices: list[str], tmp_path: Path
) -> None:
    flag = tmp_path / "broken"
    program = f"import sys, os; sys.exit(3) if os.path.exists({str(flag)!r}) else None; {SLEEP}"
    supervisor.start(spec(tmp_path, "flaky", program, failures=3, ready=lambda: not flag.exists()))
    flag.touch()
    pid = supervisor.statuses()[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    pump(supervisor, lambda: supervisor.statuses()[0].state == "failed")
    assert "in 0.2 s" in notices[0]
    assert "in 0.4 s" in notices[1]
    assert "in 0.8 s" in notices[2]
    flag.unlink()
    pump(supervisor, lambda: supervisor.statuses()[0].state == "up")


def test_a_child_that_hangs_is_killed_and_started_again(
    supervisor: Supervisor, notices: list[str], tmp_path: Path
) -> None:
    healthy = tmp_path / "healthy"
    healthy.touch()
    supervisor.start(spec(tmp_path, "hung", SLEEP, ready=healthy.exists, unhealthy_seconds=3.0))
    pid = supervisor.statuses()[0].pid
    assert pid is not None
    healthy.unlink()
    pump(supervisor, lambda: supervisor.statuses()[0].state == "restarting")
    assert gone(pid)
    assert "hung gave no sign of health for 3 s" in notices[0]
    healthy.touch()
    pump(supervisor, lambda: supervisor.statuses()[0].state == "up")


def test_a_child_that_may_end_is_done_when_it_ends_well(
    supervisor: Supervisor, notices: list[str], tmp_path: Path
) -> None:
    supervisor.start(spec(tmp_path, "once", "pass", may_end=True))
    pump(supervisor, lambda: supervisor.statuses()[0].state == "ended")
    assert notices == ["once is done"]


def test_what_cannot_start_says_so_with_the_end_of_its_log(supervisor: Supervisor, tmp_path: Path) -> None:
    broken = spec(tmp_path, "broken", "import sys; sys.exit('no such table')", ready=lambda: False)
    with pytest.raises(StartError, match=r"(?s)broken ended with code 1; .*broken\.log:\n +no such table"):
        supervisor.start(broken)


def test_what_does_not_get_ready_in_time_is_not_waited_for(supervisor: Supervisor, tmp_path: Path) -> None:
    slow = spec(tmp_path, "slow", SLEEP, ready=lambda: False, start_seconds=0.5)
    with pytest.raises(StartError, match=r"slow did not get ready in 0\.5 s"):
        supervisor.start(slow)


def test_a_program_that_is_not_there_is_an_error_in_words(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(StartError, match="ghost cannot be started"):
        supervisor.start(Spec("ghost", ["/no/such/program"], tmp_path / "ghost.log"))


def test_no_grandchild_is_left(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen([sys.executable, '-c', {SLEEP!r}])\n"
        "open(sys.argv[1], 'w').write(str(child.pid)); time.sleep(600)"
    )
    told = tmp_path / "grandchild"
    with Supervisor() as supervisor:
        stubborn = spec(
            tmp_path,
            "stubborn",
            program,
            str(told),
            ready=lambda: told.exists() and bool(told.read_text()),
            grace_seconds=0.5,
        )
        supervisor.start(stubborn)
        grandchild = int(told.read_text())
        child = supervisor.statuses()[0].pid
        assert child is not None
    assert gone(child)
    wait_for(lambda: gone(grandchild))


PARENT = """
import signal, sys
from pathlib import Path
from infra.dev.supervisor import Spec, Supervisor
signal.signal(signal.SIGINT, signal.SIG_IGN)  # what comes when all has ended
supervisor = Supervisor(on_notice=print)
with supervisor.signals(), supervisor:
    for name in ("one", "two"):
        program = f"import signal, sys, time; {sys.argv[2]}; print('ready', flush=True); time.sleep(600)"
        log = Path(sys.argv[1], name)
        ready = lambda log=log: "ready" in log.read_text()
        supervisor.start(Spec(name, [sys.executable, "-c", program], log, ready=ready, grace_seconds=600))
    print(*(status.pid for status in supervisor.statuses()), flush=True)
    supervisor.watch()
print("stopped", flush=True)
"""


@pytest.fixture
def parent(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process that supervises two children, and their ids; the parameter is what the children do first."""
    first = getattr(request, "param", "pass")
    process = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path), first], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, [int(pid) for pid in process.stdout.readline().split()]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_in_order(parent: tuple[subprocess.Popen[str], list[int]], number: signal.Signals) -> None:
    process, children = parent
    process.send_signal(number)
    output, _ = process.communicate(timeout=30)
    assert output == "stopped\n"
    assert process.returncode == 0
    assert all(gone(pid) for pid in children)


@pytest.mark.parametrize("parent", ["signal.signal(signal.SIGTERM, signal.SIG_IGN)"], indirect=True)
def test_an_impatient_hand_on_ctrl_c_kills_what_does_not_end(
    parent: tuple[subprocess.Popen[str], list[int]],
) -> None:
    process, children = parent
    deadline = time.monotonic() + 60
    while process.poll() is None:
        assert time.monotonic() < deadline, "it hangs"
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    assert process.stdout is not None
    assert process.stdout.read() == "stopped\n"
    assert all(gone(pid) for pid in children)


def test_a_supervisor_killed_with_9_leaves_no_process(parent: tuple[subprocess.Popen[str], list[int]]) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux kills a child with its parent")
    process, children = parent
    process.kill()
    process.wait()
    wait_for(lambda: all(gone(pid) for pid in children))
