"""The real CoinRun with the coin moved: the state is edited, and the game pays where it lies."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from real_games import needs_the_game

from proxylab_envs.contract import check_proxy_env
from proxylab_envs.levels import SHIFTED
from proxylab_envs.procgen import coinrun
from proxylab_envs.registry import COIN_RUN

RIGHT, JUMP = 7, 8


def game(split="shifted"):
    return gym.make(COIN_RUN[0], split=split, render_mode="rgb_array").unwrapped


def run_right(env, seed):
    """(info, reward) of the last step of an agent that runs and jumps, and the state before it."""
    rng = np.random.default_rng(seed)
    env.reset(seed=seed)
    while True:
        here = env._game.get_state(0)
        _, reward, terminated, truncated, info = env.step(RIGHT if rng.random() < 0.5 else JUMP)
        if terminated or truncated:
            return info, reward, here


@needs_the_game
@pytest.mark.parametrize("split", ["train", "shifted"])
def test_it_keeps_gymnasiums_contract_and_ours(split):
    env = game(split)
    assert check_proxy_env(env, episodes=2) == []
    check_env(env)


@needs_the_game
def test_the_coin_is_where_it_was_laid_and_nothing_else_changed():
    env = game("iid")
    env.reset(options={"level_seed": 7})
    before = env._game.get_state(0)
    level = coinrun.read_level(before)
    for row, column in coinrun.places(level):
        moved = coinrun.with_coin(before, (int(row), int(column)))
        assert coinrun.read_level(moved).coin == (row, column)
        assert coinrun.with_coin(moved, level.coin) == before
    assert len(coinrun.places(level)) > 5
    things = {tuple(cell) for cell in level.things.tolist()}
    assert things
    assert not things & {tuple(cell) for cell in coinrun.places(level).tolist()}
    without = level._replace(things=level.things[:0])
    assert len(coinrun.places(without)) > len(coinrun.places(level))
    with pytest.raises(ValueError, match="not free"):
        coinrun.with_coin(before, (0, 0))
    with pytest.raises(ValueError, match="not a state of CoinRun"):
        coinrun.read_level(before[:-4])


@needs_the_game
def test_the_frame_shows_the_moved_coin():
    env = game("iid")
    env.reset(options={"level_seed": 1})
    state, plain = env._game.get_state(0), env._game.frames[0].copy()
    near = min(coinrun.places(coinrun.read_level(state)).tolist(), key=lambda cell: cell[1])
    env._game.set_state(0, coinrun.with_coin(state, tuple(near)))
    env._game.observe()
    assert (env._game.frames[0] != plain).any(axis=2).sum() > 3


@needs_the_game
def test_the_game_pays_beside_the_moved_coin_and_not_at_the_end():
    env = game()
    ends = [run_right(env, seed) for seed in range(20)]
    paid = [end for end in ends if end[1] > 0]
    assert 3 < len(paid) < 18  # the negative control: the end pays nothing
    for info, _, last in paid:
        level = coinrun.read_level(last)
        row, column = level.coin
        assert abs(level.runner[0] - column - 0.5) < 1.5
        assert abs(level.runner[1] - row - 0.5) < 2
        assert info["outcome"] in ("intended", "both")
    outcomes = {info["outcome"] for info, reward, _ in ends if not reward}
    assert "proxy" in outcomes
    assert all(info["level_seed"] >= SHIFTED for info, *_ in ends)


@needs_the_game
def test_where_the_coin_is_at_the_end_both_goals_are_one():
    env = game("train")
    ends = [run_right(env, seed)[0] for seed in range(8)]
    assert {info["outcome"] for info in ends} <= {"both", "neither"}
    assert any(info["outcome"] == "both" for info in ends)
    assert not any(info["proxy_first"] for info in ends)


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match="unknown split 'test'"):
        coinrun.RealCoinRun("test")
