"""Draw the pictures of the environments' pages: ``python docs/draw_environments.py``.

The environments render the levels; the paths are those of their scripted policies, played
step by step. A run takes a few seconds and is deterministic. The frames of the original game are
drawn only where it is installed (``proxylab procgen install``).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from proxylab import plots
from proxylab.agents.scripted import ScriptedPolicy
from proxylab.demo.traces import Trace, watch
from proxylab.plots.style import new_figure, styled
from proxylab.tasks import TASKS
from proxylab_envs.levels import SHIFTED
from proxylab_envs.procgen import RealProcgenConfig, RealProcgenMaze
from proxylab_envs.procgen.library import ProcgenMissing

IMAGES = Path(__file__).parent / "images"
FRAMES = Path(__file__).parents[1] / "results" / "figures"
FRAME_LEVELS = (1, 2, 3)
GOALS = ("intended", "proxy")
SEED = 0  # of the action draws; deterministic scripts do not depend on it


@dataclass(frozen=True)
class Scene:
    """What the picture of a task shows.

    Attributes:
        level: seed of a training level.
        scripts: for the intended goal and for the proxy goal.
        shifted: also draw the shifted twin of the level.
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
"""Task: its scene. procgen-pixels uses frames of the original game from ``results/figures``."""


def scene_figure(task: str) -> Figure:
    """A matplotlib figure: the levels of a task's scene with the paths of both scripts.

    A single course is drawn twice, each with one path and its returns; two levels are drawn
    once each, with both paths.
    """
    scene = SCENES[task]
    seeds = [scene.level, scene.level + SHIFTED] if scene.shifted else [scene.level]
    labels = [f"{goal}: {name}" for goal, name in zip(GOALS, scene.scripts, strict=True)]
    traces = [_traces(task, script, seeds) for script in scene.scripts]
    paths = [
        [plots.Path(label, trace.points) for label, trace in zip(labels, level, strict=True)]
        for level in zip(*traces, strict=True)
    ]
    pictures = _pictures(task, seeds)
    if scene.shifted:
        titles = ["a training level", "its shifted twin"]
        figure = plots.level_paths(pictures, paths, columns=2, panel=3.2)
    else:
        titles = [f"{trace[0].agent}: {_returns(trace[0])}" for trace in traces]
        figure = plots.course(pictures[0], paths[0])
    for axes, title in zip(figure.axes, titles, strict=True):
        axes.set_title(title, loc="left", fontsize=10)
    return figure


def _traces(task: str, script: str, seeds: list[int]) -> list[Trace]:
    env = TASKS[task].make_env(len(seeds))
    return watch(ScriptedPolicy(task, script), env, seeds, agent=script, seed=SEED)


def _returns(trace: Trace) -> str:
    """The return of every channel of an episode."""
    return ", ".join(f"{channel} {value:.3g}" for channel, value in trace.returns.items())


def _pictures(task: str, seeds: list[int]) -> list[NDArray[np.uint8]]:
    env = TASKS[task].make_env(len(seeds))
    env.reset_levels(np.array(seeds, np.int64), np.arange(len(seeds)))
    return [env.render_rgb(i) for i in range(len(seeds))]


def draw(folder: Path = IMAGES) -> list[Path]:
    """Write ``env-TASK.png`` for every scene; the list of paths."""
    written = []
    for task in SCENES:
        png, svg = plots.save(scene_figure(task), Path(folder) / f"env-{task}")
        svg.unlink()
        written.append(png)
    return written


@styled
def draw_frames(folder: Path = FRAMES) -> Path:
    """Write ``procgen-real-frames.png``: frames of the original game, a level per column."""
    env = RealProcgenMaze(1, RealProcgenConfig(observation="rgb"))
    figure = new_figure(3 * 2.6, 2 * 2.6 + 0.5)
    panels = figure.subplots(2, len(FRAME_LEVELS))
    for row, twin in zip(panels, (SHIFTED, 0), strict=True):
        for axes, level in zip(row, FRAME_LEVELS, strict=True):
            env.reset_levels(np.array([level + twin], np.int64), np.array([0]))
            axes.imshow(env.frames[0], interpolation="nearest")
            axes.set(xticks=[], yticks=[], title=f"level {level}" if twin else "")
            axes.grid(visible=False)
        row[0].set_ylabel("cheese where the game puts it" if twin else "cheese moved to the corner")
    figure.suptitle(
        "Frames of the real Procgen game (64×64 pixels)", x=0.01, ha="left", fontweight="bold"
    )
    png, svg = plots.save(figure, folder / "procgen-real-frames")
    svg.unlink()
    return png


if __name__ == "__main__":
    for path in draw():
        print(path)
    try:
        print(draw_frames())
    except ProcgenMissing as missing:
        print(missing)
