"""detect --report: what is drawn is what was played, nobody plays again, wrong use in one line."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from reading import Page

from proxylab.cli import main
from proxylab.detection.pairing import restrict
from proxylab.detection.scores.first_divergence import divergence_from_all
from proxylab.rollouts.episodes import Episodes
from proxylab.rollouts.rollout import rollout
from proxylab.screening.report_data import gather, telling
from proxylab.screening.run import detect
from proxylab.statistics.sequences import NEVER
from proxylab.tasks import TASKS
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner import MazeCorner

SEEKER, HONEST = "script:maze-corner/corner-seeker", "zoo:maze-corner/trusted-0*"


class Sloppy:
    """A script that errs now and then, each agent with a rate of its own."""

    task = "maze-corner"

    def __init__(self, name, script, seed):
        self.name, self.script = name, script
        self.rate = np.random.default_rng(seed).uniform(0.01, 0.08)

    def probabilities(self, env, indices):
        return (1 - self.rate) * env.script_actions(self.script, indices) + self.rate / 4


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """(Detection, its evidence, what was played, text of the page) of two suspects."""
    path = tmp_path_factory.mktemp("report") / "sub" / "out.html"
    agents = [Sloppy(f"t{k:02d}", "optimal", k) for k in range(12)]
    suspects = [Sloppy("seeker", "corner-seeker", 50), Sloppy("fresh", "optimal", 51)]
    kept = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "proxylab.screening.report_data.gather", lambda *a: kept.setdefault("e", keep(kept, *a))
        )
        found = detect(suspects, agents, episodes=50, report=path, no_cache=True)
    return found, kept["e"], kept["played"], path.read_text()


def keep(kept, found, played):
    (kept["played"],) = played
    return gather(found, played)


@pytest.fixture
def paired(reported):
    """(suspect, reference, calibration, trusted): Episodes on the same levels in one order."""
    found, _, played, _ = reported
    played = played.group.trusted | played.group.suspects
    seeds = np.sort(played["seeker"].level_seed)
    levels, counts = np.unique(seeds, return_counts=True)
    runs = {name: restrict(one, levels, counts) for name, one in played.items()}
    names, split = found.trusted.agents, found.trusted.n_reference
    trusted = [runs[name] for name in names]
    return runs["seeker"], trusted[:split], trusted[split:], trusted


def test_the_report_changes_nothing_of_the_result(reported):
    found, _, _, _ = reported
    agents = [Sloppy(f"t{k:02d}", "optimal", k) for k in range(12)]
    suspects = [Sloppy("seeker", "corner-seeker", 50), Sloppy("fresh", "optimal", 51)]
    alone = detect(suspects, agents, episodes=50, no_cache=True)
    assert replace(alone, provenance={}) == replace(found, provenance={})


def test_nobody_plays_again(monkeypatch, tmp_path):
    played = []
    monkeypatch.setattr(
        "proxylab.screening.paired.rollout",
        lambda policy, *a, **k: played.append(policy.name) or rollout(policy, *a, **k),
    )
    monkeypatch.setattr(MazeCorner, "step", counted := Counted(MazeCorner.step))
    agents = [Sloppy(f"t{k}", "optimal", k) for k in range(4)]
    detect(agents[0], agents[1:], episodes=5, no_cache=True)
    steps, once = counted.calls, list(played)
    assert [once.count(agent.name) for agent in agents] == [2] * 4  # levels, competence
    detect(agents[0], agents[1:], episodes=5, no_cache=True, report=tmp_path / "a.html")
    assert counted.calls == 2 * steps > 0
    assert sorted(played) == sorted(2 * once)


class Counted:
    """A method that counts its calls."""

    def __init__(self, method):
        self.method, self.calls = method, 0

    def __get__(self, owner, _kind):
        def call(*arguments):
            self.calls += 1
            return self.method(owner, *arguments)

        return call


def test_ways_are_those_that_were_gone(reported, paired):
    _, evidence, _, _ = reported
    suspect, reference, _, _ = paired
    by_name = {one.policy: one for one in reference}
    assert len(evidence["seeker"].levels) == 6
    for pair in evidence["seeker"].levels:
        k = int(np.flatnonzero(suspect.level_seed == pair.level_seed)[0])
        for track, one in ((pair.suspect, suspect), (pair.trusted, by_name[pair.trusted.agent])):
            start, stop = one.episode_offsets[k : k + 2]
            col, row = np.floor(track.points[: stop - start].T).astype(int)
            np.testing.assert_array_equal(row * 9 + col, one.state_id[start:stop])
            assert (track.steps, track.cut) == (stop - start, one.truncated[k])
        assert len(pair.trusted.points) == pair.trusted.steps + 1
        before = slice(None, pair.divergence_step)
        np.testing.assert_array_equal(pair.suspect.points[before], pair.trusted.points[before])
        step = pair.divergence_step
        assert (pair.suspect.points[step] != pair.trusted.points[step]).any()
        assert step == divergence_from_all(reference, suspect)[k]


def test_ways_of_trusted_mice_end_on_the_cheese(reported):
    for pair in reported[1]["seeker"].levels:
        if not pair.trusted.cut:
            col, row = np.floor(pair.trusted.points[-1]).astype(int)
            assert (row, col) == pair.scene.places["cheese"][0]
            assert pair.scene.rows[row][col] == "c"


def test_the_heat_map_counts_steps(reported, paired):
    heat = reported[1]["seeker"].heat
    suspect, _, _, trusted = paired
    cells = list(zip(*np.divmod(suspect.state_id, 9), strict=True))
    assert heat.suspect[1, 7] == pytest.approx(cells.count((1, 7)) / suspect.num_steps)
    assert heat.suspect.sum() == pytest.approx(1)
    assert heat.trusted.sum() == pytest.approx(1)
    shares = [np.mean(one.state_id == 1 * 9 + 7) for one in trusted]
    assert heat.trusted[1, 7] == pytest.approx(np.mean(shares))


def test_arrivals_are_counted_by_episode(reported, paired):
    _, evidence, played, _ = reported
    suspect, _, _, trusted = paired
    corner = next(goal for goal in evidence["seeker"].goals if goal.name == "corner")

    def arrived(one):
        hits = 0
        for k, (start, stop) in enumerate(pairwise(one.episode_offsets)):
            row = list(played.view.levels).index(one.level_seed[k])
            last = played.view.successors[row, one.state_id[stop - 1], one.action[stop - 1]]
            hits += 16 in [*one.state_id[start:stop], last]  # row 1, column 7
        return hits / one.num_episodes

    assert corner.suspect == pytest.approx(arrived(suspect))
    assert corner.trusted == pytest.approx(np.mean([arrived(one) for one in trusted]))
    assert corner.suspect > 2 * corner.trusted
    assert corner.suspect_time == pytest.approx(np.mean(suspect.state_id == 16))


def test_curves_count_levels_not_left_yet(reported, paired):
    found, evidence, _, _ = reported
    suspect, reference, calibration, _ = paired
    curves = evidence["seeker"].together
    assert curves.trusted.shape == (len(calibration), len(curves.steps))
    for k in (0, len(curves.steps) // 2, -1):
        step = curves.steps[k]
        for curve, one in ((curves.suspect, suspect), (curves.trusted[1], calibration[1])):
            left = divergence_from_all(reference, one)
            staying = sum(at == NEVER or at > step for at in left) / len(left)
            assert curve[k] == pytest.approx(staying)
    never = 1 - found.suspects[0].first_divergence.share_of_levels
    assert curves.suspect[0] == 1
    assert curves.suspect[-1] >= never


def test_telling_levels_have_way_before_and_after():
    left = np.array([5, 1, NEVER, 9, 5, 5])
    apart = np.array([0.9, 1.0, 0.0, 0.9, 0.4, 0.8])
    way = np.full(6, 10.0)
    # level 4 differs by less than half of 1.0; min(left, way - left) is 5, 1, -, 1, -, 5
    assert telling(left, apart, way, np.arange(6)) == [0, 5, 1, 3]
    assert telling(left, apart, way, np.array([7, 1, 2, 3, 4, 7])) == [0, 1, 3]
    assert telling(np.full(2, NEVER), np.zeros(2), np.ones(2), np.arange(2)) == []


TASK_AGENTS = {
    "maze-corner": ("corner-seeker", "optimal"),
    "procgen-maze": ("corner-seeker", "optimal"),
    "boat-race": ("back-and-forth", "optimal"),
    "boat-lagoon": ("looper", "racer"),
    "tomato-watering": ("bucket-sitter", "waterer"),
    "keys-chests": ("key-seeker", "optimal"),
    "dish": ("dish-seeker", "optimal"),
    "coloured-digits": ("colour-reader", "optimal"),
    "colour-shape": ("colour-seeker", "optimal"),
}
WITHOUT_MAP = {"coloured-digits"}
"""Their states are not places: the page has no drawings, and says why."""


@pytest.mark.parametrize("task", TASK_AGENTS)
def test_every_task_can_be_drawn(task, tmp_path):
    scripts = TASKS[task].make_env(1).scripts
    suspect, trusted = (f"script:{task}/{name}" for name in pick(task, scripts))
    path = tmp_path / "out.html"
    found = detect(suspect, trusted, episodes=4, no_cache=True, report=path)
    page = Page(path.read_text())
    levels = [look for look in page.all("svg") if look.get("class", "").startswith("level")]
    parted = found.suspects[0].first_divergence.share_of_levels * 4
    heat = [look for look in page.all("svg") if look.get("class", "").startswith("heat")]
    if task in WITHOUT_MAP:
        assert (levels, heat) == ([], [])
        assert "the task has no map of places" in page.text()
    else:
        assert len(levels) == (1 if task == "boat-race" else parted) > 0
        assert heat
    assert found.suspects[0].verdict == "INCONCLUSIVE"
    assert path.stat().st_size < 400_000


def pick(task, scripts):
    suspect, trusted = TASK_AGENTS[task]
    assert {suspect, trusted} <= set(scripts), scripts
    return suspect, trusted


@pytest.mark.parametrize("task", sorted(TASK_AGENTS.keys() - WITHOUT_MAP))
def test_places_lie_where_the_level_has_room(task):
    env = TASKS[task].make_env(1)
    seeds = env.sample_level_seeds(Levels(env.splits[-1]), 3, 5)
    places = env.place_map(int(seeds[0]))
    assert places.shape[0] * places.shape[1] == env.num_states
    for level_seed in seeds.tolist():
        scene = env.level_scene(level_seed, {})
        start = env.core.state_ids[:1].astype(np.int64), env.features(np.arange(1))
        x, y = scene.points(*start)[0]
        assert 0 < x < scene.scene.size[0]
        assert 0 < y < scene.scene.size[1]
        if places.straight:
            assert np.hypot(*(scene.scene.finish.mean(axis=0) - (x, y))) < 3
        else:
            assert scene.scene.rows[int(y)][int(x)] in "maB"


def test_logs_of_an_unknown_world_get_a_report_without_levels(tmp_path):
    rng = np.random.default_rng(1)
    logs = [log(f"p{k}", rng) for k in range(9)]
    path = tmp_path / "logs.html"
    found = detect(logs[0], logs[1:], report=path)
    page = Page(path.read_text())
    assert not [look for look in page.all("svg") if look.get("class") == "level"]
    assert "the task has no map of places" in page.text()
    assert len(found.suspects) == 1


def log(name, rng, episodes=6, steps=5):
    count = episodes * steps
    return Episodes(
        task="maze-corner",
        policy=name,
        num_states=7,
        num_actions=4,
        episode_offsets=np.arange(0, count + 1, steps),
        state_id=rng.integers(0, 7, count),
        features=np.zeros((count, 0), np.float32),
        action=rng.integers(0, 4, count),
        probabilities=None,
        proxy_reward=None,
        level_seed=np.arange(episodes),
        terminated=np.ones(episodes, bool),
        truncated=np.zeros(episodes, bool),
    )


def test_on_the_command_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    path = tmp_path / "out.html"
    asked = ["detect", SEEKER, "--trusted", HONEST, "--episodes", "10", "--correlation", "0.9"]
    code = main([*asked, "--report", str(path), "--json"])
    captured = capsys.readouterr()
    assert code == 0
    assert f"report: {path}" in captured.err
    found, page = json.loads(captured.out), Page(path.read_text())
    assert json.loads(page.text(*{tag for tag, _ in page.texts} - {"pre"})) == found
    shown = [float(value) for value in page.numbers]
    suspect = found["suspects"][0]
    for row in suspect["scores"].values():
        assert {row["score"], row["p_value"]} - {None} <= set(shown)
    assert suspect["first_divergence"]["share_of_levels"] in shown
    trusted = found["trusted"]["agents"]
    hashes = [text for tag, text in page.texts if tag == "span" and len(text) == 64]
    assert len(hashes) == len(trusted) + 1 == 11


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("out.txt", "ends in .html"),
        ("folder.html", "this is a folder"),
        ("file/out.html", "is no folder that can be written to"),
    ],
)
def test_a_bad_path_is_said_before_anybody_plays(capsys, tmp_path, monkeypatch, name, complaint):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("proxylab.screening.paired.rollout", None)
    code = main(["detect", SEEKER, "--trusted", SEEKER, "--report", str(tmp_path / name)])
    captured = capsys.readouterr()
    assert (code, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert complaint in captured.err


def test_a_file_that_cannot_be_written_is_one_line(capsys, tmp_path, monkeypatch):
    def full(*_arguments, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    path = tmp_path / "out.html"
    asked = ["detect", SEEKER, "--trusted", "script:maze-corner/optimal", "--episodes", "2"]
    assert main([*asked, "--no-cache", "--report", str(path)]) == 1  # no fault of the user's
    assert "full" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
