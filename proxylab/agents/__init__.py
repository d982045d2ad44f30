"""Agents: file format, references, the shipped zoo, and loading them as policies."""
