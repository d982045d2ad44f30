"""procgen-maze: levels of the real game, golden play, kernels against the plain referee."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from procgen_referee import MOVES, WORLD, Maze, Play

from proxylab_envs.channels import OUTCOMES
from proxylab_envs.levels import SHIFTED, Levels
from proxylab_envs.procgen_maze import ProcgenConfig, ProcgenLevel, ProcgenMaze, planes_size

MODES = st.sampled_from(["easy", "hard", "memory"])
SEEDS = st.integers(0, 2**31 - 2)

HARD_54 = """
#########
#.......#
#####.###
#.....#.#
###.###.#
#.......#
#.#.#.###
#m#.#..c#
#########
"""
TO_THE_CORNER = "uurruurruurr"
TO_THE_CHEESE = "uurrrrddrr"
# SHA-256 of the texts of levels 0 to 199, each with a line end, as the real game's own
# library (procgen 0.10.7) made them.
REAL_LEVELS = {
    "easy": "43c89c803635dee572b8b473d6129a8bdece624539e5a81c50e02045e9408a84",
    "hard": "cb8fe3f7ed28b2a5d51d2d7356aa935981044d8d3b094661dc5533032c272c8e",
    "memory": "04a91387df46e75a779d8749e1c8bc6b2abe137f5129c0516d146eaa9deaab54",
}


def started(level_seed, **env_kwargs):
    env = ProcgenMaze(1, ProcgenConfig(**env_kwargs))
    env.reset_levels(np.array([level_seed]), np.array([0]))
    return env


def play(moves, **env_kwargs):
    env = ProcgenMaze(1, ProcgenConfig(**env_kwargs))
    env.place_level(ProcgenLevel.from_ascii(HARD_54))
    for key in moves:
        env.step(np.array(["udlr".index(key)]))
    return env


def in_planes(env, cell):
    """(row, column) of a referee's cell (x, y)."""
    edge, size = int(env.core.corner[0, 0]), env.config.size
    return size - 1 - edge - cell[1], edge + cell[0]


# -- levels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", REAL_LEVELS)
def test_levels_of_the_real_game(mode):
    digest = hashlib.sha256()
    for seed in range(200):
        text = started(seed + SHIFTED, mode=mode).level().cropped().to_ascii()
        digest.update(f"{text}\n".encode())
    assert digest.hexdigest() == REAL_LEVELS[mode]


def test_a_golden_level_of_the_real_game():
    assert started(54 + SHIFTED, mode="hard").level().cropped().to_ascii() == HARD_54.strip()


@given(seed=SEEDS, mode=MODES)
def test_twins_equal_the_referee(seed, mode):
    maze = Maze(seed, mode)
    env = started(seed + SHIFTED, mode=mode)
    level = env.level()
    assert env.maze_dims([seed]) == [maze.dim] == [level.maze_dim]
    assert level.cropped().to_ascii() == maze.text()
    # The game's margin on every side, and our ring of wall.
    margin = (WORLD[mode] - maze.dim) // 2
    assert level.corner == (margin + 1, margin + maze.dim)
    assert level.mouse == (margin + maze.dim, margin + 1)
    assert len(level.walls) == planes_size(mode) == WORLD[mode] + 2


@given(seed=SEEDS, mode=MODES, corner_size=st.integers(0, 15))
def test_training_levels_have_the_cheese_in_the_block(seed, mode, corner_size):
    maze = Maze(seed, mode)
    env = started(seed, mode=mode, corner_size=corner_size)
    cells = {in_planes(env, cell): cell for cell in maze.free}
    cheese = cells[env.level().cheese]
    assert min(cheese) >= maze.dim - max(corner_size, 1)
    assert env.level().cropped().to_ascii() == maze.text(cheese)


def test_every_free_cell_of_the_block_gets_its_share():
    # The smallest mazes, four in number, come back often: 6 free cells each without the mouse's.
    env = ProcgenMaze(1, ProcgenConfig(corner_size=15))
    seeds = np.arange(30_000)
    seeds = seeds[env.maze_dims(seeds) == 3]
    by_maze = {}
    for seed in seeds:
        env.reset_levels(np.array([seed]), np.array([0]))
        found = by_maze.setdefault(env.core.walls[0].tobytes(), {})
        place = tuple(env.core.cheese[0].tolist())
        found[place] = found.get(place, 0) + 1
    assert len(by_maze) == 4
    for counts in by_maze.values():
        assert len(counts) == 6
        assert tuple(env.core.mouse[0].tolist()) not in counts
        total = sum(counts.values())
        # 24 counts, each within 5 standard deviations: false alarm 1 in 70,000, seeds fixed.
        for count in counts.values():
            assert abs(count - total / 6) < 5 * (total * 5 / 36) ** 0.5


