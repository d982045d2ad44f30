"""Agents: their file format, references to them, the shipped ones, and the policies they become."""
