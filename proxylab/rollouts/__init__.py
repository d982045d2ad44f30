"""Policies run in batched environments: Episodes, and the jobs that make them."""
