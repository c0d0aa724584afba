"""Connections: HTTP/1.1 by uvicorn and h11, with the bounds that those leave open.

A connection that sends no request, or half of one, is closed after a while; of too many, those that wait longest are
closed. Timers exist only while a connection is in a state that may not last. What a request means is not looked at.
"""

import asyncio
import logging
import resource
import sys
from typing import Any, ClassVar, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from lodestep import jsonio, log
from lodestep.api import peer
from lodestep.config import Settings

HEAD_BYTES = 32 * 1024
HEAD_S = 10.0
BODY_S = 60.0  # without a byte of it
IDLE_S = 75
DRAIN_S = 30.0
DRAIN_BYTES = 64 * 1024 * 1024
MOST_CONNECTIONS = 2048

_READ_BYTES = 32 * 1024  # at once: bounds how long the loop works on what one client sent
_logger = log.get("http")
_logger.setLevel(logging.ERROR)  # what strangers send is no news
