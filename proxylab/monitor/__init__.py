"""Monitoring one policy episode by episode, with an alarm that is valid at every moment."""
