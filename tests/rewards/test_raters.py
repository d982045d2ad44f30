"""Simulated raters: probabilities of Bradley and Terry, flips, blind spots."""

import numpy as np
import pytest

from proxylab.errors import UsageError
from proxylab.rewards.raters import EQUAL, LEFT, RIGHT, Rater, parse_rater


def answers(rater, difference, count=20_000):
    zeros = np.zeros(count)
    return rater.answer(zeros + difference, zeros, np.random.default_rng(0))


@pytest.mark.parametrize("flip", [0.0, 0.25])
def test_the_share_of_left_is_that_of_bradley_and_terry(flip):
    answered = answers(Rater(beta=2.0, flip=flip), 0.4)
    plain = 1 / (1 + np.exp(-0.8))
    expected = (1 - flip) * plain + flip * (1 - plain)
    assert np.allclose(answered.probability, expected)
    assert abs((answered.answer == LEFT).mean() - expected) < 0.015


def test_one_who_never_errs_calls_equal_returns_equal():
    noiseless = parse_rater("noiseless")
    assert set(answers(noiseless, 1e-9, 10).answer) == {LEFT}
    assert set(answers(noiseless, -1e-9, 10).answer) == {RIGHT}
    tied = answers(noiseless, 0.0, 10)
    assert set(tied.answer) == {EQUAL}
    assert (tied.probability == 0.5).all()


def test_blind_spots():
    rewards = np.zeros((1, 5, 2), np.float32)
    rewards[0, 0, 0], rewards[0, 4, 1] = 3, 7
    channels = ("true", "proxy/score")
    assert Rater().returns(rewards, channels)[0] == 3
    assert Rater(last=4).returns(rewards, channels)[0] == 0
    assert Rater(channel="proxy/score", last=1).returns(rewards, channels)[0] == 7
    with pytest.raises(UsageError, match="unknown channel"):
        Rater(channel="taste").returns(rewards, channels)


@pytest.mark.parametrize("text", ["", "boltzmann", "boltzmann:x", "boltzmann:-1", "noiseless:2"])
def test_other_texts_are_refused(text):
    with pytest.raises(UsageError):
        parse_rater(text)


def test_its_card_says_what_it_does():
    rater = parse_rater("boltzmann:3", flip=0.25, last=5)
    assert rater.name == "boltzmann:3 of true, 25% flipped, sees the last 5 steps"
    with pytest.raises(UsageError, match="between 0 and 1"):
        Rater(flip=2.0)
