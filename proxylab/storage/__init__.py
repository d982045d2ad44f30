"""Files: where results lie, how they are written, what may be read, where they come from."""
