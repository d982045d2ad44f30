"""judge: exact false-alarm rates, controls, degenerate cases and bad input."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from toy_population import LEVELS, episodes_from, population, walk_ring

from proxylab.detection import DEFAULT_DETECTOR
from proxylab.detection.judge import judge
from proxylab.detection.permutation import compare_paired
from proxylab.detection.scores.registry import SCORES, USUAL
from proxylab.rollouts.episodes import concatenate
from proxylab.statistics.conformal import benjamini_hochberg


def verdicts(detection):
    return {report.agent: report.verdict for report in detection.suspects}


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(12)  # a fresh policy is flagged under 1 seed in 24
    suspects = {"hack": walk_ring("hack", rng, tilt=4.0), "fresh": walk_ring("fresh", rng)}
    return suspects, population(30, rng)


def judged(suspects, trusted, seed=0, **options):
    return judge(suspects, trusted, rng=np.random.default_rng(seed), **options)


def test_a_hack_is_flagged_and_a_fresh_policy_is_not(world):
    found = judged(*world)
    assert verdicts(found)["hack"] == "FLAG"
    assert verdicts(found)["fresh"] != "FLAG"
    assert (found.trusted.n_reference, found.trusted.n_calibration) == (7, 23)
    assert found.achievable_alpha == 1 / 24
    assert found.episodes == len(LEVELS)


def test_realised_false_alarm_rate():
    # 60 worlds of 3 + 19 trusted and 10 fresh policies from one law: 600 verdicts, each FLAG
    # with probability exactly .05 (or less, with ties), beta-binomial within a world: mean 30,
    # standard deviation 6.4. More than 55 or fewer than 8 has odds below 1e-3.
    rng = np.random.default_rng(2)
    alarms = 0
    for _ in range(60):
        trusted, fresh = population(22, rng), population(10, rng, "fresh")
        found = judged(fresh, trusted, also=(), reference=["t00", "t01", "t02"])
        alarms += sum(report.verdict == "FLAG" for report in found.suspects)
    assert 8 <= alarms <= 55


def auroc(positive, negative):
    return np.mean([[(p > n) + 0.5 * (p == n) for n in negative] for p in positive])


def test_scores_separate_hacks_but_not_shuffled_labels():
    rng = np.random.default_rng(8)
    trusted = population(12, rng)
    suspects = population(20, rng, "honest") | population(20, rng, "hack", tilt=0.0)
    found = judged(suspects, trusted, also=())
    scores = np.array([report.scores[DEFAULT_DETECTOR].score for report in found.suspects])
    assert auroc(scores[20:], scores[:20]) > 0.9
    # Labels drawn at random among the honest: the AUROC's standard deviation is .14,
    # so beyond .5 ± .45 has odds of about 1e-3. Mean over 20 shuffles: ± .15 likewise.
    shuffles = [rng.permutation(scores[:20]) for _ in range(20)]
    assert abs(np.mean([auroc(s[:10], s[10:]) for s in shuffles]) - 0.5) < 0.15


def test_results_depend_on_the_seed_of_the_bootstrap_only(world):
    one, again, other = judged(*world), judged(*world), judged(*world, seed=1)
    assert one == again
    intervals = [found.suspects[0].scores[DEFAULT_DETECTOR].ci for found in (one, other)]
    assert intervals[0] != intervals[1]
    assert [r.p_value for r in one.suspects] == [r.p_value for r in other.suspects]


@dataclass(frozen=True)
class SkipShare:
    """An external detector without ``per_episode``: how often action 1 is taken."""

    name: str = "skip_share"
    access: str = "Q"

    def fit(self, reference, task):
        return np.mean([episodes.action.mean() for episodes in reference])

    def score(self, state, suspect, rng):
        return abs(suspect.action.mean() - state)


def test_an_external_detector_can_decide(world):
    found = judged(*world, detector=f"{__name__}:SkipShare", also=())
    report = found.suspects[0]
    assert (report.detector, report.verdict) == ("skip_share", "FLAG")
    low, high = report.scores["skip_share"].ci
    assert low < report.scores["skip_share"].score < high
    assert len(found.trusted.calibration_scores) == 23


def test_the_json_has_the_fields_that_were_promised(world):
    found = json.loads(
        json.dumps(judged(*world, split="shifted", also=USUAL).as_json(), allow_nan=False)
    )
    assert found["schema"] == "proxylab.detect/1"
    assert list(found) == [
        *("schema", "task", "split", "alpha", "achievable_alpha", "episodes"),
        *("trusted", "suspects", "warnings", "provenance"),
    ]
    assert set(found["trusted"]) == {
        *("n_reference", "n_calibration", "n_calibration_needed", "agents"),
        *("calibration_scores", "outliers"),
    }
    suspect = found["suspects"][0]
    assert set(suspect) == {
        *("agent", "verdict", "p_value", "detector", "reason", "q_value", "scores"),
        *("certificate", "pursues", "where", "first_divergence", "episodes_needed"),
        *("trusted_needed", "competence", "difference"),
    }
    assert set(suspect["scores"]["mean_js"]) == {"score", "ci", "p_value", "access"}
    assert set(suspect["where"][0]) == {"level_seed", "step", "state", "score"}
    assert set(suspect["certificate"]) == {
        *("kappa", "kappa_lower", "r_star", "support_coverage", "cleared_at", "worst_loss")
    }
    assert set(suspect["first_divergence"]) == {
        *("median_step", "share_of_levels", "trusted_share"),
    }


def test_the_text_names_suspects_first(world):
    lines = str(judged(*world)).splitlines()
    assert lines[0] == "suspect: hack, fresh"
    assert lines[1].startswith("trusted: 7 reference and 23 calibration")
    assert "below 0.122 (95 % confidence)" in lines[2]
    assert "FLAG  hack" in lines
    few = str(judged({"hack": world[0]["hack"]}, {n: world[1][n] for n in ("t01", "t02")}))
    assert "no suspect can be flagged: that takes 25 trusted policies" in few


def test_fdr_says_how_many_calibration_policies_it_takes(world):
    suspects, trusted = world
    found = judged(suspects, trusted, also=(), fdr=True)
    assert found.trusted.n_calibration_needed == 39  # 2 / .05 − 1
    assert "takes 39 calibration policies; there are 23" in str(found).splitlines()[3]
    plain = judged(suspects, trusted, also=())
    assert plain.trusted.n_calibration_needed == 19
    assert "by q-value" not in str(plain)


def test_where_lists_the_worst_episodes_first(world):
    suspects, trusted = world
    report = judged(suspects, trusted).suspects[0]
    scores = [place.score for place in report.where]
    assert scores == sorted(scores, reverse=True)
    for place in report.where:
        episode = int(np.flatnonzero(suspects["hack"].level_seed == place.level_seed)[0])
        start = suspects["hack"].episode_offsets[episode]
        assert suspects["hack"].state_id[start + place.step] == place.state


def test_q_values_are_over_all_suspects(world):
    reports = judged(*world).suspects
    expected = benjamini_hochberg([report.p_value for report in reports])
    assert [report.q_value for report in reports] == expected.tolist()


def test_a_suspect_never_stands_among_its_judges(world):
    _, trusted = world
    found = judged({"t05": trusted["t05"]}, trusted, reference=["t03", "t04", "t05"])
    assert "t05" not in found.trusted.agents
    assert len(found.trusted.agents) == 29


def test_longer_logs_are_cut_to_the_shared_levels(world):
    suspects, trusted = world
    more = walk_ring("more", np.random.default_rng(3), levels=np.arange(200, 240))
    padded = concatenate([more, suspects["hack"], more], "hack")
    found, plain = (judged({"hack": e}, trusted, also=()) for e in (padded, suspects["hack"]))
    assert found.episodes == len(LEVELS)
    assert found.suspects[0].scores[DEFAULT_DETECTOR].score == pytest.approx(
        plain.suspects[0].scores[DEFAULT_DETECTOR].score
    )


def test_lists_of_episodes_count_as_one_policy(world):
    suspects, trusted = world
    halves = [suspects["hack"].select(np.arange(12)), suspects["hack"].select(np.arange(12, 24))]
    assert judged({"hack": halves}, trusted) == judged({"hack": suspects["hack"]}, trusted)


def test_the_proxy_reward_changes_the_certificate_and_scores_of_access_p_alone(world):
    suspects, trusted = world
    unpaid = {n: replace(e, proxy_reward=None) for n, e in suspects.items()}
    found = judged(unpaid, trusted, also=USUAL)
    assert all(report.certificate is None for report in found.suspects)
    reports = judged(suspects, trusted, also=USUAL).suspects
    kept = [{n: row for n, row in r.scores.items() if SCORES[n].access != "P"} for r in reports]
    assert [r.scores for r in found.suspects] == kept
    assert len(kept[0]) < len(reports[0].scores)
    plain = [
        [replace(r, certificate=None, scores={}) for r in rs] for rs in (found.suspects, reports)
    ]
    assert plain[0] == plain[1]


DEGENERATE_SUSPECTS = {
    "no episodes": lambda e: e.select([]),
    "shares no level": lambda e: replace(e, level_seed=e.level_seed + 1000),
    "needs state_id": lambda e: replace(e, state_id=np.full(e.num_steps, -1)),
}


@pytest.mark.parametrize("reason", DEGENERATE_SUSPECTS)
def test_what_cannot_be_scored_is_degenerate(world, reason):
    suspects, trusted = world
    found = judged({"s": DEGENERATE_SUSPECTS[reason](suspects["hack"]), **suspects}, trusted)
    report = found.suspects[0]
    assert (report.verdict, report.p_value, report.q_value) == ("DEGENERATE", None, None)
    assert reason in report.reason
    assert verdicts(found)["hack"] == "FLAG"


def test_identical_actions_everywhere_are_degenerate():
    same = {f"t{k}": episodes_from([[0, 1], [0, 2 + k % 2]]) for k in range(30)}
    report = judged({"s": episodes_from([[0, 5], [0, 5]])}, same).suspects[0]
    assert report.verdict == "DEGENERATE"
    assert "same action" in report.reason


def test_a_statistic_that_does_not_vary_is_degenerate():
    actions = np.array([0, 1])
    same = {f"t{k}": episodes_from([[0, 1]], actions=actions) for k in range(30)}
    report = judged({"s": episodes_from([[0, 1]], actions=actions)}, same).suspects[0]
    assert report.verdict == "DEGENERATE"
    assert "policies all score" in report.reason


def test_few_trusted_policies_give_plain_words(world):
    suspects, trusted = world
    found = judged(suspects, {name: trusted[name] for name in ("t00", "t01")})
    for report in found.suspects:
        assert (report.verdict, report.p_value) == ("INCONCLUSIVE", None)
        assert "says nothing about gaming" in report.reason
        assert set(report.scores) == {"permutation:t00", "permutation:t01"}
    assert found.suspects[0].scores["permutation:t00"].p_value <= 0.01


def test_permutation_of_one_policy_against_itself_is_valid():
    # 300 pairs of one policy: p ≤ .1 has probability .1 or less; more than 50 of 300 has
    # odds below 1e-3.
    rng = np.random.default_rng(6)
    p_values = []
    for _ in range(300):
        seed = rng.integers(2**32)
        logits = np.random.default_rng(seed)
        first = walk_ring("a", logits)
        second = walk_ring("b", _SameLogits(seed, logits))
        p_values.append(compare_paired(first, second, rng).p_value)
    assert np.sum(np.array(p_values) <= 0.1) <= 50
    assert np.sum(np.array(p_values) <= 0.1) >= 10


class _SameLogits:
    """A generator whose logits are those of ``seed`` and whose later draws are new."""

    def __init__(self, seed, later):
        self.first, self.later = np.random.default_rng(seed), later

    def normal(self, *args):
        return self.first.normal(*args)

    def random(self, count):
        return self.later.random(count)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s, t: ({}, t), "no suspect"),
        (lambda s, t: (s, {}), "no trusted policy"),
        (lambda s, t: 2 * ({"hack": s["hack"]},), "no trusted policy other than the suspects"),
        (lambda s, t: ({"s": []}, t), "s: no episodes"),
        (lambda s, t: (s, t | {"t01": t["t01"].select([])}), "t01 has no episodes"),
        (lambda s, t: ({"s": replace(s["hack"], task="maze")}, t), "differ in task"),
        (lambda s, t: ({"s": replace(s["hack"], num_states=9)}, t), "differ in num_states"),
        (
            lambda s, t: (s, t | {"t01": replace(t["t01"], level_seed=LEVELS + 500)}),
            "share no level",
        ),
    ],
)
def test_bad_input_is_refused(world, change, message):
    suspects, trusted = change(*world)
    with pytest.raises(ValueError, match=message):
        judged(suspects, trusted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0}, "alpha must lie"),
        ({"alpha": 1.5}, "alpha must lie"),
        ({"correlation": 1.2}, "correlation must lie"),
        ({"detector": "nonsense"}, "unknown detector"),
        ({"reference": ["t00", "who"]}, "who is not among the trusted"),
        ({"reference": ["hack"]}, "no reference policy"),
    ],
)
def test_bad_options_are_refused(world, options, message):
    with pytest.raises(ValueError, match=message):
        judged(*world, **options)
