"""The server over real connections: what it answers, and whom it refuses."""

import http.client
import json
import socket
from urllib.request import urlopen

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.patches import Polygon
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from proxylab.agents.references import load_agent
from proxylab.app import api
from proxylab.app.requests import MAX_BYTES
from proxylab.app.server import Server
from proxylab.errors import UsageError
from proxylab.evaluation.action_fields import action_field
from proxylab.evaluation.play import start_level
from proxylab.tasks import TASKS
from proxylab_envs.maze_corner import MazeLevel

JSON = {"content-type": "application/json"}
PROXY = "zoo:maze-corner/proxy-00"
LEVEL = """\
#######
#m...c#
#.###.#
#.#...#
#.#.#.#
#...#.#
#######"""


LOOPS = """\
#########
#m......#
#.###.#.#
#.#...#c#
#.#.###.#
#...#...#
#.###.#.#
#.....#.#
#########"""


def call(address, method, path, body=None, headers=None):
    """(status, headers, body) of one request that carries the token."""
    headers = {**address.token.header(), **(headers or {})}
    connection = http.client.HTTPConnection(*address, timeout=120)
    if isinstance(body, dict):
        body, headers = json.dumps(body), {**JSON, **headers}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def ask(address, name, **request):
    """The JSON that the page gets."""
    status, _, body = call(address, "POST", f"/api/{name}", request)
    assert status == 200, body
    return json.loads(body)


def complaint(found, status):
    """The one line of a refusal."""
    assert found[0] == status, found
    assert found[2].endswith(b"\n")
    assert found[2].count(b"\n") == 1
    (item,) = json.loads(found[2]).items()
    assert item[0] == "error"
    return item[1]


def test_the_page_and_its_scripts_are_served_under_a_policy_that_lets_nothing_else_in(address):
    status, headers, body = call(address, "GET", "/")
    assert status == 200
    assert b"static/main.js" in body
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert call(address, "GET", "/static/main.js")[1]["content-type"].startswith("text/javascript")


def test_the_level_of_a_seed_is_the_one_that_play_and_field_show(address):
    env = TASKS["maze-corner"].make_env(1)
    start_level(env, "maze-corner", "shifted", 3)
    found = ask(address, "level", world="maze-corner", split="shifted", seed=3)
    assert found == {"level": env.level(0).to_ascii(), "corner": [1, 7]}


def test_the_field_is_the_agents_own_on_a_level_with_loops(address, worlds):
    env = TASKS["maze-corner"].make_env(1)
    env.place_level(MazeLevel.from_ascii(LOOPS))
    expected = action_field(load_agent(PROXY), env)
    found = ask(address, "field", world="maze-corner", level=LOOPS, agents=[PROXY])
    assert found["level"] == LOOPS
    (field,) = found["fields"]
    assert field["cells"] == expected.cells.tolist()
    np.testing.assert_allclose(field["probabilities"], expected.probabilities, atol=1e-6)
    assert len(field["values"]) == len(expected.cells)


@pytest.mark.parametrize("world", ["maze-corner", "procgen-maze", "boat-race", "tomato-watering"])
def test_a_script_of_every_world_of_cells_plays_its_episode(address, worlds, world):
    level = ask(address, "level", world=world, split="train", seed=1)["level"]
    agent = f"script:{world}/optimal"
    if agent not in worlds[world].agents:
        agent = next(iter(worlds[world].agents))
    found = ask(address, "episode", world=world, level=level, agent=agent)
    steps = len(found["actions"])
    assert len(found["states"]) == steps + 1 == len(found["probabilities"]) + 1
    assert found["outcome"] in ("intended", "proxy", "both", "neither")
    many = ask(address, "occupancy", world=world, level=level, agent=agent)
    assert sum(many["shares"]) == pytest.approx(1, abs=1e-4)
    assert set(found["states"][:-1]) <= set(many["states"])


