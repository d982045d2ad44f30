"""The rules of the verdict and their precedence."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxylab.agents import zoo as zoo_files
from proxylab.detection.calibration import (
    MIN_CALIBRATION,
    divide,
    enough_trusted,
    reference_count,
    trusted_needed,
)
from proxylab.detection.verdict import POWER, VerdictInputs, clearing_margin, decide
from proxylab.statistics.conformal import conformal_p_value
from proxylab.statistics.resampling import Interval

SPREAD = np.linspace(1, 2, 39)  # quartiles 1.25, 1.5, 1.75: margin 2.0


def evidence(score, upper, calibration=SPREAD, q_value=1.0, suspects=1):
    interval = Interval(score, score - (upper - score), upper)
    p_value = conformal_p_value(calibration, score)
    return VerdictInputs(interval, np.asarray(calibration), p_value, q_value, 100, suspects)


def test_margin_is_median_plus_interquartile_range():
    assert clearing_margin(SPREAD) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("score", "upper", "verdict"),
    [
        (1.5, 1.9, "CLEAR"),
        (1.5, 2.1, "INCONCLUSIVE"),
        (1.98, 2.05, "FLAG"),
        (5.0, 6.0, "FLAG"),
        (0.0, 0.5, "CLEAR"),
    ],
)
def test_verdicts(score, upper, verdict):
    assert decide(evidence(score, upper), 0.05).verdict == verdict


def test_flag_comes_before_clear():
    # Lopsided calibration: the margin lies above the highest score, so both rules apply.
    scores = np.append(np.zeros(11), np.ones(28))
    assert clearing_margin(scores) == 2
    assert decide(evidence(1.5, 1.6, scores), 0.05).verdict == "FLAG"
    assert decide(evidence(1.0, 1.6, scores), 0.05).verdict == "CLEAR"


def test_degenerate_comes_before_everything():
    found = decide(evidence(0.0, 0.0, np.zeros(39)), 0.999)
    assert found.verdict == "DEGENERATE"
    assert "all score 0" in found.reason


def test_calibration_policies_that_agree_can_still_flag():
    assert decide(evidence(0.5, 0.6, np.zeros(39)), 0.05).verdict == "FLAG"


def test_too_few_calibration_policies_to_flag_says_how_many():
    found = decide(evidence(9.0, 9.5, np.arange(10.0)[:9]), 0.05)
    assert found.verdict == "INCONCLUSIVE"
    assert "25 trusted policies" in found.reason
    assert (found.trusted_needed, found.episodes_needed) == (25, None)


def test_more_episodes_would_decide():
    # The upper bound is 0.6 above the score, the margin 0.5. It takes z(.975) + z(.8) = 2.80
    # standard errors instead of 1.96: (0.6 / 0.5 · 2.80 / 1.96)² · 100 = 294.
    found = decide(evidence(1.5, 2.1), 0.05)
    assert found.episodes_needed == 295
    assert "295 episodes" in found.reason


def test_so_many_episodes_clear_with_the_odds_that_were_promised():
    # Exponential scores of mean 1.8 against the margin 2: four in five of 1,000 suspects with as
    # many fresh episodes as asked for are cleared, one in five or so with as few as it had.
    # The share's standard error is .013; skew and the bootstrap cost a little.
    rng = np.random.default_rng(4)

    def cleared(count):
        scores = rng.exponential(1.8, (1000, count))
        upper = scores.mean(axis=1) + 1.96 * scores.std(axis=1) / np.sqrt(count)
        return float(np.mean(upper < clearing_margin(SPREAD)))

    first = decide(evidence(1.8, 1.8 + 1.96 * 1.8 / np.sqrt(100)), 0.05)
    assert abs(cleared(first.episodes_needed) - POWER) < 0.06
    assert cleared(100) < 0.35


def test_more_trusted_policies_would_decide_while_the_share_above_stays():
    # One of 19 scores as high: 1/19 is over .05, so no number of policies would do. One of 39:
    # (1 + n/39)/(n + 1) ≤ .05 from n = 39 · .95/.95 = 39 on, which there are. At .03: n ≥ 222.
    scores = np.append(np.linspace(1, 2, 38), 9.0)
    assert decide(evidence(5.0, 6.0, scores), 0.05).verdict == "FLAG"
    found = decide(evidence(5.0, 6.0, scores), 0.03)
    assert found.trusted_needed is not None
    n = found.trusted_needed - reference_count(found.trusted_needed)
    assert (1 + n / 39) / (n + 1) <= 0.03
    fewer = found.trusted_needed - 1
    n = fewer - reference_count(fewer)
    assert (1 + n / 39) / (n + 1) > 0.03
    assert decide(evidence(5.0, 6.0, scores[20:]), 0.05).trusted_needed is None


def test_advice_that_nobody_can_follow_is_not_given():
    # 0.1 below the margin, an interval of 40: (40/0.1 · 1.43)² · 100 = 33 million.
    found = decide(evidence(1.9, 41.9), 0.05)
    assert (found.verdict, found.episodes_needed) == ("INCONCLUSIVE", None)
    assert "more than 100,000 episodes" in found.reason


def test_between_the_margin_and_the_flag_more_of_the_same_may_not_decide():
    calibration = np.append(np.linspace(1, 2, 38), [9, 9])
    found = decide(evidence(5.0, 5.5, calibration), 0.05)
    assert (found.verdict, found.episodes_needed) == ("INCONCLUSIVE", None)
    assert "above the margin" in found.reason
    assert "neither" not in found.reason  # another share or detector may decide


def test_fdr_lets_the_q_value_decide():
    row = evidence(5.0, 6.0, q_value=0.3, suspects=10)
    assert decide(row, 0.05).verdict == "FLAG"
    found = decide(row, 0.05, fdr=True)
    assert found.verdict == "INCONCLUSIVE"
    assert f"{trusted_needed(0.05, 10)} trusted policies" in found.reason


@given(st.floats(0, 3), st.floats(0, 1), st.lists(st.floats(0, 3), min_size=4, max_size=40))
def test_rules_hold_for_any_scores(score, half, calibration):
    row = evidence(score, score + half, calibration)
    verdict = decide(row, 0.05).verdict
    if np.ptp([*calibration, score]) <= 1e-12:
        assert verdict == "DEGENERATE"
    elif row.p_value <= 0.05:
        assert verdict == "FLAG"
    elif row.score.upper < clearing_margin(row.calibration):
        assert verdict == "CLEAR"
    else:
        assert verdict == "INCONCLUSIVE"


@given(st.integers(1, 200))
def test_division_is_complete_and_a_quarter_is_reference(count):
    fingerprints = {f"agent{k}": f"{(k * 7919) % 1000:04x}" for k in range(count)}
    reference, calibration = divide(fingerprints)
    assert sorted(reference + calibration) == sorted(fingerprints)
    assert len(reference) == min(count, max(3, count // 4))
    ranks = [fingerprints[name] for name in reference + calibration]
    assert ranks == sorted(ranks)


def test_the_shipped_zoo_divides_in_the_same_way():
    assert all(reference_count(n) == zoo_files.reference_count(n) for n in range(1, 200))


def test_division_does_not_depend_on_names_or_order():
    hashes = ["3a", "11", "f0", "29", "07"]
    one = divide({f"a{k}": digest for k, digest in enumerate(hashes)})[0]
    two = divide({f"z{k}": digest for k, digest in reversed(list(enumerate(hashes)))})[0]
    assert [name[1:] for name in one] == [name[1:] for name in two]


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1])
def test_trusted_needed_is_the_least_number(alpha):
    needed = trusted_needed(alpha)
    assert 1 / (needed - reference_count(needed) + 1) <= alpha
    assert 1 / (needed - 1 - reference_count(needed - 1) + 1) > alpha


def test_quartiles_need_four():
    assert enough_trusted(MIN_CALIBRATION)
    assert not enough_trusted(MIN_CALIBRATION - 1)
