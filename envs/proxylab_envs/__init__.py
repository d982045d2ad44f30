"""Gymnasium environments with an intended goal and a proxy goal that differ on some levels.

Importing the package registers the ids.
"""

from proxylab_envs.registry import ENVS, make_batched, register_all

__all__ = ["ENVS", "make_batched"]

register_all()
