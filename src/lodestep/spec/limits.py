"""How large a document may be. Every bound is named in the error that it causes."""

import msgspec


class LoadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes are keys, values and collections; `expanded_…` counts what an alias stands for at each use."""

    source_bytes: int = 32 * 1024 * 1024
    nesting: int = 100
    nodes: int = 1_000_000
    aliases: int = 1_000
    expanded_nodes: int = 1_000_000
    expanded_chars: int = 32 * 1024 * 1024
    key_chars: int = 1_024
    scalar_chars: int = 8 * 1024 * 1024
    documents: int = 2
    tasks: int = 100_000
    archive_members: int = 1_000
    archive_bytes: int = 32 * 1024 * 1024


LIMITS = LoadLimits()
