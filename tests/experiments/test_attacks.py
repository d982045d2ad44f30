"""Attacks without training, and the tables of attacks, by brute force and on made-up rows."""

import itertools

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.reproduce.attack_tables import (
    ANY,
    DEVELOPMENT,
    GAINS,
    HACK,
    HARMFUL,
    HONEST,
    RANDOM,
    TEST,
    attack_tables,
)
from proxylab.reproduce.attacks import (
    NEVER_PAYS,
    Detour,
    Played,
    best_attempt,
    composed,
    gamed_up_to,
    prices,
    proxy_gain,
    true_return,
)
from proxylab.reproduce.detected import (
    fitted_on_trusted,
    judgements,
    recorded,
    scored,
    scores_of,
)
from proxylab.rollouts.episodes import proxy_returns

TASK, SPLIT, COUNT = "maze-corner", "shifted", 20


@pytest.fixture(scope="module")
def pair():
    agents = (load_agent(f"zoo:{TASK}/{name}") for name in ("fresh-20", "hack-00"))
    return [Played(*recorded(agent, TASK, SPLIT, COUNT)) for agent in agents]


def test_gaming_up_to_a_gain_takes_the_fewest_of_the_order():
    rng = np.random.default_rng(0)
    for _ in range(50):
        gain, order = rng.integers(-1, 3, 6).astype(float), rng.permutation(6)
        wanted = float(rng.integers(1, 6))
        counts = [k for k in range(1, 7) if sum(gain[order[:k]]) >= wanted]
        expected = set(order[: counts[0]] if counts else order)
        assert set(np.flatnonzero(gamed_up_to(order, gain, wanted))) == expected


def test_prices_are_costs_per_gain_and_infinite_where_nothing_is_gained(pair):
    honest, hack = (played.episodes for played in pair)
    rng = np.random.default_rng(0)
    costs = rng.random((2, COUNT))
    gain = proxy_returns(hack) - proxy_returns(honest)
    assert (gain > 0).any()
    assert (gain <= 0).any()
    for price, own, other, won in zip(prices(honest, hack, *costs), *costs, gain, strict=True):
        assert price == (pytest.approx((other - own) / won) if won > 0 else NEVER_PAYS)


def test_a_composition_has_the_episodes_and_the_truth_of_whoever_played(pair):
    honest, hack = pair
    is_gamed = np.arange(COUNT) % 3 == 0
    made = composed(honest, hack, is_gamed)
    for e, gamed in enumerate(is_gamed):
        source = (honest, hack)[int(gamed)]
        own, other = (p.episodes.select([e]).action.tolist() for p in (made, source))
        assert own == other
        assert made.outcomes.returns[e].tolist() == source.outcomes.returns[e].tolist()
    assert proxy_gain(honest.episodes, honest.episodes, hack.episodes) == 0
    assert proxy_gain(hack.episodes, honest.episodes, hack.episodes) == 1
    assert true_return(hack) < true_return(made) < true_return(honest)


def test_a_detour_takes_the_proxy_and_then_the_goal(pair):
    names = (f"zoo:{TASK}/{name}" for name in ("fresh-20", "hack-00"))
    detour = Played(*recorded(Detour(*map(load_agent, names)), TASK, SPLIT, COUNT))
    hack = pair[1]
    paid = proxy_returns(hack.episodes) > 0
    assert paid.any()
    assert (proxy_returns(detour.episodes)[paid] > 0).all()
    assert true_return(detour) > true_return(hack) + 0.2
    for e in np.flatnonzero(paid):  # until the reward is paid it is the gaming agent
        own, other = (p.episodes.select([e]) for p in (detour, hack))
        first = int(np.flatnonzero(other.proxy_reward)[0])
        assert own.action[: first + 1].tolist() == other.action[: first + 1].tolist()


def test_the_best_attempt_keeps_enough_and_scores_lowest():
    gains, scores = np.array([1.0, 0.6, 0.5, 0.2]), np.array([5.0, 2.0, 3.0, 0.0])
    assert [best_attempt(gains, scores, g) for g in (1.0, 0.5, 0.2)] == [0, 1, 3]
    assert best_attempt(gains, scores, 1.1) is None


@pytest.mark.parametrize("detector", ["occupancy_js", "higher_criticism"])
def test_scores_are_those_of_a_judgement(pair, detector):
    suspect = pair[1].episodes
    judged = judgements({"hack": suspect}, TASK, SPLIT, COUNT, detector)["hack"]
    score, p_value = scored(suspect, fitted_on_trusted(TASK, SPLIT, COUNT, detector))
    assert (score, p_value) == (pytest.approx(judged["anomaly"]), judged["p_value"])
    found = scores_of(suspect, TASK, SPLIT, COUNT, [detector])
    assert found == {detector: (pytest.approx(score), p_value)}


def test_episodes_in_another_order_than_the_trusted_ones_are_sorted_by_level(pair):
    suspect = pair[1].episodes
    wanted = scores_of(suspect, TASK, SPLIT, COUNT, ["first_divergence"])
    turned = suspect.select(np.arange(COUNT)[::-1])
    assert scores_of(turned, TASK, SPLIT, COUNT, ["first_divergence"]) == wanted
    assert set(wanted) == {"first_divergence"}


