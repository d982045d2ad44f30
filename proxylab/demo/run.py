"""The steps of the demo. Each is one call of a verb, so all of it can be done by hand."""

import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from proxylab.agents.loading import ScriptedPolicy, load_agent
from proxylab.demo import figures, tables
from proxylab.demo.traces import watch
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import evaluate
from proxylab.rollouts.rollout import rollout
from proxylab.screening.run import detect
from proxylab.seeds import stream_seed
from proxylab.storage.store import METRICS, read_table
from proxylab.tasks import known_task
from proxylab.training.plan import plan, train_all
from proxylab_envs.levels import Levels

SCHEMA = "proxylab.demo/1"
OCCUPANCY_LEVELS = 200
SUSPECT, TRUSTED, HONEST = "proxy agent", "trusted agent", "honest, held out"


@dataclass(frozen=True)
class Demo:
    """What one task shows.

    Attributes:
        trusted: reference of the shipped agent that stands beside the new one.
        honest: reference of the held-out honest agents.
        seeker: script that pursues the proxy goal and nothing else.
        split: of the levels in the pictures.
        num_levels: levels that both agents are watched on.
        num_drawn: how many of them are drawn.
        columns: of the map that the state ids count row by row.
        every: steps between two frames of the GIF.
        frames_per_second: of the GIF.
        returns_are_shares: every goal pays 1 and once, so a mean return is a share of episodes.
    """

    trusted: str
    honest: str
    seeker: str
    split: str
    num_levels: int
    num_drawn: int
    columns: int
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
        columns=9,
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
        columns=12,
        num_drawn=1,
        every=5,
        frames_per_second=20,
        returns_are_shares=False,
    ),
}


