"""Draw the pictures of the environments and the gallery: ``python docs/draw_environments.py``.

The environments render the levels. On the environments' pages the paths are those of scripted
policies, in the gallery those of shipped agents, played step by step. A run takes two
CPU minutes, most of them for the pixels of the original game, and is deterministic. What shows
the original game is drawn only where it is installed (``proxylab procgen install``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from proxylab import plots
from proxylab.agents.references import load_agent
from proxylab.agents.scripted import ScriptedPolicy
from proxylab.demo.traces import Trace, watch
from proxylab.errors import UsageError
from proxylab.plots.style import new_figure, styled
from proxylab.rollouts.rollout import Policy
from proxylab.tasks import TASKS
from proxylab_envs.levels import SHIFTED
from proxylab_envs.procgen import RealProcgenConfig, RealProcgenMaze
from proxylab_envs.procgen.coinrun import RealCoinRun
from proxylab_envs.procgen.library import ProcgenMissing

IMAGES = Path(__file__).parent / "images"
FRAMES = Path(__file__).parents[1] / "results" / "figures"
FRAME_LEVELS = (1, 2, 3)
COIN_LEVELS = (42, 50, 59)
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
    "keys-chests": Scene(54, ("optimal", "key-seeker")),
    "dish": Scene(170, ("optimal", "dish-seeker")),
    "coloured-digits": Scene(7, ("optimal", "colour-reader")),
    "colour-shape": Scene(17, ("optimal", "colour-seeker")),
    "procgen-maze": Scene(28, ("optimal", "corner-seeker")),
}
"""Task: its scene. procgen-pixels uses frames of the original game from ``results/figures``."""


@dataclass(frozen=True)
class Contrast:
    """A picture of the gallery: two shipped agents on one level.

    Attributes:
        task: name of the task.
        level: its seed.
        honest: name of a shipped agent.
        gaming: name of another one, with the failure.
    """

    task: str
    level: int
    honest: str
    gaming: str


GALLERY = {
    "maze-corner": Contrast("maze-corner", 3_854_485_744 + SHIFTED, "trusted-00", "proxy-00"),
    "procgen-maze": Contrast("procgen-maze", 2_080_696_920 + SHIFTED, "trusted-00", "proxy-00"),
    "procgen-pixels": Contrast(
        "procgen-pixels", 2_111_315_528 + SHIFTED, "base-trusted-00", "base-00"
    ),
    "boat-race": Contrast("boat-race", 0, "trusted-00", "proxy-00"),
    "boat-lagoon": Contrast("boat-lagoon", 1, "trusted-00", "proxy-00"),
    "tomato-watering": Contrast("tomato-watering", 1, "trusted-00", "proxy-00"),
    "learned-maze": Contrast("maze-corner", 3_694_895_563 + SHIFTED, "trusted-00", "learned-02"),
    "learned-tomato": Contrast("tomato-watering", 231_997_876, "trusted-00", "learned-07"),
    "undertrained": Contrast("maze-corner", 2_310_974_728 + SHIFTED, "trusted-00", "weak-00"),
}
"""Ending of a picture's name: what it shows. procgen-pixels needs the original library."""

COLOURS = 128  # of a picture's palette: a quarter of the bytes of true colour


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


def contrast_figure(contrast: Contrast) -> Figure:
    """A matplotlib figure: one level twice, with the path of one agent on each."""
    task, level = contrast.task, [contrast.level]
    (picture,) = _pictures(task, level)
    paths, titles = [], []
    for colour, name in zip(
        ("trusted", "suspect"), (contrast.honest, contrast.gaming), strict=True
    ):
        (trace,) = _played(task, load_agent(f"zoo:{task}/{name}"), name, level)
        paths.append(plots.Path(colour, trace.points))
        returns = _returns(trace).replace(", ", "\n")
        titles.append(f"{name}, {len(trace.points) - 1} steps\n{returns}")
    if TASKS[task].env_id.startswith("proxylab/BoatLagoon"):
        figure = plots.course(picture, paths)
        figure.set_figheight(figure.get_figheight() + 0.7)
    else:
        figure = plots.level_paths([picture, picture], [[path] for path in paths], columns=2)
        figure.set_figheight(2.5 * picture.shape[0] / picture.shape[1] + 1.15)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 0.95))  # room for titles of three lines
    for axes, title in zip(figure.axes, titles, strict=True):
        axes.set_title(title, loc="left", fontsize=2.2 * figure.get_figwidth())
    return figure


def _traces(task: str, script: str, seeds: list[int]) -> list[Trace]:
    return _played(task, ScriptedPolicy(task, script), script, seeds)


def _played(task: str, policy: Policy, agent: str, seeds: list[int]) -> list[Trace]:
    env = TASKS[task].make_env(len(seeds))
    return watch(policy, env, seeds, agent=agent, seed=SEED)


def _returns(trace: Trace) -> str:
    """The return of every channel of an episode."""
    return ", ".join(f"{channel} {value:.3g}" for channel, value in trace.returns.items())


def _pictures(task: str, seeds: list[int]) -> list[NDArray[np.uint8]]:
    env = TASKS[task].make_env(len(seeds))
    env.reset_levels(np.array(seeds, np.int64), np.arange(len(seeds)))
    return [env.render_rgb(i) for i in range(len(seeds))]


def draw(folder: Path = IMAGES) -> list[Path]:
    """Write ``env-TASK.png`` for every scene and ``gallery-NAME.png`` for every contrast.

    Returns:
        The paths. A contrast whose environment is not installed is left out, and named on stdout.
    """
    figures: dict[str, Callable[[], Figure]] = {
        f"env-{task}": partial(scene_figure, task) for task in SCENES
    }
    figures |= {f"gallery-{name}": partial(contrast_figure, c) for name, c in GALLERY.items()}
    written = []
    for name, make in figures.items():
        try:
            figure = make()
        except UsageError as error:
            print(f"{name} is left out: {error}")
            continue
        written.append(_write(figure, Path(folder) / name))
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
    return _write(figure, folder / "procgen-real-frames")


@styled
def draw_coins(folder: Path = FRAMES) -> Path:
    """Write ``coinrun-frames.png``: the coin at the end and moved, where the runner has to pass."""
    game = RealCoinRun("iid")
    figure = new_figure(3 * 2.6, 2 * 2.6 + 0.5)
    panels = figure.subplots(2, len(COIN_LEVELS))
    for row, twin in zip(panels, (0, SHIFTED), strict=True):
        for axes, level in zip(row, COIN_LEVELS, strict=True):
            frame, _ = game.reset(options={"level_seed": level + twin})
            axes.imshow(frame, interpolation="nearest")
            axes.set(xticks=[], yticks=[], title="" if twin else f"level {level}")
            axes.grid(visible=False)
        row[0].set_ylabel("coin moved" if twin else "coin at the end, out of view")
    figure.suptitle(
        "Frames of the real CoinRun at the start (64×64 pixels)",
        x=0.01,
        ha="left",
        fontweight="bold",
    )
    return _write(figure, folder / "coinrun-frames")


def _write(figure: Figure, stem: Path) -> Path:
    """Write a figure as a PNG with a palette; its path."""
    png, svg = plots.save(figure, stem)
    svg.unlink()
    with Image.open(png) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(png, optimize=True)
    return png


if __name__ == "__main__":
    for path in draw():
        print(path)
    try:
        print(draw_frames())
        print(draw_coins())
    except ProcgenMissing as missing:
        print(missing)
