"""Guards: a trigger watches a policy step by step, and a trusted policy takes over."""
