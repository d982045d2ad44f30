"""From options to runs, and ``proxylab train`` with the training itself left out."""

import json

import pytest

from proxylab.cli import main
from proxylab.errors import UsageError
from proxylab.tasks import TASKS
from proxylab.training import train as training
from proxylab.training.plan import parse_seeds, plan, read_options
from proxylab.training.train import TrainResult


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setenv("PROXYLAB_RESULTS", str(tmp_path / "results"))
    return tmp_path / "results"


def test_seeds():
    assert parse_seeds("3") == [3]
    assert parse_seeds("0-3") == [0, 1, 2, 3]
    assert parse_seeds("5, 0-2,1") == [5, 0, 1, 2]


@pytest.mark.parametrize("text", ["", "x", "-1", "3-1", "1-", "0-5000", "1.5", "²"])
def test_seeds_that_are_none(text):
    with pytest.raises(UsageError, match="seeds"):
        parse_seeds(text)


def test_without_options_it_is_the_preset(results):
    (job,) = plan("maze-corner").jobs
    assert job.config == TASKS["maze-corner"].train_config("proxy")
    assert job.folder == results / "runs" / "maze-corner" / "proxy" / "seed-0"


def test_a_seed_moves_the_folder_and_another_option_the_variant(results):
    first, second = plan("maze-corner", "trusted", seeds=[4, 5]).jobs
    assert (first.config.seed, second.config.seed) == (4, 5)
    assert first.folder == results / "runs" / "maze-corner" / "trusted" / "seed-4"
    (other,) = plan("maze-corner", "trusted", ppo={"gamma": 0.5}).jobs
    assert other.config.ppo.gamma == 0.5
    assert other.folder.parent.name.startswith("trusted-")


def test_one_hyperparameter_leaves_the_role_s_others():
    preset = TASKS["boat-lagoon"].train_config("proxy").ppo
    (job,) = plan("boat-lagoon", ppo={"learning_rate": 0.5}).jobs
    assert job.config.ppo.learning_rate == 0.5
    assert job.config.ppo.ent_coef == preset.ent_coef


def test_a_folder_of_one_s_own(tmp_path):
    assert plan("maze-corner", out=tmp_path).jobs[0].folder == tmp_path
    two = plan("maze-corner", seeds=[1, 2], out=tmp_path).jobs
    assert [job.folder for job in two] == [tmp_path / "seed-1", tmp_path / "seed-2"]


def test_a_file_of_options_gives_way_to_the_command_line(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text(
        'levels = "mix:0.1"\nnum_envs = 8\n[ppo]\ngamma = 0.9\nn_epochs = 7\n[env]\nsize = 13\n'
    )
    (job,) = plan("maze-corner", file=file, ppo={"gamma": 0.8}, num_envs=4).jobs
    config = job.config
    assert (config.levels, config.num_envs, config.env) == ("mix:0.1", 4, {"size": 13})
    assert (config.ppo.gamma, config.ppo.n_epochs) == (0.8, 7)


def test_a_former_name_of_the_preset_s_architecture_keeps_its_sizes(tmp_path):
    file = tmp_path / "options.toml"
    file.write_text('architecture = "lattice-conv"\n[sizes]\nwidth = 32\n')
    (job,) = plan("maze-corner", file=file).jobs
    assert job.config.architecture == "conv"
    preset = TASKS["maze-corner"].train_config("proxy").sizes
    assert job.config.sizes == {**preset, "width": 32}
    assert preset["width"] != 32


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("levels = ", "this is not TOML"),
        ("colour = 3", "unknown option 'colour'"),
        ("[ppo]\nspeed = 3", "unknown option 'ppo.speed'"),
    ],
)
def test_a_file_that_is_wrong(tmp_path, text, complaint):
    (tmp_path / "options.toml").write_text(text)
    with pytest.raises(UsageError, match=complaint):
        read_options(tmp_path / "options.toml")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"task": "chess"}, "unknown task"),
        ({"role": "boss"}, "no role 'boss'"),
        ({"levels": "mix:3"}, "unknown levels"),
        ({"reward": "cheese"}, "unknown reward"),
        ({"total_timesteps": 0}, "total_timesteps 0"),
        ({"ppo": {"gamma": 2.0}}, "gamma 2.0"),
        ({"file": "nowhere.toml"}, "there is no such file"),
    ],
)
def test_what_cannot_be_trained(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        plan(**{"task": "maze-corner", **options})


# The verb


@pytest.fixture
def trained(monkeypatch):
    """The jobs that the verb hands to the training, which does nothing."""
    jobs = []

    def run_job(config, folder, **options):
        jobs.append((config, folder, options))
        return TrainResult(
            config.task, config.role, config.seed, str(folder), 10, 2.0, 5.0, None, 1
        )

    monkeypatch.setattr(training, "run_job", run_job)
    return jobs


def run(capsys, *arguments):
    code = main(["train", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_train_as_json(capsys, trained):
    code, out, _ = run(capsys, "maze-corner", "--seed", 3, "--ppo.gamma", 0.9, "--resume", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["schema"] == "proxylab.train/1"
    assert found.keys() >= {"task", "run", "timesteps", "seconds", "steps_per_second"}
    assert found.keys() >= {"seconds_to_competence", "iid_success"}
    ((config, _, options),) = trained
    assert (config.seed, config.ppo.gamma) == (3, 0.9)
    assert (options["resume"], options["force"]) == (True, False)


def test_several_seeds_are_several_runs(capsys):
    """They are trained, in processes of their own, where nothing can be left out."""
    small = ("boat-race", "--seeds", "0-1", "--total-timesteps", 256, "--num-envs", 4)
    code, out, _ = run(capsys, *small, "--ppo.n-steps", 16, "--json")
    found = json.loads(out)
    assert (code, found["schema"]) == (0, "proxylab.train-many/1")
    assert [row["seed"] for row in found["runs"]] == [0, 1]
    assert [row["timesteps"] for row in found["runs"]] == [256] * 2
    code, out, _ = run(capsys, *small, "--ppo.n-steps", 16, "--jobs", 1)
    assert len(out.splitlines()) == 2


def test_a_dry_run_trains_nothing(capsys, trained, results):
    code, out, _ = run(capsys, "maze-corner", "--dry-run", "--json")
    assert (code, trained) == (0, [])
    assert json.loads(out)["runs"][0]["run"].endswith("maze-corner/proxy/seed-0")
    assert not results.exists()
    code, out, _ = run(capsys, "maze-corner", "--dry-run")
    assert "total_timesteps" in out


def test_an_interruption_says_how_to_go_on(capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "run_job", interrupted)
    code, out, err = run(capsys, "maze-corner", "--seed", 2)
    assert (code, out) == (130, "")
    assert err.endswith("to go on: proxylab train maze-corner --seed 2 --resume\n")


@pytest.mark.parametrize("arguments", [["chess"], ["maze-corner", "--total-timesteps", -1], []])
def test_wrong_use_of_train_is_one_line(capsys, trained, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out, err.count("\n"), trained) == (2, "", 1, [])
