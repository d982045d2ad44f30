"""Experiments: their sweeps, their tables, their figures."""
