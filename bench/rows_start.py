"""Start-up and loading: what a person waits for before anything happens."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from bench import documents, measure, servers
from bench.measure import Cost, Row, ms
from lodestep import jsonio
from lodestep.spec.load import read_upload


def imports(rounds: int) -> Iterator[Row]:
    """Importing and asking for help, against a bare interpreter and against the official SDK. CPU time."""
    subjects = {
        "pass": measure.python("pass"),
        "import lodestep": measure.python("import lodestep"),
        "lodestep --help": lambda: measure.child(sys.executable, "-m", "lodestep.cli", "--help"),
        "kfp": measure.python("import kfp"),
    }
    for subject in subjects.values():
        subject()
    cost = measure.interleaved(rounds, subjects)
    floor = cost["pass"].cpu_s
    for what, most in (("import lodestep", 1.3), ("lodestep --help", 6.0)):
        ratio = cost[what].cpu_s / floor
        yield Row(
            what, f"{ms(cost[what].cpu_s)} CPU", f"C = {ms(floor)}", f"{ratio:.2f} C", f"≤ {most} C", ratio <= most
        )
    peer = cost["kfp"].cpu_s
    yield Row("import kfp (the official SDK)", f"{ms(peer)} CPU", f"C = {ms(floor)}", f"{peer / floor:.0f} C", "", None)


def loading(rounds: int) -> Iterator[Row]:
    """A pipeline of 1,000 tasks read, checked and made ready. CPU time."""
    document = documents.chain(1000)
    as_yaml, as_json = documents.as_yaml(document), jsonio.encode(document)
    cost = measure.interleaved(
        rounds,
        {
            "yaml": measure.here(lambda: read_upload(as_yaml, filename="p.yaml")),
            "json": measure.here(lambda: read_upload(as_json, filename="p.json")),
            "peer": measure.here(lambda: yaml.load(as_yaml, Loader=yaml.CSafeLoader)),
        },
    )
    peer = cost["peer"].cpu_s
    for kind, size, most in (("yaml", len(as_yaml), 0.25), ("json", len(as_json), 0.06)):
        taken = cost[kind].cpu_s
        yield Row(
            f"load 1,000 tasks, {kind.upper()} ({size / 1e6:.1f} MB)",
            f"{ms(taken)} CPU",
            f"PyYAML's C loader {ms(peer)}",
            f"{taken / peer:.2f} ×",
            f"≤ {ms(most)}",
            taken <= most,
        )


def server_start(rounds: int) -> Iterator[Row]:
    """From the command to the first 200 of the front page, on a home that is there already."""
    home = servers.fresh_home()
    servers.first_answer(home)
    cost = measure.interleaved(rounds, {"ours": lambda: servers.first_answer(home), "floor": _bare_server})
    ours, floor = cost["ours"], cost["floor"]
    yield Row(
        "server start to first 200",
        f"{ms(ours.cpu_s)} CPU, {ms(ours.wall_s)}",
        f"bare uvicorn {ms(floor.cpu_s)} CPU",
        f"{ours.cpu_s / floor.cpu_s:.1f} ×",
        "≤ 1.2 s CPU",
        ours.cpu_s <= 1.2,
    )


def _bare_server() -> Cost:
    script = Path(__file__).with_name("bare_server.py")
    return servers.first_answer_of(
        subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=measure.environment())
    )