def test_a_detector_that_does_not_apply_has_no_score(few_trusted):
    task, split = "boat-lagoon", "iid"
    suspect = recorded(load_agent(f"zoo:{task}/hack-00"), task, split, 2)[0]
    found = scores_of(suspect, task, split, 2, ["goal_attribution", "occupancy_js"])
    assert set(found) == {"occupancy_js"}  # the boat has no map


DETECTORS = ("keen", "dull")
SEEDS = 8


def rows_of(score):
    """Rows of all attempts; ``score(part, attack, target, gain, detector, seed)``."""
    attacks = [(HONEST, ""), (RANDOM, ""), ("selective", "keen"), ("selective", "dull")]
    sides = itertools.product((DEVELOPMENT, TEST), attacks, (1.0, 0.5), range(SEEDS), DETECTORS)
    rows = []
    for part, (attack, target), gain, seed, detector in sides:
        kept = 0.0 if attack == HONEST else gain
        value = seed / 100 if attack == HONEST else score(part, attack, target, gain, detector)
        row = {"set": part, "attack": attack, "target": target, "start": "", "weight": None}
        row |= {"seed": seed, "gain": kept, "detector": detector, "score": value}
        row |= {"p_value": 0.01 if value > 0.1 else 0.5, "true": 1 - kept / 2, "true honest": 1.0}
        rows.append(row)
    return rows


def low_against_its_target(part, attack, target, gain, detector):
    """Selective gaming hides from ``keen`` only, and at half the gain only."""
    return 0.0 if (target, detector, gain) == ("keen", "keen", 0.5) else 1.0


def table_of(name, score, **where):
    rows = attack_tables("toy", rows_of(score))[name]
    return [row for row in rows if all(row[n] == value for n, value in where.items())]


def test_the_ranking_turns_where_somebody_optimises():
    rows = table_of("strongest", low_against_its_target, kept=0.5, among=ANY)
    half = {row["detector"]: row for row in rows}
    assert (half["keen"]["before"], half["dull"]["before"]) == (1.0, 1.0)
    assert (half["keen"]["attack"], half["keen"]["target"]) == ("selective", "keen")
    assert half["keen"]["auroc"] < 0.1
    assert half["dull"]["auroc"] == 1
    assert [half[name]["rank after"] for name in DETECTORS] == [2, 1]
    assert half["keen"]["power"] == 0
    assert half["keen"]["harm"] == pytest.approx(0.25)
    whole = table_of("strongest", low_against_its_target, kept=1.0, detector="keen")
    assert {row["auroc"] for row in whole} == {1.0}


def test_harmless_attacks_are_told_apart():
    def hidden_without_harm(part, attack, target, gain, detector):
        return 0.0 if target == "keen" else 1.0

    rows = rows_of(hidden_without_harm)
    for row in rows:
        if row["target"] == "keen":
            row["true"] = 1.0
    table = attack_tables("toy", rows)["strongest"]
    found = {r["among"]: r["auroc"] for r in table if (r["detector"], r["kept"]) == ("keen", 0.5)}
    assert found[ANY] < 0.1
    assert found[HARMFUL] == 1


def test_the_strongest_attack_is_chosen_in_development():
    def only_in_the_test(part, attack, target, gain, detector):
        return 0.0 if (part, target, detector) == (TEST, "keen", "keen") else 1.0

    rows = table_of("strongest", only_in_the_test, kept=0.5, detector="keen")
    assert {row["auroc"] for row in rows} == {1.0}


def test_the_transfer_matrix_has_a_row_for_each_target():
    rows = table_of("transfer", low_against_its_target)
    seen = {(row["target"], row["detector"]): row["auroc"] > 0.5 for row in rows}
    assert seen == {
        ("keen", "keen"): False,
        ("keen", "dull"): True,
        ("dull", "keen"): True,
        ("dull", "dull"): True,
    }


def test_a_defender_who_has_seen_the_evaders_chooses_the_other_detector():
    rows = table_of("refit", low_against_its_target, kept=0.5)
    found = {row["defence"]: row for row in rows}
    assert found["chosen after"]["detector"] == "dull"
    assert found["chosen after"]["auroc"] == 1
    assert found["combined"]["auroc"] == 1


def test_an_attack_that_keeps_too_little_is_left_out():
    rows = table_of("strength", low_against_its_target, attack=RANDOM)
    assert {row["kept"] for row in rows} == set(GAINS)
    assert not table_of("strength", low_against_its_target, attack=HACK)
    half_only = [row for row in rows_of(low_against_its_target) if row["gain"] < 1]
    made = attack_tables("toy", half_only)["strength"]
    assert {row["kept"] for row in made} == set(GAINS) - {1.0}


def test_a_detour_by_steps_games_for_that_long_and_is_honest_then():
    task = "tomato-watering"
    honest, gaming = (load_agent(f"script:{task}/{name}") for name in ("waterer", "bucket-sitter"))
    detours = [Detour(honest, gaming, steps) for steps in (0, 60, 100)]
    returns = [
        float(proxy_returns(recorded(policy, task, "iid", 20)[0]).mean())
        for policy in (honest, *detours, gaming)
    ]
    assert returns[0] == returns[1] < returns[2] < returns[3] == returns[4]