@dataclass(frozen=True)
class DemoResult:
    """What the demo found and where it is.

    Attributes:
        task: name of the task.
        seconds: wall-clock time of all of it.
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
    training: dict
    agents: list
    suspect: dict
    honest: dict
    files: list
    schema: str = SCHEMA

    def as_json(self):
        """The object that ``demo --json`` prints."""
        return asdict(self)


def demo(
    task="maze-corner",
    out="demo",
    seed=0,
    total_timesteps=None,
    episodes=400,
    device="auto",
    force=False,
    bar=lambda job: nullcontext(),
    track=lambda jobs, description: jobs,
):
    """Train a proxy agent from scratch, then evaluate, detect and draw it.

    The run lies where ``train`` puts it. A finished one is used again and an unfinished
    one gone on with, so a second call only takes the time of the evaluation.

    Args:
        task: ``maze-corner`` or ``boat-lagoon``.
        out: folder; figures, GIF and tables go to ``<out>/<task>``.
        seed: of the training and of the levels.
        total_timesteps: of the training; the task's preset by default.
        episodes: levels per split in evaluation and detection.
        device: of the training: ``auto``, ``cpu`` or ``cuda``.
        force: train anew whatever is in the run's folder.
        bar: function (job) -> context manager, to show the training's progress.
        track: function (list, description) -> iterable, to show that of the rest.

    Returns:
        :class:`DemoResult`.

    Raises:
        UsageError: there is no demo of that task.
    """
    if task not in DEMOS:
        raise UsageError(f"no demo of {task!r}: choose {', '.join(DEMOS)}")
    start, folder = time.perf_counter(), Path(out) / task
    training = _train(task, seed, bar, force, total_timesteps=total_timesteps, device=device)
    run = training["run"]
    evaluation = _evaluate(task, run, episodes, seed, track)
    detection = _detect(task, run, episodes, seed, track)
    traces = _watch_both(task, run, seed)
    found = _tables(task, run, (evaluation, detection, traces), seed)
    files = [*figures.draw_figures(found, f"{folder}/"), _film(task, run, seed, traces, folder)]
    files.append(tables.write_tables(found, folder / "tables.json"))
    return DemoResult(
        task=task,
        seconds=time.perf_counter() - start,
        training=training,
        agents=_agent_rows(evaluation),
        suspect=_suspect_row(detection),
        honest=_honest_row(detection),
        files=[str(path) for path in files],
    )


def _train(task, seed, bar, force, **options):
    """Train the proxy agent, or find it trained; what ``train --json`` prints."""
    found = plan(task, "proxy", (seed,), **options)
    return train_all(found, resume=not force, force=force, bar=bar).as_json()


def _evaluate(task, run, episodes, seed, track):
    """Both agents on the levels of every split; what ``evaluate --json`` prints."""
    agents = [run, DEMOS[task].trusted]
    return evaluate(agents, task=task, episodes=episodes, seed=seed, track=track).as_json()


def _detect(task, run, episodes, seed, track):
    """The new agent and the honest held-out ones before the trusted population."""
    suspects = [run, DEMOS[task].honest]
    return detect(suspects, task=task, episodes=episodes, seed=seed, track=track).as_json()


def _watch_both(task, run, seed):
    """The new agent and the trusted one on the same levels, with the same action draws."""
    env = known_task(task).make_env(DEMOS[task].num_levels)
    seeds = _telling_levels(task, env, seed)
    return [
        trace
        for label, policy in _both(task, run).items()
        for trace in watch(policy, env, seeds, agent=label, seed=seed)
    ]


def _telling_levels(task, env, seed):
    """The first levels on which going for the proxy does not happen to reach the goal as well."""
    chosen = DEMOS[task]
    seeker = ScriptedPolicy(task, chosen.seeker)
    candidates = env.sample_level_seeds(Levels(chosen.split), 20 * chosen.num_levels, seed)
    kept = []
    for batch in candidates.reshape(-1, env.num_envs):
        ends = watch(seeker, env, batch, agent="", seed=seed)
        kept += [end.level_seed for end in ends if end.outcome == "proxy"]
        if len(kept) >= chosen.num_levels:
            break
    return np.array(kept[: chosen.num_levels], np.int64)


def _film(task, run, seed, traces, folder):
    """The GIF: both agents on the first level where one goes for the proxy, the other does not."""
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


def _both(task, run):
    """{label: policy} of the new agent and the trusted one."""
    return {SUSPECT: load_agent(run), TRUSTED: load_agent(DEMOS[task].trusted)}


def _tables(task, run, results, seed):
    """All that the figures show."""
    evaluation, detection, traces = results
    drawn = [trace.level_seed for trace in traces[: DEMOS[task].num_drawn]]
    groups = {row["agent"]: HONEST for row in detection["suspects"]} | {run: SUSPECT}
    return {
        "task": task,
        "learning": tables.learning_table(read_table(f"{run}/{METRICS}"), _check_levels(task)),
        "outcomes": tables.outcome_table(evaluation, [SUSPECT, TRUSTED]),
        "accidental": tables.accidental_shares(evaluation),
        "detector": detection["suspects"][0]["detector"],
        "scores": tables.score_table(detection, groups),
        "threshold": tables.flag_threshold(detection),
        "paths": tables.path_table(traces, drawn),
        "occupancy": _occupancy(task, run, seed),
    }


def _occupancy(task, run, seed):
    """{label: share of steps in each cell} of both agents on the levels of the pictures' split."""
    env = known_task(task).make_env(OCCUPANCY_LEVELS)
    levels = Levels(DEMOS[task].split)
    seeds = env.sample_level_seeds(levels, OCCUPANCY_LEVELS, stream_seed(seed, "demo occupancy"))
    return {
        label: tables.cell_shares(
            rollout(policy, env, seeds, task=task, seed=seed)[0], DEMOS[task].columns
        )
        for label, policy in _both(task, run).items()
    }


def _check_levels(task):
    """{split: levels of a check during training} where returns are shares of episodes."""
    from proxylab.training.callbacks import SHIFTED_LEVELS  # imports torch and SB3

    if not DEMOS[task].returns_are_shares:
        return None
    return {"iid": known_task(task).check_levels, "shifted": SHIFTED_LEVELS}


def _agent_rows(evaluation):
    """What the summary says of each agent."""
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


def _suspect_row(detection):
    row = detection["suspects"][0]
    return {name: row[name] for name in ("agent", "verdict", "p_value", "detector", "reason")}


def _honest_row(detection):
    verdicts = [row["verdict"] for row in detection["suspects"][1:]]
    return {"agents": len(verdicts), "flagged": verdicts.count("FLAG")}
