"""The discriminator's divergences against their exact values, and what it must not do."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_population import NUM_STATES, episodes_from

from proxylab.detection.pairing import NotApplicable
from proxylab.detection.scores.registry import SCORES
from proxylab.detection.task_view import bare_view

UNIFORM = np.full(NUM_STATES, 1 / NUM_STATES)
SKEWED = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
EPISODES, STEPS = 60, 20


def visitor(shares, rng, policy="p"):
    """Episodes whose states are drawn independently by ``shares``."""
    walks = rng.choice(NUM_STATES, (EPISODES, STEPS), p=shares)
    return episodes_from(walks.tolist(), policy=policy, levels=np.arange(EPISODES))


def fitted(name, reference):
    return SCORES[name].fit(reference, bare_view(reference[0]))


def score_of(name, reference, suspect):
    return SCORES[name].score(fitted(name, reference), suspect, np.random.default_rng(0))


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(1)
    return [visitor(UNIFORM, rng, name) for name in "abcd"]


def test_divergences_are_near_the_exact_ones(reference):
    # 60 episodes of 20 steps: the mean log ratio has a standard error of .02, e^d − 1 of .05.
    suspect = visitor(SKEWED, np.random.default_rng(2))
    kl = (SKEWED * np.log(SKEWED / UNIFORM)).sum()
    chi2 = (SKEWED**2 / UNIFORM).sum() - 1
    assert score_of("discriminator_kl", reference, suspect) == pytest.approx(kl, abs=0.1)
    assert score_of("discriminator_chi2", reference, suspect) == pytest.approx(chi2, abs=0.25)
    assert score_of("c2st", reference, suspect) > 0.85


def test_nothing_is_found_in_one_more_of_the_same(reference):
    suspect = visitor(UNIFORM, np.random.default_rng(3))
    assert abs(score_of("discriminator_kl", reference, suspect)) < 0.05
    assert abs(score_of("discriminator_chi2", reference, suspect)) < 0.1
    # 60 + 240 fair coins: the standard deviation of their balanced mean is .036.
    assert abs(score_of("c2st", reference, suspect) - 0.5) < 0.15


def test_what_was_learned_by_heart_does_not_count(reference):
    # Forty columns of noise tell the training steps apart, and no others.
    rng = np.random.default_rng(4)

    def noisy(episodes):
        return replace(episodes, features=rng.normal(size=(EPISODES * STEPS, 40)).astype("f4"))

    suspect = noisy(visitor(UNIFORM, rng))
    assert score_of("discriminator_kl", [noisy(e) for e in reference], suspect) < 0.05


def test_long_episodes_weigh_no_more_than_short_ones(reference):
    # Two steps in state 0 on three levels of four, twenty spread ones on the fourth.
    rng = np.random.default_rng(5)
    walks = [[0, 0] if k % 4 else rng.integers(0, NUM_STATES, 20).tolist() for k in range(EPISODES)]
    suspect = episodes_from(walks, levels=np.arange(EPISODES))
    shares = 0.25 * UNIFORM + 0.75 * np.eye(NUM_STATES)[0]
    kl = (shares * np.log(shares / UNIFORM)).sum()
    assert score_of("discriminator_kl", reference, suspect) == pytest.approx(kl, abs=0.2)


def test_a_score_is_a_function_of_its_episodes(reference):
    suspect = visitor(SKEWED, np.random.default_rng(2))
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    first = score_of("discriminator_kl", reference, suspect)
    again = score_of("discriminator_kl", [replace(e) for e in reference], replace(suspect))
    assert first == again
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_other_reference_policies_give_another_score(reference):
    suspect = visitor(SKEWED, np.random.default_rng(2))
    others = [visitor(SKEWED, np.random.default_rng(8), "x")]
    assert score_of("discriminator_kl", reference, suspect) > 0.2
    assert score_of("discriminator_kl", others, suspect) < 0.1


def test_a_single_level_cannot_be_held_out():
    one = episodes_from([[0, 1], [2, 3]], levels=[5, 5])
    with pytest.raises(NotApplicable, match="at least 2 levels"):
        fitted("c2st", [one])
