"""Evaluation of policies with the ground truth: returns, outcomes, verdicts."""
