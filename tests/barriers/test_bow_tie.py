"""``bowtie``: every number has a table, and is what the table says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from proxylab.barriers import tables
from proxylab.barriers.joint import ratios_after_training
from proxylab.barriers.run import bow_tie
from proxylab.barriers.tables import BARRIERS, TABLES, Number
from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.reproduce.experiment import find_experiments
from proxylab.storage.store import read_table

ROOT = Path(__file__).parents[2]
TASKS = ("maze-corner", "boat-lagoon")


@pytest.fixture(scope="module", params=TASKS)
def tie(request):
    return bow_tie(request.param)


def numbers(value):
    """All numbers with a source within a JSON value."""
    if isinstance(value, dict):
        if set(value) == {"value", "low", "high", "source"}:
            return [value]
        return [found for item in value.values() for found in numbers(item)]
    return [found for item in value for found in numbers(item)] if isinstance(value, list) else []


def without_source(tie):
    """Numbers of a bow tie whose source is no table of its list, or does not exist."""
    known = {source["table"]: source for source in tie["sources"]}
    experiments = find_experiments(ROOT / "experiments")
    bad = []
    for number in numbers(tie):
        source = known.get(number["source"])
        command = source and re.fullmatch(r"proxylab reproduce ([a-z-]+)", source["command"])
        if not command or command[1] not in experiments or not Path(source["file"]).is_file():
            bad.append(number)
    return bad


def test_every_number_names_a_table_and_the_command_that_makes_it(tie):
    found = json.loads(json.dumps(tie.as_json()))
    assert len(numbers(found)) > 300
    assert without_source(found) == []


def test_a_number_without_a_table_is_seen(tie):
    """Control."""
    found = json.loads(json.dumps(tie.as_json()))
    found["threats"][0]["severity"]["source"] = "nowhere.csv"
    assert len(without_source(found)) == 1
    found["sources"][0]["file"] = "nowhere.csv"
    assert len(without_source(found)) > 100


def test_all_numbers_but_counts_have_a_source(tie):
    """What is no Number is an integer: of agents or runs."""

    def bare(value, name=""):
        if isinstance(value, dict) and set(value) == {"value", "low", "high", "source"}:
            return []
        if isinstance(value, dict):
            return [found for key, item in value.items() for found in bare(item, key)]
        if isinstance(value, list):
            return [found for item in value for found in bare(item, name)]
        return [name] if isinstance(value, (int, float)) else []

    assert set(bare(json.loads(json.dumps(tie.as_json())))) <= {"agents", "runs"}


def rows_of(task):
    return [r for r in read_table(ROOT / "results/tables" / BARRIERS) if r["task"] == task]


def test_pass_rates_are_those_of_the_rows(tie):
    rows = rows_of(tie.task)
    for barrier in tie.barriers:
        for threat, rate in barrier.passed.items():
            own = [
                r["passed"]
                for r in rows
                if r["barrier"] == barrier.name and r["threat"] == threat and r["fails"]
            ]
            assert rate.value == pytest.approx(sum(own) / len(own))
            assert rate.low <= rate.value <= rate.high
        honest = [r for r in rows if r["threat"] == "honest" and r["barrier"] == barrier.name]
        stopped = sum(not r["passed"] for r in honest) / len(honest)
        assert barrier.honest_stopped.value == pytest.approx(stopped)


def test_pairs_are_those_of_the_rows(tie):
    agents = {}
    for r in rows_of(tie.task):
        if r["fails"]:
            agents.setdefault((r["threat"], r["agent"]), {})[r["barrier"]] = r["passed"]
    for pair in tie.pairs:
        if pair.barriers[0].startswith("level diversity"):
            continue
        a, b = pair.barriers
        own = [met for (threat, _), met in agents.items() if threat == pair.threat]
        joint = sum(met[a] and met[b] for met in own) / len(own)
        product = sum(met[a] for met in own) * sum(met[b] for met in own) / len(own) ** 2
        assert pair.joint.value == pytest.approx(joint)
        assert pair.product.value == pytest.approx(product)
        assert pair.ratio.value == (pytest.approx(joint / product) if product else None)


def test_nothing_is_worse_behind_barriers(tie):
    for threat in tie.threats:
        assert threat.both.value <= threat.left.value + 1e-12 <= threat.severity.value + 2e-12
        assert threat.right.value <= threat.severity.value


def test_a_barrier_in_training_has_two_groups():
    """Of 10 runs 5 fail, 2 of them pass; of those trained without it a tenth: 0.2 / 0.05."""
    fails = np.arange(10) < 5
    passed = (np.arange(10) < 2)[:, None]
    others = (np.arange(20) < 2)[:, None]
    found = ratios_after_training(fails, passed, others, np.random.default_rng(0))[0]
    assert found.joint.estimate == pytest.approx(0.2)
    assert found.product[0] == pytest.approx(0.05)
    assert found.ratio[0] == pytest.approx(4)
    always = ratios_after_training(fails, passed, others & False, np.random.default_rng(0))[0]
    assert always.ratio == (None, None, None)


@pytest.mark.parametrize("table", TABLES[:4])
def test_a_missing_table_is_one_line_and_code_2(table, tmp_path, monkeypatch, capsys):
    for name in TABLES:
        if name != table:
            (tmp_path / name).symlink_to(ROOT / "results/tables" / name)
    monkeypatch.setattr(tables, "folders", lambda: [tmp_path])
    task = "maze-corner" if table == "random-share-runs.csv" else "boat-lagoon"
    assert main(["bowtie", task]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"no table {table}" in err
    assert f"proxylab reproduce {table.rpartition('-')[0]} makes it" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["maze-korner"], "maze-corner"), (["maze-corner", "--out", "x.pdf"], ".svg")],
)
def test_what_cannot_be_is_one_line_and_code_2(arguments, said, capsys):
    assert main(["bowtie", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert said in err


def test_own_results_come_first(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    assert tables.read(BARRIERS).source.file == str(ROOT / "results/tables" / BARRIERS)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / BARRIERS).write_text("task\nnothing\n")
    assert tables.read(BARRIERS).source.file == str(tmp_path / "tables" / BARRIERS)
    with pytest.raises(UsageError, match="no task 'maze-corner'"):
        bow_tie("maze-corner")


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_figure_shows_every_threat_and_barrier(tmp_path, kind):
    out = tmp_path / f"tie.{kind}"
    tie = bow_tie("maze-corner", out=out)
    assert tie.figure == str(out)
    assert out.stat().st_size > 10_000
    if kind == "svg":
        text = out.read_text()
        for name in (*(t.name for t in tie.threats), *(b.name for b in tie.barriers)):
            assert name.split(" ")[-1] in text


def test_the_console_shows_tables_and_sources(capsys):
    assert main(["bowtie", "maze-corner"]) == 0
    out = capsys.readouterr().out
    for heading in ("threats: ", "barriers in training", "pairs of barriers: ", "failure modes"):
        assert heading in out
    assert "barriers-runs.csv: proxylab reproduce barriers" in out


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Number(0.25, 0.1, 1.0, ""), "0.25 [0.10, 1.00]"),
        (Number(0.0012, 0.0, 0.02, ""), "0.001 [0.00, 0.02]"),
        (Number(0.5, None, None, ""), "0.50"),
        (Number(None, None, None, ""), "–"),
    ],
)
def test_numbers_as_text(number, text):
    assert str(number) == text