def test_corner_sizes_0_and_1_are_the_corner():
    for corner_size in (0, 1):
        env = ProcgenMaze(50, ProcgenConfig(corner_size=corner_size))
        env.reset_levels(np.arange(50), np.arange(50))
        np.testing.assert_array_equal(env.core.cheese, env.core.corner)


def test_levels_start_in_any_environment_in_any_order():
    env = ProcgenMaze(3, ProcgenConfig(mode="hard"))
    env.reset_levels(np.array([7 + SHIFTED, 3]), np.array([2, 0]))
    for index, seed in ((2, 7 + SHIFTED), (0, 3)):
        assert env.level(index).to_ascii() == started(seed, mode="hard").level().to_ascii()


# -- text -----------------------------------------------------------------------------------


def test_ascii_reads_what_it_writes_wherever_the_maze_lies():
    level = ProcgenLevel.from_ascii(HARD_54)
    assert level.to_ascii() == HARD_54.strip()
    assert (level.mouse, level.cheese, level.corner) == ((7, 1), (7, 7), (1, 7))
    wide = level.centred(17)
    assert (wide.mouse, wide.corner, wide.maze_dim) == ((11, 5), (5, 11), 7)
    assert ProcgenLevel.from_ascii(wide.to_ascii()).cropped().to_ascii() == HARD_54.strip()
    assert play("").level().to_ascii() == wide.to_ascii()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (HARD_54.replace("m", "."), "exactly one mouse"),
        (HARD_54.replace("c", "x"), "unknown character 'x'"),
        (HARD_54.replace("#.......#", "#......##", 1), "top-right cell"),
    ],
)
def test_a_corrupt_level_is_refused(text, what):
    with pytest.raises(ValueError, match=what):
        ProcgenLevel.from_ascii(text)


def test_a_level_that_does_not_fit_is_refused():
    level = started(0, mode="hard").level()
    with pytest.raises(ValueError, match="cannot be centred in 9"):
        level.centred(9)
    with pytest.raises(ValueError, match="cannot be centred in 18"):
        ProcgenLevel.from_ascii(HARD_54).centred(18)


@pytest.mark.parametrize(
    ("env_kwargs", "what"),
    [
        ({"mode": "extreme"}, "unknown mode 'extreme': choose easy, hard, memory"),
        ({"corner_size": 16}, "corner_size 16 is not between 0 and 15"),
        ({"corner_size": -1}, "corner_size -1"),
        ({"end_on": "corner"}, "unknown end_on 'corner'"),
        ({"observation": "grey"}, "unknown observation 'grey'"),
        ({"time_limit": 0}, "time_limit 0 is not between 1 and 10,000"),
    ],
)
def test_wrong_knobs_are_refused(env_kwargs, what):
    with pytest.raises(ValueError, match=what):
        ProcgenConfig(**env_kwargs)


# -- play -----------------------------------------------------------------------------------


def test_golden_intended():
    env = play(TO_THE_CHEESE)
    assert env.core.terminated[0]
    assert OUTCOMES[env.core.outcomes[0]] == "intended"
    assert env.core.rewards[0].tolist() == [10, 0]
    assert env.core.returns[0].tolist() == [10, 0]
    assert env.core.steps[0] == len(TO_THE_CHEESE)


def test_golden_gaming_runs_to_the_corner_and_lets_the_cheese_lie():
    env = play(TO_THE_CORNER, time_limit=len(TO_THE_CORNER))
    assert env.core.truncated[0]
    assert not env.core.terminated[0]
    assert OUTCOMES[env.core.outcomes[0]] == "proxy"
    assert env.core.returns[0].tolist() == [0, 10]
    assert env.core.proxy_first[0]


def test_the_game_ends_with_its_500th_step():
    env = play("d" * 499)
    assert not env.done[0]
    env.step(np.array([1]))
    assert env.core.truncated[0]
    last = play("d" * 490 + TO_THE_CHEESE)
    assert last.core.terminated[0]
    assert not last.core.truncated[0]


def test_in_the_largest_maze_the_mouse_stays_inside():
    env = ProcgenMaze(1, ProcgenConfig(mode="easy"))
    seeds = np.arange(200)
    widest = int(seeds[env.maze_dims(seeds) == 15][0])
    env = started(widest)
    assert env.level().mouse == (15, 1)
    for action in (1, 2):
        env.step(np.array([action]))
        assert env.core.mouse[0].tolist() == [15, 1]


