"""Small Stable-Baselines3 models on our environments, trained for a moment."""

from stable_baselines3 import PPO

from proxylab.tasks import TASKS
from proxylab.training.vec_env import BatchedVecEnv
from proxylab_envs.levels import Levels

NUM_ENVS, N_STEPS = 4, 16


def make_model(task, algorithm=PPO, policy="MlpPolicy", **options):
    """A model of one rollout and one update."""
    env = BatchedVecEnv(TASKS[task].make_env(NUM_ENVS), Levels("train"))
    more = {"batch_size": NUM_ENVS * N_STEPS} if algorithm is PPO else {}
    model = algorithm(policy, env, n_steps=N_STEPS, device="cpu", seed=1, **more, **options)
    return model.learn(NUM_ENVS * N_STEPS)
