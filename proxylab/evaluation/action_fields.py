"""A policy's action probabilities at every cell of a maze, as a vector field."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proxylab.environments.placement import at_every_cell
from proxylab.errors import UsageError
from proxylab.evaluation.evaluate import as_policies, env_kwargs_of, task_of
from proxylab.evaluation.play import start_level
from proxylab.rollouts.rollout import Policy
from proxylab.storage.whole_files import whole_file
from proxylab.tasks import known_task
from proxylab_envs.batch import BatchedEnv

SCHEMA = "proxylab.field/1"
MOVES = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])
"""(row, column) of the actions up, down, left and right."""


@dataclass(frozen=True)
class Field:
    """An agent's action probabilities on one level.

    Attributes:
        agent: its name.
        level: the level as text, with the mouse at its start.
        cells: int64[N, 2], row and column of every free cell except the cheese's.
        probabilities: float32[N, 4], up, down, left, right.
    """

    agent: str
    level: str
    cells: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    @property
    def sampled(self) -> NDArray[np.float64]:
        """float64[N, 2]: expected move by row and column, its length at most 1."""
        return self.probabilities @ MOVES

    @property
    def greedy(self) -> NDArray[np.int64]:
        """int64[N, 2]: move of the most probable action."""
        return MOVES[self.probabilities.argmax(1)]


@dataclass(frozen=True)
class Fields:
    """What ``proxylab field`` prints.

    Attributes:
        task: task name.
        fields: list of :class:`Field`, one per agent.
        figure: file of the figure.
    """

    task: str
    fields: list[Field]
    figure: str

    def as_json(self) -> dict[str, Any]:
        """The object that ``field --json`` prints."""
        rows = [
            asdict(field) | {n: getattr(field, n).tolist() for n in ("cells", "probabilities")}
            for field in self.fields
        ]
        return {"schema": SCHEMA, "task": self.task, "fields": rows, "figure": self.figure}


def action_field(policy: Policy, env: BatchedEnv) -> Field:
    """The :class:`Field` of a policy on the level of the first environment of ``env``.

    Raises:
        UsageError: the environment is not a maze in which the mouse can be placed.
    """
    if env.level_kind != "maze":
        raise UsageError(f"{env.env_id} is no maze: a field shows what a mouse would do")
    text = env.level_text(0)
    cells, (probabilities,) = at_every_cell(env, lambda env, i: [policy.probabilities(env, i)])
    return Field(policy.name, text, cells, probabilities.astype(np.float32))


def show_fields(
    agents: str | Policy | Iterable[str | Policy],
    split: str = "shifted",
    seed: int = 0,
    level: str | Path | None = None,
    out: str | Path = "field.png",
    device: str = "cpu",
) -> Fields:
    """Draw the fields of agents of one task on one level side by side.

    Args:
        agents: references or policies, one or a list.
        split: split to draw the level from.
        seed: of the level.
        level: text file with a level, used instead of a drawn one.
        out: file of the figure, ``.png`` or ``.svg``.
        device: ``cpu``, ``cuda`` or ``auto``.

    Returns:
        :class:`Fields`.

    Raises:
        UsageError: agents of several tasks, a task without mazes, an invalid level or file name.
    """
    from proxylab.plots.fields import field_panels  # matplotlib is slow to load

    path = Path(out)
    if path.suffix not in (".png", ".svg"):
        raise UsageError(f"{path}: a figure's name ends in .png or .svg")
    policies = as_policies(agents, device)
    task = task_of(policies[0])
    fields = []
    for policy in policies:
        env = known_task(task_of(policy, task)).make_env(1, **env_kwargs_of(policy))
        start_level(env, task, split, seed, level)
        fields.append(action_field(policy, env))
        picture = env.render_rgb(0)
    figure = field_panels(picture, fields)
    with whole_file(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    return Fields(task, fields, str(path))
