"""How many threads may run: what users set, and what the system grants."""

import os
import threading
from pathlib import Path

import pytest

import covector as cv
from covector.compiler.native import threads


def test_the_number_of_threads_is_what_was_set_last() -> None:
    usual = threads.limit()
    with cv.threads(3) as setting:
        assert threads.limit() == 3 and repr(setting) == "threads(3)"
        with cv.threads(1):
            assert threads.limit() == 1
        with setting:
            assert threads.limit() == 3
        assert threads.limit() == 3

    @cv.threads(5)
    def inside(more: int, *, depth: int = 0) -> tuple[int, str]:
        """Says so."""
        return (threads.limit(), "end") if depth == 0 else inside(more, depth=depth - 1)

    assert threads.limit() == usual
    assert inside(1, depth=2) == (5, "end") and inside.__doc__ == "Says so."
    with pytest.raises(ZeroDivisionError), cv.threads(2):
        1 / 0
    assert threads.limit() == usual
    cv.threads(4)
    try:
        assert threads.limit() == 4
        with cv.threads(2):
            assert threads.limit() == 2
        assert threads.limit() == 4
        found = []
        other = threading.Thread(target=lambda: found.append(threads.limit()))
        other.start()
        other.join()
        assert found == [4]  # a statement holds for the process
    finally:
        threads._SETTINGS.clear()


def test_a_with_block_is_its_threads_own() -> None:
    inside, leave, found = threading.Event(), threading.Event(), []

    def work() -> None:
        with cv.threads(7):
            inside.set()
            leave.wait(10)
            found.append(threads.limit())

    usual = threads.limit()
    other = threading.Thread(target=work)
    other.start()
    inside.wait(10)
    assert threads.limit() == usual
    leave.set()
    other.join()
    assert found == [7]


@pytest.mark.parametrize("count", [0, -2])
def test_there_is_always_one_thread(count: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        cv.threads(count)


@pytest.mark.parametrize("count", [2.0, True, "2", None])
def test_a_number_of_threads_is_an_int(count: object) -> None:
    with pytest.raises(TypeError, match="must be an int"):
        cv.threads(count)  # type: ignore[arg-type]


def test_the_environment_and_the_system_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVECTOR_NUM_THREADS", "12")
    assert threads.available() == 12
    for wrong in ("0", "-1", "many", "1.5"):
        monkeypatch.setenv("COVECTOR_NUM_THREADS", wrong)
        with pytest.raises(ValueError, match=r"COVECTOR_NUM_THREADS must be a positive whole number"):
            threads.available()
    monkeypatch.delenv("COVECTOR_NUM_THREADS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    monkeypatch.setattr(threads, "_quota", lambda: None)
    assert threads.available() == 6
    monkeypatch.setattr(threads, "_quota", lambda: 3)
    assert threads.available() == 3
    monkeypatch.setattr(threads, "_quota", lambda: 9)
    assert threads.available() == 6
    monkeypatch.setattr(threads, "_ASKED", (-1.0, 0))
    assert threads.limit() == 6
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    when, count = threads._ASKED
    monkeypatch.setattr(threads, "_ASKED", (when - 2.0, count))  # as if two seconds had passed
    assert threads.limit() == 1
    monkeypatch.setattr(threads, "_ASKED", (-1.0, 0))
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert threads.available() == 1


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_limits_of_control_groups(tmp_path: Path) -> None:
    two, one = tmp_path / "two", tmp_path / "one"
    assert threads._group_quota("0::/a/b\n", two) is None
    write(two / "a" / "b", cpu__max="max 100000")
    assert threads._group_quota("0::/a/b\n", two) is None
    write(two / "a", cpu__max="250000 100000")
    assert threads._group_quota("0::/a/b\n", two) == 2  # of the group around it
    write(two / "a" / "b", cpu__max="50000 100000")
    assert threads._group_quota("0::/a/b\n", two) == 1
    assert threads._group_quota("0::/\n", two) is None
    write(two, cpu__max="400000 100000")
    assert threads._group_quota("0::/not/visible/here\n", two) == 4
    assert threads._group_quota("0::/../../..\n", two) == 4
    groups = "12:memory:/x\n4:cpu,cpuacct:/x\n1:name=systemd:/x\n"
    write(one / "cpu,cpuacct" / "x", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    assert threads._group_quota(groups, one) == 3
    write(one / "cpu,cpuacct" / "x", cpu__cfs_quota_us="-1")
    assert threads._group_quota(groups, one) is None
    for nonsense in ("", "x", "::", "0::", "0:cpu", "\n\n"):
        assert threads._group_quota(nonsense, one) is None
