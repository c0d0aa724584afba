"""What holds for every test."""

from tests.e2e.conftest import no_server_is_left

__all__ = ["no_server_is_left"]
