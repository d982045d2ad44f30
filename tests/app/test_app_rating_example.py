"""The example of 100 ratings, which a script gave through the requests of the page."""

import json

import numpy as np
import pytest
from rating_page import TASK, rating_page

from proxylab.cli import main
from proxylab.rewards.collect import default_sources
from proxylab.rewards.preferences import read_preferences
from proxylab.rewards.questions import draw_questions
from proxylab.rewards.raters import ANSWERS

FOLDER = "docs/examples"


@pytest.fixture(scope="module")
def ratings(pytestconfig):
    return pytestconfig.rootpath / FOLDER / "ratings.parquet"


def test_it_holds_a_hundred_answers_of_all_kinds(ratings):
    kept = read_preferences(ratings)
    assert len(kept) == 100
    assert set(kept.answer) == set(ANSWERS)
    assert set(kept.rater) == {"scripted"}
    assert np.isnan(kept.probability).all()
    assert (np.diff(kept.time) > 0).all()
    assert ratings.stat().st_size < 100_000


def test_the_script_gives_these_answers_through_the_page(ratings, scripted_rater, tmp_path):
    file = tmp_path / "again.parquet"
    with rating_page(draw_questions(TASK, default_sources(TASK), 100), file) as page:
        assert scripted_rater.rate(scripted_rater.Page(page.link), most=30) == 30
    again, kept = read_preferences(file), read_preferences(ratings)
    assert again.answer.tolist() == kept.answer.tolist()[:30]
    for name in ("level_seed", "episode", "first", "actions"):
        mine, theirs = getattr(again.clips, name), getattr(kept.clips, name)
        assert (mine[again.left] == theirs[kept.left[:30]]).all()


def test_a_reward_model_is_fitted_to_it(ratings, tmp_path, capsys):
    words = ["fit", ratings, "--out", tmp_path / "rm", "--members", "2", "--json"]
    assert main(["rewards", *map(str, words)]) == 0
    found = json.loads(capsys.readouterr().out)
    usable = int((read_preferences(ratings).answer != "unsure").sum())
    assert (found["task"], found["answers"]) == (TASK, usable)
    assert found["held_out_loss"] < np.log(2)
