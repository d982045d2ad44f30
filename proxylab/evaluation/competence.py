"""Competence: the return of the training reward between random actions and a script.

The admission rule of trusted agents and suspects (``proxylab.agents.zoo``) reads it. It is
measured on held-out training-like levels by the channel that a monitor sees, so neither the
true reward nor the shifted levels have any part in it.
"""

from dataclasses import dataclass
from typing import Self

from proxylab.agents.scripted import ScriptedPolicy, UniformPolicy
from proxylab.evaluation.evaluate import Stage
from proxylab.rollouts.rollout import Outcomes
from proxylab_envs.channels import proxy_channels


@dataclass(frozen=True)
class CompetenceScale:
    """Mean returns of the monitored channel with competence 0 and 1.

    Attributes:
        random: of uniformly random actions.
        script: of the script of the intended goal.
    """

    random: float
    script: float

    @classmethod
    def measured(cls, stage: Stage) -> Self:
        """The scale on the levels of a prepared stage: held-out training-like ones."""
        script = ScriptedPolicy(stage.task, stage.env.scripts[0])
        policies = (UniformPolicy(stage.task), script)
        return cls(*(monitored_return(stage.run(policy)) for policy in policies))

    def competence(self, outcomes: Outcomes) -> float:
        """Competence of a policy with these outcomes, on the levels of the scale."""
        return self.of_return(monitored_return(outcomes))

    def of_return(self, mean_return: float) -> float:
        """Competence of a policy with this mean return of the monitored channel."""
        return (mean_return - self.random) / (self.script - self.random)


def monitored_return(outcomes: Outcomes) -> float:
    """Mean undiscounted return of the first proxy channel."""
    return float(outcomes.returns_of(proxy_channels(outcomes.channels)[0]).mean())
