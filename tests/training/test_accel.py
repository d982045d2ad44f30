"""Replay with edited levels: the edits, the order of visits, the memory, the same bytes."""

from itertools import pairwise

import numpy as np
import pytest

from proxylab.errors import UsageError
from proxylab.tasks import TASKS
from proxylab.training import accel, curriculum
from proxylab.training.accel import CHILD, FRESH, REPLAYED, AccelVecEnv
from proxylab.training.curriculum import EPISODES, ReplayVecEnv
from proxylab.training.train import make_config, train
from proxylab_envs.level_editor import EDITED
from proxylab_envs.levels import SHIFTED, Levels
from proxylab_envs.maze_corner import MazeLevel

TASK = "maze-corner"
pytestmark = pytest.mark.usefixtures("few_levels")
EVERYONE = np.arange(16)


def from_planes(planes):
    """The level of planes uint8[3, S, S]; ``ValueError`` where they are none."""
    mouse, cheese = (tuple(np.argwhere(plane)[0].tolist()) for plane in planes[1:])
    assert planes[1:].sum() == 2
    return MazeLevel(planes[0] > 0, mouse, cheese)


def reached(walls, start):
    """Cells within reach of a cell, by plain Python."""
    found, todo = {start}, [start]
    while todo:
        row, col = todo.pop()
        beside = {(row + 1, col), (row - 1, col), (row, col + 1), (row, col - 1)}
        new = {cell for cell in beside - found if not walls[cell]}
        found |= new
        todo += new
    return found


def generations(share, count=6, generator="uniform"):
    """The levels of 64 mazes and of ``count`` generations of edits: uint8[count + 1, 64, 3, S, S].

    The environment comes with them.
    """
    env = TASKS[TASK].make_env(64, generator=generator)
    env.seed_levels(Levels("train", share), 1)
    env.reset()
    editor, found = env.level_editor(), []
    found.append(editor.read(np.arange(64)))
    for word in range(count):
        found.append(editor.edited(found[-1], np.arange(64, dtype=np.uint64) + 64 * word))
    return env, np.stack(found)


@pytest.mark.parametrize("generator", ["uniform", "blocks"])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_edits_keep_levels_solvable_and_of_their_kind(share, generator):
    _, found = generations(share, generator=generator)
    for planes in found[-1]:
        level = from_planes(planes)
        assert {level.cheese, level.corner} <= reached(level.walls, level.mouse)
    at_corner = found[:, :, 2, 1, -2] > 0
    if share == 0.0:
        assert at_corner.all()
    else:
        assert (at_corner == at_corner[0]).all()
        moved = (found[1:, :, 2] != found[:-1, :, 2]).any((2, 3))
        assert moved.mean() > 0.2
    assert (found[1:, :, :2] != found[:-1, :, :2]).any((2, 3, 4)).mean() > 0.5


def test_an_edited_level_is_started_and_solved_as_itself():
    env, found = generations(1.0)
    editor = env.level_editor()
    editor.place(found[-1], np.arange(64))
    np.testing.assert_array_equal(env.observe(), found[-1])
    assert (env.core.level_seeds == EDITED).all()
    for _ in range(env.max_episode_steps):
        env.step(env.script_actions("optimal", np.arange(64)).argmax(1))
    np.testing.assert_array_equal(env.core.returns[:, 0], editor.optimal(found[-1]))
    seeds = env.sample_level_seeds(Levels("shifted"), 64, 0)
    env.reset_levels(seeds, np.arange(64))
    read = editor.read(np.arange(64))
    np.testing.assert_array_equal(editor.optimal(read), env.optimal_returns(seeds)["true"])


class Noted(AccelVecEnv):
    """Keeps (index, id, kind, layout) of the visits that begin, and (id, best, latest) noted."""

    def __init__(self, *args, **options):
        self.begun, self.visits = [], []
        super().__init__(*args, **options)

    def _start(self, indices):
        super()._start(indices)
        for i in indices[self._stream.starts(indices)]:
            now = int(self._stream.current[i]), int(self._stream.kind[i]), self.layouts[i].copy()
            self.begun.append((int(i), *now))

    def _note(self, index, best, latest):
        self.visits.append((int(self._stream.current[index]), best, latest))
        return super()._note(index, best, latest)


def played(steps=1_200, capacity=None, share=0.2):
    """An environment in which the corner-seeker acts."""
    env = TASKS[TASK].make_env(16)
    vec = Noted(env, Levels("train", share), seed=3, oracle=True)
    vec.reset()
    for _ in range(steps):
        vec.step_async(env.script_actions("corner-seeker", EVERYONE).argmax(1))
        vec.step_wait()
    return vec


