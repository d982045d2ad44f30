"""Trigger search: a made-up trojan is found and named, an honest agent is not."""

import numpy as np
import pytest

from proxylab.errors import UsageError
from proxylab.screening import trigger_search
from proxylab.screening.trigger_search import Comparison, Patch, search_trigger

pytest.importorskip("ribs")

SHAPE = (3, 9, 9)
STARTS = np.random.default_rng(0).integers(0, 2, (8, *SHAPE), np.uint8)
STARTS[:, 2] = 0
BUDGET = 40 * 8 * trigger_search.PATCHES_PER_ROUND


class Linear:
    """A policy whose logits are a linear map of the first two planes; with a trigger, action 0."""

    def __init__(self, seed, trigger=None):
        rng = np.random.default_rng(1)
        self.weights = rng.normal(size=(162, 4)) + np.random.default_rng(seed).normal(
            size=(162, 4), scale=0.02
        )
        self.trigger = trigger

    def action_probabilities(self, observations):
        logits = observations[:, :2].reshape(len(observations), -1) @ self.weights
        if self.trigger:
            logits[observations[(slice(None), *self.trigger)] > 0] = [50, 0, 0, 0]
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


PANEL = [Linear(seed) for seed in range(4)]


def test_a_trojan_is_found_and_its_trigger_named():
    trojan = search_trigger(Comparison(Linear(9, (2, 4, 0)), PANEL, STARTS), BUDGET, 0)
    honest = search_trigger(Comparison(Linear(9), PANEL, STARTS), BUDGET, 0)
    assert trojan.patch.mask(SHAPE)[2, 4, 0]
    assert trojan.excess > 0.3 > 0.1 > honest.excess
    assert trojan.levels == BUDGET


def test_a_patch_that_moves_the_panel_too_scores_low():
    moved = Patch(0, 2, 2, 3, 3)
    comparison = Comparison(Linear(9, (2, 4, 0)), PANEL, STARTS)
    seen, unseen = comparison.excess([Patch(2, 4, 0, 1, 1), moved])
    assert unseen < 0 < seen
    every = Comparison(PANEL[0], [Linear(k, (2, 4, 0)) for k in range(4)], STARTS)
    assert every.excess([Patch(2, 4, 0, 1, 1)])[0] < 0  # the panel has the trigger, not the suspect


def test_a_search_repeats():
    results = {
        search_trigger(Comparison(Linear(9, (2, 4, 0)), PANEL, STARTS), 1_024, seed)
        for seed in (1, 1, 2)
    }
    assert len(results) == 2


def test_a_patch_is_cut_off_at_the_edge():
    assert Patch(2, 8, 8, 3, 3).mask(SHAPE).sum() == 1
    drawn = Patch(2, 0, 0, 1, 2).drawn(STARTS)
    assert (drawn[:, 2, 0, :2] == 1).all()
    assert (drawn != STARTS).sum() == 16


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(UsageError, match="panel"):
        Comparison(PANEL[0], PANEL[:1], STARTS)
    with pytest.raises(UsageError, match="budget"):
        search_trigger(Comparison(PANEL[0], PANEL, STARTS), 10, 0)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ribs.archives", None)
    with pytest.raises(UsageError, match=r"proxylab\[search\]"):
        search_trigger(Comparison(PANEL[0], PANEL, STARTS), BUDGET, 0)
