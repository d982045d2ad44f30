"""mitigate-gaming: what each way is given, and the tables of made-up rows."""

from pathlib import Path

import pytest

from proxylab.reproduce.experiment import load_experiment

module = load_experiment(Path(__file__).parents[2] / "experiments" / "mitigate_gaming.py").module
RETURNS = {"plain": 0.2, "reference": 0.4, "kl": 0.3, "orpo": 0.6, "max-min": 0.5, "true": 0.9}


def made_up_rows(returns, seeds=6):
    rows = []
    for task in (module.TOMATO, module.BOAT):
        for seed in range(seeds):
            for method, mean in returns.items():
                strength = {"kl": 0.2, "orpo": 0.4, "max-min": 0.4}.get(method, 0.0)
                row = {"task": task, "method": method, "strength": strength, "seed": seed}
                slope = {"plain": 0.0, "reference": 0.005, "orpo": 0.02}.get(method, 0.01)
                row |= {"true_return": mean + slope * seed}
                row |= {"proxy_return": 0.5, "gamed": 0.9 * (method == "plain")}
                rows.append(row | {"correlation": 0.9 if method == "reference" else None})
    return rows


def test_the_criteria_hold_on_rows_that_meet_them_and_fail_on_others():
    for row in module.analyse(made_up_rows(RETURNS))["criteria"]:
        assert all(row[name] for name in row if name != "task")
    worse = module.analyse(made_up_rows(RETURNS | {"max-min": 0.3, "plain": 0.35}))["criteria"][0]
    assert worse["orpo_above_plain"]
    assert not worse["max-min_above_plain"]
    assert not worse["max-min_above_reference"]


def test_differences_are_tested_within_a_task():
    tables = module.analyse(made_up_rows(RETURNS))
    tests = [row for row in tables["tests"] if row["task"] == module.TOMATO]
    assert {row["method"] for row in tests} == {"kl", "orpo", "max-min", "true"}
    for row in tests:
        assert row["p_value"] <= row["p_holm"] <= 4 * row["p_value"] or row["p_value"] == 1


@pytest.mark.parametrize(("max_min", "passed"), [(0.45, True), (0.6, False)])
def test_the_ratio_is_compared_with_the_published_one(max_min, passed):
    (row,) = module.compare(module.analyse(made_up_rows(RETURNS | {"max-min": max_min})))
    assert row.published == pytest.approx(4.56 / 6.28)
    assert row.ours == pytest.approx((max_min + 0.025) / (0.6 + 0.05))
    assert row.passed == passed


def test_a_run_is_given_what_its_way_says(monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr(module, "train", lambda *a, **k: given.update({a[1]: k}))
    monkeypatch.setattr(module.LearnedRun, "make_reference", lambda self: None)

    class Reference:
        name = "ref"

    monkeypatch.setattr(module.LearnedRun, "reference", lambda self: Reference())
    for method, strength in module.CORE + module.STRONGER + module.BEGUN:
        if method == module.REFERENCE:
            continue
        given.clear()
        module.GamingRun(module.TOMATO, method, strength, 100, 1).make()
        ((role, options),) = given.items()
        assert role == ("trusted" if method == module.TRUE else "proxy")
        started = method in ("start", "kl", *module.STARTED)
        assert options.get("start_from") == ("ref" if started else None)
        assert options.get("kl") == (strength if method == "kl" else None)
        bound = f"{method.removesuffix('-start')}:{strength:g}"
        worst = method in module.WORST + module.STARTED
        assert options.get("occupancy") == (bound if worst else None)


def test_every_way_is_drawn():
    figure = module.draw(module.analyse(made_up_rows(RETURNS)))[""]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [module.LABELS[m].format({"kl": 0.2}.get(m, 0.4)) for m in RETURNS]


def test_a_refused_run_keeps_the_reference_and_gives_no_rows(monkeypatch, tmp_path):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path))
    (tmp_path / "ref").mkdir()

    class Reference:
        name = str(tmp_path / "ref")

    def refuse(*_, out, **__):
        out.mkdir(parents=True)
        raise module.UndefinedCorrelation("never varies")

    monkeypatch.setattr(module, "train", refuse)
    monkeypatch.setattr(module.LearnedRun, "make_reference", lambda self: None)
    monkeypatch.setattr(module.LearnedRun, "reference", lambda self: Reference())
    settings = {
        "seeds": {module.TOMATO: (((("orpo", 0.4),), 1),)},
        "timesteps": {module.TOMATO: 100},
    }
    (point,) = module.points(settings)
    module.prepare(point)
    assert module.measure(None, point, {"measure": {}}) == []