@pytest.fixture(scope="module")
def played_with_a_small_memory():
    """A run whose memory is full, so that levels are evicted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curriculum, "WARM_UP", 8)
        patch.setattr(curriculum.LevelMemory.__init__, "__defaults__", (24,))
        yield played()


def test_the_memory_is_the_referee_s_and_holds_the_layouts(
    played_with_a_small_memory, memory_referee
):
    vec = played_with_a_small_memory
    known = memory_referee(vec.visits, 24)
    assert vec.memory.counts.tolist() == [24, len(vec.visits)]
    assert vec.memory.seed.tolist() == list(known)
    assert vec.memory.latest.tolist() == [latest for _, latest, _ in known.values()]
    assert (vec.memory.seed < 0).any()
    layouts = {name: layout for _, name, _, layout in vec.begun}
    for name, layout in zip(vec.memory.seed.tolist(), vec.remembered, strict=True):
        np.testing.assert_array_equal(layout, layouts[name])


def test_a_child_follows_each_remembered_level_and_no_other(played_with_a_small_memory):
    vec = played_with_a_small_memory
    names = {name for _, name, kind, _ in vec.begun if kind != REPLAYED}
    seen, differ = {FRESH: 0, REPLAYED: 0, CHILD: 0}, []
    for i in EVERYONE:
        own = [visit[1:] for visit in vec.begun if visit[0] == i]
        for (name, kind, layout), (later, following, child) in pairwise(own):
            assert (following == CHILD) == (kind == REPLAYED)
            assert (following == CHILD) <= (later < 0)
            seen[following] += 1
            if following == CHILD:
                differ.append((layout != child).any())
                assert (layout[2, 1, -2] > 0) == (child[2, 1, -2] > 0)
            assert name in names
    assert min(seen.values()) > 30
    assert np.mean(differ) > 0.5
    children = [name for _, name, kind, _ in vec.begun if kind == CHILD]
    assert len(set(children)) == len(children)


def test_seeded_levels_are_those_of_their_seed(played_with_a_small_memory):
    env = TASKS[TASK].make_env(1)
    seeded = [
        (name, layout) for _, name, _, layout in played_with_a_small_memory.begun if name >= 0
    ]
    for name, layout in seeded[::10]:
        env.reset_levels(np.array([name]), np.array([0]))
        np.testing.assert_array_equal(env.observe()[0], layout)
    assert any(name >= SHIFTED for name, _ in seeded)


def test_the_first_visits_are_those_of_plain_replay():
    env, plain = TASKS[TASK].make_env(4), TASKS[TASK].make_env(4)
    vec, replay = AccelVecEnv(env, Levels(), seed=5), ReplayVecEnv(plain, Levels(), seed=5)
    for _ in range(2 * EPISODES):
        indices = np.arange(4)
        assert (vec._stream.draw(indices) == replay._stream.draw(indices)).all()


def ended(vec, steps=200):
    """All arrays of an environment after further steps at random."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        vec.step_async(rng.integers(4, size=16))
        vec.step_wait()
    return vec.snapshot()


@pytest.mark.parametrize("oracle", [False, True])
def test_a_restored_environment_goes_on_as_before(oracle, monkeypatch):
    monkeypatch.setattr(curriculum, "WARM_UP", 8)

    def make():
        env = TASKS[TASK].make_env(16, size=5)
        vec = AccelVecEnv(env, Levels("train", 0.3), seed=3, oracle=oracle)
        vec.reset()
        return vec

    whole = make()
    state = ended(whole, 600)
    expected = ended(whole)
    assert (state["visit.current"] < 0).any()

    def resumed(state):
        vec = make()
        vec.restore(state)
        found = ended(vec)
        return all(np.array_equal(found[name], expected[name]) for name in expected)

    assert resumed(state)
    count = int(state["memory.counts"][0])
    for name in ("kind", "layouts", "remembered"):  # control: one array is in another order
        key = f"edits.{name}"
        shifted = state[key].copy()
        shifted[:count] = np.roll(state[key][:count], 1, axis=0)
        assert not resumed({**state, key: shifted}), key


@pytest.mark.slow
def test_a_resumed_run_has_the_same_bytes(tmp_path, monkeypatch, interrupted_and_resumed):
    monkeypatch.setattr(curriculum, "WARM_UP", 8)
    options = {"levels": "accel:0.3", "total_timesteps": 4_096, "num_envs": 16, "env": {"size": 7}}
    train(TASK, out=tmp_path / "whole", **options)
    whole = (tmp_path / "whole" / "agent.safetensors").read_bytes()
    assert interrupted_and_resumed(tmp_path / "parts", options) == whole


def test_edits_are_a_function_of_level_and_word():
    _, found = generations(1.0, count=1)
    editor = TASKS[TASK].make_env(1).level_editor()
    same = np.zeros(64, np.uint64)
    once, again = editor.edited(found[0], same), editor.edited(found[0], same)
    np.testing.assert_array_equal(once, again)
    assert (editor.edited(found[0], same + np.uint64(1)) != once).any()


def test_an_environment_that_cannot_edit_is_one_error():
    with pytest.raises(UsageError, match="cannot edit its levels: use --levels plr"):
        make_config("boat-lagoon", levels="accel:0.1")
    with pytest.raises(UsageError, match="unknown levels 'accel:2'"):
        make_config(TASK, levels="accel:2")
    with pytest.raises(UsageError, match="those of the true reward"):
        make_config(TASK, levels="accel-oracle:0.1", reward="proxy")
    assert accel.editor_of(TASKS[TASK].make_env(1)).shape == (3, 9, 9)


@pytest.mark.parametrize(("plane", "value"), [(0, 0), (1, 0), (2, 1)])
def test_a_level_that_is_no_maze_is_not_started(plane, value):
    env, found = generations(0.0, count=0)
    spoilt = found[0].copy()
    spoilt[3, plane] = value
    with pytest.raises(ValueError, match="not a closed maze"):
        env.level_editor().place(spoilt, np.arange(64))
