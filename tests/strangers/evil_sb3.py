"""Evil Stable-Baselines3 zips, made from a sound one."""

import io
import json
import pathlib
import pickle
import stat
import zipfile

import torch

SLOTS = ("policy_class", "policy_kwargs", "observation_space", "action_space", "clip_range")
SLOTS += ("lr_schedule", "_last_obs", "ep_info_buffer", "rollout_buffer_class", "verbose")


class Touch:
    """Unpickling one makes the file ``path``."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path(self.path),)


def saved(value, **options):
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


class Zips:
    """Writes variants of a sound zip into a folder.

    Attributes:
        folder: where to.
        canary: file that no payload may make.
        members: {name: bytes} of the sound zip.
        state: its policy's tensors.
    """

    def __init__(self, sound, folder, canary):
        self.folder, self.payload = folder, pickle.dumps(Touch(canary))
        self.touch = Touch(canary)
        with zipfile.ZipFile(sound) as archive:
            self.members = {name: archive.read(name) for name in archive.namelist()}
        self.state = torch.load(io.BytesIO(self.members["policy.pth"]), weights_only=True)

    def write(self, name, members, method=zipfile.ZIP_STORED):
        path = self.folder / f"{name}.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for key, raw in members.items():
                archive.writestr(key, raw)
        return path

    def with_state(self, name, state):
        return self.write(name, {**self.members, "policy.pth": saved(state)})

    def with_data(self, name, raw):
        return self.write(name, {**self.members, "data": raw})


def slot_payload(zips, slot):
    """The pickle of one slot of ``data`` replaced by the payload."""
    import base64

    record = json.loads(zips.members["data"])
    readable = record[slot] if isinstance(record[slot], dict) else {":type:": "<class 'int'>"}
    record[slot] = {**readable, ":serialized:": base64.b64encode(zips.payload).decode()}
    return zips.with_data(f"slot-{slot.strip('_')}", json.dumps(record))


def harmless(zips):
    """Zips with payloads in parts that are never opened: {name: path}; they are converted."""
    found = {f"data slot {slot}": slot_payload(zips, slot) for slot in SLOTS}
    for member in ("pytorch_variables.pth", "policy.optimizer.pth", "system_info.txt"):
        changed = {**zips.members, member: zips.payload}
        found[f"pickle as {member}"] = zips.write(f"raw-{member}", changed)
    member = "policy.optimizer.pth"
    changed = {**zips.members, member: saved(zips.touch)}
    found["payload saved as the optimizer"] = zips.write("saved-optimizer", changed)
    return found


def refused(zips):
    """Zips that must be refused: {name: path}."""
    return {**payloads(zips), **containers(zips), **tensors(zips), **texts(zips)}


def payloads(zips):
    whole = zips.folder / "whole.zip"
    whole.write_bytes(zips.payload)
    name = "action_net.bias"
    legacy = saved(zips.touch, _use_new_zipfile_serialization=False)
    return {
        "a pickle as the zip": whole,
        "a pickle as policy.pth": zips.write("p1", {**zips.members, "policy.pth": zips.payload}),
        "payload saved as policy.pth": zips.with_state("p2", zips.touch),
        "payload as a weight": zips.with_state("p3", {**zips.state, name: zips.touch}),
        "payload as a weight's name": zips.with_state("p4", {**zips.state, (zips.touch,): 1}),
        "payload in torch's old format": zips.write("p5", {**zips.members, "policy.pth": legacy}),
        "a pickle as data": zips.with_data("p6", zips.payload),
    }


def containers(zips):
    members, deflated = zips.members, zipfile.ZIP_DEFLATED
    sound = zips.write("sound", members).read_bytes()
    raws = {
        "truncated zip": sound[:-400],
        "empty file": b"",
        "zip of noise": b"PK\3\4" + b"\7" * 900,
    }
    wrong = bytearray(sound)
    wrong[sound.index(b"policy_kwargs")] ^= 1
    raws["wrong checksum"] = bytes(wrong)
    encrypted = bytearray(sound)
    encrypted[sound.rindex(b"PK\1\2") + 8] |= 1
    raws["encrypted"] = bytes(encrypted)
    found = {}
    for name, raw in raws.items():
        found[name] = zips.folder / f"{name.replace(' ', '-')}.zip"
        found[name].write_bytes(raw)
    many = members | {f"data{k}": b"" for k in range(2000)}
    link = zipfile.ZipInfo("policy.pth")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    rest = {k: v for k, v in members.items() if k != "policy.pth"}
    bomb = b"\0" * (60 << 20)
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", deflated) as archive:
        archive.writestr("archive/data.pkl", b"\0" * (60 << 20))
    return found | {
        "zip bomb": zips.write("bomb", members | {"data": bomb}, deflated),
        "zip bomb within": zips.write("inner", members | {"policy.pth": inner.getvalue()}),
        "too many members": zips.write("many", many),
        "path traversal": zips.write("up", members | {"../../../tmp/evil": b"x"}),
        "absolute path": zips.write("abs", members | {"/etc/cron.d/evil": b"x"}),
        "terminal escape as a name": zips.write("esc", members | {"\x1b[2J\nevil": b"x"}),
        "symlink": zips.write("link", {**rest, link: b"/etc/passwd"}),
        "unusual method": zips.write("lzma", members, zipfile.ZIP_LZMA),
        "no policy": zips.write("none", rest),
    }


def tensors(zips):
    state, name = zips.state, "action_net.weight"
    weight = state[name]
    changed = {
        "NaN weights": weight * float("nan"),
        "infinite weights": weight / 0,
        "shape mismatch": weight[:, :-1].clone(),
        "wrong rank": weight[None],
        "float64 weights": weight.double(),
        "whole numbers as weights": weight.int(),
        "sparse weights": weight.to_sparse(),
        "weights on no device": weight.to("meta"),
        "a huge view of one number": torch.ones(1).expand(1 << 20, 1 << 20),
        "complex weights": weight + 0j,
    }
    found = {key: zips.with_state(key, {**state, name: value}) for key, value in changed.items()}
    many = state | {f"mlp_extractor.policy_net.{k}.bias": torch.ones(1) for k in range(500)}
    odd = state | {"mlp_extractor.policy_net.999.weight": torch.ones(1, 1)}
    return found | {
        "too many tensors": zips.with_state("t1", many),
        "a layer out of order": zips.with_state("t2", odd),
        "a list of tensors": zips.with_state("t3", list(state.values())),
        "an unknown tensor": zips.with_state("t4", state | {"q_net.weight": weight}),
        "no tensors": zips.with_state("t5", {}),
    }


def texts(zips):
    data = json.loads(zips.members["data"])
    elu = {"activation_fn": "<class 'torch.nn.modules.activation.ELU'>"}
    path = {"activation_fn": "<class 'os.system'>"}
    big = {"observation_space": {"_shape": str([1 << 30, 1 << 30])}}
    return {
        "gigantic JSON": zips.with_data("j1", b'{"a": "' + b"x" * (65 << 20) + b'"}'),
        "deeply nested JSON": zips.with_data("j2", b'{"a": ' + b"[" * 200_000),
        "a key twice": zips.with_data("j3", b'{"policy_kwargs": {}, "policy_kwargs": 1}'),
        "data is a list": zips.with_data("j4", b"[1, 2]"),
        "a number of 100,000 digits": zips.with_data("j5", b'{"a": ' + b"9" * 100_000 + b"}"),
        "an unknown activation": zips.with_data("j6", json.dumps(data | {"policy_kwargs": elu})),
        "a path as activation": zips.with_data("j7", json.dumps(data | {"policy_kwargs": path})),
        "a huge observation": zips.with_data("j8", json.dumps(data | big)),
    }
