"""Several processes, one /metrics: each keeps its numbers in files that all of them read.

prometheus_client names those files by process id, so replacing workers would fill the folder.
Here a process takes the lowest free number, and goes on counting in that number's files. The system
releases the number when the process ends, however it ends.
"""

import fcntl
import os
from functools import cache
from pathlib import Path
from typing import IO

from prometheus_client import CollectorRegistry, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from core.module_errors import ModuleError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
FOLDER = Path(os.environ[VARIABLE])
try:
    FOLDER.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise ModuleError(
        f"{VARIABLE} names {error.filename}, which cannot be made ({error.strerror}): name a "
        "folder that the user of the server may write to."
    ) from None


def number() -> int:
    """Return this process's number; a forked process takes one of its own."""
    return _claim(os.getpid())[0]


@cache
def _claim(pid: int) -> tuple[int, IO[str]]:
    """Take a number and keep its lock open, for as long as the process lives."""
    candidate = 0
    while (lock := _locked(FOLDER / f"{candidate}.lock")) is None:
        candidate += 1
    mark_process_dead(candidate)
    return candidate, lock


def _locked(path: Path) -> IO[str] | None:
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def registry() -> CollectorRegistry:
    """Return the metrics of all processes, without the open connections of those that ended."""
    for path in FOLDER.glob("*.lock"):
        if lock := _locked(path):
            mark_process_dead(int(path.stem))
            lock.close()
    together = CollectorRegistry()
    MultiProcessCollector(together)
    return together


values.ValueClass = values.MultiProcessValue(number)
