"""Training with Stable-Baselines3: plan, run, checkpoints, resume, the shipped agents."""
