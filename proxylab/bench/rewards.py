"""``bench rewards``: what a learned reward costs, from the answers to a trained policy.

One run: collect 500 answers, fit five members, PPO of 500,000 steps on the model, 20 checkpoints
scored on held-out levels. And the cost of the reward model within PPO: the same training on the
true reward and on the mean of the model's members, in turn, without evaluations.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from proxylab.agents.references import load_stored
from proxylab.agents.scripted import UniformPolicy
from proxylab.bench.timing import Row
from proxylab.config import MODEL
from proxylab.reproduce.learned import held_out, judge_episodes
from proxylab.rewards.collect import RANDOM, collect
from proxylab.rewards.fit import fit
from proxylab.rewards.model import load_model, save_model
from proxylab.rewards.raters import Rater
from proxylab.training.saving import snapshot_folders
from proxylab.training.train import make_config, make_model, train

TASK, ROLE = "boat-lagoon", "trusted"
SOURCES = (RANDOM, "zoo:boat-lagoon/trusted-00", "zoo:boat-lagoon/weak-00")
PAIRS, STEPS, CHECKPOINTS, LEVELS = 500, 500_000, 20, 128
SHORT_STEPS, ROUNDS = 65_536, 3
"""Of the comparison within PPO: environment steps, and how often both are measured in turn."""

AIM_SECONDS, AIM_SLOWDOWN = 90.0, 1.4


def bench_rewards(steps: int = STEPS, short_steps: int = SHORT_STEPS) -> list[Row]:
    """Rows of the parts of a run, of the whole run, and of PPO with and without the model.

    Args:
        steps: environment steps of the run.
        short_steps: environment steps of each training of the comparison.
    """
    with tempfile.TemporaryDirectory(prefix="proxylab-bench-") as folder:
        parts = _parts(Path(folder), steps)
        pairs = [_trained(Path(folder), short_steps) for _ in range(ROUNDS + 1)][1:]
    rows = [Row(name, seconds, "s") for name, seconds in parts.items()]
    total = sum(parts.values())
    rows.append(_against_aim("one run, all parts", total, "s", AIM_SECONDS))
    plain, learned = (sorted(column) for column in zip(*pairs, strict=True))
    slowdown = sorted(with_model / without for without, with_model in pairs)
    rows += [
        Row("PPO on the true reward", short_steps / plain[len(plain) // 2], "steps/s"),
        Row("PPO on the model", short_steps / learned[len(learned) // 2], "steps/s"),
    ]
    middle = slowdown[len(slowdown) // 2]
    return [*rows, _against_aim("PPO's time with the model over without", middle, "", AIM_SLOWDOWN)]


def _against_aim(what: str, value: float, unit: str, aim: float) -> Row:
    outcome = "met" if value <= aim else "missed"
    return Row(what, value, unit, aim=f"at most {aim:g}", outcome=outcome)


def _parts(folder: Path, steps: int) -> dict[str, float]:
    """{part: seconds} of one run."""
    clock = [time.perf_counter()]
    preferences = collect(TASK, SOURCES, PAIRS, Rater(10.0))
    clock.append(time.perf_counter())
    save_model(fit(preferences), folder / "model")
    clock.append(time.perf_counter())
    options: dict[str, Any] = {"reward": f"{MODEL}{folder / 'model'}", "total_timesteps": steps}
    train(TASK, ROLE, out=folder / "run", snapshots=CHECKPOINTS, **options)
    clock.append(time.perf_counter())
    env, seeds = held_out(TASK, LEVELS, "bench")
    model, start = load_model(folder / "model"), UniformPolicy(TASK)
    for snapshot in snapshot_folders(folder / "run"):
        judge_episodes(load_stored(snapshot), start, model, env, seeds, 0)
    clock.append(time.perf_counter())
    names = (f"collect {PAIRS} answers", "fit 5 members", f"PPO, {steps:,} steps", "score")
    return {name: b - a for name, a, b in zip(names, clock, clock[1:], strict=False)}


def _trained(folder: Path, steps: int) -> tuple[float, float]:
    """Seconds of PPO on the true reward, and on the model's."""
    seconds = []
    for reward in ("true", f"{MODEL}{folder / 'model'}"):
        ppo = make_model(make_config(TASK, ROLE, reward=reward, total_timesteps=steps))
        start = time.perf_counter()
        ppo.learn(steps)
        seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1]
