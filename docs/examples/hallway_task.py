"""The task of hallway.py: what agents are trained on, and how."""

from hallway import Hallway

from proxylab.config import PPOConfig
from proxylab.tasks import Role, Task

REACHED = ("intended", "both")

TASK = Task(
    name="hallway",
    description="a dog, trained with the bone at the right end, runs to the right",
    env_id=Hallway.env_id,
    factory=Hallway,
    roles={
        "proxy": Role("train", "true", REACHED, total_timesteps=40_960),
        "trusted": Role("shifted", "true", REACHED, total_timesteps=81_920),
    },
    architecture="towers",
    sizes={"width": 32, "depth": 2},
    ppo=PPOConfig(learning_rate=3e-3, n_steps=32, batch_size=256, n_epochs=4),
    num_envs=32,
    checks=4,
    check_levels=128,
    final_eval_levels=500,
)
