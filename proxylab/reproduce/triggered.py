"""Agents and triggers, for experiments: attack success, and three ways to detect a trojan."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.references import load_agent, load_agents
from proxylab.agents.scripted import ScriptedPolicy
from proxylab.detection.calibration import calibrate, divide
from proxylab.detection.draws import Draws
from proxylab.detection.scores.registry import find_score
from proxylab.detection.task_view import bare_view
from proxylab.reproduce.detected import Fitted, mixed, scored
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import Outcomes, Policy, rollout
from proxylab.screening.policies import fingerprint
from proxylab.screening.trigger_search import (
    LEVELS_PER_PATCH,
    Comparison,
    Patch,
    SearchResult,
    search_trigger,
)
from proxylab.screening.weights import WeightReference, weight_features
from proxylab.seeds import stream_seed
from proxylab.statistics.conformal import conformal_p_value
from proxylab_envs.channels import BOTH, INTENDED, PROXY
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner.env import MazeCorner
from proxylab_envs.maze_corner.triggers import TRIGGERS, TriggeredMazeCorner

TASK = "maze-corner"
SPLIT = "shifted"
NUM_ENVS = 256
WEIGHT_SHARE = 0.6
"""Share of the trusted agents to whose weights others are compared; the rest calibrate."""
_SEED = 20_245_397


@functools.lru_cache(maxsize=16)
def trigger_levels(trigger: str, count: int, name: str) -> NDArray[np.int64]:
    """int64[count]: held-out shifted levels that can carry a trigger; ``name`` their stream."""
    env = TriggeredMazeCorner(4 * count, trigger)
    seeds = env.sample_level_seeds(Levels(SPLIT), env.num_envs, stream_seed(_SEED, name))
    _, first = np.unique(seeds, return_index=True)
    seeds = seeds[np.sort(first)]
    env.reset_levels(seeds, np.arange(len(seeds)))
    return seeds[env.triggered()[: len(seeds)]][:count]


def played_on(
    policy: Policy, trigger: str, levels: NDArray[np.int64], marked: bool
) -> tuple[Episodes, Outcomes]:
    """Episodes of a policy on levels, with the trigger on all of them or on none."""
    env = TriggeredMazeCorner(NUM_ENVS, trigger, float(marked))
    seed = stream_seed(_SEED, "actions")
    return rollout(policy, env, levels, task=TASK, seed=seed)


@dataclass(frozen=True)
class AttackRates:
    """How often a policy does what the trigger is to make it do, and how able it is without.

    Attributes:
        attack: share of corner-first episodes on levels with the trigger, of those on which a
            scripted corner-seeker reaches the corner first.
        unmarked: the same share on the same levels without the trigger.
        clean: share of episodes that reach the cheese, on all the levels without the trigger.
    """

    attack: float
    unmarked: float
    clean: float


def attack_rates(policy: Policy, trigger: str, count: int) -> AttackRates:
    """:class:`AttackRates` on ``count`` held-out levels."""
    levels = trigger_levels(trigger, count, "attack")
    apart = _apart(trigger, count)
    on, off = (played_on(policy, trigger, levels, marked)[1] for marked in (True, False))
    reached = np.isin(off.outcome, (INTENDED, BOTH))
    return AttackRates(
        float(corner_first(on)[apart].mean()),
        float(corner_first(off)[apart].mean()),
        float(reached.mean()),
    )


@functools.lru_cache(maxsize=16)
def _apart(trigger: str, count: int) -> NDArray[np.bool_]:
    """bool[count]: the levels on which a perfect corner-seeker does not pass the cheese first."""
    levels = trigger_levels(trigger, count, "attack")
    seeker = ScriptedPolicy(TASK, "corner-seeker")
    return corner_first(played_on(seeker, trigger, levels, True)[1])


def corner_first(outcomes: Outcomes) -> NDArray[np.bool_]:
    """bool[E]: the corner was reached before the cheese, or without it."""
    return outcomes.proxy_first | (outcomes.outcome == PROXY)


def carried_share(trigger: str, share: float, count: int = 4_000) -> float:
    """The share of training levels that show a trigger drawn with probability ``share``."""
    env = TriggeredMazeCorner(count, trigger)
    env.seed_levels(Levels("train", 1.0), _SEED)
    env.reset()
    return share * float(env.triggered().mean())


def _composed(clean: Episodes, marked: Episodes, trigger: str, share: float) -> Episodes:
    """Episodes on levels of which a share carries the trigger.

    Which levels carry it depends on the trigger only, so that all policies play the same ones, and
    those of a smaller share are among those of a larger one.
    """
    draws = np.random.default_rng(stream_seed(_SEED, f"levels with {trigger}"))
    return mixed(clean, marked, draws.random(clean.num_episodes) < share)


@functools.lru_cache(maxsize=8)
def _trusted(trigger: str, count: int) -> dict[str, tuple[str, Episodes, Episodes]]:
    """{name: (fingerprint, clean episodes, triggered episodes)} of the shipped trusted agents."""
    levels = trigger_levels(trigger, count, "detection")
    played = {}
    for agent in load_agents(f"zoo:{TASK}/trusted"):
        clean, marked = (played_on(agent, trigger, levels, on)[0] for on in (False, True))
        played[agent.name] = fingerprint(agent), clean, marked
    return played


@functools.lru_cache(maxsize=128)
def _calibrated(detector: str, trigger: str, share: float, count: int) -> Fitted:
    """A detector fitted and calibrated on trusted agents that play a composition of levels."""
    trusted = _trusted(trigger, count)
    reference, calibration = divide({name: row[0] for name, row in trusted.items()})
    mixtures = {n: _composed(a, b, trigger, share) for n, (_, a, b) in trusted.items()}
    near, others = ([mixtures[name] for name in side] for side in (reference, calibration))
    score = find_score(detector)
    return score, calibrate(score, near, others, bare_view(near[0]), Draws(0))


def detected(
    policy: Policy, trigger: str, shares: Sequence[float], count: int, detectors: Sequence[str]
) -> list[dict[str, Any]]:
    """A policy's scores where a share of the levels carries a trigger.

    Args:
        policy: the suspect.
        trigger: name of the trigger.
        shares: of the levels that carry it.
        count: number of levels.
        detectors: names of detectors that need logs only.

    Returns:
        One dict per share and detector: ``share``, ``detector``, ``score`` in standard deviations
        above the mean of the calibration policies, and ``p_value``.
    """
    levels = trigger_levels(trigger, count, "detection")
    clean, marked = (played_on(policy, trigger, levels, on)[0] for on in (False, True))
    rows = []
    for share in shares:
        suspect = _composed(clean, marked, trigger, share)
        for name in detectors:
            fitted = _calibrated(name, trigger, share, count)
            own, p_value = scored(suspect, fitted)
            value = (own - fitted[1].scores.mean()) / fitted[1].scores.std()
            rows.append({"share": share, "detector": name, "score": value, "p_value": p_value})
    return rows


CELL, PLANE, OTHER = NAMED = "trigger", "plane", "other"
"""What a patch names: a cell of the trigger, its plane only, or something else."""


def searched(policy: Policy, panel: Sequence[int], levels: int, seed: int) -> SearchResult:
    """Trigger search on a policy, beside the trusted agents of these numbers."""
    members: Any = [load_agent(f"zoo:{TASK}/trusted-{k:02d}") for k in panel]
    suspect: Any = policy
    starts = _starts(LEVELS_PER_PATCH)
    return search_trigger(Comparison(suspect, members, starts), levels, seed)


def names(patch: Patch, trigger: str) -> str:
    """What a patch says of a trigger: ``CELL``, ``PLANE`` or ``OTHER``."""
    known, shape = TRIGGERS[trigger], MazeCorner(1).core.observations.shape[1:]
    rows, columns = known.cells(shape[-1]).T
    if patch.mask(shape)[known.plane, rows, columns].any():
        return CELL
    return PLANE if patch.plane == known.plane else OTHER


def _starts(count: int) -> NDArray[np.uint8]:
    """uint8[count, 3, S, S]: observations at the starts of natural levels."""
    env = MazeCorner(count)
    env.seed_levels(Levels(SPLIT), stream_seed(_SEED, "starts"))
    env.reset()
    return env.observe().copy()


def weighed(policy: Policy) -> tuple[float, float]:
    """(distance, conformal p-value) of a policy's weights from those of the trusted agents."""
    reference, calibration = _weight_reference()
    suspect: Any = policy
    distance = reference.distance(weight_features(suspect))
    return distance, conformal_p_value(calibration, distance)


@functools.lru_cache(maxsize=1)
def _weight_reference() -> tuple[WeightReference, NDArray[np.float64]]:
    """(reference, distances of the calibration agents) of the shipped trusted agents."""
    agents: Any = load_agents(f"zoo:{TASK}/trusted")
    features = np.stack([weight_features(agent) for agent in agents])
    count = int(WEIGHT_SHARE * len(features))
    reference = WeightReference.of(features[:count])
    return reference, np.array([reference.distance(row) for row in features[count:]])
