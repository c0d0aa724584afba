"""`make demo`: starts a server, uploads the wine pipeline, runs it, and shows what came out.

Everything is in the folder .demo (override with LODESTEP_HOME). With a terminal the server stays up until Ctrl-C, so
that one can look around; without one it ends when the results are printed. Either way no process is left.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import urllib3

EXAMPLES = Path(__file__).resolve().parent
HOME = Path(os.environ.get("LODESTEP_HOME") or EXAMPLES.parent / ".demo" / "home")
LODESTEP = [sys.executable, "-m", "lodestep.cli"]
FIRST_PORT = 8888
PATIENCE_S = 60


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end in the same orderly way
    server = start_server()
    code = 1
    try:
        url = str(json.loads((HOME / "server.json").read_text())["url"])
        say(f"The server is up: {url}")
        run_id = upload_and_run(url, EXAMPLES / "wine.yaml")
        say("The first run installs scikit-learn into an environment of its own; later ones are served from it.\n")
        code = subprocess.call([*LODESTEP, "show", run_id, "--follow", "--home", str(HOME)])
        say(f"\nThe run: {url}/  (or: lodestep show {run_id[:8]} --home {HOME})")
        if code == 0 and sys.stdin.isatty() and sys.stdout.isatty():
            say("The server stays up until Ctrl-C.")
            server.wait()
    except KeyboardInterrupt:
        say("\nEnding …")
    finally:
        stop(server)
    return code


def start_server() -> "subprocess.Popen[str]":
    """`lodestep up` on the usual port, or on any free one where that is taken."""
    HOME.mkdir(parents=True, exist_ok=True)
    for port in (FIRST_PORT, 0):
        command = [*LODESTEP, "up", "--no-browser", "--json", "--port", str(port), "--home", str(HOME)]
        # A session of its own: Ctrl-C is ours to hand on, in the right order.
        server = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert server.stdout is not None
        assert server.stderr is not None
        if server.stdout.readline():
            return server
        said = server.stderr.read()
        server.wait()
        if "cannot listen" not in said:
            break
    raise SystemExit(said.strip())


def upload_and_run(url: str, package: Path) -> str:
    """What `kfp.Client.upload_pipeline` and `run_pipeline` send, without the SDK. Returns the run's id."""
    http = urllib3.PoolManager(retries=False, timeout=PATIENCE_S)
    name = f"wine {time.strftime('%Y-%m-%d %H:%M:%S')}"
    answer = http.request(
        "POST",
        f"{url}/apis/v2beta1/pipelines/upload",
        fields={"uploadfile": (package.name, package.read_bytes())},
    )
    api = f"{url}/apis/v2beta1"
    if answer.status == 409:  # uploaded by an earlier demo
        pipeline_id = http.request("GET", f"{api}/pipelines/names/wine").json()["pipeline_id"]
    else:
        pipeline_id = checked(answer)["pipeline_id"]
    say(f"The pipeline is uploaded: {package.name}")
    run = {"display_name": name, "pipeline_version_reference": {"pipeline_id": pipeline_id}}
    return checked(http.request("POST", f"{api}/runs", json=run))["run_id"]


def checked(answer: urllib3.BaseHTTPResponse) -> dict[str, str]:
    if answer.status != 200:
        raise SystemExit(f"the server answers {answer.status}: {answer.data.decode(errors='replace')}")
    return answer.json()


def stop(server: "subprocess.Popen[str]") -> None:
    """End the runs, the server and its step hosts, in this order: steps would outlive their server."""
    home = ["--home", str(HOME)]
    if server.poll() is None:
        listed = subprocess.run(
            [*LODESTEP, "runs", "--state", "RUNNING", "--json", *home], capture_output=True, text=True, check=False
        )
        for run in json.loads(listed.stdout or "[]"):
            subprocess.run([*LODESTEP, "terminate", run["run_id"], *home], check=False, capture_output=True)
            subprocess.run([*LODESTEP, "show", run["run_id"], "-f", *home], check=False, capture_output=True)
        server.terminate()
    server.wait(timeout=PATIENCE_S)
    deadline = time.monotonic() + PATIENCE_S
    while list((HOME / "hosts").glob("*.sock")) and time.monotonic() < deadline:
        time.sleep(0.1)  # an idle step host ends by itself, a moment after its server


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
