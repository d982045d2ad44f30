"""A laboratory for goal misgeneralization and proxy gaming in reinforcement learning."""
