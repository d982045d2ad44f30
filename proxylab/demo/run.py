"""The steps of the demo; each of them is also a command of its own."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.agents.references import load_agent
from proxylab.agents.scripted import ScriptedPolicy
from proxylab.console.output import Track
from proxylab.demo import figures, tables
from proxylab.demo.traces import Trace, watch
from proxylab.errors import UsageError, choices
from proxylab.evaluation.evaluate import evaluate
from proxylab.rollouts.rollout import Policy, rollout
from proxylab.screening.run import detect
from proxylab.seeds import stream_seed
from proxylab.storage.store import METRICS, read_table
from proxylab.tasks import known_task
from proxylab.training.plan import TrainingJob, plan, train_all
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.levels import Levels

Bar = Callable[[TrainingJob], AbstractContextManager[Any]]
"""function (job) -> context manager that shows the progress of its training."""

SCHEMA = "proxylab.demo/1"
OCCUPANCY_LEVELS = 200
SUSPECT, TRUSTED, HONEST = "proxy agent", "trusted agent", "honest, held out"


@dataclass(frozen=True)
class Demo:
    """Settings of the demo of one task.

    Attributes:
        trusted: reference of the shipped agent that the new one is compared with.
        honest: reference of the held-out honest agents.
        seeker: script of the proxy policy.
        split: of the levels in the pictures.
        num_levels: levels on which both agents are recorded.
        num_drawn: how many of them are drawn.
        every: steps between two frames of the GIF.
        frames_per_second: of the GIF.
        returns_are_shares: every goal pays 1 once, so a mean return is a share of episodes.
    """

    trusted: str
    honest: str
    seeker: str
    split: str
    num_levels: int
    num_drawn: int
    every: int
    frames_per_second: int
    returns_are_shares: bool


DEMOS = {
    "maze-corner": Demo(
        trusted="zoo:maze-corner/trusted-03",
        honest="zoo:maze-corner/honest",
        seeker="corner-seeker",
        split="shifted",
        num_levels=6,
        num_drawn=6,
        every=1,
        frames_per_second=6,
        returns_are_shares=True,
    ),
    "boat-lagoon": Demo(
        trusted="zoo:boat-lagoon/trusted-03",
        honest="zoo:boat-lagoon/honest",
        seeker="looper",
        split="iid",
        num_levels=20,
        num_drawn=1,
        every=5,
        frames_per_second=20,
        returns_are_shares=False,
    ),
}


@dataclass(frozen=True)
class DemoResult:
    """Results of the demo and the paths of its files.

    Attributes:
        task: name of the task.
        seconds: wall-clock time.
        training: what ``train --json`` prints.
        agents: per agent: ``agent``, ``label``, ``verdict``, ``reason`` of the evaluation, and
            ``reached``, the share of episodes that reach the intended goal, per split.
        suspect: verdict, p-value and detector of the new agent.
        honest: how many honest held-out agents were scored, and how many were flagged.
        files: paths of figures, GIF and tables.
        schema: of this object as JSON.
    """

    task: str
    seconds: float
    training: dict[str, Any]
    agents: list[dict[str, Any]]
    suspect: dict[str, Any]
    honest: dict[str, int]
    files: list[str]
    schema: str = SCHEMA

    def as_json(self) -> dict[str, Any]:
        """The object that ``demo --json`` prints."""
        return asdict(self)


def demo(
    task: str = "maze-corner",
    out: str | Path = "demo",
    seed: int = 0,
    total_timesteps: int | None = None,
    episodes: int = 400,
    device: str = "auto",
    force: bool = False,
    bar: Bar = lambda job: nullcontext(),
    track: Track = lambda jobs, description: jobs,
) -> DemoResult:
    """Train a proxy agent from scratch, then evaluate, detect and draw it.

    The run lies where ``train`` puts it. A finished run is reused and an unfinished one
    resumed, so a second call only takes the time of the evaluation.

    Args:
        task: ``maze-corner`` or ``boat-lagoon``.
        out: folder; figures, GIF and tables go to ``<out>/<task>``.
        seed: of the training and of the levels.
        total_timesteps: of the training; the task's preset by default.
        episodes: levels per split in evaluation and detection.
        device: of the training: ``auto``, ``cpu`` or ``cuda``.
        force: train anew even if the run's folder holds a run.
        bar: function (job) -> context manager, to show the training's progress.
        track: function (list, description) -> iterable, to show that of the rest.

    Returns:
        :class:`DemoResult`.

    Raises:
        UsageError: there is no demo of that task.
    """
    if task not in DEMOS:
        raise UsageError(f"no demo of {task!r}: {choices(task, DEMOS)}")
    start, folder = time.perf_counter(), Path(out) / task
    training = _train(task, seed, bar, force, total_timesteps=total_timesteps, device=device)
    run = training["run"]
    evaluation = _evaluate(task, run, episodes, seed, track)
    detection = _detect(task, run, episodes, seed, track)
    traces = _watch_both(task, run, seed)
    demo_tables = _tables(task, run, (evaluation, detection, traces), seed)
    files = [
        *figures.draw_figures(demo_tables, f"{folder}/"),
        _film(task, run, seed, traces, folder),
    ]
    files.append(tables.write_tables(demo_tables, folder / "tables.json"))
    return DemoResult(
        task=task,
        seconds=time.perf_counter() - start,
        training=training,
        agents=_agent_rows(evaluation),
        suspect=_suspect_row(detection),
        honest=_honest_row(detection),
        files=[str(path) for path in files],
    )


def _train(task: str, seed: int, bar: Bar, force: bool, **options: Any) -> dict[str, Any]:
    """Train the proxy agent, or reuse its run; what ``train --json`` prints."""
    training_plan = plan(task, "proxy", (seed,), **options)
    return train_all(training_plan, resume=not force, force=force, bar=bar).as_json()


def _evaluate(task: str, run: str, episodes: int, seed: int, track: Track) -> dict[str, Any]:
    """Both agents on the levels of every split; what ``evaluate --json`` prints."""
    agents = [run, DEMOS[task].trusted]
    return evaluate(agents, task=task, episodes=episodes, seed=seed, track=track).as_json()


def _detect(task: str, run: str, episodes: int, seed: int, track: Track) -> dict[str, Any]:
    """The new agent and held-out honest agents as suspects; what ``detect --json`` prints."""
    suspects = [run, DEMOS[task].honest]
    return detect(suspects, task=task, episodes=episodes, seed=seed, track=track).as_json()


def _watch_both(task: str, run: str, seed: int) -> list[Trace]:
    """The new agent and the trusted one on the same levels, with the same action draws."""
    env = known_task(task).make_env(DEMOS[task].num_levels)
    seeds = _telling_levels(task, env, seed)
    return [
        trace
        for label, policy in _both(task, run).items()
        for trace in watch(policy, env, seeds, agent=label, seed=seed)
    ]


def _telling_levels(task: str, env: BatchedEnv, seed: int) -> NDArray[np.int64]:
    """The first levels on which the proxy policy does not also reach the intended goal."""
    chosen = DEMOS[task]
    seeker = ScriptedPolicy(task, chosen.seeker)
    candidates = env.sample_level_seeds(Levels(chosen.split), 20 * chosen.num_levels, seed)
    level_seeds = []
    for batch in candidates.reshape(-1, env.num_envs):
        ends = watch(seeker, env, batch, agent="", seed=seed)
        level_seeds += [end.level_seed for end in ends if end.outcome == "proxy"]
        if len(level_seeds) >= chosen.num_levels:
            break
    return np.array(level_seeds[: chosen.num_levels], np.int64)


def _film(task: str, run: str, seed: int, traces: Sequence[Trace], folder: Path) -> Path:
    """The GIF: both agents on the first level with outcomes ``proxy`` and ``intended``."""
    chosen, half = DEMOS[task], len(traces) // 2
    pairs = list(zip(traces[:half], traces[half:], strict=True))
    apart = [k for k, (a, b) in enumerate(pairs) if (a.outcome, b.outcome) == ("proxy", "intended")]
    number = apart[0] if apart else 0
    env, seeds = known_task(task).make_env(1), [pairs[number][0].level_seed]
    filmed = [
        watch(policy, env, seeds, agent=label, seed=seed, first=number, every=chosen.every)[0]
        for label, policy in _both(task, run).items()
    ]
    path = folder / "side-by-side.gif"
    return figures.animate(task, filmed, path, chosen.frames_per_second)


def _both(task: str, run: str) -> dict[str, Policy]:
    """{label: policy} of the new agent and the trusted one."""
    return {SUSPECT: load_agent(run), TRUSTED: load_agent(DEMOS[task].trusted)}


def _tables(
    task: str, run: str, results: tuple[dict[str, Any], dict[str, Any], list[Trace]], seed: int
) -> dict[str, Any]:
    """The tables that the figures are drawn from."""
    evaluation, detection, traces = results
    drawn = [trace.level_seed for trace in traces[: DEMOS[task].num_drawn]]
    groups = {row["agent"]: HONEST for row in detection["suspects"]} | {run: SUSPECT}
    return {
        "task": task,
        "learning": tables.learning_table(read_table(Path(run) / METRICS), _check_levels(task)),
        "outcomes": tables.outcome_table(evaluation, [SUSPECT, TRUSTED]),
        "accidental": tables.accidental_shares(evaluation),
        "detector": detection["suspects"][0]["detector"],
        "scores": tables.score_table(detection, groups),
        "threshold": tables.flag_threshold(detection),
        "paths": tables.path_table(traces, drawn),
        "occupancy": _occupancy(task, run, seed),
    }


def _occupancy(task: str, run: str, seed: int) -> dict[str, list[list[float]]]:
    """{label: share of steps in each cell} of both agents on the levels of the pictures' split."""
    env = known_task(task).make_env(OCCUPANCY_LEVELS)
    levels = Levels(DEMOS[task].split)
    seeds = env.sample_level_seeds(levels, OCCUPANCY_LEVELS, stream_seed(seed, "demo occupancy"))
    places = env.place_map(int(seeds[0]))
    assert places is not None  # tasks with a demo can be drawn
    columns = places.shape[1]
    return {
        label: tables.cell_shares(rollout(policy, env, seeds, task=task, seed=seed)[0], columns)
        for label, policy in _both(task, run).items()
    }


def _check_levels(task: str) -> dict[str, int] | None:
    """{split: levels of a check during training} where returns are shares of episodes."""
    from proxylab.training.callbacks import SHIFTED_LEVELS  # imports torch and SB3

    if not DEMOS[task].returns_are_shares:
        return None
    return {"iid": known_task(task).check_levels, "shifted": SHIFTED_LEVELS}


def _agent_rows(evaluation: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per agent for the summary."""
    return [
        {
            "agent": row["agent"],
            "label": label,
            "verdict": row["verdict"],
            "reason": row["reason"],
            "reached": {
                split: tables.reached(result["sampled"]["outcomes"])
                for split, result in tables.held_out(row).items()
            },
        }
        for row, label in zip(evaluation["agents"], (SUSPECT, TRUSTED), strict=True)
    ]


def _suspect_row(detection: dict[str, Any]) -> dict[str, Any]:
    row = detection["suspects"][0]
    return {name: row[name] for name in ("agent", "verdict", "p_value", "detector", "reason")}


def _honest_row(detection: dict[str, Any]) -> dict[str, int]:
    verdicts = [row["verdict"] for row in detection["suspects"][1:]]
    return {"agents": len(verdicts), "flagged": verdicts.count("FLAG")}
