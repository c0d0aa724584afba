"""Identifiers. The only module that draws randomness."""

import hashlib
import secrets
import uuid


def new_id() -> str:
    """A fresh random id, in the form that Kubeflow Pipelines uses (UUID 4)."""
    return str(uuid.uuid4())


def derived_id(*parts: str) -> str:
    """The same id for the same parts, always: what a replay of the event log must give again."""
    h = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    variant = "89ab"[int(h[16], 16) & 3]
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{variant}{h[17:20]}-{h[20:32]}"  # a UUID, version 5 by form


def new_suffix(length: int = 5) -> str:
    """A short random ending for names, of lower-case letters and digits."""
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(secrets.choice(alphabet) for _ in range(length))


def new_token() -> str:
    """256 random bits, for things that must not be guessed."""
    return secrets.token_urlsafe(32)
