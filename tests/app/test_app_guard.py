"""Guards of the page: the threshold, who acts and why, in the answer and in the browser."""

import re

import pytest

from proxylab.agents.references import load_agent
from proxylab.app import api, guards
from proxylab.app.embedding import embedded_data
from proxylab.app.single_file import single_file
from proxylab.errors import UsageError
from proxylab.guard.run import REFERENCES, Deployment
from proxylab.guard.settings import GuardSettings

MAZE = "maze-corner"
SHOWN = f"#world={MAZE}&seed=2&guard=departure"


@pytest.fixture(scope="module")
def level(worlds):
    return api.level(worlds, {"world": MAZE, "split": "shifted", "seed": 2})["level"]


def episode(worlds, level, agent, **options):
    request = {"world": MAZE, "level": level, "agent": f"zoo:{MAZE}/{agent}", **options}
    return api.episode(worlds, request)


def test_an_episode_under_guard_says_who_acts_and_why(worlds, level):
    found = episode(worlds, level, "proxy-00", guard="departure")
    guard = found["guard"]
    assert len(guard["actors"]) == len(guard["scores"]) == len(found["actions"])
    first = guard["actors"].index("trusted")
    assert set(guard["actors"][:first]) == {"suspect"}
    assert set(guard["actors"][first:]) == {"trusted"}
    assert max(guard["scores"][:first]) <= guard["threshold"] < guard["scores"][first]
    assert guard["scores"][first + 1 :] == [None] * (len(guard["scores"]) - first - 1)
    assert (guard["trigger"], guard["trusted"]) == ("departure", f"zoo:{MAZE}/trusted-00")
    alone = episode(worlds, level, "proxy-00")
    assert "guard" not in alone
    assert alone["outcome"] == "proxy"
    assert found["outcome"] == "intended"
    assert found["states"][: first + 1] == alone["states"][: first + 1]


def test_an_honest_agent_acts_itself(worlds, level):
    found = episode(worlds, level, "honest-00", guard="departure")
    assert set(found["guard"]["actors"]) == {"suspect"}
    assert found["states"] == episode(worlds, level, "honest-00")["states"]


def test_a_threshold_is_that_of_agents_which_the_guard_does_not_use(monkeypatch):
    """The first calibration agent, which plays the first episodes of the batch, plays alone."""
    names = [f"zoo:{MAZE}/trusted-{k:02d}" for k in range(guards.NEEDED)]
    trusted = {name: load_agent(name) for name in names}
    monkeypatch.setattr(guards, "MOST_LEVELS", 2)
    kept = []
    monkeypatch.setattr(guards, "threshold_of", lambda rows, *_: kept.extend(rows) or 0.5)
    guard = guards.make_guard(MAZE, trusted, "departure", 100)
    settings = GuardSettings("departure", episodes=2 * len(kept))
    deployment = Deployment(MAZE, trusted, settings)
    deployment.level_seeds = deployment.level_seeds[:2]
    assert [policy.name for policy in guard.trusted] == [p.name for p in deployment.references]
    assert len(kept) == len(deployment.calibration) == guards.NEEDED - REFERENCES
    alone = deployment.unguarded(deployment.calibration[0], guard.trigger).highest
    assert kept[0].tolist() == alone.tolist()
    assert kept[1].tolist() != alone.tolist()


WRONG = [
    ("nonsense", "guard is not one of"),
    ("", "guard is not one of"),
    (1, "guard is not one of"),
]


@pytest.mark.parametrize(("trigger", "said"), WRONG)
def test_a_wrong_trigger_is_one_line(worlds, level, trigger, said):
    with pytest.raises(UsageError, match=said):
        episode(worlds, level, "proxy-00", guard=trigger)


def test_a_world_without_trusted_agents_offers_no_guard(worlds):
    entries = {world["name"]: world for world in api.catalogue(worlds)["worlds"]}
    assert next(iter(entries[MAZE]["triggers"])) == "departure"
    few = next(name for name, entry in entries.items() if not entry["triggers"])
    with pytest.raises(UsageError, match="too few trusted agents for a guard"):
        worlds[few].guard("departure")


GREEN = """id => {
  const canvas = document.getElementById(id);
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let green = 0;
  for (let k = 0; k < pixels.length; k += 4) {
    green += pixels[k] === 0 && pixels[k + 1] === 158 && pixels[k + 2] === 115;
  }
  return green;
}"""


def test_the_way_changes_its_colour_where_the_trusted_agent_takes_over(page, address):
    opened(page, address)
    assert not page.locator("#why-a").is_visible()
    page.locator("#guard").select_option("departure")
    page.locator("#threshold", has_text=re.compile(r"above \d\.\d\d, trusted-00 acts")).wait_for()
    assert re.search(r"departure 0\.\d+ ≤ 0\.\d+: the agent acts itself", told(page, "a"))
    assert page.evaluate(GREEN, "board-a") == 0
    page.locator("#step").fill("11")
    said = r"departure 0\.\d+ > 0\.\d+: trusted agent acted from step \d+"
    assert re.search(said, told(page, "a"))
    assert re.search("all along: no help", told(page, "b"))
    assert page.evaluate(GREEN, "board-a") > 200
    assert page.evaluate(GREEN, "board-b") == 0
    assert "guard=departure" in page.url
    assert "green: a trusted agent acts" in page.locator("#legend").text_content()
    page.locator("#guard").select_option("off")
    page.locator("#now-a", has_text="step 0 of 100").wait_for()
    assert not page.locator("#why-a").is_visible()


def opened(page, address, hash_=""):
    page.goto(address.link + hash_)
    page.locator("#now-b", has_text=re.compile("^step [0-9]+ of [1-9]")).wait_for()


def told(page, letter):
    return page.locator(f"#why-{letter}").text_content()


def test_a_link_brings_the_guard_back_and_a_wrong_one_is_left_out(page, address):
    opened(page, address, f"{SHOWN}&step=5")
    page.locator("#why-a", has_text="trusted agent acts since step").wait_for()
    assert page.locator("#guard").input_value() == "departure"
    opened(page, address, "#guard=nonsense&seed=3")
    assert page.locator("#guard").input_value() == ""
    assert "guard" not in page.url


def test_the_single_file_has_no_guard(page, worlds, tmp_path):
    path = tmp_path / "page.html"
    path.write_text(single_file(embedded_data({MAZE: worlds[MAZE]}, episodes=0)))
    page.goto(f"{path.as_uri()}{SHOWN}")
    page.locator("#now-b", has_text=re.compile("^step [0-9]+ of [1-9]")).wait_for()
    assert not page.locator("#guarded").is_visible()
    assert not page.locator("#why-a").is_visible()
