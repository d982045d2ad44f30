"""push and pull against a small hub on this machine: equal bytes; strangers' files stay checked."""

import base64
import importlib.util
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from proxylab.agents.format import save_agent
from proxylab.agents.references import load_agent
from proxylab.cli import main
from proxylab.errors import AgentError, UsageError
from proxylab.export import hub
from proxylab.export.hub import pull, push
from proxylab.rewards.model import RewardModel, RewardSpec, load_model, save_model

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("huggingface_hub") is None, reason="extra hub"
)
PUBLIC = "https://huggingface.co"
"""The library takes apart the addresses in answers; it asks none of them."""
PAIR = ("agent.json", "agent.safetensors")


class Hub(BaseHTTPRequestHandler):
    """The part of the hub's HTTP interface that an upload and a download use."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        """Stay quiet."""

    def answer(self, content, status=200):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server = self.server
        server.asked.append(self.path)
        server.tokens.append(self.headers.get("Authorization"))
        if server.refuses:
            self.answer({"error": "no\nway"}, 403)
        elif self.path == "/api/repos/create":
            wanted = json.loads(body)
            self.answer({"url": f"{PUBLIC}/{wanted['organization']}/{wanted['name']}"})
        elif self.path.endswith("/preupload/main"):
            files = [file["path"] for file in json.loads(body)["files"]]
            plan = {"uploadMode": "regular", "shouldIgnore": False}
            self.answer({"files": [{"path": path, **plan} for path in files]})
        elif found := re.fullmatch(r"/api/models/(.+)/commit/main", self.path):
            for line in map(json.loads, body.decode().splitlines()):
                if line["key"] == "file":
                    name = f"{found[1]}/{line['value']['path']}"
                    server.files[name] = base64.b64decode(line["value"]["content"])
            url = f"{PUBLIC}/{found[1]}/commit/{'a' * 40}"
            self.answer({"commitOid": "a" * 40, "commitUrl": url})
        else:
            self.answer({"error": "unknown"}, 404)

    def do_GET(self):
        self.server.asked.append(self.path)
        found = re.fullmatch(r"/(.+)/resolve/main/(.+)", self.path)
        content = self.server.files.get(f"{found[1]}/{found[2]}") if found else None
        if content is None:
            self.answer({"error": "not found"}, 404)
        else:
            self.answer(content)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A hub with ``files``, and what was ``asked`` of it."""
    running = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    running.files, running.asked, running.tokens, running.refuses = {}, [], [], False
    threading.Thread(target=running.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{running.server_port}")
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("PROXYLAB_CACHE", str(tmp_path / "cache"))
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def agent(tmp_path):
    """Folder of a shipped agent."""
    policy = load_agent("zoo:boat-race/proxy-00")
    save_agent(tmp_path / "agent", policy.spec, policy.weights)
    (tmp_path / "agent" / "notes.txt").write_text("mine")
    return tmp_path / "agent"


def test_an_agent_comes_back_with_the_same_bytes(server, agent, tmp_path):
    pushed = push(agent, "somebody/boat")
    assert set(server.files) == {f"somebody/boat/{name}" for name in PAIR}  # and no notes
    assert set(server.tokens) == {"Bearer hf_test"}
    pulled = pull("somebody/boat", tmp_path / "again")
    assert (pushed.kind, pulled.kind, pushed.commit) == ("agent", "agent", "a" * 40)
    for name in PAIR:
        assert (tmp_path / "again" / name).read_bytes() == (agent / name).read_bytes()
    assert load_agent(tmp_path / "again").spec == load_agent(agent).spec
    assert pulled.num_bytes == sum((agent / name).stat().st_size for name in PAIR)


def test_a_reward_model_comes_back_with_the_same_bytes(server, tmp_path):
    model = tmp_path / "model"
    sizes = {"observation_shape": (4,), "num_actions": 0, "widths": (3,), "members": 2}
    facts = {"clip_length": 5, "offset": (0.0, 0.0), "scale": (1.0, 1.0)}
    spec = RewardSpec("boat-race", {}, observation_dtype="uint8", **sizes, **facts)
    rng = np.random.default_rng(0)
    weights = {n: rng.normal(size=s).astype(np.float32) for n, s in spec.shapes().items()}
    save_model(RewardModel(spec, weights), model)
    assert push(model, "a/reward").kind == "reward model"
    pulled = pull("a/reward", tmp_path / "again")
    assert pulled.kind == "reward model"
    for name in ("reward.json", "reward.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (model / name).read_bytes()
    assert load_model(tmp_path / "again").spec == load_model(model).spec


def test_without_out_it_goes_to_the_cache(server, agent, capsys, tmp_path):
    assert main(["push", str(agent), "somebody/boat", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "proxylab.push/1"
    assert main(["pull", "somebody/boat"]) == 0
    captured = capsys.readouterr()
    folder = tmp_path / "cache" / "agents" / "somebody" / "boat"
    assert f"folder: {folder}" in captured.out
    assert captured.err == f"next: proxylab evaluate {folder}\n"


def test_other_files_of_a_repository_are_never_asked_for(server, agent, tmp_path):
    push(agent, "somebody/boat")
    evil = {"agent.pkl": b"cos\nsystem\n", "config.json": b"{}", "run.py": b"import os"}
    server.files |= {f"somebody/boat/{name}": content for name, content in evil.items()}
    server.asked.clear()
    pull("somebody/boat", tmp_path / "again")
    assert {path.rpartition("/")[2] for path in server.asked} == set(PAIR)
    assert {path.name for path in (tmp_path / "again").iterdir()} == set(PAIR)


def test_a_repository_of_pickles_is_refused(server, tmp_path):
    server.files["a/b/pytorch_model.bin"] = b"\x80\x04"
    with pytest.raises(AgentError, match="holds no agent"):
        pull("a/b", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def changed_bit(content):
    return content[:-1] + bytes([content[-1] ^ 1])


DAMAGE = {
    "another weight": ("agent.safetensors", changed_bit),
    "cut": ("agent.safetensors", lambda content: content[:100]),
    "a pickle by name of safetensors": ("agent.safetensors", lambda _content: b"\x80\x04cos\n"),
    "no JSON": ("agent.json", lambda _content: b"{"),
    "an unknown architecture": ("agent.json", lambda c: c.replace(b'"mlp"', b'"os.system"')),
    "too large": ("agent.json", lambda content: content + b" " * (1 << 20)),
    "another schema": ("agent.json", lambda c: c.replace(b"proxylab.agent/", b"x")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_agent_is_refused_and_nothing_stays(server, agent, tmp_path, capsys, damage):
    push(agent, "a/b")
    name, change = DAMAGE[damage]
    before = server.files[f"a/b/{name}"]
    server.files[f"a/b/{name}"] = change(before)
    assert server.files[f"a/b/{name}"] != before
    code = main(["pull", "a/b", "--out", str(tmp_path / "out")])
    if damage != "an unknown architecture":  # that is refused where the agent is loaded
        captured = capsys.readouterr()
        assert (code, captured.out, captured.err.count("\n")) == (2, "", 1)
        assert not (tmp_path / "out").exists()
    else:
        with pytest.raises(AgentError, match="unknown architecture"):
            load_agent(tmp_path / "out")


def test_a_slow_file_ends(server, agent, tmp_path, monkeypatch):
    push(agent, "a/b")
    monkeypatch.setattr(hub, "SECONDS", -1.0)
    with pytest.raises(AgentError, match="takes longer"):
        pull("a/b", tmp_path / "out")


@pytest.mark.parametrize("name", ["", "x", "a/b/c", "../x", "a/..", "/etc/passwd", "a b/c", "ä/b"])
def test_a_name_that_cannot_be_is_refused(server, tmp_path, name):
    with pytest.raises(UsageError, match="write OWNER/NAME"):
        pull(name, tmp_path / "out")
    assert server.asked == []


def test_a_folder_that_holds_something_is_left_alone(server, agent):
    push(agent, "a/b")
    with pytest.raises(UsageError, match="holds something already"):
        pull("a/b", agent)
    assert (agent / "notes.txt").read_text() == "mine"


def test_a_refusal_is_one_line(server, agent, capsys):
    server.refuses = True
    assert main(["push", str(agent), "a/b"]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "the hub refuses" in captured.err


def test_what_is_no_agent_is_not_pushed(server, tmp_path):
    with pytest.raises(UsageError, match="no agent and no reward model"):
        push(tmp_path, "a/b")
    assert server.asked == []


def test_a_hub_that_does_not_answer_is_one_line(server, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens on this port
    assert main(["pull", "a/b", "--out", str(tmp_path / "out")]) == 2
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert "the hub refuses" in captured.err
