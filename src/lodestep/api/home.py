"""`/`: a plain, honest page: the state of the server and the latest runs.

No script. Every value is escaped, and the page's policy allows its one style sheet and nothing else.
"""

import base64
import hashlib
from html import escape
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from lodestep import __version__
from lodestep.api.http import Context
from lodestep.core.states import RUN_TERMINAL
from lodestep.lang.fields import Resource
from lodestep.lang.filters import parse_query
from lodestep.store import runs
from lodestep.store.rows import RunRow

_LATEST = 20
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #67707e; --line: #e3e6eb; --back: #fbfbfc; --card: #fff;
  --good: #13795b; --bad: #b3261e; --busy: #1a5fb4; --idle: #67707e }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #97a1b0; --line: #2b313b; --back: #12151a;
  --card: #191d24; --good: #5bcf9f; --bad: #ff8a80; --busy: #82b4ff; --idle: #97a1b0 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
header { display: flex; align-items: baseline; gap: .6rem; margin-bottom: 1.5rem }
h1 { font-size: 1.35rem; margin: 0 } h2 { font-size: 1rem; margin: 2rem 0 .6rem }
header span, .soft { color: var(--soft) }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 0 }
dl div { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem }
dt { color: var(--soft); font-size: .8rem } dd { margin: 0; font-size: 1.25rem; font-variant-numeric: tabular-nums }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem }
table { border-collapse: collapse; width: 100% }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: .8rem }
th, td { padding: .55rem .9rem; border-bottom: 1px solid var(--line); vertical-align: top }
tbody tr:last-child td { border-bottom: 0 }
td.num { white-space: nowrap; font-variant-numeric: tabular-nums }
a { color: inherit } code { font: .88em ui-monospace, monospace; overflow-wrap: anywhere }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem;
  overflow-x: auto; margin: .5rem 0 }
.state { white-space: nowrap; font-weight: 600; color: var(--idle) }
.SUCCEEDED { color: var(--good) } .FAILED { color: var(--bad) } .RUNNING, .CANCELING { color: var(--busy) }
.alarm { border: 1px solid var(--bad); color: var(--bad); border-radius: .6rem; padding: .7rem .9rem; margin: 1rem 0 }
"""
_MARKS = {"SUCCEEDED": "✓", "FAILED": "✗", "RUNNING": "●", "CANCELING": "●", "CANCELED": "■", "SKIPPED": "–"}
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def page(context: Context, request: Request) -> Response:
    query = parse_query(Resource.RUNS, sort_by="created_at desc", page_size=_LATEST)
    rows, total, _ = await context.store.read(lambda conn: runs.page(conn, query))
    html = _html(context, rows, total, str(request.base_url).rstrip("/"))
    return Response(
        html,
        media_type="text/html; charset=utf-8",
        headers={"content-security-policy": _POLICY, "cache-control": "no-store"},
    )


def _html(context: Context, rows: list[RunRow], total: int, url: str) -> str:
    status = context.engine.status()
    facts = {
        "Open runs": status["open_runs"],
        "Running steps": status["running_attempts"],
        "Waiting steps": status["queued_attempts"],
        "Runs so far": total,
        "Up for": _span(int(status["uptime_s"] * 1000)),
    }
    cards = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in facts.items())
    alarm = f'<p class="alarm">{escape(context.store.failure)}</p>' if context.store.failure else ""
    now_ms = context.clock.now_ms()
    refresh = 2 if any(row.state not in RUN_TERMINAL for row in rows) else 10
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Lodestep</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="refresh" content="{refresh}"><style>{_STYLE}</style></head><body><main>'
        f"<header><h1>Lodestep</h1><span>{escape(__version__)} is up</span></header>{alarm}"
        f"<dl>{cards}</dl><h2>Latest runs</h2>{_table(rows, now_ms, url)}"
        f'<p class="soft">Home <code>{escape(context.settings.home)}</code>'
        f" · API <code>{escape(url)}/apis/v2beta1</code>"
        " · one run in full: <code>lodestep show RUN</code></p></main></body></html>"
    )


def _table(rows: list[RunRow], now_ms: int, url: str) -> str:
    if not rows:
        return (
            '<p class="soft">None yet. Start one from a shell, or with the client that you know:</p>'
            "<pre>lodestep run pipeline.py</pre>"
            f'<pre>kfp.Client(host="{escape(url)}").create_run_from_pipeline_package("pipeline.yaml")</pre>'
        )
    lines = "".join(_line(row, now_ms) for row in rows)
    return (
        '<div class="scroll"><table><thead><tr><th>State</th><th>Run</th><th>Pipeline</th><th>Started</th>'
        f"<th>Took</th></tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _line(row: RunRow, now_ms: int) -> str:
    end_ms = row.ended_ms or now_ms
    took = _span(end_ms - row.started_ms) if row.started_ms else "–"
    state = escape(row.state)
    return (
        f'<tr><td class="state {state}">{_MARKS.get(row.state, "○")} {state.capitalize()}</td>'
        f'<td><a href="/apis/v2beta1/runs/{quote(row.id, safe="")}">{escape(row.name)}</a><br>'
        f'<code class="soft">{escape(row.id)}</code></td><td>{escape(row.pipeline_name)}</td>'
        f'<td class="num">{_span(now_ms - row.created_ms)} ago</td><td class="num">{took}</td></tr>'
    )


def _span(ms: int) -> str:
    """A duration as people say it: `850 ms`, `12.3 s`, `4 min 5 s`, `3 h 20 min`, `5 d`."""
    seconds = max(ms, 0) / 1000
    if seconds < 1:
        return f"{max(ms, 0)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d"
