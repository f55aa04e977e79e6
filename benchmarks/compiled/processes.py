"""Fresh processes: one per comparison, one per first call, one per measurement of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .contestants import environment
from .families import Case

_ROOT = Path(__file__).resolve().parents[2]


class Failed(Exception):
    """A process ended without an answer."""


@dataclass
class Workshop:
    """Starts processes that all see the same number of threads and caches of their own.

    Attributes
    ----------
    threads
        Threads for everybody.
    timeout
        Seconds after which a process is given up.
    """

    threads: int
    timeout: float
    _scratch: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="covector-benchmark-")
    )
    _caches: int = 0

    def new_cache(self) -> str:
        """An empty directory for compiled code."""
        self._caches += 1
        path = Path(self._scratch.name) / f"cache-{self._caches}"
        path.mkdir(mode=0o700)
        return str(path)

    def ask(self, task: str, case: Case, contestants: list[str], cache: str, **more: Any) -> dict[str, Any]:
        """The answer of a fresh process.

        Parameters
        ----------
        task
            One of the tasks of `child`.
        case
            What to compute.
        contestants
            Who computes it.
        cache
            Directory for compiled code.
        **more
            Further entries of the request.

        Returns
        -------
        dict
            The answer; ``"outside"`` is the time from the start of the process to its first result, if it said so.

        Raises
        ------
        Failed
            If the process ends without an answer or takes too long.
        """
        request: dict[str, Any] = {"task": task, "suite": case.suite, "family": case.family, "size": case.size}
        request |= {"contestants": contestants, "threads": self.threads, **more}
        variables = {**os.environ, **environment(self.threads)}
        variables |= {"COVECTOR_CACHE_DIR": cache, "TORCHINDUCTOR_CACHE_DIR": str(Path(cache) / "inductor")}
        # an installed library has its byte code; the comparison, which comes first, writes it
        variables.pop("PYTHONDONTWRITEBYTECODE", None)
        variables["PYTHONPYCACHEPREFIX"] = str(Path(self._scratch.name) / "bytecode")
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH", ""))))
        command = [sys.executable, "-m", "benchmarks.compiled.child", json.dumps(request)]
        with tempfile.TemporaryFile("w+") as errors:
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=variables)
            outside, answer = None, ""
            try:
                for line in self._lines(process, start + self.timeout):
                    if line.strip() == "first result":
                        outside = time.perf_counter() - start
                    answer = line
                status = process.wait()
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
            if status != 0 or not answer.startswith("{"):
                errors.seek(0)
                last = errors.read().strip().splitlines()[-1:] or [f"exit status {status}"]
                raise Failed(last[0][:2000])
        result: dict[str, Any] = json.loads(answer)
        return result | ({"outside": outside} if outside is not None else {})

    def _lines(self, process: subprocess.Popen[str], deadline: float) -> Any:
        """The lines of a process as they come."""
        import selectors

        if process.stdout is None:
            raise ValueError("the process has no pipe")
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, deadline - time.perf_counter())):
                    raise Failed(f"gave up after {self.timeout:.0f} s")
                line = process.stdout.readline()
                if not line:
                    return
                yield line
