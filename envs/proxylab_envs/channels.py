"""Names of reward channels, info keys and outcomes."""

import numpy as np
from numpy.typing import NDArray

TRUE = "true"
PROXY_PREFIX = "proxy/"

OUTCOMES = ("intended", "proxy", "both", "neither")
INTENDED, PROXY, BOTH, NEITHER = range(4)
RUNNING = -1

LEVEL_SEED = "level_seed"
OUTCOME = "outcome"
PROXY_FIRST = "proxy_first"


def reward_key(channel: str) -> str:
    """Info key of a channel's reward at one step."""
    return f"reward/{channel}"


def return_key(channel: str) -> str:
    """Info key of a channel's undiscounted return, present on the last step of an episode."""
    return f"return/{channel}"


def proxy_channels(channels: tuple[str, ...]) -> tuple[str, ...]:
    """The proxy channels among ``channels``, in order."""
    return tuple(name for name in channels if name.startswith(PROXY_PREFIX))


def reward_weights(reward: str, channels: tuple[str, ...]) -> NDArray[np.float32]:
    """Weights of the channels in the reward that an agent is trained on.

    Args:
        reward: a channel name (``"true"``, ``"proxy/corner"``), ``"proxy"`` for
            the first proxy, or ``"mix:θ"`` for θ·proxy + (1−θ)·true, 0 ≤ θ ≤ 1.
        channels: the environment's channel names, ``true`` among them.

    Returns:
        float32[num_channels].

    Raises:
        ValueError: unknown channel, or θ is not a number in [0, 1].
    """
    weights = np.zeros(len(channels), np.float32)
    first_proxy = proxy_channels(channels)[0]
    if reward.startswith("mix:"):
        share = _share(reward)
        weights[channels.index(first_proxy)] = share
        weights[channels.index(TRUE)] = 1 - share
        return weights
    name = first_proxy if reward == "proxy" else reward
    if name not in channels:
        choices = ", ".join((*channels, "proxy", "mix:<share of proxy>"))
        raise ValueError(f"unknown reward {reward!r}: choose {choices}")
    weights[channels.index(name)] = 1
    return weights


def _share(text: str) -> float:
    try:
        share = float(text.removeprefix("mix:"))
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not mix:<number between 0 and 1>")
    return share