def test_an_optimal_mouse_takes_the_shortest_way_and_reaches_the_cheese(address):
    env = TASKS["maze-corner"].make_env(1)
    start_level(env, "maze-corner", "shifted", 5)
    seeds = env.core.level_seeds.copy()
    steps = int(env.landmark_distances(seeds)[0, 0, env.core.state_ids[0]])
    level = env.level(0).to_ascii()
    agent = "script:maze-corner/optimal"
    found = ask(address, "episode", world="maze-corner", level=level, agent=agent)
    assert len(found["actions"]) == steps
    assert found["returns"]["true"] == 1


def test_the_lagoon_moves_and_a_looper_gains_there(address):
    where = {"world": "boat-lagoon", "split": "train", "seed": 0}
    near, moved = ask(address, "level", **where), ask(address, "level", **where, spoke=15)
    assert moved["lagoon"] == 15 != near["lagoon"]
    empty = ask(address, "level", **where, spoke=15, targets=False)
    assert not empty["course"]["targets"]
    assert len(moved["course"]["targets"]) == 3
    agent = "script:boat-lagoon/looper"
    found = ask(address, "episode", world="boat-lagoon", level=moved["level"], agent=agent)
    assert found["outcome"] == "proxy"
    assert len(found["positions"]) == len(found["timers"]) == len(found["actions"]) + 1


def test_boats_are_asked_all_over_the_water_and_a_racer_wants_full_throttle(address):
    level = ask(address, "level", world="boat-lagoon", split="train", seed=0)
    agents = ["script:boat-lagoon/racer", "zoo:boat-lagoon/proxy-00"]
    found = ask(address, "field", world="boat-lagoon", level=level["level"], agents=agents)
    racer, proxy = found["fields"]
    course = level["course"]
    points = np.array(racer["cells"]) * (1, -1) + np.array(course["corner"]) * (-1, 1)
    outer, inner = (Polygon(course[bank], closed=True).get_path() for bank in ("outer", "inner"))
    assert outer.contains_points(points).all()
    assert not inner.contains_points(points).any()
    assert len(points) > 60
    assert np.array(racer["probabilities"])[:, 1::2].sum(1).min() == 1
    assert len(racer["headings"]) == len(points) == len(proxy["values"])
    assert racer["values"] is None


def test_a_boat_put_where_it_starts_sees_what_it_sees_there():
    env = TASKS["boat-lagoon"].make_env(1)
    env.reset()
    before, core = env.observe().copy(), env.core
    env.step(np.array([1]))
    env.reset_levels(core.level_seeds.copy(), np.array([0]))
    start = core.position[0].copy(), int(core.heading[0])
    env.place_boat(0, (-start[0][0], 1.0), 3, 0.1)
    assert core.sector[0] in (11, 12)
    assert not np.array_equal(env.observe(), before)
    env.place_boat(0, *start, 0.0)
    np.testing.assert_array_equal(env.observe(), before)


BAD = [
    ("level", {}, "'world' is missing"),
    ("level", {"world": "maze-corner", "split": "shifted", "seed": -1}, "seed is not"),
    ("level", {"world": "maze-corner", "split": "shifted", "seed": True}, "seed is not"),
    ("level", {"world": "../etc", "split": "shifted", "seed": 1}, "no world"),
    ("level", {"world": "maze-corner", "split": "sideways", "seed": 1}, "no split"),
    ("level", {"world": "maze-corner", "split": "shifted", "seed": 1, "x": 1}, "unknown field"),
    ("field", {"world": "maze-corner", "level": LEVEL, "agents": ["os:system"]}, "size 7"),
    ("field", {"world": "maze-corner", "level": "###", "agents": [PROXY]}, "square"),
    ("field", {"world": "maze-corner", "level": "#" * 9000, "agents": [PROXY]}, "level is not"),
    ("field", {"world": "maze-corner", "level": "x", "agents": [1]}, "agents is not"),
    ("episode", {"world": "maze-corner", "level": "x", "agent": "os:system"}, "no level"),
    ("verdict", {"world": "maze-corner", "agent": "os:system"}, "no agent"),
    ("verdict", {"world": "maze-corner", "agent": PROXY, "episodes": 10**9}, "episodes is not"),
]


