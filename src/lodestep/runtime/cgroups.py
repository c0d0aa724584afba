"""Control groups, where this process may make them: an inescapable list of a host's processes, and hard limits.

    PARENT/lodestep-PID-START/steps      version 2: the step host and the steps without limits
    PARENT/lodestep-PID-START/ATTEMPT    a step with limits
    PARENT/lodestep-PID-START            version 1: the host itself (pids), or nothing but groups of steps (memory, cpu)

To move a process into a group costs milliseconds of waiting, so steps without limits stay where they are forked: in
their host's group. Everything here answers None or False where the machine does not offer it; callers have other means.
"""

from __future__ import annotations

import os

from . import reap

_PREFIX = "lodestep-"
_PERIOD_US = 100_000


def hierarchies() -> list[tuple[str, str, list[str]]]:
    """(type, mount point, options) of every cgroup mount."""
    found: list[tuple[str, str, list[str]]] = []
    for line in _read("/proc/self/mounts").splitlines():
        words = line.split()
        if len(words) > 3 and words[2] in ("cgroup", "cgroup2"):
            found.append((words[2], words[1], words[3].split(",")))
    return found


def _own_path(controller: str) -> str:
    """This process's own group in a hierarchy ("" is version 2's)."""
    for line in _read("/proc/self/cgroup").splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return path
    return "/"


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _write(folder: str, name: str, text: str) -> bool:
    try:
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    except OSError:
        return False
    return True


class Groups:
    """The groups of one step host. Making them moves this process into its own."""

    def __init__(self) -> None:
        pid = os.getpid()
        own = reap.stat(pid)
        name = "%s%d-%d" % (_PREFIX, pid, own.started if own else 0)
        self._made: list[str] = []
        self._leaf = ""
        self.host_groups: list[str] = []  # where all processes of this host are, if they do not leave
        self._parents: dict[str, str] = {}  # controller → folder for groups of steps
        self.is_v2: dict[str, bool] = {}
        for kind, point, options in hierarchies():
            if kind == "cgroup2":
                self._take_v2(point, name)
            elif "pids" in options:
                self._take_pids(point, name)
            else:
                self._take_v1(point, options, name)

    def _take_v2(self, point: str, name: str) -> None:
        base = self._make(point, _own_path(""), name)
        if not base:
            return
        leaf = os.path.join(base, "steps")
        try:
            os.mkdir(leaf)
        except OSError:
            return
        self._made.append(leaf)
        self._leaf = leaf
        if not _write(leaf, "cgroup.procs", "0"):
            return
        self.host_groups.append(base)
        for controller in ("memory", "cpu", "pids"):
            # The parent must hand the controller down, which it cannot while it has processes of its own.
            _write(os.path.dirname(base), "cgroup.subtree_control", "+" + controller)
            if _write(base, "cgroup.subtree_control", "+" + controller):
                self._parents[controller] = base
                self.is_v2[controller] = True
        if "pids" in self._parents:
            _write(leaf, "pids.max", str(_most_processes()))

    def _take_pids(self, point: str, name: str) -> None:
        base = self._make(point, _own_path("pids"), name)
        if base and _write(base, "cgroup.procs", "0"):
            _write(base, "pids.max", str(_most_processes()))  # a fork bomb ends before the machine does
            self.host_groups.append(base)

    def _take_v1(self, point: str, options: list[str], name: str) -> None:
        for controller in ("memory", "cpu"):
            if controller in options and controller not in self._parents:
                base = self._make(point, _own_path(controller), name)
                if base:
                    self._parents[controller] = base
                    self.is_v2[controller] = False

    def _make(self, point: str, own: str, name: str) -> str:
        # In a container the path may be that of the machine outside, and the mount point this container's own group.
        for parent in (point + own.rstrip("/"), point):
            _sweep(parent)
            path = os.path.join(parent, name)
            try:
                os.mkdir(path)
            except OSError:
                continue
            if os.access(os.path.join(path, "cgroup.procs"), os.W_OK):
                self._made.append(path)
                return path
            _remove(path)
        return ""

    def open(self, name: str, memory_bytes: int, cpus: float) -> Group | None:
        """A group with these limits (0 means none) for an attempt; None where there is nothing to limit, or no way."""
        group = Group(name)
        if memory_bytes and "memory" in self._parents:
            group.limit_memory(self._parents["memory"], memory_bytes, self.is_v2["memory"])
        if cpus and "cpu" in self._parents:
            group.limit_cpu(self._parents["cpu"], cpus, self.is_v2["cpu"])
        return group if group.paths else None

    def close(self) -> None:
        """Leave and remove the groups of this host."""
        for path in self.host_groups:
            _write(os.path.dirname(path), "cgroup.procs", "0")
        for path in reversed(self._made):
            _remove(path)


