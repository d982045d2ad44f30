"""Our Procgen mazes compared with the original game, on the same levels, one thread each."""

import numpy as np

from proxylab.bench.timing import Row, against, rate
from proxylab_envs.levels import SHIFTED
from proxylab_envs.procgen.env import MOVES
from proxylab_envs.procgen.library import RESTART, Games
from proxylab_envs.procgen_maze import ProcgenConfig, ProcgenMaze
from proxylab_envs.procgen_maze.level_order import LevelOrder

NUM_ENVS = 256
STEPS = 64


def bench_procgen() -> list[Row]:
    """Levels and steps per second in every mode; the original game draws 64×64 pixels per step.

    Raises:
        ProcgenMissing: the original game is not installed.
    """
    return [row for mode in ("easy", "hard", "memory") for row in _mode_rows(mode)]


def _mode_rows(mode: str) -> list[Row]:
    game, ours = Games(NUM_ENVS, mode), ProcgenMaze(NUM_ENVS, ProcgenConfig(mode=mode))
    order, every = LevelOrder(NUM_ENVS), np.arange(NUM_ENVS)
    actions = np.random.default_rng(0).integers(0, 4, (STEPS, NUM_ENVS))
    seeds = order.draw(every) + SHIFTED

    def play_ours() -> None:
        for row in actions:
            ours.step(row)
            over = np.flatnonzero(ours.done)
            if over.size:
                ours.reset_levels(order.draw(over) + SHIFTED, over)

    def play_original() -> None:
        for row in actions:
            game.act(MOVES[row])

    levels = rate(lambda: ours.reset_levels(seeds, every), NUM_ENVS)
    original_levels = rate(lambda: game.act(RESTART), NUM_ENVS)
    steps, original_steps = rate(play_ours, actions.size), rate(play_original, actions.size)
    peer = "the real library"
    return [
        against(f"procgen {mode}: levels", "levels/s", levels, peer, original_levels),
        against(f"procgen {mode}: steps, planes", "steps/s", steps, f"{peer}, rgb", original_steps),
    ]