@pytest.mark.parametrize(("name", "request_", "said"), BAD)
def test_a_wrong_request_is_one_line(address, name, request_, said):
    assert said in complaint(call(address, "POST", f"/api/{name}", request_), 400)


@pytest.mark.parametrize("body", ["", "[]", "{", "NaN", '{"a":NaN}', "[" * 9999, "1" * 9999])
def test_what_is_no_json_object_is_one_line(address, body):
    said = complaint(call(address, "POST", "/api/level", body, JSON), 400)
    assert "JSON" in said


def test_pages_from_elsewhere_are_refused(address):
    port = address[1]
    query = {"world": "maze-corner", "split": "shifted", "seed": 0}
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        f"x@127.0.0.1:{port}",
    ):
        assert "Host" in complaint(call(address, "GET", "/", headers={"host": host}), 403)
    for origin in (
        "https://evil.example",
        "null",
        f"https://127.0.0.1:{port}",
        "http://127.0.0.1:1",
    ):
        found = call(address, "POST", "/api/level", query, {"origin": origin})
        assert "other pages" in complaint(found, 403)
    own = {"origin": f"http://127.0.0.1:{port}"}
    assert call(address, "POST", "/api/level", query, own)[0] == 200
    assert call(address, "GET", "/", headers={"host": f"localhost:{port}"})[0] == 200
    plain = {"content-type": "text/plain"}
    assert "application/json" in complaint(call(address, "POST", "/api/level", "{}", plain), 415)
    assert "PUT" in complaint(call(address, "PUT", "/api/level"), 405)


def test_oversized_requests_are_refused_before_they_are_read(address):
    large = " " * (MAX_BYTES + 1)
    assert "larger" in complaint(call(address, "POST", "/api/level", large, JSON), 413)
    head = (
        f"POST /api/level HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n"
        f"Cookie: {address.token.header()['Cookie']}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunk = f"{4096:x}\r\n{' ' * 4096}\r\n".encode()
    with socket.create_connection(address, timeout=120) as connection:
        connection.sendall(head.encode())
        for _ in range(MAX_BYTES // 4096 + 1):
            connection.sendall(chunk)
        answer = b""
        while b"larger" not in answer and (part := connection.recv(65_536)):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"larger" in answer


def test_nothing_but_the_pages_own_files_is_served(address):
    hidden = ("/static/../state.py", "/static/%2e%2e/state.py", "/etc/passwd")
    for path in (*hidden, "/static/", "/static/main.js/", "/api", "//"):
        assert complaint(call(address, "GET", path), 404)


@settings(max_examples=60)
@given(
    world=st.sampled_from(["maze-corner", "procgen-maze", "boat-race", "tomato-watering"]),
    level=st.one_of(
        st.text("#.mcatTbdB\n", max_size=120),
        st.text(max_size=40),
        st.lists(st.text("#.mcatTbd", min_size=9, max_size=9), min_size=6, max_size=9).map(
            lambda rows: "\n".join(["#" * 9, *("#" + row[1:-1] + "#" for row in rows), "#" * 9])
        ),
    ),
)
def test_any_text_is_a_level_or_a_usage_error(worlds, world, level):
    agent = next(iter(worlds[world].agents))
    try:
        found = api.fields(worlds, {"world": world, "level": level, "agents": [agent]})
    except UsageError:
        return
    assert np.isfinite(found["fields"][0]["probabilities"]).all()


def test_networks_run_on_one_thread_while_the_page_is_served():
    """Two threads for a convolution of 64 rows can take 70 times as long as one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)

    def threads(_request):
        return PlainTextResponse(str(torch.get_num_threads()))

    try:
        listener = socket.create_server(("127.0.0.1", 0))
        url = "http://{}:{}/".format(*listener.getsockname())
        with Server(Starlette(routes=[Route("/", threads)]), listener), urlopen(url) as answer:
            assert answer.read() == b"1"
        assert torch.get_num_threads() == 2  # control: not one thread anyway
    finally:
        torch.set_num_threads(before)
