"""Tables of all tasks, environments, agents, runs, experiments and detectors."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from proxylab.console.output import plain
from proxylab.errors import UsageError, choices
from proxylab.reproduce.experiment import experiments_folder

SCHEMA = "proxylab.list/1"
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Inventory:
    """A table of all items of one kind.

    Attributes:
        what: the kind.
        rows: list of dicts with the same keys.
        note: advice for an empty table.
        columns: keys that the console shows; all where there are none.
    """

    what: str
    rows: Rows
    note: str = ""
    columns: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The object that ``list --json`` prints."""
        return {"schema": SCHEMA, "what": self.what, "rows": self.rows}


def inventory(what: str, words: Sequence[str] = ()) -> Inventory:
    """The :class:`Inventory` of ``tasks``, ``envs``, ``agents``, ``runs``, … .

    Args:
        what: the kind.
        words: parts of texts; only the rows that hold all of them are listed.

    Raises:
        UsageError: no such kind.
    """
    if what not in LISTS:
        raise UsageError(f"cannot list {what!r}: {choices(what, LISTS)}")
    rows, note = LISTS[what]()
    chosen = [row for row in rows if _holds(row, words)]
    if rows and not chosen:
        note = f"No row holds {' and '.join(words)}: proxylab list {what} shows all {len(rows)}."
    return Inventory(what, chosen, note, COLUMNS.get(what, ()))


def _holds(row: dict[str, Any], words: Sequence[str]) -> bool:
    """Whether the texts of a row hold all words, in any case."""
    text = " ".join(plain(value) for value in row.values()).casefold()
    return all(word.casefold() in text for word in words)


def _tasks() -> tuple[Rows, str]:
    from proxylab.tasks import TASKS

    rows = []
    for name, task in TASKS.items():
        try:
            env = task.make_env(1)
        except ValueError as error:  # an optional environment that is not installed
            facts = {"task": name, "env": str(error), "roles": list(task.roles)}
            facts["description"] = task.description
            rows.append({**dict.fromkeys(rows[0], ""), **facts})
            continue
        rows.append(
            {
                "task": name,
                "description": task.description,
                "env": task.env_id,
                "roles": list(task.roles),
                "splits": list(env.splits),
                "rewards": list(env.channels),
                "scripts": [f"script:{name}/{script}" for script in env.scripts],
            }
        )
    return rows, ""


def _envs() -> tuple[Rows, str]:
    from proxylab_envs.registry import ENVS, make_batched

    rows = []
    for env_id in ENVS:
        env = make_batched(env_id, 1)
        space = env.single_observation_space
        rows.append(
            {
                "env": env_id,
                "observation": f"{space.dtype}{list(space.shape or ())}",
                "actions": int(env.single_action_space.n),
                "max_episode_steps": env.max_episode_steps,
                "splits": list(env.splits),
                "rewards": list(env.channels),
            }
        )
    return rows, ""


def _agents() -> tuple[Rows, str]:
    from proxylab.agents.zoo import ZOO, zoo_entries
    from proxylab.tasks import TASKS

    rows = []
    for task in TASKS:
        if not (ZOO / task / "agents.json").is_file():
            continue
        for entry in zoo_entries(task):
            rows.append(
                {
                    "agent": f"zoo:{task}/{entry.name}",
                    "group": entry.group,
                    "seed": entry.facts.seed,
                    "timesteps": entry.facts.timesteps,
                    "iid_success": entry.facts.iid_success,
                    "shifted_success": entry.facts.shifted_success,
                    "competence": entry.facts.competence,
                    "admitted": entry.admitted,
                    "sha256": entry.sha256,
                }
            )
    return rows, "No agents are shipped here: proxylab zoo build TASK makes them."


def _runs() -> tuple[Rows, str]:
    from proxylab.storage.store import runs

    return runs(), "No runs yet: proxylab train maze-corner makes one."


def _experiments() -> tuple[Rows, str]:
    folder = experiments_folder()
    note = "No folder experiments/ from here upwards, and none that was installed."
    if folder is None:
        return [], note
    rows = []
    for path in sorted(folder.glob("*.py")):
        try:
            claim = ast.get_docstring(ast.parse(path.read_bytes())) or ""
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
            claim = "this file is no Python"
        rows.append({"experiment": path.stem, "claim": claim.split("\n\n")[0].replace("\n", " ")})
    return rows, f"{folder} holds no experiments yet."


def _detectors() -> tuple[Rows, str]:
    from proxylab.detection.scores.registry import ON_REQUEST, SCORES
    from proxylab.detection.settings import DEFAULT_DETECTOR

    rows = [
        {
            "detector": name,
            "access": score.access,
            "unit": score.unit,
            "source": score.source,
            "computed": "on request" if name in ON_REQUEST else "always",
            "default": name == DEFAULT_DETECTOR,
        }
        for name, score in SCORES.items()
    ]
    return rows, ""


LISTS = {
    "tasks": _tasks,
    "envs": _envs,
    "agents": _agents,
    "runs": _runs,
    "experiments": _experiments,
    "detectors": _detectors,
}
"""kind: function () -> (rows, advice for an empty table)."""

COLUMNS = {
    "tasks": ("task", "roles", "rewards", "scripts"),
    "envs": ("env", "observation", "splits", "rewards"),
    "agents": ("agent", "group", "iid_success", "shifted_success", "competence"),
    "detectors": ("detector", "access", "unit", "computed", "default"),
}
"""kind: columns that fit a line of 100 characters; the JSON has all."""
