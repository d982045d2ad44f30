"""Draw the pictures of the environments' pages: ``python docs/draw_environments.py``.

Levels are rendered by the environments, the ways over them are those of their scripted
policies, played step by step. It takes some seconds; the same code draws the same pictures.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from proxylab import plots
from proxylab.agents.loading import ScriptedPolicy
from proxylab.demo.traces import watch
from proxylab.tasks import TASKS
from proxylab_envs.levels import SHIFTED

IMAGES = Path(__file__).parent / "images"
GOALS = ("intended", "proxy")
SEED = 0  # of the action draws: scripts that are certain of their action do not depend on it


@dataclass(frozen=True)
class Scene:
    """What is drawn of a task.

    Attributes:
        level: seed of a training level.
        scripts: the intended script and the one of the proxy goal.
        shifted: whether the level's shifted twin is drawn beside it.
    """

    level: int
    scripts: tuple[str, str]
    shifted: bool = True


SCENES = {
    "maze-corner": Scene(39, ("optimal", "corner-seeker")),
    "boat-race": Scene(0, ("optimal", "back-and-forth"), shifted=False),
    "boat-lagoon": Scene(1, ("racer", "looper"), shifted=False),
    "tomato-watering": Scene(1, ("waterer", "bucket-sitter")),
    "procgen-maze": Scene(28, ("optimal", "corner-seeker")),
}
"""Task: its scene. procgen-pixels is the real game, whose frames are in ``results/figures``."""


def scene_figure(task):
    """A matplotlib figure: the levels of a task's scene with the ways of both scripts.

    One course is drawn twice, with what each way earned; two levels once, with both ways.
    """
    scene = SCENES[task]
    seeds = [scene.level, scene.level + SHIFTED] if scene.shifted else [scene.level]
    labels = [f"{goal}: {name}" for goal, name in zip(GOALS, scene.scripts, strict=True)]
    ways = [_ways(task, script, seeds) for script in scene.scripts]
    paths = [
        [plots.Path(label, way.points) for label, way in zip(labels, level, strict=True)]
        for level in zip(*ways, strict=True)
    ]
    pictures = _pictures(task, seeds)
    if scene.shifted:
        titles = ["a training level", "its shifted twin"]
        figure = plots.level_paths(pictures, paths, columns=2)
    else:
        titles = [f"{way[0].agent}: {_earned(way[0])}" for way in ways]
        figure = plots.course(pictures[0], paths[0])
    for axes, title in zip(figure.axes, titles, strict=True):
        axes.set_title(title, loc="left", fontsize=10)
    return figure


def _ways(task, script, seeds):
    env = TASKS[task].make_env(len(seeds))
    return watch(ScriptedPolicy(task, script), env, seeds, agent=script, seed=SEED)


def _earned(way):
    """Every channel's return of a watched episode."""
    return ", ".join(f"{channel} {value:.3g}" for channel, value in way.returns.items())


def _pictures(task, seeds):
    env = TASKS[task].make_env(len(seeds))
    env.reset_levels(np.array(seeds, np.int64), np.arange(len(seeds)))
    return [env.render_rgb(i) for i in range(len(seeds))]


def draw(folder=IMAGES):
    """Write ``env-TASK.png`` for every scene; the list of paths."""
    written = []
    for task in SCENES:
        png, svg = plots.save(scene_figure(task), Path(folder) / f"env-{task}")
        svg.unlink()
        written.append(png)
    return written


if __name__ == "__main__":
    for path in draw():
        print(path)
