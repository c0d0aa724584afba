"""What changed, pushed to whoever watches. After a commit only: watchers may read what they are told of at once.

A slow watcher costs nothing: changes of one run collapse into its newest revision.
"""

import asyncio
from collections.abc import Generator, Iterable
from contextlib import contextmanager

Change = tuple[str, int]  # run id, revision


class Watch:
    """One who watches."""

    def __init__(self, run_id: str | None) -> None:
        self.run_id = run_id
        self.closed = False
        self._news: dict[str, int] = {}
        self._wake = asyncio.Event()

    async def changes(self, timeout_s: float | None = None) -> dict[str, int]:
        """What changed since this was asked last, by run; waits until there is something.

        Nothing after `timeout_s`, and once the feed is closed.
        """
        try:
            async with asyncio.timeout(None if self.closed else timeout_s):
                await self._wake.wait()
        except TimeoutError:
            return {}
        if not self.closed:
            self._wake.clear()
        news, self._news = self._news, {}
        return news

    def tell(self, run_id: str, rev: int) -> None:
        self._news[run_id] = rev
        self._wake.set()

    def close(self) -> None:
        self.closed = True
        self._wake.set()


class Feed:
    """Lives on the event loop; not to be touched from other threads."""

    def __init__(self) -> None:
        self._watches: set[Watch] = set()
        self._closed = False

    def publish(self, changes: Iterable[Change]) -> None:
        if not self._watches:
            return
        for run_id, rev in changes:
            for watch in self._watches:
                if watch.run_id in (None, run_id):
                    watch.tell(run_id, rev)

    @contextmanager
    def watch(self, run_id: str | None = None) -> Generator[Watch]:
        """Changes of one run, or of all, from now on."""
        watch = Watch(run_id)
        if self._closed:
            watch.close()
        self._watches.add(watch)
        try:
            yield watch
        finally:
            self._watches.discard(watch)

    def close(self) -> None:
        """The server ends: nobody is to wait any longer."""
        self._closed = True
        for watch in self._watches:
            watch.close()
