"""The kind of difference: a common destination, less ability, or neither."""

from itertools import pairwise

import numpy as np
import pytest
from toy_field import open_field, wander, wanderers

from proxylab.detection.judge import judge
from proxylab.detection.kinds import (
    ANOTHER_WAY,
    LESS_ABLE,
    LOOP,
    PURSUES,
    UNDETERMINED,
    Difference,
    destination,
    difference_of,
    with_ability,
)
from proxylab.detection.records import NOT_HARM
from proxylab.rollouts.episodes import Episodes, concatenate
from proxylab.statistics.paths import most_entries, one_way

LEVELS = 60
EVERY = np.ones(LEVELS, bool)


@pytest.fixture(scope="module")
def field():
    rng, view = np.random.default_rng(2), open_field(LEVELS)
    trusted = list(wanderers(view, 0, 12, rng, steps=12).values())
    return rng, view, trusted[:6], trusted[6:]


def test_a_corner_seeker_pursues_the_corner(field):
    rng, view, reference, calibration = field
    found = difference_of(wander(view, 1, rng), reference, calibration, view, EVERY)
    assert (found.kind, found.sought.place) == (PURSUES, "corner")
    assert found.sought.share > 0.8
    assert "dwells at corner" in found.reason
    assert with_ability(found, admitted=False).kind == PURSUES  # a destination is one, able or not


def test_a_random_walker_has_no_destination_and_is_less_able(field):
    rng, view, reference, calibration = field
    found = difference_of(wander(view, None, rng), reference, calibration, view, EVERY)
    assert found.sought is None
    assert with_ability(found, admitted=False).kind == LESS_ABLE
    assert with_ability(found, admitted=True) == with_ability(found, admitted=None) == found


def test_an_honest_walker_ends_where_the_trusted_do(field):
    rng, view, reference, calibration = field
    found = difference_of(wander(view, 0, rng, error=0.01), reference, calibration, view, EVERY)
    assert (found.kind, found.sought) == (ANOTHER_WAY, None)
    assert found.ends_alike >= 0


def test_a_few_gamed_episodes_are_named_if_they_are_the_ones_looked_at(field):
    rng, view, reference, calibration = field
    gamed = np.arange(LEVELS) % 6 == 0
    both = concatenate([wander(view, 0, rng), wander(view, 1, rng)], "rare")
    rare = both.select(np.arange(LEVELS) + LEVELS * gamed)
    assert destination(rare, reference, view, EVERY) is None
    assert destination(rare, reference, view, gamed).place == "corner"
    two = gamed & (np.cumsum(gamed) <= 2)
    assert destination(rare, reference, view, two) is None  # two episodes share a place by chance
    assert difference_of(rare, reference, calibration, view, two).kind in (
        UNDETERMINED,
        ANOTHER_WAY,
    )


def circles(field, walk):
    view, like = field[1], field[2][0]
    steps = [walk[k % len(walk)] for k in range(60)] * LEVELS
    columns = {
        "episode_offsets": np.arange(LEVELS + 1) * 60,
        "state_id": np.array(steps),
        "action": np.zeros(60 * LEVELS, np.int64),
        "features": np.zeros((60 * LEVELS, 0), np.float32),
        "probabilities": None,
        "proxy_reward": None,
        "level_seed": view.levels,
        "terminated": np.zeros(LEVELS, bool),
        "truncated": np.ones(LEVELS, bool),
    }
    return Episodes("field", "circles", like.num_states, 4, **columns)


def test_a_loop_is_a_destination_and_to_and_fro_is_none(field):
    _, view, reference, _ = field
    loop = [6, 7, 8, 13, 18, 17, 16, 11]
    found = destination(circles(field, loop), reference, view, EVERY)
    assert found.place == LOOP
    there_and_back = [5, 6, 7, 8, 9, 8, 7, 6]
    found = destination(circles(field, there_and_back), reference, view, EVERY)
    assert found is None or found.place != LOOP


def test_only_a_flag_has_a_kind_and_says_that_it_is_no_harm():
    rng, view = np.random.default_rng(5), open_field(40)
    trusted = wanderers(view, 0, 40, rng, steps=12)
    suspects = {"seeker": wander(view, 1, rng), "honest": wander(view, 0, rng, error=0.02)}
    found = judge(suspects, trusted, rng=rng, task=view, also=())
    seeker, honest = found.suspects
    assert (seeker.verdict, seeker.difference.kind) == ("FLAG", PURSUES)
    assert (honest.verdict == "FLAG") == (honest.difference is not None)
    assert str(found).count(NOT_HARM) == sum(s.verdict == "FLAG" for s in found.suspects)
    assert found.as_json()["suspects"][0]["difference"]["sought"]["place"] == "corner"


def test_without_states_the_kind_is_unknown(field):
    _, view, reference, calibration = field
    blind = circles(field, [1, 2])
    blind = Episodes(**{**vars(blind), "state_id": np.full(blind.num_steps, -1)})
    found = difference_of(blind, reference, calibration, view, EVERY)
    assert isinstance(found, Difference)
    assert found.kind == UNDETERMINED


def plain(states):
    entries, moves = {}, {}
    for before, state in zip([None, *states], states, strict=False):
        if state != before:
            entries[state] = entries.get(state, 0) + 1
            if before is not None:
                moves[before, state] = moves.get((before, state), 0) + 1
    net = sum(abs(n - moves.get((b, a), 0)) for (a, b), n in moves.items() if a < b)
    net += sum(n for (a, b), n in moves.items() if a > b and (b, a) not in moves)
    return max(entries.values()), net / sum(moves.values()) if moves else 1.0


def test_entries_and_one_sidedness_by_their_definitions():
    rng = np.random.default_rng(4)
    states, offsets = rng.integers(5, size=90), np.array([0, 1, 2, 30, 90])
    parts = [plain(states[a:b].tolist()) for a, b in pairwise(offsets)]
    assert most_entries(states, offsets, 5).tolist() == [part[0] for part in parts]
    np.testing.assert_allclose(one_way(states, offsets, 5), [part[1] for part in parts])
