"""What every environment says of its own levels: text, cells, positions, what is drawn beside."""

import json

import numpy as np
import pytest

from proxylab.environments.placement import at_every_cell
from proxylab.errors import UsageError
from proxylab_envs.batch import BatchedEnv
from proxylab_envs.channels import OUTCOMES
from proxylab_envs.levels import Levels
from proxylab_envs.procgen import RealProcgenMaze
from proxylab_envs.registry import ENVS, make_batched

IDS = list(ENVS)
READING = [env_id for env_id in IDS if make_batched(env_id, 1).reads_levels]
GRIDS = [env_id for env_id in IDS if make_batched(env_id, 1).level_kind != "course"]
KINDS = {None, "maze", "garden", "race", "course"}  # those that the page's scripts know


def started(env_id, num_envs, split, seed=3):
    env = make_batched(env_id, num_envs)
    env.seed_levels(Levels(split), seed)
    env.reset()
    return env


WALKED = [env_id for env_id in GRIDS if started(env_id, 1, "train").walker_cells() is not None]


def splits_of(env_id):
    return make_batched(env_id, 1).splits


def round_trip(env_id, split):
    """(a level as it was started, the same one read from its text), one environment each."""
    original, copy = started(env_id, 1, split), started(env_id, 1, "train", seed=99)
    copy.place_text(original.level_text(0), 0)
    return original, copy


def test_there_are_environments_of_each_sort():
    assert len(READING) >= 4
    assert "proxylab/BoatRace-v0" not in READING
    assert len(GRIDS) >= 4
    assert "proxylab/BoatLagoon-v0" not in GRIDS
    assert set(GRIDS) - set(WALKED) == {"proxylab/ColouredDigits-v0"}


@pytest.mark.parametrize("env_id", IDS)
def test_the_kind_the_actions_and_the_outcomes_are_named(env_id):
    env = make_batched(env_id, 1)
    assert env.level_kind in KINDS
    assert len(env.action_names) == env.single_action_space.n
    assert len(set(env.action_names)) == len(env.action_names)
    assert set(env.outcome_phrases) == set(OUTCOMES)
    assert len(set(env.outcome_phrases.values())) == len(OUTCOMES)


@pytest.mark.parametrize("env_id", READING)
def test_a_level_read_from_its_text_is_the_same_level(env_id):
    for split in splits_of(env_id):
        original, copy = round_trip(env_id, split)
        np.testing.assert_array_equal(copy.observe(), original.observe())
        assert copy.level_text(0) == original.level_text(0)
        assert copy.level_facts(0) == original.level_facts(0)
        assert copy.core.level_seeds[0] == -1


@pytest.mark.parametrize("env_id", READING)
def test_another_level_has_another_text(env_id):
    texts = {started(env_id, 1, "train", seed=seed).level_text(0) for seed in range(5)}
    assert len(texts) > 1


@pytest.mark.parametrize("env_id", READING)
def test_text_that_is_no_level_is_refused_and_changes_nothing(env_id):
    env = started(env_id, 1, "train")
    before = env.observe().copy(), env.level_text(0)
    for text in ("", "###", before[1] + "\n?", "?" + before[1][1:]):
        with pytest.raises(ValueError, match=r"\w"):
            env.place_text(text, 0)
    np.testing.assert_array_equal(env.observe(), before[0])
    assert env.level_text(0) == before[1]


@pytest.mark.parametrize("env_id", sorted(set(IDS) - set(READING)))
def test_an_environment_that_reads_no_text_says_so(env_id):
    env = started(env_id, 1, "train")
    with pytest.raises(ValueError, match=f"{env_id} does not take levels as text"):
        env.place_text(env.level_text(0), 0)


@pytest.mark.parametrize("env_id", WALKED)
def test_a_walker_stands_on_the_cell_it_is_put_on_and_the_level_stays(env_id):
    env = started(env_id, 3, "train")
    start = env.observe()[0].copy()
    cells = env.walker_cells()
    seen = set()

    def states(env, indices):
        seen.update(env.observe()[i].tobytes() for i in indices)
        return [env.core.state_ids[indices].copy()]

    asked, (found,) = at_every_cell(env, states)
    np.testing.assert_array_equal(asked, cells)
    columns = env.place_map(0).shape[1]
    np.testing.assert_array_equal(found, cells @ (columns, 1))
    assert len(seen) == len(cells)
    assert start.tobytes() in seen


def test_no_walker_is_put_on_open_water():
    env = started("proxylab/BoatLagoon-v0", 1, "train")
    with pytest.raises(ValueError, match="no levels made of cells"):
        env.put_walker(np.array([[1, 1]]))
    with pytest.raises(UsageError, match="no levels of cells"):
        at_every_cell(env, lambda env, indices: [indices])


@pytest.mark.parametrize("env_id", IDS)
def test_agents_are_inside_their_pictures_and_move_there(env_id):
    env = started(env_id, 4, "train")
    places, height, width = env.picture_positions(), *env.render_rgb(0).shape[:2]
    before, action, moved = places().copy(), np.full(4, 1), False
    for _ in range(8):
        env.step(action)
        action = (action + 1) % env.single_action_space.n
        assert ((places() > 0) & (places() < (width, height))).all()
        moved |= bool((places() != before).any())
    assert moved


@pytest.mark.parametrize("env_id", IDS)
def test_what_is_drawn_beside_a_state_is_plain_data(env_id):
    env = started(env_id, 2, "train")
    for described in (env.scene_state(1), env.level_facts(1)):
        assert json.loads(json.dumps(described)) == described
    assert env.positions(np.arange(2)).shape in ((2, 2), (2, 0))


@pytest.mark.parametrize("env_id", GRIDS)
def test_observations_follow_from_the_state_index_where_that_is_said(env_id):
    """Rewards and ends aside; tomatoes dry, so that a garden's do not."""
    env = started(env_id, 1, "train")
    seen, actions = {}, np.random.default_rng(0).integers(0, 4, 300)
    for action in actions:
        seen.setdefault(int(env.core.state_ids[0]), set()).add(env.observe()[0].tobytes())
        env.step(np.array([action]))
        if env.done[0]:
            env.reset_levels(env.core.level_seeds.copy(), np.array([0]))
    assert (max(map(len, seen.values())) == 1) == env.state_ids_suffice


def test_defaults_of_an_environment_that_describes_nothing():
    """Of the base class, as an environment from elsewhere has them."""
    assert BatchedEnv.level_kind is None
    assert BatchedEnv.reads_levels is False
    env = started("proxylab/BoatRace-v0", 2, "train")
    assert BatchedEnv.walker_cells(env) is None
    assert BatchedEnv.level_facts(env, 0) == BatchedEnv.scene_state(env, 0) == {}
    assert BatchedEnv.level_text(env, 0) == env.render_ansi(0)
    assert BatchedEnv.state_ids_suffice.fget(env) is False


def test_the_original_game_is_not_drawn_and_reads_no_level():
    """Its class is that of procgen-maze, whose levels can be placed; its own cannot."""
    assert RealProcgenMaze.level_kind is None
    assert RealProcgenMaze.reads_levels is False
    assert issubclass(RealProcgenMaze, type(make_batched("proxylab/ProcgenMaze-v0", 1)))
