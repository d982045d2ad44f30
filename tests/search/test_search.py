"""Searches over levels: the space, the methods, and what is found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from proxylab.agents.references import load_agent
from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.rollouts.rollout import rollout
from proxylab.search.methods import METHODS
from proxylab.search.run import BATCH, Archive, Judge, SearchSettings, search_levels
from proxylab.storage.store import read_table
from proxylab.tasks import TASKS
from proxylab_envs.grid.paths import distances_from
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner.level import MazeLevel
from proxylab_envs.maze_corner.search_space import MazeSpace

TASK = "maze-corner"


@pytest.fixture(scope="module")
def space():
    return MazeSpace(TASKS[TASK].make_env(BATCH), 3)


POINTS = arrays(np.float64, (4, 6), elements=st.floats(0, 1))


@given(points=POINTS)
def test_every_point_is_a_level_that_can_be_solved(space, points):
    levels = space.levels(points)
    assert (space.optimal(levels) == 1).all()
    for level, (to_cheese, to_corner) in zip(levels, space.measures(levels), strict=True):
        out, queue = np.empty((9, 9), np.int16), np.empty(81, np.int64)
        distances_from(level.walls, *level.cheese, out, queue)
        assert out[level.mouse] == to_cheese > 0
        assert out[level.corner] == to_corner >= 0
        assert ((out >= 0) == ~level.walls).all()


@given(points=POINTS)
def test_without_edits_mazes_stay_perfect(points):
    space = MazeSpace(TASKS[TASK].make_env(4), 0)
    layouts = [level.walls for level in space.levels(points[:, :3])]
    assert all((~walls).sum() == 2 * 16 - 1 for walls in layouts)
    opened = MazeSpace(space.env, 3).levels(np.ones((1, 6)))[0].walls
    assert (~opened).sum() == 2 * 16 - 1 + 3  # control


def test_layouts_are_of_the_shifted_split(space):
    ranks = np.arange(200, dtype=np.uint64)
    seeds = space.env.seeds_of_split("shifted", ranks)
    hashes = set(space.env.layout_hashes(seeds).tolist())
    drawn = space.env.sample_level_seeds(Levels("train"), 200, 0)
    assert not hashes & set(space.env.layout_hashes(drawn).tolist())


@pytest.mark.parametrize("method", METHODS)
def test_the_optimal_script_has_no_regret(method):
    report = search_levels(
        f"script:{TASK}/optimal", settings=SearchSettings(method=method, budget=2 * BATCH)
    )
    assert report.levels == 2 * BATCH
    assert report.worst[0].score == report.mean == 0


def test_scores_are_those_of_plain_rollouts(space):
    """Regret, proxy gain and divergence of placed levels, recomputed from a rollout of each."""
    suspect, trusted = (load_agent(f"zoo:{TASK}/{name}") for name in ("proxy-00", "trusted-00"))
    levels = space.levels(np.random.default_rng(0).random((6, 6)))
    found = {}
    for what in ("regret", "proxy-gain", "divergence"):
        judge = Judge(space, suspect, trusted, what, seed=0)
        found[what] = judge.scores(levels)
    one = TASKS[TASK].make_env(1)
    for k, level in enumerate(levels):
        outcomes, apart = {}, []
        for policy in (suspect, trusted):
            playing = Placed(policy, level, k)
            _, outcomes[policy.name] = rollout(
                playing, one, [0], task=TASK, seed=judge.seed, first=k
            )
            apart += [playing.states] if policy is suspect else []
        own, theirs = outcomes[suspect.name], outcomes[trusted.name]
        assert found["regret"][k] == 1 - own.returns_of("true")[0]
        gain = own.returns_of("proxy/corner")[0] - theirs.returns_of("proxy/corner")[0]
        assert found["proxy-gain"][k] == gain
        differences = []
        for cell in apart[0]:
            one.place_level(level)
            one.core.mouse[0] = cell
            one.core.observations[0, 1] = 0
            one.core.observations[0, 1][tuple(cell)] = 1
            pair = [p.probabilities(one, np.arange(1)) for p in (suspect, trusted)]
            differences.append(0.5 * np.abs(pair[0] - pair[1]).sum())
        assert found["divergence"][k] == pytest.approx(np.mean(differences), abs=1e-5)
    assert len(set(found["regret"])) == 2


class Placed:
    """A policy that exchanges the level for its own at the first step."""

    def __init__(self, policy, level, number):
        self.policy, self.level, self.name, self.task = policy, level, policy.name, policy.task
        self.states = []

    def probabilities(self, env, indices):
        if env.core.steps[0] == 0:
            env.place_level(self.level)
        self.states.append(env.core.mouse[0].copy())
        return self.policy.probabilities(env, indices)


def landscape(points):
    """Bad in one corner of the cube only."""
    return np.exp(-20 * ((points - 0.9) ** 2).sum(axis=1))


def best_of(method, seed):
    chooser, best = METHODS[method](6, ((0, 1), (0, 1)), seed), 0.0
    for _ in range(40):
        points = chooser.ask(64)
        assert points.shape == (64, 6)
        assert ((points >= 0) & (points <= 1)).all()
        scores = landscape(points)
        chooser.tell(points, scores, points[:, :2])
        best = max(best, scores.max())
    return best


@pytest.mark.parametrize("method", ["elites", "prioritised"])
def test_a_method_gets_nearer_to_the_worst_than_random_search(method):
    """Means over five seeds; random search with the same budget is the control."""
    found, control = (np.mean([best_of(m, seed) for seed in range(5)]) for m in (method, "random"))
    assert found > control + 0.1


def test_the_archive_keeps_the_worst_of_every_cell(space):
    level = MazeLevel.from_ascii("#####\n#m.c#\n###.#\n#...#\n#####")
    archive = Archive(space)
    places = np.array([[2.0, 3.0], [3.0, 2.0], [4.0, 2.0]])
    archive.add([level] * 3, np.array([0.1, 0.7, 0.3]), places)
    archive.add([level], np.array([0.5]), places[:1])
    assert [row["score"] for row in archive.rows()] == [0.7, 0.3]


def test_the_command_writes_levels_that_can_be_played(tmp_path, capsys):
    folder = tmp_path / "worst"
    call = ["search", f"zoo:{TASK}/proxy-00", "--budget", "256", "--worst", "2"]
    assert main([*call, "--method", "random", "--out", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "256 levels by random" in out
    assert out.count("#########\n") >= 2  # the worst level, a line a row
    rows = read_table(folder / "archive.parquet")
    assert len(rows) > 10
    assert rows[0]["score"] == 1
    file = folder / "level-00.txt"
    assert file.read_text().strip() == rows[0]["level"]
    played = ["play", TASK, "--level", str(file), "--agent", f"zoo:{TASK}/trusted-00", "--json"]
    assert main(played) == 0
    assert sorted(p.name for p in folder.glob("*.txt")) == ["level-00.txt", "level-01.txt"]


WRONG = [
    ({"maximise": "divergence"}, "name it by --trusted"),
    ({"maximise": "harm"}, "cannot maximise"),
    ({"method": "elite"}, "did you mean elites"),
    ({"budget": 255}, "at least 256"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_wrong_use(options, said):
    with pytest.raises(UsageError, match=said):
        search_levels(f"script:{TASK}/optimal", settings=SearchSettings(**options))


def test_tasks_without_such_levels_are_named():
    with pytest.raises(UsageError, match="boat-race cannot be searched"):
        search_levels("script:boat-race/optimal")
