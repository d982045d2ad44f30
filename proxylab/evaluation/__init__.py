"""How a policy does by the ground truth: returns, outcomes, verdicts."""
