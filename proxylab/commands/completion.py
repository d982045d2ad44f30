"""``proxylab completion``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tyro.conf import Positional

from proxylab.commands import VERBS, command_of
from proxylab.commands.completion_scripts import FILES, NOTHING, SCRIPTS, Words, plain_words
from proxylab.console.options import Flag
from proxylab.console.parameters import parameters


@dataclass(frozen=True)
class Script:
    """A completion script.

    Attributes:
        shell: the shell.
        script: its text.
    """

    shell: str
    script: str

    def as_json(self) -> dict[str, Any]:
        """The object that ``completion --json`` prints."""
        return {"schema": "proxylab.completion/1", **asdict(self)}


@dataclass(frozen=True)
class Completion:
    """Print a completion script: verbs, options, tasks, detectors, experiments, agents and files.

    bash: put  eval "$(proxylab completion bash)"  into ~/.bashrc; zsh: the same with zsh into
    ~/.zshrc, below compinit; fish: proxylab completion fish >
    ~/.config/fish/completions/proxylab.fish.
    The names are those of the moment: run it again after an update.
    """

    shell: Positional[Literal["bash", "zsh", "fish"]]
    """the shell"""
    json: Flag = False
    """print one JSON object"""

    def run(self) -> Script:
        """The script of a shell."""
        return completion(self.shell)


def completion(shell: str) -> Script:
    """The completion script of ``bash``, ``zsh`` or ``fish``."""
    return Script(shell, SCRIPTS[shell](VERBS, completions()))


def completions() -> dict[str, Words]:
    """{verb: :class:`Words`} of every verb."""
    names = names_by_metavar()
    return {verb: _words(command_of(verb), names) for verb in VERBS}


def names_by_metavar() -> dict[str, tuple[str, ...]]:
    """{metavar: names that a value of it may have}; agents are scripts and kinds of the zoo."""
    from proxylab.agents.zoo import ZOO, zoo_entries
    from proxylab.commands.inventory import inventory
    from proxylab.detection.scores.registry import SCORES
    from proxylab.tasks import TASKS
    from proxylab_envs.registry import ENVS

    scripts = [name for row in inventory("tasks").rows for name in row["scripts"] or ()]
    kinds = [
        f"zoo:{task}/{kind}"
        for task in TASKS
        if (ZOO / task / "agents.json").is_file()
        for kind in dict.fromkeys(entry.kind for entry in zoo_entries(task))
    ]
    experiments = plain_words(row["experiment"] for row in inventory("experiments").rows)
    return {
        "TASK": tuple(TASKS),
        "DETECTOR": tuple(SCORES),
        "EXPERIMENT": (*experiments, "all"),
        "ENV": ("procgen", *ENVS),
        "AGENT": (*scripts, *kinds, FILES),
        "PATH": (FILES,),
        "TEXT": (FILES,),
    }


def _words(command: type[Any], names: Mapping[str, tuple[str, ...]]) -> Words:
    """What may follow a verb and each of its options."""
    positional: list[str] = []
    options: dict[str, tuple[str, ...]] = {"--help": ()}
    for parameter in parameters(command):
        values = parameter.choices or names.get(parameter.metavar or "", ())
        if parameter.takes_value and not values:
            values = (NOTHING,)
        if parameter.positional:
            positional += values
        else:
            options[parameter.flag] = values
    return Words(tuple(positional), options)
