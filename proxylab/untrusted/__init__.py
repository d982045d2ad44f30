"""Files of strangers: converting and running them in processes that can do little harm.

``confined`` starts such processes, ``sb3`` converts Stable-Baselines3 zips, ``onnx_policy``
plays ONNX models. docs/strangers.md says what is safe and what is not.
"""
