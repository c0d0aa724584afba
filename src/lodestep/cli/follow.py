"""Following a run until it ends: what changes, in order, from a thread that reads the server's event stream.

A server that goes away and comes back (its home says where) is found again; what was missed is fetched anew.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lodestep.cli.client import Client
from lodestep.cli.wire import RUN_ENDED, Change, Run, Task
from lodestep.errors import LodestepError, NotFound, Unavailable

_PATIENCE_S = 30.0
_PAUSE_S = 0.5


class News(NamedTuple):
    """What a look at the run gave: changed tasks, and the run if it changed."""

    tasks: list[Task]
    run: Run | None = None


class Follower:
    """Iterate over it for the news; each turn takes at most `tick_s`, with empty news where nothing happened."""

    def __init__(self, client: Client, run_id: str, *, again: Callable[[], Client | None], tick_s: float) -> None:
        self._client = client
        self._run_id = run_id
        self._again = again
        self._tick_s = tick_s
        self._news: queue.SimpleQueue[Change | News | LodestepError | None] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[News]:
        threading.Thread(target=self._read, name="lodestep-follow", daemon=True).start()
        while True:
            news, ended = self._gather()
            yield news
            if ended:
                return

    def _gather(self) -> tuple[News, bool]:
        """Everything that waits, after at most one tick."""
        tasks: dict[str, Task] = {}
        run: Run | None = None
        deadline = time.monotonic() + self._tick_s
        while True:
            try:
                item = self._news.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                return News(list(tasks.values()), run), False
            match item:
                case None:
                    return News(list(tasks.values()), run), True
                case LodestepError():
                    raise item
                case News():
                    tasks.update((task.id, task) for task in item.tasks)
                    run = item.run or run
                case Change():
                    if item.task:
                        tasks[item.task.id] = item.task
                    run = item.run or run

    def _read(self) -> None:
        last = ""
        alone_since = 0.0
        while True:
            try:
                changes = self._client.changes(self._run_id, last)
                # What was before the stream began. A change that is in both comes again, in its later state.
                self._news.put(News(self._client.tasks(self._run_id), self._client.run(self._run_id)))
                for change in changes:
                    alone_since = 0.0
                    last = change.rev or last
                    self._news.put(change)
                    if change.run and change.run.state in RUN_ENDED:
                        break
                run = self._client.run(self._run_id)
                self._news.put(News(self._client.tasks(self._run_id), run))
                if run.state in RUN_ENDED:
                    self._news.put(None)
                    return
            except Unavailable as error:
                alone_since = alone_since or time.monotonic()
                if time.monotonic() - alone_since > _PATIENCE_S:
                    self._news.put(error)
                    return
                time.sleep(_PAUSE_S)
                self._client = self._again() or self._client
            except NotFound as error:  # deleted meanwhile
                self._news.put(error)
                return
