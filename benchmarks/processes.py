"""What Linux tells of processes: the CPU time of a whole tree, and which cores it may use."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
# With one core all share it; the CPU time per request still tells the servers apart.
CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else [0]
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]


# Real time, as only root may: `nice` changes little where the kernel shares by sessions or groups.
REAL_TIME = 1


def on_core(core: int, command: list[str], urgent: bool = False) -> list[str]:
    """Return the command for one core alone, there before other programs if urgent."""
    first = ["chrt", "--rr", str(REAL_TIME)] if urgent else []
    return [*first, "taskset", "-c", str(core), *command]


def cpu_seconds(pid: int) -> float:
    """Return the time that a process, its children and those who ended have computed."""
    rows = list(_processes())
    tree = _tree(pid, rows)
    return sum(ticks for child, _, ticks in rows if child in tree) / TICK


def family(pid: int) -> set[int]:
    """Return a process and all that it has started."""
    return _tree(pid, list(_processes()))


def _tree(pid: int, rows: list[tuple[int, int, int]]) -> set[int]:
    tree, found = {pid}, {pid}
    while found:
        found = {child for child, parent, _ in rows if parent in tree} - tree
        tree |= found
    return tree


def core_seconds(core: int) -> float:
    """Return the time that a core has computed for anybody, in user and system mode."""
    lines = Path("/proc/stat").read_text().splitlines()
    line = next(one for one in lines if one.startswith(f"cpu{core} "))
    user, nice, system = map(int, line.split()[1:4])
    return (user + nice + system) / TICK


def _processes() -> Iterator[tuple[int, int, int]]:
    """Yield the number, the parent and the ticks of each process (man 5 proc)."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdigit():
                # The name before it, in parentheses, may hold blanks.
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                yield int(folder.name), int(fields[1]), sum(map(int, fields[11:15]))


def move_databases_work(pids: list[int], urgent: bool = False) -> None:
    """Keep PostgreSQL's processes off the server's core, where they are ours to move."""
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().startswith("postgres"):
                os.sched_setaffinity(pid, {LOAD_CORE})
                if urgent:
                    os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(REAL_TIME))
