"""Evil Stable-Baselines3 zips, made from a sound one."""

import io
import json
import pathlib
import pickle
import stat
import struct
import warnings
import zipfile
from collections import OrderedDict

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
        **claims(zips),
        **inner_zips(zips),
    }


def claims(zips):
    """Zips whose directory says something else than their members: {name: path}."""
    sound = zips.write("claimed", zips.members).read_bytes()
    end = sound.rindex(b"PK\5\6")
    (entry,) = struct.unpack("<I", sound[end + 16 : end + 20])  # the first in the directory
    raws = {
        "a size of 4 GB": (entry + 24, struct.pack("<I", 0xFFFFFFFE)),
        "a size in zip64 that is missing": (entry + 24, b"\xff" * 4),
        "a packed size of 4 GB": (entry + 20, struct.pack("<I", 0xFFFFFFFE)),
        "a member beyond the end": (entry + 42, struct.pack("<I", 0x7FFFFFFF)),
        "a directory of 4 GB": (end + 12, struct.pack("<I", 0xFFFFFFFE)),
        "a directory beyond the end": (end + 16, struct.pack("<I", 0xFFFFFFFE)),
        "another name before the member": (30, b"evil"),
        "a directory that is not there": (entry, b"PK\7\7"),
    }
    found = {}
    for number, (name, (where, octets)) in enumerate(raws.items()):
        found[name] = zips.folder / f"claim-{number}.zip"
        found[name].write_bytes(sound[:where] + octets + sound[where + len(octets) :])
    found["a size of 2**63 in zip64"] = zips.folder / "zip64.zip"
    found["a size of 2**63 in zip64"].write_bytes(with_zip64(sound, entry))
    return found


def with_zip64(sound, entry):
    """The first member's sizes moved to a zip64 field that says 2**63."""
    name_length, extra_length = struct.unpack("<HH", sound[entry + 28 : entry + 32])
    more = struct.pack("<HHQQ", 1, 16, 1 << 63, 1 << 62)
    head = bytearray(sound[entry : entry + 46])
    head[20:28] = b"\xff" * 8
    head[30:32] = struct.pack("<H", extra_length + len(more))
    names = entry + 46 + name_length
    directory = bytes(head) + sound[entry + 46 : names] + more + sound[names:]
    end = bytearray(directory)
    where = end.rindex(b"PK\5\6")
    size = struct.unpack("<I", end[where + 12 : where + 16])[0] + len(more)
    end[where + 12 : where + 16] = struct.pack("<I", size)
    return sound[:entry] + bytes(end)


def inner_zips(zips):
    """Zips whose ``policy.pth`` is no plain zip of torch: {name: path}."""
    with zipfile.ZipFile(io.BytesIO(zips.members["policy.pth"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    folder = next(iter(members)).partition("/")[0]
    huge = members | {f"{folder}/data/{k}": b"\0" * (9 << 20) for k in range(9)}
    changed = {
        "two folders within": members | {f"{folder.upper()}/data/0": zips.payload},
        "a member's name twice but for its case": members | {f"{folder}/DATA.PKL": zips.payload},
        "a strange digit as a storage": members | {f"{folder}/data/\u0660": b"x"},
        "storages over the limit": huge,
        "code within": members | {f"{folder}/code/evil.py": b"x"},
        "no pickle within": {k: v for k, v in members.items() if not k.endswith("data.pkl")},
    }
    found = {}
    for number, (name, inside) in enumerate(changed.items()):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for key, raw in inside.items():
                archive.writestr(key, raw)
        path = zips.write(f"within-{number}", {**zips.members, "policy.pth": out.getvalue()})
        found[name] = path
    twice = io.BytesIO(zips.members["policy.pth"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(twice, "a") as archive:
            archive.writestr(f"{folder}/data.pkl", zips.payload)
    found["a pickle twice within"] = zips.write(
        "within-twice", {**zips.members, "policy.pth": twice.getvalue()}
    )
    return found


class Rebuilt:
    """Unpickling one calls torch's own rebuilding of a tensor with odd numbers."""

    def __init__(self, offset, size, stride):
        self.numbers = offset, size, stride

    def __reduce__(self):
        storage = torch.ones(4).untyped_storage()
        typed = torch.storage.TypedStorage(
            wrap_storage=storage, dtype=torch.float32, _internal=True
        )
        return torch._utils._rebuild_tensor_v2, (typed, *self.numbers, False, OrderedDict())


REBUILT = {
    "an offset beyond the storage": (1 << 40, (2,), (1,)),
    "an offset below zero": (-1, (2,), (1,)),
    "a stride of 2**40": (0, (2, 2), (1 << 40, 1)),
    "a stride below zero": (0, (2,), (-1,)),
    "a side of 2**62": (0, (1 << 62, 4), (0, 0)),
    "a side below zero": (0, (-2,), (1,)),
    "a stride too few": (0, (2, 2), (1,)),
    "a side of 10**30": (0, (10**30,), (1,)),
    "a thousand sides": (0, (1,) * 1000, (1,) * 1000),
}
"""(storage offset, size, stride) of a weight."""


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
        "a tensor called __metadata__": zips.with_state("t6", state | {"__metadata__": weight}),
        "a lone surrogate as a name": zips.with_state("t7", state | {"\ud800": weight}),
        "a name of a megabyte": zips.with_state("t8", state | {"x" * 900_000: weight}),
        "a layer of two names": zips.with_state(
            "t9", state | {"mlp_extractor.policy_net.00.weight": torch.ones(8, 243)}
        ),
        "a third part of a head": zips.with_state("t10", state | {"action_net.evil": weight}),
        "an empty layer": zips.with_state(
            "t11", state | {"mlp_extractor.policy_net.0.weight": torch.ones(0, 243)}
        ),
        **{
            key: zips.with_state(f"r{k}", state | {name: Rebuilt(*numbers)})
            for k, (key, numbers) in enumerate(REBUILT.items())
        },
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
        "10**400 in data": zips.with_data("j9", b'{"a": 1' + b"0" * 400 + b"}"),
        "1e400 in data": zips.with_data("j10", b'{"a": 1e400}'),
        "a lone surrogate in data": zips.with_data("j11", b'{"a": "\\ud800"}'),
        "data in UTF-16": zips.with_data("j12", '{"a": 1}'.encode("utf-16")),
        "an unknown activation": zips.with_data("j6", json.dumps(data | {"policy_kwargs": elu})),
        "a path as activation": zips.with_data("j7", json.dumps(data | {"policy_kwargs": path})),
        "a huge observation": zips.with_data("j8", json.dumps(data | big)),
    }
