"""One file per verb: a frozen dataclass of its options, and the call that they configure.

``run`` returns what the verb's function returns, a dataclass with ``as_json``; ``code``,
where there is one, turns that into an exit code. ``run`` imports what it calls, so that
``proxylab VERB --help`` and a typing error answer at once.
"""

from importlib import import_module
from typing import Any

VERBS = {
    "list": "show tasks, envs, agents, runs, experiments or detectors",
    "train": "train an agent: a proxy-seeker (default) or a trusted one",
    "train-trusted": "train many agents of any Gymnasium environment, for detect --trusted",
    "rewards": "learn a reward from comparisons: collect, fit, show",
    "evaluate": "run agents on every split and determine what they pursue",
    "detect": "compare suspects with trusted agents, without the true reward",
    "report": "draw the HTML report of a finished detection again",
    "record": "run agents and write their rollouts to a log",
    "monitor": "watch a rollout log as it grows, with an alarm valid at every moment",
    "guard": "let a trusted agent take over where a trigger says so, and measure it",
    "search": "find the levels on which an agent does worst",
    "bowtie": "show what barriers let through, each and together",
    "demo": "train, evaluate, detect and draw, all in one",
    "play": "play a level yourself, or watch an agent play it",
    "app": "open a local page: edit levels, watch agents",
    "field": "draw the actions of agents in every cell of a maze",
    "bench": "measure speed on this machine, or compare detectors",
    "doctor": "check the installation and list what is missing",
    "reproduce": "run an experiment: train, measure, write its tables, draw its figures",
    "procgen": "fetch the real Procgen Maze, or compare our levels with it",
    "zoo": "rebuild the shipped agents",
    "import-sb3": "convert a Stable-Baselines3 zip without running code in it",
    "export": "write an agent as a Stable-Baselines3 zip or an ONNX file",
    "push": "upload an agent or a reward model to the Hugging Face Hub",
    "pull": "download an agent or a reward model from the Hugging Face Hub",
    "tune": "search hyperparameters of a task's preset",
    "completion": "print a script that completes verbs, options and names in your shell",
}
"""verb: summary. Verb ``train`` is the class ``Train`` of ``proxylab/commands/train.py``."""


def command_of(verb: str) -> type[Any]:
    """The dataclass with the options of a verb."""
    module = import_module(f"proxylab.commands.{verb.replace('-', '_')}")
    return getattr(module, verb.title().replace("-", ""))
