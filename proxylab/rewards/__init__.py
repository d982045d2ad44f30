"""Learned rewards: from judgements to a reward model, and what optimising it does."""
