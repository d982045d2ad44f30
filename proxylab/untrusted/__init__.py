"""Third-party files: they are converted and run in processes with limits.

``confined`` starts such processes, ``sb3_zip`` reads Stable-Baselines3 zips, ``onnx_policy``
runs ONNX models. docs/strangers.md lists what is safe and what is not.
"""
