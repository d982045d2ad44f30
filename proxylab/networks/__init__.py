"""Network architectures, as a closed registry."""
