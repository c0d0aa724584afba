"""What changed, pushed to whoever watches. After a commit only: watchers may read what they are told of at once.

A slow watcher costs nothing: changes of one run collapse into its newest revision.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager

Change = tuple[str, int]  # run id, revision


class _Watcher:
    def __init__(self, run_id: str | None) -> None:
        self.run_id = run_id
        self.news: dict[str, int] = {}
        self.wake = asyncio.Event()

    async def changes(self) -> AsyncIterator[Change]:
        while True:
            await self.wake.wait()
            self.wake.clear()
            news, self.news = self.news, {}
            for change in news.items():
                yield change


class Feed:
    """Lives on the event loop; not to be touched from other threads."""

    def __init__(self) -> None:
        self._watchers: set[_Watcher] = set()

    def publish(self, changes: Iterable[Change]) -> None:
        if not self._watchers:
            return
        for run_id, rev in changes:
            for watcher in self._watchers:
                if watcher.run_id in (None, run_id):
                    watcher.news[run_id] = rev
                    watcher.wake.set()

    @asynccontextmanager
    async def watch(self, run_id: str | None = None) -> AsyncGenerator[AsyncIterator[Change]]:
        """Changes of one run, or of all, from now on."""
        watcher = _Watcher(run_id)
        self._watchers.add(watcher)
        try:
            yield watcher.changes()
        finally:
            self._watchers.discard(watcher)
