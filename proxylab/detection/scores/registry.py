"""The table of detectors.

A detector is a frozen dataclass with ``name``, ``access``, ``higher_is``,
``fit(reference, task) -> state`` and ``score(state, suspect, rng) -> float``; with
``per_episode(state, suspect) -> float64[E]`` where its score is the mean of
a value per episode, and ``per_step(state, suspect) -> float64[T]`` where it can
point at steps; with ``pursues(state, suspect) -> list[Pursuit]`` where it can name
goals. Those of the table have ``unit`` and ``source``, for ``proxylab list detectors``.
An external one is named ``module:Class``. To add one here: write the class with its
formula, unit and source, add a line to ``SCORES``, and a test. The interface is
``proxylab.detection.score``; ``ensemble`` has fixed members and does not change.

Access codes: W action probabilities, Q the suspect's sampled actions, L logs of
states and actions, P the proxy reward in addition.
"""

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from proxylab.detection.score import ListedScore, Score
from proxylab.detection.scores.actions import ActionDivergence, TimeAlignedDivergence
from proxylab.detection.scores.clone import CloneSurprise
from proxylab.detection.scores.controls import ProxyStream, Uncertainty
from proxylab.detection.scores.deedee import EpisodeMean
from proxylab.detection.scores.discriminator import Discriminator
from proxylab.detection.scores.ensemble import Ensemble
from proxylab.detection.scores.first_divergence import FirstDivergence
from proxylab.detection.scores.goals import GoalAttribution
from proxylab.detection.scores.habits import HabitDivergence, LapseRatio
from proxylab.detection.scores.kappa import KappaScore
from proxylab.detection.scores.kernel_two_sample import KernelDistance
from proxylab.detection.scores.mixture import MixtureDivergence
from proxylab.detection.scores.occupancy import OccupancyDivergence
from proxylab.detection.scores.paths import PathOutliers
from proxylab.detection.scores.rare_episodes import RareEpisodes
from proxylab.errors import UsageError, choices

ACCESS_CODES = ("W", "Q", "L", "P")


ON_REQUEST = ("discriminator_kl", "discriminator_chi2", "c2st", "ensemble")
"""Those that take a second or more per policy: computed only on request."""

_SINGLE: tuple[ListedScore, ...] = (
    OccupancyDivergence("occupancy_js", "js"),
    OccupancyDivergence("occupancy_tv", "total_variation"),
    OccupancyDivergence("state_action_js", "js", cells="state-actions"),
    OccupancyDivergence("occupancy_chi2", "chi2", smoothing=0.05),
    FirstDivergence("first_divergence"),
    GoalAttribution("goal_attribution"),
    CloneSurprise("bc_surprise"),
    HabitDivergence("habit_js_q90", 0.9),
    LapseRatio("lapse_ratio"),
    RareEpisodes("higher_criticism"),
    KernelDistance("block_mmd", "gaussian"),
    KernelDistance("energy", "distance"),
    PathOutliers("path_features"),
    EpisodeMean("deedee"),
    ActionDivergence("mean_js", "js", "mean"),
    ActionDivergence("mean_hellinger", "hellinger", "mean"),
    ActionDivergence("range_hellinger", "hellinger", "range"),
    TimeAlignedDivergence("mean_js_paper", "js", "mean"),
    TimeAlignedDivergence("mean_hellinger_paper", "hellinger", "mean"),
    TimeAlignedDivergence("range_hellinger_paper", "hellinger", "range"),
    MixtureDivergence("mixture_js"),
    MixtureDivergence("mixture_js_q90", 0.9),
    MixtureDivergence("mixture_js_q99", 0.99),
    KappaScore("kappa"),
    Uncertainty("uncertainty_max", "max"),
    Uncertainty("uncertainty_margin", "margin"),
    Uncertainty("uncertainty_entropy", "entropy"),
    ProxyStream("proxy_stream"),
    Discriminator("discriminator_kl", "kl"),
    Discriminator("discriminator_chi2", "chi2"),
    Discriminator("c2st", "accuracy"),
)

MEMBER_NAMES = (
    "occupancy_js",
    "occupancy_tv",
    "state_action_js",
    "occupancy_chi2",
    "first_divergence",
    "goal_attribution",
    "bc_surprise",
    "habit_js_q90",
    "lapse_ratio",
    "block_mmd",
    "energy",
    "path_features",
    "deedee",
)
"""Those that may take part in ``ensemble``: fixed, since its weights were fitted with these."""


def ensemble_members(scores: Iterable[ListedScore]) -> tuple[ListedScore, ...]:
    """The members of ``ensemble`` among ``scores``, in the order of ``MEMBER_NAMES``."""
    by_name = {score.name: score for score in scores}
    return tuple(by_name[name] for name in MEMBER_NAMES)


MEMBERS = ensemble_members(_SINGLE)
"""The detectors that may take part in ``ensemble``."""

SCORES: dict[str, ListedScore] = {
    score.name: score for score in (*_SINGLE, Ensemble("ensemble", MEMBERS))
}
"""Every detector by name."""

USUAL = tuple(name for name in SCORES if name not in ON_REQUEST)
"""Those that take well under a second per policy."""

BRIEF = ("occupancy_js", "higher_criticism", "goal_attribution")
"""Those that are reported by default: what a verdict and the kind of difference need."""


def find_score(name: str | Score) -> Score:
    """The detector of that name, or of ``module:Class``; a detector object is returned as it is.

    Raises:
        UsageError: there is none, or it lacks an attribute.
    """
    if not isinstance(name, str):
        return complete(name, type(name).__name__)
    if name in SCORES:
        return SCORES[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        listed = choices(name, SCORES, " or module:Class")
        raise UsageError(f"unknown detector {name!r}: {listed}")
    try:
        score = getattr(import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError) as error:
        raise UsageError(f"cannot load the detector {name!r}: {error}") from None
    return complete(score, name)


def complete(score: Any, name: str) -> Score:
    """The detector itself, if it has every attribute that the judgement needs.

    Raises:
        UsageError: it lacks one.
    """
    missing = [part for part in ("name", "access", "fit", "score") if not hasattr(score, part)]
    if missing:
        raise UsageError(f"the detector {name!r} lacks {', '.join(missing)}")
    return score
