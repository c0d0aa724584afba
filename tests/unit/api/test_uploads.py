"""Uploads: names from file names, tags from the query, and a file that the same key covers in any form."""

import asyncio
import json
from typing import Any

import pytest
import urllib3

from lodestep.api import uploads
from lodestep.errors import InvalidInput
from tests.unit.api.inside import Answer, Inside
from tests.unit.spec.hostile_corpus import PIPELINE, pipeline_text

PATH = "/apis/v2beta1/pipelines/upload"


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("train.yaml", "train"),
        ("train.yml", "train"),
        ("train.tar.gz", "train"),
        ("train.zip", "train"),
        ("train.v2.json", "train.v2"),
        ("/home/me/train.yaml", "train"),
        ("C:\\files\\train.yaml", "train"),
        ("../../train.yaml", "train"),
        ("train", "train"),
        (".yaml", ""),
        ("", ""),
    ],
)
def test_a_file_name_becomes_a_name(filename: str, name: str) -> None:
    assert uploads._from_filename(filename) == name  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("text", ["[]", "null", "5", '"x"', '{"a": 1}', "{", '{"a.b": "c"}'])
def test_tags_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        uploads._tags(text)  # pyright: ignore[reportPrivateUsage]


def test_tags_are_read() -> None:
    assert uploads._tags("") == {}  # pyright: ignore[reportPrivateUsage]
    assert uploads._tags('{"a": "b"}') == {"a": "b"}  # pyright: ignore[reportPrivateUsage]


async def upload(inside: Inside, data: bytes, query: str, *, key: str = "", boundary: str = "b") -> Answer:
    body, kind = urllib3.encode_multipart_formdata({"uploadfile": ("p.json", data)}, boundary)
    return await inside.ask("POST", f"{PATH}?{query}", body, {"content-type": kind, "idempotency-key": key})


def test_a_key_covers_the_file_whatever_the_form(inside: Inside) -> None:
    async def go() -> list[Answer]:
        data = json.dumps(PIPELINE).encode()
        return [
            await upload(inside, data, "name=a", key="k", boundary="one"),
            await upload(inside, data, "name=a", key="k", boundary="two"),
            await upload(inside, pipeline_text(sdkVersion="kfp-2.0"), "name=a", key="k"),
        ]

    first, again, other = asyncio.run(go())
    assert first.status == 200
    assert (again.status, again.body) == (200, first.body)
    assert other.status == 409
    assert set(other.json()) == {"error_message", "error_details"}


def test_the_name_falls_back_to_that_of_the_file(inside: Inside) -> None:
    async def go() -> list[Any]:
        data = json.dumps(PIPELINE).encode()
        return [(await upload(inside, data, query)).json()["name"] for query in ("name=a", "display_name=b", "")]

    assert asyncio.run(go()) == ["a", "b", "p"]


def test_a_condition_that_is_none_is_refused(inside: Inside) -> None:
    """The document is read as a run would read it: what a run would stumble over is not kept."""
    broken = json.loads(json.dumps(PIPELINE))
    broken["root"]["dag"]["tasks"]["a"]["triggerPolicy"] = {"condition": "1 +"}
    answer = asyncio.run(upload(inside, json.dumps(broken).encode(), "name=a"))
    assert answer.status == 400
    assert "condition" in answer.json()["error_details"].lower() or "triggerPolicy" in answer.json()["error_details"]


def test_a_limit_of_the_settings_holds(tmp_path: Any) -> None:
    from lodestep.config import Limits

    inside = Inside(tmp_path / "home", limits=Limits(upload_bytes=1000))
    answer = asyncio.run(upload(inside, b" " * 1001, "name=a"))
    assert answer.status == 400
    assert "at most 1000" in answer.json()["error_message"]
    inside.close()
