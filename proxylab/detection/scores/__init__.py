"""The detectors, one file each; ``registry`` is their table."""