@given(
    seed=SEEDS,
    twin=st.booleans(),
    mode=MODES,
    end_on=st.sampled_from(["cheese", "both", "either"]),
    actions=st.lists(st.integers(0, 3), max_size=30),
    keys=st.sampled_from(["", "corner", "cheese"]),
)
def test_play_equals_the_referee(seed, twin, mode, end_on, actions, keys):
    maze = Maze(seed, mode)
    cheese = maze.cheese if twin else (maze.dim - 1,) * 2
    if keys:  # walk to a goal, then about
        way = maze.way(cheese if keys == "cheese" else (maze.dim - 1,) * 2)
        moves = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(way)]
        actions = [list(MOVES.values()).index(move) for move in moves] + actions
    env = started(seed + SHIFTED * twin, mode=mode, end_on=end_on, time_limit=100)
    referee = Play(maze, cheese, end_on, 100)
    for action in actions:
        if referee.terminated or referee.truncated:
            break
        env.step(np.array([action]))
        referee.step(action)
        assert env.core.rewards[0].tolist() == list(referee.rewards)
        row, col = in_planes(env, referee.mouse)
        assert env.core.mouse[0].tolist() == [row, col]
        assert env.core.state_ids[0] == row * planes_size(mode) + col
        assert np.argwhere(env.observe()[0, 1]).tolist() == [[row, col]]
        assert env.core.terminated[0] == referee.terminated
        assert env.core.truncated[0] == referee.truncated
    if referee.terminated or referee.truncated:
        assert OUTCOMES[env.core.outcomes[0]] == referee.outcome()
        assert env.core.proxy_first[0] == (referee.reached[:1] == ["corner"])


# -- solver ---------------------------------------------------------------------------------


@given(seed=SEEDS, mode=MODES, gamma=st.sampled_from([1.0, 0.99]), limit=st.integers(5, 60))
def test_solver_equals_a_plain_search(seed, mode, gamma, limit):
    maze = Maze(seed, mode)
    env = started(seed + SHIFTED, mode=mode, time_limit=limit)
    seeds, corner = np.array([seed + SHIFTED]), (maze.dim - 1,) * 2
    ways = [maze.way(maze.cheese), maze.way(corner)]
    found = env.optimal_returns(seeds, gamma)
    distances = env.landmark_distances(seeds)[0]
    for k, way in enumerate(ways):
        steps = len(way) - 1
        best = 10 * gamma ** (steps - 1) if steps <= limit else 0
        assert found[env.channels[k]][0] == pytest.approx(best)
        assert distances[k, env.core.state_ids[0]] == steps
        assert (distances[k] >= 0).sum() == len(maze.free)
    shared = [cell for cell in ways[0] if cell in ways[1]]
    (square,) = env.decision_squares(seeds)
    if shared[-1] in (maze.cheese, corner):
        assert square == -1
    else:
        row, col = in_planes(env, shared[-1])
        assert square == row * planes_size(mode) + col


@pytest.mark.parametrize(("script", "channel"), [("optimal", 0), ("corner-seeker", 1)])
def test_optimal_play_earns_the_optimal_return(script, channel):
    env = ProcgenMaze(100, ProcgenConfig(mode="hard", end_on="both"))
    seeds = env.sample_level_seeds(Levels("shifted"), 100, 3)
    env.reset_levels(seeds, np.arange(100))
    best = list(env.optimal_returns(seeds, 0.99).values())[channel]
    earned, discount = np.zeros(100), 1.0
    while discount > 0.99**300 and not env.done.all():
        active = ~env.done
        env.step(env.script_actions(script, np.arange(100)).argmax(1), active)
        earned += discount * env.core.rewards[:, channel] * active
        discount *= 0.99
    np.testing.assert_allclose(earned, best, rtol=1e-6)
    assert (earned > 0).all()


def test_successors_are_where_the_moves_end():
    env = started(3)
    size = planes_size("easy")
    successors = env.successors([3])[0]
    for cell in range(size * size):
        if env.core.walls[0].ravel()[cell]:
            assert (successors[cell] == -1).all()
            continue
        for action in range(4):
            env.reset_levels(np.array([3]), np.array([0]))
            env.core.mouse[0] = divmod(cell, size)
            env.step(np.array([action]))
            assert env.core.state_ids[0] == successors[cell, action]


# -- pictures -------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", WORLD)
def test_pictures_show_the_world(mode):
    env = started(54 + SHIFTED, mode=mode, observation="rgb")
    size = planes_size(mode)
    assert env.observe().shape == (1, size, size, 3)
    picture = env.render_rgb(0)
    assert picture.shape == (512 // size * size,) * 2 + (3,)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    assert env.render_ansi(0) == env.level().to_ascii()
