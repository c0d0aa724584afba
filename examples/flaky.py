"""A step that fails twice before it works, and is tried again each time."""

from kfp import dsl


@dsl.component
def flaky(fail_times: int, folder: str) -> int:
    """Counts its attempts in a file; fails until it has been tried often enough."""
    from pathlib import Path

    path = Path(folder) / "attempts"
    attempts = int(path.read_text()) + 1 if path.exists() else 1
    path.write_text(str(attempts))
    if attempts <= fail_times:
        raise ConnectionError(f"attempt {attempts} of {fail_times + 1}: the service is away")
    return attempts


@dsl.component
def fresh_folder() -> str:
    import tempfile

    return tempfile.mkdtemp(prefix="flaky-")


@dsl.pipeline(name="flaky", description="Retries with a growing pause.")
def retrying(fail_times: int = 2) -> int:
    folder = fresh_folder().set_caching_options(False)
    tried = flaky(fail_times=fail_times, folder=folder.output)
    tried.set_caching_options(False)
    tried.set_retry(num_retries=3, backoff_duration="1s", backoff_factor=1.5)
    return tried.output
