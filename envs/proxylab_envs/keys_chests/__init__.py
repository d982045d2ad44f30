"""keys-chests: in training keys are scarce; on shifted levels more keys than chests lie about."""

from proxylab_envs.keys_chests.env import KeysChests
from proxylab_envs.keys_chests.level import KeysConfig, KeysLevel

__all__ = ["KeysChests", "KeysConfig", "KeysLevel"]
