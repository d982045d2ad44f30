"""proxylab reproduce: sweeps that resume, tables, figures, failures, bad input."""

import json
import shutil
from pathlib import Path

import pytest

from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.reproduce.experiment import find_experiments, load_experiment
from proxylab.reproduce.measure import curve, over_seeds
from proxylab.reproduce.run import reproduce

TOY = Path(__file__).with_name("toy_experiment.py")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A folder with the toy experiment, as the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path / "results"))
    (tmp_path / "experiments").mkdir()
    shutil.copy(TOY, tmp_path / "experiments" / "toy.py")
    return tmp_path


def test_a_sweep_writes_tables_and_figures_and_is_found_again(bench):
    (made,) = reproduce("toy", "laptop", processes=1).experiments
    assert (made.points, made.found, made.failed) == (2, 0, {})
    rows = (bench / "results/tables/toy-means.csv").read_text().splitlines()
    assert rows[0] == "script,value,runs,mean,low,high"
    assert rows[1] == "optimal,true_return,1,1.0,1.0,1.0"
    assert float(rows[2].split(",")[3]) < 0.7
    assert (bench / "results/figures/toy.png").stat().st_size > 1000
    assert made.comparisons[0].passed
    (again,) = reproduce("toy", "laptop", processes=1).experiments
    assert again.found == 2
    assert (bench / "calls").read_text().split() == ["optimal", "corner-seeker"]


def test_figures_are_drawn_from_the_tables_alone(bench):
    reproduce("toy", "laptop", processes=1)
    figure = bench / "results/figures/toy.png"
    before = figure.read_bytes()
    figure.unlink()
    shutil.rmtree(bench / "results/runs")
    (drawn,) = reproduce("toy", "laptop", draw_only=True).experiments
    assert figure.read_bytes() == before
    assert drawn.comparisons[0].ours == 1.0


def test_smoke_results_do_not_touch_the_committed_ones(bench):
    reproduce("toy", "smoke", processes=1)
    assert not (bench / "results/tables").exists()
    assert (bench / "results/runs/smoke/figures/toy.png").is_file()


def test_a_run_that_fails_is_listed_and_the_rest_is_there(bench, capsys):
    path = bench / "experiments/toy.py"
    path.write_text(path.read_text().replace('"corner-seeker"', '"corner-sneaker"'))
    assert main(["reproduce", "toy", "--budget", "smoke", "--json", "--jobs", "1"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["experiments"]
    (error,) = found["failed"].values()
    assert "no such script" in error
    table = (bench / "results/runs/smoke/tables/toy-means.csv").read_text()
    assert table.splitlines()[1].startswith("optimal")


def test_a_dry_run_counts_and_runs_nothing(bench, capsys):
    assert main(["reproduce", "all", "--dry-run", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["experiments"]
    assert (found["points"], found["found"], found["hours"]) == (2, 0, 0)
    assert not (bench / "calls").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nonsense"], "no experiment 'nonsense': choose toy"),
        (["toy", "--draw-only"], "no tables of toy"),
        (["toy", "--experiments", "elsewhere"], "no elsewhere"),
        (["toy", "--budget", "paper"], "toy has no budget 'paper': choose smoke, laptop"),
    ],
)
def test_bad_input_is_one_line(bench, capsys, arguments, complaint):
    assert main(["reproduce", *arguments]) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


def test_a_file_that_is_no_experiment_is_named(tmp_path):
    (tmp_path / "empty.py").write_text("CLAIM = 'none'\n")
    with pytest.raises(UsageError, match="lacks SWEEP, points, measure, analyse, draw"):
        load_experiment(tmp_path / "empty.py")


@pytest.mark.parametrize("name", find_experiments(ROOT / "experiments"))
def test_every_experiment_plans_its_sweeps(name):
    """Labels are unique, every budget plans, and the smaller budgets have fewer runs."""
    experiment = load_experiment(find_experiments(ROOT / "experiments")[name])
    counts = []
    for budget in ("smoke", "laptop", "paper"):
        points = experiment.module.points(experiment.settings(budget))
        labels = {tuple(sorted(point.labels.items())) for point in points}
        assert len(labels) == len(points)
        assert all("seed" in point.labels for point in points)
        counts.append(len(points))
    assert 0 < counts[0] <= counts[1] <= counts[2]
    assert experiment.claim


def test_means_over_seeds_have_the_seed_as_unit():
    rows = [{"k": 1, "seed": s, "x": float(s)} for s in range(5)] + [{"k": 2, "seed": 0, "x": 7.0}]
    first, second = over_seeds(rows, ("k",), ("x",))
    assert (first["k"], first["runs"], first["mean"]) == (1, 5, 2.0)
    assert 0 <= first["low"] < 2 < first["high"] <= 4
    assert (second["mean"], second["low"], second["high"]) == (7.0, 7.0, 7.0)
    x, mean, low, high = curve([second, first], "k", "x")
    assert x.tolist() == [1, 2]
    assert mean.tolist() == [2.0, 7.0]
    assert (low <= mean).all()
    assert (mean <= high).all()
