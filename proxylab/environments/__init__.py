"""From a name to a batched environment: shipped ones, third-party ones, the real Procgen."""
