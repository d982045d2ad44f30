"""Training with Stable-Baselines3: planning, running, checkpoints, the shipped agents."""
