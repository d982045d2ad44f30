"""Barriers between a wrong goal and its damage: what passes each of them, and all together."""
