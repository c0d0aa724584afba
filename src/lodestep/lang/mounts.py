"""Where a step finds an artifact as a file."""

from typing import Any
from urllib.parse import unquote

_STORES = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}
_IMAGES = "oci://"


def local_path(artifact: dict[str, Any]) -> str:
    """The artifact's custom path, the file that its URI names, or the mount of its store. A plain path stays.

    The mounts are those that the SDK's artifact classes compute. `artifact` is a `RuntimeArtifact` in JSON.
    """
    if custom := artifact.get("customPath"):
        return str(custom)
    uri = str(artifact.get("uri", ""))
    if uri.startswith("file://"):
        return unquote(uri[uri.find("/", 7) :]) if "/" in uri[7:] else ""
    for scheme, mount in _STORES.items():
        if uri.startswith(scheme):
            return mount + uri.removeprefix(scheme)
    if uri.startswith(_IMAGES):
        return "/oci/" + uri.removeprefix(_IMAGES).replace("/", "_") + "/models"
    return uri
