"""Gymnasium environments in which the intended goal and a proxy come apart.

Importing the package registers the ids.
"""

from proxylab_envs.registry import ENVS, make_batched, register_all

__all__ = ["ENVS", "make_batched"]

register_all()
