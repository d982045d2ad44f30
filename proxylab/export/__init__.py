"""The way out of proxylab: agents as Stable-Baselines3 zips and as ONNX files."""
