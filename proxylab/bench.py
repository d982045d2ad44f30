"""Speed on this machine. Rates are medians of repeats, peers measured in the same run.

Nothing else should run meanwhile. The first call of everything, which compiles, is
left out and its time given apart.
"""

import importlib.util
import os
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass

import numpy as np

from proxylab.errors import UsageError

SCHEMA = "proxylab.bench/1"
REPEATS = 5
REPEAT_SECONDS = 0.2
"""Least duration of a repeat."""
NUM_ENVS = 256
STEPS = 64
"""Steps of every environment in one measured call."""


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        what: what was measured.
        value: rate or time.
        unit: its unit.
        peer: the best known alternative, empty when there is none here.
        peer_value: the same figure of the peer, measured in the same run.
        ratio: how many times better than the peer.
    """

    what: str
    value: float
    unit: str
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class Measured:
    """All rows of one benchmark.

    Attributes:
        what: benchmark.
        rows: list of :class:`Row`.
        processors: usable on this machine.
    """

    what: str
    rows: list[Row]
    processors: int

    def as_json(self):
        """The object that ``bench --json`` prints."""
        return {"schema": SCHEMA, **asdict(self)}


def bench(what="envs", task="maze-corner"):
    """Measure ``envs``, ``statistics`` or ``training``: :class:`Measured`."""
    if what not in BENCHES:
        raise UsageError(f"no benchmark {what!r}: choose {', '.join(BENCHES)}")
    return Measured(what, BENCHES[what](task), os.cpu_count() or 1)


def rate(call, count):
    """How often a second ``call`` does ``count`` things: median of repeats, compiled before."""
    call()
    times = sorted(_seconds(call) for _ in range(REPEATS))
    return count / statistics.median(times)


def _seconds(call):
    """Seconds a call, repeated until they can be measured."""
    calls, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < REPEAT_SECONDS or not calls:
        call()
        calls += 1
    return elapsed / calls


def against(what, unit, mine, peer, theirs):
    """A row with its peer."""
    return Row(what, mine, unit, peer, theirs, mine / theirs)


# Environments

SETTINGS = (
    ("proxylab/MazeCorner-v0", {}),
    ("proxylab/MazeCorner-v0", {"size": 13}),
    ("proxylab/BoatRace-v0", {}),
    ("proxylab/BoatLagoon-v0", {}),
)
"""(id, knobs) of what is measured."""


def bench_envs(_task):
    """Steps and levels a second of every core, and of Minigrid where it is installed."""
    peer = minigrid_rate()
    rows = []
    for env_id, knobs in SETTINGS:
        rows += _env_rows(env_id, knobs, peer)
    return rows


def _env_rows(env_id, knobs, peer):
    from proxylab_envs.levels import Levels
    from proxylab_envs.registry import make_batched

    env = make_batched(env_id, NUM_ENVS, **knobs)
    name = " ".join([env_id, *(f"{key}={value}" for key, value in knobs.items())])
    env.seed_levels(Levels("train"), 0)
    env.reset()
    num_actions = int(env.single_action_space.n)
    actions = np.random.default_rng(0).integers(0, num_actions, (STEPS, NUM_ENVS))
    rows = []
    for label, copy in (("observations in place", False), ("observations copied", True)):
        found = rate(lambda copy=copy: _play(env, actions, copy), actions.size)
        what = f"{name}: steps, {label}"
        rows.append(
            against(what, "steps/s", found, "minigrid FourRooms", peer)
            if peer
            else Row(what, found, "steps/s")
        )
    seeds = env.sample_level_seeds(Levels("train"), NUM_ENVS, 0)
    every = np.arange(NUM_ENVS)
    starts = rate(lambda: env.reset_levels(seeds, every), NUM_ENVS)
    solved = rate(lambda: env.optimal_returns(seeds), NUM_ENVS)
    rows.append(Row(f"{name}: fresh levels", starts, "levels/s"))
    return [*rows, Row(f"{name}: optimal returns", solved, "levels/s")]


def _play(env, actions, copy):
    """A step for each row of ``actions`` (int64[STEPS, NUM_ENVS]), with resets."""
    for row in actions:
        env.step(row)
        env.reset_done()
        if copy:
            env.observe().copy()


def minigrid_rate():
    """Steps a second of 16 Minigrid FourRooms in a SyncVectorEnv, or None."""
    if importlib.util.find_spec("minigrid") is None:
        return None
    import gymnasium as gym
    import minigrid  # noqa: F401 (registers its ids)

    envs = gym.make_vec("MiniGrid-FourRooms-v0", num_envs=16, vectorization_mode="sync")
    envs.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, 3, (50, 16))
    found = rate(lambda: [envs.step(row) for row in actions], actions.size)
    envs.close()
    return found


# Statistics


def bench_statistics(_task):
    """The kernels against SciPy and NumPy on the same numbers."""
    rng = np.random.default_rng(0)
    return [
        _divergence_row(rng),
        _visitation_row(rng),
        _returns_row(rng),
        _bootstrap_row(rng),
    ]


def _divergence_row(rng):
    from scipy.spatial.distance import jensenshannon

    from proxylab.statistics.divergences import row_divergences

    p, q = rng.dirichlet(np.ones(4), (2, 20_000))
    mine = rate(lambda: row_divergences(p, q), len(p))
    columns = p.T.copy(), q.T.copy()  # its fastest layout: distributions along the first axis
    theirs = rate(lambda: jensenshannon(*columns), len(p))
    what = "five divergences of categorical rows (the peer: one)"
    return against(what, "rows/s", mine, "scipy jensenshannon", theirs)


def _ragged(rng, episodes=2_000, longest=100):
    """(steps, offsets int64[E+1]) of episodes of random lengths."""
    lengths = rng.integers(1, longest, episodes)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return int(offsets[-1]), offsets


def _visitation_row(rng):
    from proxylab.statistics.visitation import discounted_visitation

    steps, offsets = _ragged(rng)
    states, discount, num_states = rng.integers(0, 81, steps), 0.99, 81
    lengths = np.diff(offsets)
    episode = np.repeat(np.arange(len(lengths)), lengths)

    def numpy_way():
        weights = discount ** (np.arange(steps) - np.repeat(offsets[:-1], lengths))
        cells = episode * num_states + states
        table = np.bincount(cells, weights, len(lengths) * num_states)
        table = table.reshape(len(lengths), num_states)
        return table / table.sum(axis=1, keepdims=True)

    mine = rate(lambda: discounted_visitation(states, offsets, num_states, discount), steps)
    what = "discounted visitation of each episode"
    return against(what, "steps/s", mine, "numpy bincount", rate(numpy_way, steps))


def _returns_row(rng):
    from scipy.signal import lfilter

    from proxylab.statistics.returns import discounted_returns

    steps, offsets = _ragged(rng)
    rewards, discount = rng.random(steps), 0.99
    parts = np.split(rewards, offsets[1:-1])

    def scipy_way():
        return [lfilter([1], [1, -discount], part[::-1])[-1] for part in parts]

    mine = rate(lambda: discounted_returns(rewards, offsets, discount), steps)
    what = "discounted returns of ragged episodes"
    return against(what, "steps/s", mine, "scipy lfilter", rate(scipy_way, steps))


def _bootstrap_row(rng):
    from scipy.stats import bootstrap as scipy_bootstrap

    from proxylab.statistics.resampling import bootstrap

    values, replicates = rng.random(500), 2_000

    def scipy_way():
        return scipy_bootstrap(
            (values,), np.mean, n_resamples=replicates, method="percentile", rng=1
        )

    mine = rate(lambda: bootstrap(values, np.random.default_rng(1)), replicates)
    what = "bootstrap of the mean of 500 values"
    return against(what, "resamples/s", mine, "scipy bootstrap", rate(scipy_way, replicates))


# Training


def bench_training(task):
    """Seconds to competence of the task's preset, one run from scratch."""
    from proxylab.learning.training import train

    with tempfile.TemporaryDirectory() as folder:
        facts = train(task, out=folder).as_json()
    names = {
        "seconds": "s",
        "seconds_to_competence": "s",
        "steps_per_second": "steps/s",
        "iid_success": "share",
    }
    return [
        Row(f"train {task}: {name.replace('_', ' ')}", facts[name], unit)
        for name, unit in names.items()
        if facts.get(name) is not None
    ]


BENCHES = {"envs": bench_envs, "statistics": bench_statistics, "training": bench_training}
"""benchmark: function (task) -> list of rows."""
