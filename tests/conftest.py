"""What holds for every test."""

import signal

from tests.e2e.conftest import no_server_is_left

# Where tests are started in the background, these are ignored, and so they would be by every program that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(_number, signal.SIG_DFL)

__all__ = ["no_server_is_left"]
