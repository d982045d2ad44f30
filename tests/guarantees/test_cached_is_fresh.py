"""What comes from a cache is what would be computed afresh.

Each case asks twice, with one thing changed in between, and compares with an answer that no
cache has seen. The negative controls leave that thing out of the key, or put another entry in
the place of the right one, and the same comparison must find it.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from proxylab.agents.references import load_agent
from proxylab.detection.judge import judge
from proxylab.detection.scores.occupancy import OccupancyDivergence
from proxylab.detection.task_view import TaskView
from proxylab.leaderboard import cache as results_cache
from proxylab.rollouts.rollout import rollout
from proxylab.screening import cache as caching
from proxylab.screening.cache import DetectionCache, content, rollout_facts
from proxylab.screening.run import detect
from proxylab_envs.levels import Levels
from proxylab_envs.maze_corner.env import MazeCorner
from proxylab_envs.maze_corner.level import MazeConfig

OPTIMAL, SEEKER = "script:maze-corner/optimal", "script:maze-corner/corner-seeker"
WEAK = "zoo:maze-corner/weak-00"
TRUSTED = [f"zoo:maze-corner/trusted-{k:02d}" for k in range(9)]
SHIFTED = MazeCorner(1).sample_level_seeds(Levels("shifted"), 12, 3)


# Rollouts


@dataclass(frozen=True)
class Ask:
    """A rollout that is asked for; ``code`` is what its environment does."""

    agent: str = TRUSTED[0]
    size: int | None = None
    levels: tuple = tuple(SHIFTED[:6].tolist())
    seed: int = 1
    greedy: bool = False
    code: str = "as it is"


BASE = Ask()
CASES = {
    "agent": (BASE, replace(BASE, agent="zoo:maze-corner/proxy-00")),
    "env": (replace(BASE, agent=OPTIMAL), replace(BASE, agent=OPTIMAL, size=11)),
    "levels": (BASE, replace(BASE, levels=tuple(SHIFTED[6:].tolist()))),
    "draws": (replace(BASE, agent=WEAK), replace(BASE, agent=WEAK, seed=2)),
    "code": (BASE, replace(BASE, code="another")),
}
"""part of the key: two rollouts that differ in nothing else."""


def answer(ask, cache=None):
    """Hash of the episodes of a rollout, through a cache where there is one."""
    env = MazeCorner(4, MazeConfig(size=ask.size)) if ask.size else MazeCorner(4)
    agent, levels = load_agent(ask.agent), np.array(ask.levels)

    def play():
        return rollout(agent, env, levels, task="maze-corner", seed=ask.seed, greedy=ask.greedy)[0]

    with pytest.MonkeyPatch.context() as patch:
        if ask.code != "as it is":
            patch.setattr(caching, "source_digest", lambda *modules: ask.code)
            patch.setattr(MazeCorner, "features", lambda self, i: np.ones((len(i), 1), np.float32))
        if cache is None:
            return content(play())
        facts = caching.rollout_facts(agent, env, levels, ask.seed, ask.greedy)
        return content(cache.episodes(facts, "p", play))


def stale(cache, *asks):
    """Those of some rollouts that a cache answers otherwise than a fresh one would."""
    return [ask for _ in range(2) for ask in asks if answer(ask, cache) != answer(ask)]


@pytest.mark.parametrize("part", CASES)
def test_cached_rollouts_are_the_fresh_ones(part, tmp_path):
    assert answer(CASES[part][0]) != answer(CASES[part][1])
    assert stale(DetectionCache(tmp_path), *CASES[part]) == []


def test_greedy_actions_are_part_of_the_draws(tmp_path):
    asks = replace(BASE, agent=WEAK), replace(BASE, agent=WEAK, greedy=True)
    assert answer(asks[0]) != answer(asks[1])
    assert stale(DetectionCache(tmp_path), *asks) == []


def test_the_cases_are_all_parts_of_the_key():
    facts = rollout_facts(load_agent(OPTIMAL), MazeCorner(1), SHIFTED, 0)
    assert set(facts) == set(CASES)


@pytest.mark.parametrize("part", CASES)
def test_a_key_without_one_part_is_caught(part, tmp_path, monkeypatch):
    def shorter(*arguments):
        return {k: v for k, v in rollout_facts(*arguments).items() if k != part}

    monkeypatch.setattr(caching, "rollout_facts", shorter)
    assert stale(DetectionCache(tmp_path), *CASES[part])


def test_another_entry_in_its_place_is_caught(tmp_path):
    """Sound, and not the right one."""
    cache, (one, other) = DetectionCache(tmp_path), CASES["agent"]
    answer(one, cache)
    (first,) = tmp_path.iterdir()
    answer(other, cache)
    (second,) = set(tmp_path.iterdir()) - {first}
    first.write_bytes(second.read_bytes())
    assert stale(cache, one, other) == [one, one]


@pytest.mark.parametrize("place", np.linspace(0, 1, 9))
def test_a_damaged_entry_is_not_believed(place, tmp_path):
    """Whatever byte is flipped: the file is checked, and the episodes are made anew."""
    cache = DetectionCache(tmp_path)
    answer(BASE, cache)
    (path,) = tmp_path.iterdir()
    raw = bytearray(path.read_bytes())
    raw[int(place * (len(raw) - 1))] ^= 0x40
    path.write_bytes(raw)
    assert stale(cache, BASE) == []


def test_a_reader_that_believes_everything_is_caught(tmp_path, monkeypatch):
    """Without the checksums of the file, a flipped action would be taken for what was done."""
    honest = caching._read_episodes
    cache = DetectionCache(tmp_path)

    def careless(path):
        run = honest(path)
        return replace(run, action=np.roll(run.action, 1))

    assert stale(cache, BASE) == []
    monkeypatch.setattr(caching, "_read_episodes", careless)
    assert stale(cache, BASE) == [BASE, BASE]


def test_other_versions_have_other_entries(tmp_path, monkeypatch):
    cache = DetectionCache(tmp_path)
    answer(BASE, cache)
    monkeypatch.setattr(caching, "versions", lambda: {"numpy": "0"})
    answer(BASE, cache)
    assert len(list(tmp_path.iterdir())) == 2


# Scores of calibration policies


@pytest.fixture(scope="module")
def world():
    """(view, suspect, {trusted}) on the same levels."""
    env = MazeCorner(8)
    levels = np.sort(SHIFTED)
    runs = {
        name: rollout(load_agent(name), env, levels, task="maze-corner", seed=1)[0]
        for name in (SEEKER, *TRUSTED)
    }
    view = TaskView(
        task="maze-corner",
        num_states=env.num_states,
        num_actions=4,
        landmarks=tuple(env.landmarks),
        levels=levels,
        landmark_distances=env.landmark_distances(levels),
        successors=env.successors(levels),
    )
    return view, runs.pop(SEEKER), runs


def judged(view, suspect, trusted, cache=None, detector="goal_attribution"):
    found = judge(
        {"suspect": suspect},
        trusted,
        rng=np.random.default_rng(0),
        task=view,
        reference=TRUSTED[:3],
        detector=detector,
        also=("occupancy_js", "bc_surprise"),
        cache=cache,
    )
    return replace(found, provenance={}).as_json()


def other_calibration(view, suspect, trusted):
    run = trusted[TRUSTED[-1]]
    changed = replace(run, action=(run.action + 1) % 4)
    return view, suspect, trusted | {TRUSTED[-1]: changed}


def other_reference(view, suspect, trusted):
    run = trusted[TRUSTED[0]]
    changed = replace(run, state_id=(run.state_id + 1) % run.num_states)
    return view, suspect, trusted | {TRUSTED[0]: changed}


def other_view(view, suspect, trusted):
    distances = view.landmark_distances.copy()
    distances[:, 0] = distances[:, 0][:, ::-1]  # the cheese is elsewhere
    return replace(view, landmark_distances=distances), suspect, trusted


SCORE_CASES = {
    "calibration": (other_calibration, "content"),
    "reference": (other_reference, "content"),
    "view": (other_view, "_view_content"),
}
"""what changes: (how, the part of the key that sees it)."""


def stale_scores(cache, *inputs, **options):
    """Numbers of the inputs that judge otherwise with a cache than without."""
    both = [
        (judged(*one, cache=cache, **options), judged(*one, **options))
        for _ in range(2)
        for one in inputs
    ]
    return [k % len(inputs) for k, (cached, fresh) in enumerate(both) if cached != fresh]


class OnlyFitted(DetectionCache):
    """A cache of fitted states that holds no scores."""

    def scores(self, reference, calibration, task):
        return {}

    def keep(self, reference, calibration, task, scores):
        pass


@pytest.mark.parametrize("what", SCORE_CASES)
def test_cached_scores_are_the_fresh_ones(what, world, tmp_path):
    other = SCORE_CASES[what][0](*world)
    assert judged(*world) != judged(*other)
    assert stale_scores(DetectionCache(tmp_path), world, other) == []


@pytest.mark.parametrize("what", SCORE_CASES)
def test_scores_under_a_key_without_one_part_are_caught(what, world, tmp_path, monkeypatch):
    change, part = SCORE_CASES[what]
    monkeypatch.setattr(caching, part, lambda _: "always the same")
    assert stale_scores(DetectionCache(tmp_path), world, change(*world)) == [1, 1]


@pytest.mark.parametrize("what", SCORE_CASES)
def test_cached_states_are_the_fresh_ones(what, world, tmp_path, monkeypatch):
    change, part = SCORE_CASES[what]
    inputs, deciding = (world, change(*world)), {"detector": "higher_criticism"}
    assert stale_scores(OnlyFitted(tmp_path / "one"), *inputs, **deciding) == []
    assert list((tmp_path / "one").glob("*.npz"))
    monkeypatch.setattr(caching, part, lambda _: "always the same")
    assert stale_scores(OnlyFitted(tmp_path / "two"), *inputs, **deciding) == [1, 1]


def test_detectors_of_one_name_have_their_own_scores(world, tmp_path, monkeypatch):
    detectors = [OccupancyDivergence("own", kind) for kind in ("js", "total_variation")]

    def stale_detectors(folder):
        cache = DetectionCache(folder)
        judged(*world, cache=cache, detector=detectors[0])
        return judged(*world, cache=cache, detector=detectors[1]) != judged(
            *world, detector=detectors[1]
        )

    assert not stale_detectors(tmp_path / "one")
    for module in ("assess", "calibration"):
        path = f"proxylab.detection.{module}.memory_key"
        monkeypatch.setattr(path, lambda detector: detector.name)
    assert stale_detectors(tmp_path / "two")


def test_scores_of_other_code_are_not_used(world, tmp_path, monkeypatch):
    def after_a_change(folder, digest):
        judged(*world, cache=DetectionCache(folder), detector="occupancy_js")
        with monkeypatch.context() as patch:
            patch.setattr(caching, "source_digest", lambda *modules: digest)
            patch.setattr(
                OccupancyDivergence, "score", lambda self, state, e, rng: float(e.lengths.mean())
            )
            return judged(*world, cache=DetectionCache(folder), detector="occupancy_js") != judged(
                *world, detector="occupancy_js"
            )

    assert not after_a_change(tmp_path / "one", "another")
    unchanged = caching.source_digest(*caching.SCORE_SOURCES)
    assert after_a_change(tmp_path / "two", unchanged)  # a digest that sees no change


# The whole of detect, and results of the leaderboard


def on_the_levels_of_most(entries):
    """The rollouts among the entries that are on the most frequent levels."""
    by_levels = {}
    for path in sorted(entries):
        with np.load(path) as entry:
            if "facts" in entry.files:
                by_levels.setdefault(entry["level_seed"].tobytes(), []).append(path)
    return max(by_levels.values(), key=len)


def test_detect_is_the_same_with_and_without(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path))
    asked = ("zoo:maze-corner/proxy-00", "zoo:maze-corner/weak-0*")

    def said(**options):
        return replace(detect(*asked, episodes=6, **options), provenance={}).as_json()

    fresh = said(no_cache=True)
    assert fresh == said() == said()
    entries = on_the_levels_of_most((tmp_path / "rollouts").glob("*.npz"))
    contents = [path.read_bytes() for path in entries]
    for path, raw in zip(entries, contents[1:] + contents[:1], strict=True):
        path.write_bytes(raw)
    assert said() != fresh  # every trusted agent has the rollout of another one


def test_results_of_the_leaderboard_are_made_again_when_their_facts_change(tmp_path):
    path = tmp_path / "scores.json"

    def stale_results(keys):
        truth = {"a": 1, "b": 2}
        return [
            k
            for k, key in zip(truth, keys, strict=True)
            if results_cache.cached(path, [key], lambda k=k: truth[k]) != truth[k]
        ]

    assert stale_results(["a", "b"]) == []
    path.write_text(path.read_text()[:-3])
    assert stale_results(["a", "b"]) == []
    assert stale_results(["same", "same"]) == ["b"]  # control: facts that leave something out
