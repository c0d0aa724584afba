"""Changes over the wire: what PATCH means, and the limits of names and tags."""

import json
from typing import Any

import pytest

from tests.contract.rig import V2, experiment, form, refusal, send, started, unique, upload, upload_refusal, uploaded
from tests.e2e.conftest import LiveServer

INVALID, NOT_FOUND = 3, 5


def test_patch_changes_what_is_given(served: LiveServer, hello: Any) -> None:
    made = uploaded(served, hello, name=unique("patch"), description="stays", tags='{"a":"1"}')
    path = f"{V2}/pipelines/{made['pipeline_id']}"
    changed = served.json("PATCH", path, {"display_name": "New", "name": "not this", "description": "nor this"})
    assert changed == {**made, "display_name": "New"}
    assert served.json("PATCH", path, {}) == changed
    assert served.json("PATCH", path, {"display_name": ""}) == changed
    assert served.json("PATCH", path, {"tags": {"b": "2"}})["tags"] == {"b": "2"}
    assert served.json("PATCH", path, {"tags": None})["tags"] == {"b": "2"}
    cleared = served.json("PATCH", path, {"tags": {}})
    assert "tags" not in cleared
    assert served.json("GET", path) == cleared


def test_patch_changes_a_version(served: LiveServer, hello: Any) -> None:
    made = uploaded(served, hello, name=unique("patch"), tags='{"a":"1"}')
    (version,) = served.json("GET", f"{V2}/pipelines/{made['pipeline_id']}/versions")["pipeline_versions"]
    path = f"{V2}/pipelines/{made['pipeline_id']}/versions/{version['pipeline_version_id']}"
    changed = served.json("PATCH", path, {"display_name": "New", "description": "not this"})
    assert changed == {**version, "display_name": "New"}
    assert "tags" not in served.json("PATCH", path, {"tags": {}})


TAGS = [
    ({f"k{n}": "v" for n in range(21)}, "21 tags: at most 20"),
    ({"": "v"}, "is no tag"),
    ({"a.b": "v"}, "is no tag"),
    ({"k" * 64: "v"}, "at most 63"),
    ({"k": "v" * 64}, "at most 63"),
]


@pytest.mark.parametrize(("tags", "words"), TAGS)
def test_tags_have_limits(served: LiveServer, hello: Any, tags: dict[str, str], words: str) -> None:
    name = unique("tags")
    assert words in refusal(served.request("POST", f"{V2}/pipelines", {"name": name, "tags": tags}), 400, INVALID)
    data = json.dumps(hello).encode()
    assert words in upload_refusal(upload(served, data, name=name, tags=json.dumps(tags)))
    made = uploaded(served, hello, name=name, tags=json.dumps({f"k{n}": "v" for n in range(20)}))
    path = f"{V2}/pipelines/{made['pipeline_id']}"
    assert words in refusal(served.request("PATCH", path, {"tags": tags}), 400, INVALID)
    assert served.json("GET", path) == made


@pytest.mark.parametrize("tags", ["[]", "5", '{"a":1}', "{", '{"a":null}'])
def test_tags_of_an_upload_are_an_object_of_texts(served: LiveServer, hello: Any, tags: str) -> None:
    upload_refusal(upload(served, json.dumps(hello).encode(), name=unique("tags"), tags=tags))


def test_names_have_limits(served: LiveServer, hello: Any) -> None:
    data = json.dumps(hello).encode()
    stem = unique("long")
    made = uploaded(served, hello, name=stem.ljust(128, "p"))
    version = {"path": "upload_version", "pipelineid": made["pipeline_id"]}
    uploaded(served, hello, name=stem.ljust(127, "v"), **version)
    experiment(served, display_name=stem.ljust(128, "e"))
    started(served, hello, display_name="r" * 255)
    refused = [
        upload_refusal(upload(served, data, name="p" * 129)),
        upload_refusal(upload(served, data, name="p", display_name="p" * 129)),
        upload_refusal(upload(served, data, name="v" * 128, **version)),
        upload_refusal(upload(served, data, name="v", display_name="v" * 128, **version)),
        refusal(served.request("POST", f"{V2}/pipelines", {"name": "p" * 129}), 400, INVALID),
        refusal(served.request("POST", f"{V2}/experiments", {"display_name": "e" * 129}), 400, INVALID),
        refusal(
            served.request("PATCH", f"{V2}/pipelines/{made['pipeline_id']}", {"display_name": "p" * 129}), 400, INVALID
        ),
        refusal(
            served.request("POST", f"{V2}/runs", {"display_name": "r" * 256, "pipeline_spec": hello}), 400, INVALID
        ),
    ]
    assert all("at most" in message for message in refused), refused


@pytest.mark.parametrize("name", [" ", "a\u0000b", "line\nbreak", "\x1b[31m"])
def test_names_are_printable(served: LiveServer, hello: Any, name: str) -> None:
    refusal(served.request("POST", f"{V2}/experiments", {"display_name": name}), 400, INVALID)
    refusal(served.request("POST", f"{V2}/runs", {"display_name": name, "pipeline_spec": hello}), 400, INVALID)
    refusal(served.request("POST", f"{V2}/pipelines", {"name": name}), 400, INVALID)


def test_a_name_may_be_in_any_language(served: LiveServer, hello: Any) -> None:
    name = unique("日本語 ünï 🚀 <b> ' \" %20 /")
    assert experiment(served, display_name=name)["display_name"] == name
    assert started(served, hello, display_name=name)["display_name"] == name
    made = uploaded(served, hello, name=name)
    assert made["name"] == name


def test_an_upload_without_a_name_takes_that_of_its_file(served: LiveServer, hello: Any) -> None:
    data = json.dumps(hello).encode()
    stem = unique("file")
    assert upload(served, data, filename=f"{stem}.json").json()["name"] == stem
    stem = unique("file")
    assert upload(served, data, filename=f"C:\\folder\\{stem}.yaml").json()["name"] == stem
    stem = unique("file")
    assert upload(served, data, filename=f"{stem}.json", display_name=f"{stem} shown").json()["name"] == f"{stem} shown"


def test_a_package_is_not_fetched_from_elsewhere(served: LiveServer) -> None:
    pipeline = served.json("POST", f"{V2}/pipelines", {"name": unique("fetch")})["pipeline_id"]
    body = {"name": "v", "package_url": {"pipeline_url": "http://169.254.169.254/x.yaml"}}
    assert "not fetched" in refusal(served.request("POST", f"{V2}/pipelines/{pipeline}/versions", body), 400, INVALID)
    body = {"pipeline": {"name": "x"}, "pipeline_version": body}
    assert "not fetched" in refusal(served.request("POST", f"{V2}/pipelines/create", body), 400, INVALID)
    refusal(served.request("POST", f"{V2}/pipelines/none/versions", {"name": "v"}), 404, NOT_FOUND)


def test_a_version_of_no_pipeline_is_refused(served: LiveServer, hello: Any) -> None:
    data = json.dumps(hello).encode()
    assert "pipelineid" in upload_refusal(upload(served, data, path="upload_version", name="v"))
    upload_refusal(upload(served, data, path="upload_version", name="v", pipelineid="none"), 404)


def test_a_form_without_the_file_is_refused(served: LiveServer) -> None:
    body, headers = form(b"{}", field="another")
    answer = send(served.url, "POST", f"{V2}/pipelines/upload", body, headers, name="x")
    assert "uploadfile" in upload_refusal(answer)
