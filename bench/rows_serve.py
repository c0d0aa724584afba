"""Serving: long lists, and doing nothing."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from bench import documents, measure, servers
from bench.measure import Row, mib, ms
from lodestep import jsonio
from lodestep.clock import SystemClock
from lodestep.core.model import RunHeader
from lodestep.ids import derived_id
from lodestep.spec.load import from_wire
from lodestep.store import experiments, runs, specs
from lodestep.store.db import Connection
from lodestep.store.rows import ExperimentRow, RunRow
from lodestep.store.store import Store

_BATCH = 5_000
_SETTLE_S = 3.0
_LOOK_S = 0.02


def listing(count: int, calls: int) -> Iterator[Row]:
    """A page of 100 among very many runs, over HTTP. The floor is the smallest answer that the server gives."""
    folder = servers.fresh_home()
    asyncio.run(_fill(folder, count))
    with servers.server(folder) as at:
        page = "/apis/v2beta1/runs?page_size=100&sort_by=created_at%20desc"
        asked = {"page": page, "floor": "/apis/v2beta1/healthz"}
        taken: dict[str, list[float]] = {name: [] for name in asked}
        for path in asked.values():
            at.http.request("GET", at.url + path)
        for _ in range(calls):
            for name, path in asked.items():
                start = time.perf_counter()
                answer = at.http.request("GET", at.url + path)
                taken[name].append(time.perf_counter() - start)
                assert answer.status == 200, answer.data
    floor = statistics.median(taken["floor"])
    p50, p99 = statistics.median(taken["page"]), statistics.quantiles(taken["page"], n=100)[98]
    yield Row(
        f"page of 100 among {count:,} runs: p50",
        ms(p50),
        f"healthz {ms(floor)}",
        f"{p50 / floor:.1f} ×",
        "≤ 2 ms",
        p50 <= 0.002,
    )
    yield Row(
        f"page of 100 among {count:,} runs: p99",
        ms(p99),
        f"healthz {ms(floor)}",
        f"{p99 / floor:.1f} ×",
        "≤ 10 ms",
        p99 <= 0.01,
    )


def noisy(seconds: int) -> Iterator[Row]:
    """Answers while steps print as fast as they can: their logs are no business of the server's."""
    steps = 2
    with servers.server() as at:
        page = "/apis/v2beta1/runs?page_size=20"
        quiet = _slowest(at, page, seconds / 2)
        document = documents.noisy(steps, seconds)
        at.call("POST", "/apis/v2beta1/runs", {"display_name": "noisy", "pipeline_spec": document})
        while at.call("GET", "/apis/lodestep/v1/status")["running_attempts"] < steps:
            time.sleep(_LOOK_S)
        noise = _slowest(at, page, seconds / 2)
        while at.call("GET", "/apis/lodestep/v1/status")["open_runs"]:
            time.sleep(_LOOK_S)
    yield Row(
        f"a page while {steps} steps print at full speed: p99",
        ms(noise),
        f"the same in silence: {ms(quiet)}",
        f"{noise / quiet:.1f} ×",
        "≤ 50 ms",
        noise <= 0.05,
    )


def _slowest(at: servers.Server, path: str, seconds: float) -> float:
    """The 99th of a hundred answers, of as many as come in so long."""
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        at.http.request("GET", at.url + path)
        taken.append(time.perf_counter() - start)
    return statistics.quantiles(taken, n=100)[98]


def idle(seconds: float) -> Iterator[Row]:
    """A server that has done some work and has nothing to do."""
    with servers.server() as at:
        servers.run(at, documents.chain(5))
        time.sleep(_SETTLE_S)
        before, used = measure.wake_ups(at.pid), measure.cpu_s(at.pid)
        time.sleep(seconds)
        woken, used = measure.wake_ups(at.pid) - before, measure.cpu_s(at.pid) - used
        held = measure.resident_bytes(at.pid)
    yield Row("idle server: memory", mib(held), "", "", "≤ 100 MiB", held <= 100 * 1024**2)
    per_second = woken / seconds
    yield Row(
        "idle server: wake-ups",
        f"{per_second:.2f}/s",
        f"{used:.2f} s CPU in {seconds:.0f} s",
        "",
        "≤ 1/s",
        per_second <= 1,
    )


async def _fill(home: Path, count: int) -> None:
    """Rows as the server would have written them, straight into the store."""
    document = from_wire(documents.chain(1))
    store = Store.open(home, SystemClock())
    try:
        start_ms = SystemClock().now_ms() - count * 1000
        experiment = ExperimentRow(id=derived_id("bench"), name="bench", created_ms=start_ms)

        def first(conn: Connection) -> None:
            experiments.insert(conn, experiment)
            specs.put(conn, document.digest, document.canonical, start_ms)

        await store.write(first)
        for begin in range(0, count, _BATCH):
            numbers = range(begin, min(begin + _BATCH, count))
            await store.write(
                lambda conn, numbers=numbers: _insert(conn, numbers, experiment.id, document.digest, start_ms)
            )
    finally:
        store.close()


def _insert(conn: Connection, numbers: range, experiment_id: str, digest: str, start_ms: int) -> None:
    for number in numbers:
        run_id = derived_id("bench", str(number))
        at_ms = start_ms + number * 1000
        header = RunHeader(
            run_id=run_id,
            name=f"run {number}",
            pipeline_name="chain",
            resource_name=f"chain-{number}",
            spec_digest=digest,
        )
        row = RunRow(
            id=run_id,
            name=f"run {number}",
            experiment_id=experiment_id,
            pipeline_name="chain",
            spec_digest=digest,
            inline_spec=True,
            header=jsonio.encode(header),
            state="FAILED" if number % 10 == 0 else "SUCCEEDED",
            history=jsonio.encode([["RUNNING", at_ms, ""], ["SUCCEEDED", at_ms + 900, ""]]),
            created_ms=at_ms,
            scheduled_ms=at_ms,
            started_ms=at_ms,
            ended_ms=at_ms + 900,
        )
        runs.insert(conn, row)
