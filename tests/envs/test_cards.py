"""The cards of envs/README.md name what the environments have, and their code runs."""

import re
from dataclasses import fields
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from proxylab_envs.levels import SHIFTED
from proxylab_envs.registry import ENVS, SHELL_KWARGS, make_batched

README = (Path(__file__).parents[2] / "envs" / "README.md").read_text(encoding="utf-8")
CARDS = {
    env_id: part
    for part in re.split(r"^## ", README, flags=re.MULTILINE)
    if re.match(r"(maze|boat|tomato|keys|procgen|coloured|colour)-|dish", part)
    for env_id in re.findall(r"`(proxylab/\w+-v\d+)`", part.split("\n")[2])
}


def test_every_id_has_a_card():
    assert set(CARDS) == set(ENVS)


@pytest.mark.parametrize("env_id", ENVS)
def test_card_names_channels_splits_scripts_and_parameters(env_id):
    env, card = make_batched(env_id, 1), CARDS[env_id]
    parameters = [field.name for field in fields(env.config)]
    for name in (*env.channels, *env.scripts, *parameters):
        assert f"`{name}`" in card or f"`{name}=" in card, name


@pytest.mark.parametrize("env_id", ENVS)
def test_card_gives_the_defaults_of_plain_parameters(env_id):
    pattern = re.compile(r"^- \*\*Parameters\.\*\*(.*?)^- \*\*", re.MULTILINE | re.DOTALL)
    parameters = pattern.search(CARDS[env_id])[1]
    for field in fields(make_batched(env_id, 1).config):
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            said = re.search(rf"`{field.name}`,? \(?([\d.]+)", parameters)
            assert said, field.name
            assert float(said[1].rstrip(".")) == field.default, field.name


def test_shared_arguments_are_explained():
    for name in SHELL_KWARGS:
        assert f"| `{name}` |" in README


def test_code_of_the_readme_runs_and_says_what_it_says(capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    exec("\n".join(blocks), {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert printed.startswith("#########\n#")
    assert "can make: 100,352" in printed
    assert "info has no 'reward/true'" in printed


def test_the_maze_on_the_card_is_the_one_its_code_prints():
    env = gymnasium.make("proxylab/MazeCorner-v1", split="shifted", render_mode="ansi")
    env.reset(seed=0)
    lines = CARDS["proxylab/MazeCorner-v1"].splitlines()
    drawn = [line.split()[0] for line in lines if line.startswith("#")]
    assert env.render().splitlines() == drawn


def test_the_procgen_maze_on_the_card_is_the_games_level():
    lines = CARDS["proxylab/ProcgenMaze-v0"].splitlines()
    drawn = [line.split()[0] for line in lines if line.startswith("#")]
    env = make_batched("proxylab/ProcgenMaze-v0", 1)
    env.reset_levels(np.array([54 + SHIFTED]), np.array([0]))
    assert env.level().cropped().to_ascii().splitlines() == drawn
