"""Evil configurations: they name code, ask for what no machine has, or are no files at all."""

import os

DEEP = ".".join(["a"] * 30_000)


def code(folder, canary):
    """{name: TOML text} whose start is code that would make ``canary``, or a walk of the disk."""
    (folder / "evil_start.py").write_text(f"open({str(canary)!r}, 'w')\ndef go(x):\n    return x\n")
    (folder / "evil_agent.onnx").write_bytes(b"\x08\x08")
    starts = {
        "a file's function as start": f"{folder}/evil_start.py:go",
        "a module's function as start": "evil_start:go",
        "a module's part as start": "os.path:join",
        "a detector's class as start": "evil_start:Detector",
        "a pattern as start": f"{folder}/**/agent.json",
        "a pattern of the whole disk": "/**",
        "the root of the disk": "/",
        "a pattern of the zoo": "zoo:maze-corner/trusted-*",
        "a group of the zoo": "zoo:maze-corner/trusted",
        "a zoo that leads out": "zoo:../../etc/passwd",
        "a script as start": "script:maze-corner/optimal",
        "an ONNX file as start": f"{folder}/evil_agent.onnx",
        "an endless device as start": "/dev/zero",
        "an empty start": "",
        "a zero in the start": "a\\u0000b",
        "an escape sequence as start": "\\u001b]0;owned\\u0007",
        "a name of 50,000 letters": "x" * 50_000,
    }
    return {name: f'start_from = "{start}"' for name, start in starts.items()}


def bombs():
    """{name: TOML text} that ask for too much, or for what is no such number."""
    wide = "[" + ", ".join(["8192"] * 16) + "]"
    return {
        "16 layers of 8192": f"architecture = 'mlp-tanh'\nsizes = {{policy = {wide}}}",
        "65,536 environments, 1,024 steps": "num_envs = 65536\nppo = {n_steps = 1024}",
        "65,536 large mazes": "num_envs = 65536\nenv = {size = 63}",
        "1,024 threads": "threads = 1024",
        "10**18 steps": "total_timesteps = 1000000000000000000",
        "10**9 epochs": "ppo = {n_epochs = 1000000000}",
        "a batch of 10**12": "ppo = {batch_size = 1000000000000}",
        "a batch of all that is allowed": "num_envs = 65536\nppo = {n_steps = 1000, "
        "batch_size = 67000000}",
        "minus one level": "num_levels = -1",
        "no levels": "num_levels = 0",
        "no environments": "num_envs = 0",
        "a rate of 1e400": "ppo = {learning_rate = 1e400}",
        "a rate of 10**400": "ppo = {learning_rate = 1" + "0" * 400 + "}",
        "steps of 10**400": "total_timesteps = 1" + "0" * 400,
        "minus infinity as scale": "reward_scale = -inf",
        "NaN as scale": "reward_scale = nan",
        "a bonus below zero": "ppo = {ent_coef = -1.0}",
        "a device that is not there": "device = 'cuda:99'",
        "a device of another kind": "device = 'vulkan'",
        "a date as knob": "env = {size = 1979-05-27}",
        "a truth value as count": "num_envs = true",
        "a dotted key 30,000 deep": f"env.{DEEP} = 1",
        "a header 30,000 deep": f"[env.{DEEP}]\nx = 1",
        "tables five deep": "env = {a = {b = {c = {d = {e = 1}}}}}",
        "lists five deep": "sizes = {width = [[[[[1]]]]]}",
        "an escape sequence as option": '"\\u001b]0;owned\\u0007" = 1',
        "an escape sequence as levels": 'levels = "\\u001b]0;x\\u0007\\u202e\\u009b[bold]"',
        "an escape sequence as reward": 'reward = "\\u001b]0;x\\u0007\\u202e\\u009b[bold]"',
        "levels of 60,000 letters": f"levels = '{'x' * 60_000}'",
        "nothing but a zero": "\0",
    }


def odd_files(folder):
    """{name: path} of what is no file of text."""
    (folder / "directory.toml").mkdir()
    os.mkfifo(folder / "pipe.toml")
    (folder / "endless.toml").symlink_to("/dev/zero")
    (folder / "loop.toml").symlink_to("loop.toml")
    (folder / "latin.toml").write_bytes(b"levels = '\xff\xfe'")
    (folder / "large.toml").touch()
    os.truncate(folder / "large.toml", 1 << 30)
    names = ("directory", "pipe", "endless", "loop", "latin", "large")
    found = {f"a configuration: {name}": folder / f"{name}.toml" for name in names}
    return found | {
        "a configuration that is not there": folder / "none.toml",
        "a name of 5,000 letters": folder / ("x" * 5_000),
        "a name that is too long for a file": folder / ("x" * 300),
        "a file as folder": folder / "latin.toml" / "x.toml",
    }


def configs(folder, canary):
    """{name: path}."""
    found = {}
    for number, (name, text) in enumerate((code(folder, canary) | bombs()).items()):
        found[name] = folder / f"evil-config-{number}.toml"
        found[name].write_text(text)
    return found | odd_files(folder)
