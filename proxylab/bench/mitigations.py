"""What each way against a wrong goal costs in training: its steps per second beside plain PPO's."""

import statistics
from collections.abc import Iterator
from typing import Any

from proxylab.bench.timing import REPEATS, Row
from proxylab.bench.training import steps_per_second
from proxylab.config import BOUNDS, CURRICULA

REFERENCE = "zoo:tomato-watering/trusted-00"

MAZE: dict[str, Any] = {
    "algorithm": "ppo",
    "architecture": "conv",
    "role": "proxy",
    "env": {"size": 7},
}
WAYS: dict[str, tuple[dict[str, Any], tuple[dict[str, Any], ...]]] = {
    "maze-corner": (
        MAZE | {"levels": "mix:0.01"},
        tuple(MAZE | {"levels": f"{kind}:0.01"} for kind in CURRICULA),
    ),
    "tomato-watering": (
        {},
        (
            {"kl": 0.2, "kl_to": REFERENCE},
            *({"occupancy": f"{kind}:0.4", "occupancy_to": REFERENCE} for kind in BOUNDS),
        ),
    ),
}
"""{task: (options of plain training, options of each way)}."""


def bench_mitigations() -> list[Row]:
    """A row for each way: its rate over that of plain training, timed in turn with it."""
    return [row for task in WAYS for row in _rows(task)]


def _rows(task: str) -> Iterator[Row]:
    from proxylab.training.train import make_config, make_model  # imports torch and SB3

    plain, ways = WAYS[task]
    models = [make_model(make_config(task, **options)) for options in (plain, *ways)]
    for model in models:
        model.learn(model.n_steps * model.n_envs)
    rates = [[steps_per_second(model) for model in models] for _ in range(REPEATS)]
    base = statistics.median(row[0] for row in rates)
    for k, options in enumerate(ways, 1):
        ratio = statistics.median(row[k] / row[0] for row in rates)
        own = sorted(row[k] for row in rates)
        name = options.get("occupancy") or options.get("levels") or f"kl {options['kl']:g}"
        yield Row(
            f"{task}, {name}: training steps",
            statistics.median(own),
            "steps/s",
            low=own[0],
            high=own[-1],
            peer="plain PPO",
            peer_value=base,
            ratio=ratio,
        )
