"""Training with Stable-Baselines3: networks, the VecEnv shell, training and resume."""