class Group:
    """The limited group of one attempt, in one or two hierarchies."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.paths: list[str] = []
        self._memory = ""
        self._memory_v2 = False
        self.memory_limited = False
        self.cpu_limited = False

    def _add(self, parent: str) -> str:
        path = os.path.join(parent, self._name)
        if path not in self.paths:
            try:
                os.mkdir(path)
            except FileExistsError:
                pass
            except OSError:
                return ""
            self.paths.append(path)
        return path

    def limit_memory(self, parent: str, memory_bytes: int, is_v2: bool) -> None:
        path = self._add(parent)
        if not path:
            return
        self._memory, self._memory_v2 = path, is_v2
        self.memory_limited = _write(path, "memory.max" if is_v2 else "memory.limit_in_bytes", str(memory_bytes))
        # Swap would only make the end slow.
        if is_v2:
            _write(path, "memory.swap.max", "0")
        else:
            _write(path, "memory.memsw.limit_in_bytes", str(memory_bytes))

    def limit_cpu(self, parent: str, cpus: float, is_v2: bool) -> None:
        path = self._add(parent)
        quota = max(1000, int(cpus * _PERIOD_US))
        if not path:
            return
        if is_v2:
            self.cpu_limited = _write(path, "cpu.max", "%d %d" % (quota, _PERIOD_US))
        else:
            self.cpu_limited = _write(path, "cpu.cfs_period_us", str(_PERIOD_US)) and _write(
                path, "cpu.cfs_quota_us", str(quota)
            )

    def join(self) -> None:
        """Put the calling process into the group. In the child, before user code."""
        for path in self.paths:
            with open(os.path.join(path, "cgroup.procs"), "w") as file:
                file.write("0")

    def processes(self) -> set[int]:
        found: set[int] = set()
        for path in self.paths:
            found |= processes_in(path)
        return found

    def oom_kills(self) -> int:
        """How many processes of the group the kernel has killed for want of memory."""
        if not self._memory:
            return 0
        name = "memory.events" if self._memory_v2 else "memory.oom_control"
        for line in _read(os.path.join(self._memory, name)).splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
        return 0

    def peak_bytes(self) -> int:
        name = "memory.peak" if self._memory_v2 else "memory.max_usage_in_bytes"
        text = _read(os.path.join(self._memory, name)).strip() if self._memory else ""
        return int(text) if text.isdigit() else 0

    def remove(self) -> None:
        """Remove the empty group. What the kernel does not let go yet is swept by the next host."""
        for path in self.paths:
            _remove(path)
        self.paths = []


def processes_in(path: str) -> set[int]:
    """Ids of the processes of a group and of the groups below it, by its folder."""
    found: set[int] = set()
    for folder, _, _ in os.walk(path):
        found |= {int(word) for word in _read(os.path.join(folder, "cgroup.procs")).split() if word != "0"}
    return found


def host_is_alive(path: str) -> bool:
    """Does the host live that made this group?"""
    for part in reversed(path.split("/")):
        if part.startswith(_PREFIX):
            return _is_alive(part)
    return True  # none of ours: hands off


def _is_alive(name: str) -> bool:
    pid, _, started = name[len(_PREFIX) :].partition("-")
    return not (pid.isdigit() and started.isdigit()) or reap.is_alive(int(pid), int(started))


def _most_processes() -> int:
    """Half of what the machine can have: the other half is the server's and everybody else's."""
    limits = [_read("/proc/sys/kernel/" + name).strip() for name in ("pid_max", "threads-max")]
    return max(1024, min([int(limit) for limit in limits if limit.isdigit()] or [32768]) // 2)


def _sweep(parent: str) -> None:
    """Remove the empty groups of hosts that were killed."""
    try:
        names = os.listdir(parent)
    except OSError:
        return
    for name in names:
        if not name.startswith(_PREFIX) or _is_alive(name):
            continue
        for folder, _, _ in os.walk(os.path.join(parent, name), topdown=False):
            _remove(folder)


def _remove(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass  # in use, or gone
