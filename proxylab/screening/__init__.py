"""What ``detect`` and ``record`` do: run suspects and trusted policies on the same levels."""
