"""Hashes of observations: state ids for environments without an index of states."""

import hashlib

HASHED_STATES = 1 << 62
"""``num_states`` of environments whose state ids are hashes."""


def hash_of(octets: bytes) -> int:
    """The hash of bytes: an int in [0, HASHED_STATES)."""
    return int.from_bytes(hashlib.blake2b(octets, digest_size=8).digest(), "little") >> 2
