"""Named, independent random streams from one seed."""

import hashlib


def stream_seed(seed: int, name: str) -> int:
    """An independent seed for a named stream: int in [0, 2**64)."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return int.from_bytes(digest[:8], "little")
