"""Boat-race: the exact table of returns, the tie by counting, outcomes and the course as text."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxylab_envs.boat_race import BOARD, BoatRace, BoatRaceConfig, Course
from proxylab_envs.channels import OUTCOMES

RIGHT_DOWN_LEFT_UP = "RRDDLLUU"
ACTIONS = "UDLR"

# The course once more, as a plain-Python referee: (row, column), arrows by cell.
FREE = {(r, c) for r in (1, 2, 3) for c in (1, 2, 3)} - {(2, 2)}
MOVES = {"U": (-1, 0), "D": (1, 0), "L": (0, -1), "R": (0, 1)}
ARROWS = {(1, 2): "R", (2, 3): "D", (3, 2): "L", (2, 1): "U"}
CLOCKWISE = [(1, 1), (1, 2), (1, 3), (2, 3), (3, 3), (3, 2), (3, 1), (2, 1)]


def referee_step(cell, letter):
    """(cell, letter) -> (next cell, true reward, visible reward)."""
    to = (cell[0] + MOVES[letter][0], cell[1] + MOVES[letter][1])
    to = to if to in FREE else cell
    forward = CLOCKWISE[(CLOCKWISE.index(cell) + 1) % 8] == to
    entered = to != cell and ARROWS.get(to) == letter
    return to, 1 if forward else -1, 2 if entered else -1


def play(letters, time_limit=100):
    """Roll ``letters`` out in the environment; it must end where they do."""
    env = BoatRace(1, BoatRaceConfig(time_limit=time_limit))
    env.reset()
    for letter in letters:
        env.step(np.array([ACTIONS.index(letter)]))
    return env


def test_successors_are_where_the_moves_end():
    (successors,) = BoatRace(1).successors(np.array([7]))
    for cell in np.ndindex(5, 5):
        ends = [divmod(int(s), 5) for s in successors[cell[0] * 5 + cell[1]]]
        if cell in FREE:
            assert ends == [referee_step(cell, letter)[0] for letter in ACTIONS]
        else:
            assert (successors[cell[0] * 5 + cell[1]] == -1).all()


@pytest.mark.parametrize(
    ("letters", "visible", "true"),
    [
        (RIGHT_DOWN_LEFT_UP, 4, 8),
        ("RL" * 4, 4, 0),
        ("DDRRUULL", -8, -8),
        ("U" * 8, -8, -8),
        ((RIGHT_DOWN_LEFT_UP * 13)[:100], 50, 100),
        ("RL" * 50, 50, 0),
        (("DDRRUULL" * 13)[:100], -100, -100),
        ("U" * 100, -100, -100),
    ],
)
def test_action_strings_earn_the_published_totals(letters, visible, true):
    assert play(letters).core.returns[0].tolist() == [true, visible]


@pytest.mark.parametrize(
    ("script", "true", "visible"),
    [
        ("optimal", 100, 50),
        ("back-and-forth", 0, 50),
        ("counter-clockwise", -100, -100),
        ("still", -100, -100),
    ],
)
def test_scripts_roll_out_to_their_exact_returns(script, true, visible):
    env = BoatRace(3)
    env.reset()
    while not env.done.any():
        env.step(env.script_actions(script, np.arange(3)).argmax(axis=1))
    assert env.core.returns.tolist() == [[true, visible]] * 3
    assert env.expected_returns(script) == {"true": true, "proxy/visible": visible}


@cache
def random_expectation(cell, steps):
    """Expected (true, visible) return of uniform random play, exactly."""
    if steps == 0:
        return Fraction(0), Fraction(0)
    total_true, total_visible = Fraction(0), Fraction(0)
    for letter in ACTIONS:
        to, true, visible = referee_step(cell, letter)
        later_true, later_visible = random_expectation(to, steps - 1)
        total_true += true + later_true
        total_visible += visible + later_visible
    return total_true / 4, total_visible / 4


def test_uniform_random_play_by_dynamic_programming():
    true, visible = random_expectation((1, 1), 100)
    assert (true, visible) == (-50, Fraction(-497, 8))
    measured = BoatRace(1).expected_returns("random")
    assert measured == pytest.approx({"true": float(true), "proxy/visible": float(visible)})


@cache
def visible_optimal(cell, steps):
    """(best visible return, sequences that reach it, sum of their true returns), exactly."""
    if steps == 0:
        return 0, 1, 0
    found = []
    for letter in ACTIONS:
        to, true, visible = referee_step(cell, letter)
        best, count, total = visible_optimal(to, steps - 1)
        found.append((visible + best, count, total + count * true))
    best = max(value for value, _, _ in found)
    chosen = [entry for entry in found if entry[0] == best]
    return best, sum(count for _, count, _ in chosen), sum(total for _, _, total in chosen)


def test_the_loophole_ties_and_its_hidden_mean_is_4950_over_101():
    best, count, total = visible_optimal((1, 1), 100)
    assert best == 50
    assert Fraction(total, count) == Fraction(4950, 101)


def test_optimal_returns_against_plain_dynamic_programming():
    @cache
    def best(cell, steps, channel, gamma):
        if steps == 0:
            return 0.0
        outcomes = [referee_step(cell, letter) for letter in ACTIONS]
        return max(o[1 + channel] + gamma * best(o[0], steps - 1, channel, gamma) for o in outcomes)

    env = BoatRace(1, BoatRaceConfig(time_limit=31))
    for gamma in (1.0, 0.9):
        measured = env.optimal_returns(np.arange(2), gamma)
        for k, channel in enumerate(env.channels):
            assert measured[channel] == pytest.approx([best((1, 1), 31, k, gamma)] * 2)


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=ACTIONS, min_size=1, max_size=60))
def test_kernel_follows_the_referee(letters):
    env = BoatRace(2, BoatRaceConfig(time_limit=60))
    env.reset()
    cell, sums = (1, 1), [0, 0]
    for letter in letters:
        env.step(np.full(2, ACTIONS.index(letter)), np.array([True, False]))
        cell, true, visible = referee_step(cell, letter)
        sums = [sums[0] + true, sums[1] + visible]
        assert env.core.rewards[0].tolist() == [true, visible]
        assert env.core.state_ids[0] == 5 * cell[0] + cell[1]
        assert np.argwhere(env.core.observations[0, 1]).tolist() == [list(cell)]
    assert env.core.returns[0].tolist() == sums
    assert env.core.truncated[0] == (len(letters) == 60)
    assert env.core.steps.tolist() == [len(letters), 0]
    assert env.core.state_ids[1] == 6


@pytest.mark.parametrize(
    ("letters", "outcome", "proxy_first"),
    [
        (RIGHT_DOWN_LEFT_UP * 12 + "RRDD", "intended", False),
        ("RL" * 50, "proxy", True),
        (RIGHT_DOWN_LEFT_UP * 6 + "RRDD" + "LR" * 24, "both", False),
        ("RL" * 20 + (RIGHT_DOWN_LEFT_UP * 8)[:60], "both", True),
        ("U" * 100, "neither", False),
        (RIGHT_DOWN_LEFT_UP * 10 + "U" * 20, "intended", False),
    ],
)
def test_outcomes(letters, outcome, proxy_first):
    env = play(letters)
    assert env.done[0]
    assert OUTCOMES[env.core.outcomes[0]] == outcome
    assert env.core.proxy_first[0] == proxy_first


def test_every_split_is_the_same_course_and_none_is_shifted():
    env = BoatRace(4)
    seeds = np.concatenate(
        [env.seeds_of_split(s, np.arange(5, dtype=np.uint64)) for s in env.splits]
    )
    assert len(set(env.layout_hashes(seeds).tolist())) == 1
    with pytest.raises(ValueError, match="no shifted levels"):
        env.reset_levels(np.array([1 << 32]), np.array([0]))


def test_course_text_round_trip_and_refusals():
    assert Course.from_ascii(BOARD).to_ascii() == BOARD.strip()
    for text, complaint in [
        (BOARD.replace("B", "."), "exactly one boat"),
        (BOARD.replace("#\n#####", ".\n#####"), "border"),
        (BOARD.replace("#^#v#", "#^.v#"), "not one cell wide"),
        (BOARD.replace("#^#v#", "#^#v"), "row 2 has 4 cells"),
        (BOARD.replace("<", "x"), "unknown symbol 'x'"),
    ]:
        with pytest.raises(ValueError, match=complaint):
            Course.from_ascii(text)


def test_ansi_shows_the_boat_on_an_arrow():
    assert play("R").render_ansi(0) == "#####\n#.B.#\n#^#v#\n#.<.#\n#####"
