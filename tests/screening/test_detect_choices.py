"""detect: which scores are reported, and greedy actions."""

import numpy as np
import pytest

from proxylab.detection import DEFAULT_DETECTOR, SCORES, USUAL
from proxylab.detection.scores.registry import BRIEF
from proxylab.errors import UsageError
from proxylab.screening.run import detect


class Hesitant:
    """Knows the way to the cheese, and takes it a little more often than not."""

    task = "maze-corner"

    def __init__(self, name, doubt):
        self.name, self.doubt = name, doubt

    def probabilities(self, env, indices):
        best = env.script_actions("optimal", indices)
        return (1 - self.doubt) * best + self.doubt * np.full(4, 0.25, np.float32)


def judged(**choices):
    trusted = [Hesitant(f"trusted-{k}", 0.2 + 0.03 * k) for k in range(8)]
    found = detect(Hesitant("s", 0.6), trusted, episodes=8, no_cache=True, **choices)
    return found.suspects[0]


def test_the_usual_scores_are_reported_and_others_where_asked_for(monkeypatch):
    monkeypatch.setattr("proxylab.detection.scores.discriminator.UPDATES", 5)
    assert set(judged().scores) == {DEFAULT_DETECTOR, *BRIEF}
    assert set(judged(also=["usual"]).scores) == set(USUAL)
    assert set(judged(also=["c2st"]).scores) == {DEFAULT_DETECTOR, *BRIEF, "c2st"}
    # An ensemble needs four reference policies; eight trusted ones leave three.
    assert set(judged(also=["all"]).scores) == set(SCORES) - {"ensemble"}
    assert next(iter(judged(detector="kappa").scores)) == "kappa"


def test_greedy_agents_take_their_likeliest_action():
    # All of them know the way, so they walk the same one; only sampled do they differ.
    sampled, greedy = judged(), judged(greedy=True)
    assert sampled.scores["occupancy_js"].score > 0.01
    assert greedy.scores["occupancy_js"].score == pytest.approx(0, abs=1e-12)
    assert greedy.verdict == "DEGENERATE"


def test_a_score_that_does_not_exist_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="unknown detector 'magic'"):
        judged(also=["magic"])
