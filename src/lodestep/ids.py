"""Identifiers. The only module that draws randomness."""

import hashlib
import secrets
import uuid


def new_id() -> str:
    """A fresh random id, in the form that Kubeflow Pipelines uses (UUID 4)."""
    return str(uuid.uuid4())


def derived_id(*parts: str) -> str:
    """The same id for the same parts, always: what a replay of the event log must give again."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def new_suffix(length: int = 5) -> str:
    """A short random ending for names, of lower-case letters and digits."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(secrets.choice(alphabet) for _ in range(length))


def new_token() -> str:
    """256 random bits, for things that must not be guessed."""
    return secrets.token_urlsafe(32)
