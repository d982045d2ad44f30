"""The rating page's server: answers, undo, resuming, and what people must not see."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from rating_page import TASK, rating_page, some_questions

from proxylab.app.rating_page import RatingPage
from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.rewards.clips import PAUSE
from proxylab.rewards.preferences import read_preferences, write_preferences
from proxylab.rewards.questions import draw_questions
from proxylab.rewards.rating import Rating


@pytest.fixture(scope="module")
def questions():
    return some_questions()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ratings.parquet"


@pytest.fixture
def served(questions, file):
    with rating_page(questions, file, clock=lambda: 7.5) as page:
        yield page


def answer_some(page, answers, first=0):
    for number, answer in enumerate(answers, first):
        state = page.post("answer", number=number, answer=answer)
    return state


def test_answers_are_in_the_file_at_once(served, file, questions):
    assert served.post("question")["number"] == 0
    assert not file.exists()
    given = ["left", "right", "equal", "unsure"]
    for number, answer in enumerate(given):
        state = served.post("answer", number=number, answer=answer)
        assert (state["number"], state["total"], state["last"]) == (number + 1, 50, answer)
        kept = read_preferences(file)
        assert kept.answer.tolist() == given[: number + 1]
    assert set(kept.rater) == {"person"}
    assert np.isnan(kept.probability).all()
    assert set(kept.time) == {7.5}
    for side in ("left", "right"):
        seen = kept.clips.observations[getattr(kept, side)]
        assert (seen == questions.clips.observations[getattr(questions, side)[:4]]).all()


def test_undo_takes_the_latest_answer_back(served, file):
    answer_some(served, ["left", "right"])
    state = served.post("undo", number=1)
    assert (state["number"], state["last"]) == (1, "left")
    assert read_preferences(file).answer.tolist() == ["left"]
    assert served.post("undo", number=0)["number"] == 0
    assert not file.exists()  # a preferences file holds at least one answer
    assert served.call("undo", {"number": 0}) == (400, {"error": "there is no answer to undo"})


def test_a_new_server_continues_the_file_and_more_questions_come_after_the_first(file, questions):
    with rating_page(questions, file) as page:
        answer_some(page, ["left"] * 7)
    with rating_page(some_questions(60), file, rater="another") as page:
        state = page.post("question")
        assert (state["number"], state["total"]) == (7, 60)
        answer_some(page, ["right"], first=7)
    kept = read_preferences(file)
    assert kept.answer.tolist() == ["left"] * 7 + ["right"]
    assert kept.rater.tolist() == ["person"] * 7 + ["another"]


def test_after_the_last_question_there_is_none(file):
    with rating_page(some_questions(2), file) as page:
        assert answer_some(page, ["left", "left"])["clips"] == []
        assert page.call("answer", {"number": 2, "answer": "left"})[0] == 400
        assert len(page.post("undo", number=1)["clips"]) == 2


def test_the_rater_is_blind(served, questions):
    kinds = {"level", "states", "ends"}
    for number in range(8):
        state = (
            served.post("question") if number == 0 else answer_some(served, ["left"], number - 1)
        )
        assert set(state) == {"number", "total", "last", "clips"}
        for clip in state["clips"]:
            assert set(clip) == kinds
            assert {character for character in clip["level"] if character != "\n"} <= set("#.cm")
    page = RatingPage(Rating(questions, "x.parquet"))
    catalogue = json.dumps({**page.catalogue(), "sprites": None})
    assert not re.search("uniform|optimal|seeker|script|seed", catalogue)


def test_the_two_clips_are_of_two_policies_in_both_orders(questions):
    clips = questions.clips
    left, right = clips.policy[questions.left], clips.policy[questions.right]
    assert (left != right).all()
    assert {(0, 1), (1, 0), (0, 2), (2, 0)} <= set(zip(left.tolist(), right.tolist(), strict=True))
    other = some_questions(seed=1)
    assert other.left.tolist() != questions.left.tolist()


def test_one_policy_gives_pairs_of_different_clips():
    found = draw_questions(TASK, [f"script:{TASK}/optimal"], 300, clips=5)
    assert (found.left != found.right).all()
    assert set(found.left) == set(found.right) == set(range(len(found.clips)))


def test_a_clip_is_drawn_where_its_observations_have_the_mouse(questions, file):
    scene, clips = RatingPage(Rating(questions, file)).scene, questions.clips
    for index in range(0, len(clips), 4):
        shown = scene(index)
        ended = clips.actions[index] == PAUSE
        assert shown["ends"] == (int((~ended).sum()) if ended.any() else None)
        assert len(shown["states"]) == clips.length + 1
        mice = [plane.argmax() for plane in clips.observations[index, :, mouse_plane(clips)]]
        assert shown["states"][1:] == mice


def mouse_plane(clips):
    """The plane of the observation that holds one cell, which moves in the clips."""
    planes = clips.observations.reshape(-1, *clips.observations.shape[2:])
    one = planes.sum((2, 3)) == planes.max()
    moves = [len(set(planes[:, k].reshape(len(planes), -1).argmax(1))) for k in range(3)]
    return max((k for k in range(3) if one[:, k].all()), key=lambda k: moves[k])


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        ("boat-lagoon", {"course", "positions", "headings", "timers"}),
        ("boat-race", {"arrows"}),
        ("tomato-watering", {"watered"}),
        ("procgen-maze", set()),
    ],
)
def test_clips_of_every_drawn_task_are_replayed(task, fields, file):
    questions = some_questions(4, task, clips=12)
    page = RatingPage(Rating(questions, file))
    state = page.ask({})
    for clip in state["clips"]:
        assert set(clip) == {"level", "states", "ends", *fields}
        assert len(clip["states"]) == questions.clips.length + 1


def test_levels_that_cannot_be_drawn_are_refused(questions, file, monkeypatch):
    monkeypatch.setattr("proxylab_envs.maze_corner.MazeCorner.level_kind", None)
    with pytest.raises(UsageError, match="cannot be drawn"):
        RatingPage(Rating(questions, file))


@pytest.mark.parametrize(
    ("name", "request_", "said"),
    [
        ("answer", {"number": 0, "answer": "both"}, "answer is not one of left, right"),
        ("answer", {"number": 0}, "'answer' is missing"),
        ("answer", {"number": 1, "answer": "left"}, "question 2 is not the next one"),
        ("answer", {"number": -1, "answer": "left"}, "number is not a whole number"),
        ("answer", {"number": 0.0, "answer": "left"}, "number is not a whole number"),
        ("answer", {"number": True, "answer": "left"}, "number is not a whole number"),
        ("answer", {"number": 0, "answer": "left", "rater": "x"}, "unknown field 'rater'"),
        ("answer", {"number": 0, "answer": ["left"]}, "answer is not one of"),
        ("undo", {"number": 3}, "no answer to undo"),
        ("question", {"number": 3}, "unknown field"),
        ("question", b"[]", "no JSON object"),
        ("answer", b'{"number": NaN}', "not JSON"),
    ],
)
def test_wrong_requests_are_one_line_and_change_nothing(served, file, name, request_, said):
    status, found = served.call(name, request_)
    assert (status, list(found)) == (400, ["error"])
    assert said in found["error"]
    assert served.post("question")["number"] == 0
    assert not file.exists()


def test_the_same_answer_twice_counts_once(served, file):
    answer_some(served, ["left"])
    assert served.call("answer", {"number": 0, "answer": "right"})[0] == 400
    assert served.call("undo", {"number": 4})[0] == 400
    assert read_preferences(file).answer.tolist() == ["left"]


def test_without_the_token_or_from_another_page_nothing_is_answered(served, file):
    request = {"number": 0, "answer": "left"}
    assert served.call("answer", request, {"Cookie": ""})[0] == 403
    assert served.call("answer", request, {"Origin": "http://evil.example"})[0] == 403
    assert served.call("answer", request, {"Content-Type": "text/plain"})[0] == 415
    assert served.call("level", {"world": TASK, "split": "train", "seed": 1})[0] == 404
    assert not file.exists()


def test_a_file_that_another_program_changed_is_left_alone(served, file, questions):
    answer_some(served, ["left", "right"])
    write_preferences(questions.preferences(["equal"], ["x"], [0.0]), file)
    before = file.read_bytes()
    status, found = served.call("answer", {"number": 2, "answer": "left"})
    assert status == 400
    assert "changed by another program" in found["error"]
    assert file.read_bytes() == before


def test_an_answer_that_cannot_be_written_does_not_count(served, file, monkeypatch):
    def full(*_arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("proxylab.rewards.rating.write_preferences", full)
        status, found = served.call("answer", {"number": 0, "answer": "left"})
        assert status == 500
        assert "No space left" in found["error"]
    assert served.post("question")["number"] == 0
    assert answer_some(served, ["left"])["number"] == 1


def test_files_of_other_questions_are_refused(questions, file):
    with rating_page(questions, file) as page:
        answer_some(page, ["left"] * 3)
    before = file.read_bytes()
    for other in (some_questions(seed=5), some_questions(length=10), some_questions(clips=60)):
        with pytest.raises(UsageError, match="answers other questions"):
            Rating(other, file)
    with pytest.raises(UsageError, match="holds 3 answers: ask for more --pairs"):
        Rating(some_questions(2), file)
    with pytest.raises(UsageError, match="its task is maze-corner, not boat-race"):
        Rating(some_questions(5, "boat-race"), file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\nb"])
def test_a_rater_has_a_name(questions, file, name):
    with pytest.raises(UsageError, match="name of a rater"):
        Rating(questions, file, name)


def refused(words, capsys):
    """The line of a command that is refused."""
    assert main(["app", *map(str, words)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rate", "x.parquet"], "name the task of the clips with --task"),
        (["--rate", "x.txt", "--task", TASK], "ends in .parquet"),
        (["--rate", "x.parquet", "--task", "nosuch"], "unknown task"),
        (["--rate", "x.parquet", "--task", TASK, "--tasks", TASK], "--tasks is not for --rate"),
        (["zoo:x", "--rate", "x.parquet", "--task", TASK], "AGENTS are not for --rate"),
        (["--task", TASK], "--task is an option of --rate"),
        (["--from", "random"], "--from is an option of --rate"),
        (["--rate", "x.parquet", "--task", TASK, "--pairs", "100001"], "between 1 and 100,000"),
        (["--rate", "x.parquet", "--task", TASK, "--length", "9999"], "a clip of 9999 steps"),
        (["--rate", "x.parquet", "--task", TASK, "--question", "?" * 201], "1 to 200 characters"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert said in refused(words, capsys)
    assert not list(tmp_path.iterdir())


def test_a_file_of_something_else_is_refused(file, capsys):
    file.write_bytes(b"PAR1 and no more")
    assert str(file) in refused(["--rate", file, "--task", TASK, "--clips", "6"], capsys)
    assert file.read_bytes() == b"PAR1 and no more"


def test_without_serving_it_fetches_the_page_once(file, capsys):
    words = ["--rate", file, "--task", TASK, "--clips", "9", "--pairs", "3", "--port", "0"]
    assert main(["app", *map(str, words), "--no-serve", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["answers"], found["pairs"], found["task"]) == (0, 3, TASK)
    assert 50_000 < found["num_bytes"] < 500_000
    assert not file.exists()


class Process:
    """``proxylab app --rate`` in a process of its own."""

    def __init__(self, file, *words):
        command = [sys.executable, "-m", "proxylab", "app", "--rate", str(file), "--task", TASK]
        command += ["--clips", "30", "--pairs", "20", "--port", "0", "--no-open", *words]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )
        line = self.process.stderr.readline()
        self.link = re.search(r"the page is at (\S+)", line)[1]

    def end(self, number):
        """Send a signal: (exit code, stdout)."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=60)
        return self.process.returncode, out


def test_a_killed_process_loses_nothing_and_the_command_continues(file, scripted_rater):
    killed = Process(file)
    assert scripted_rater.rate(scripted_rater.Page(killed.link), most=6) == 6
    assert killed.end(signal.SIGKILL)[0] == -signal.SIGKILL
    assert len(read_preferences(file)) == 6
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    again = Process(file, "--json")
    assert scripted_rater.rate(scripted_rater.Page(again.link)) == 14
    code, out = again.end(signal.SIGINT)
    assert code == 0
    assert json.loads(out)["answers"] == 20
    assert len(read_preferences(file)) == 20
