"""Changes of an HDF5 log that make it large, misleading or senseless."""

import numpy as np

ZIPPED = {"compression": "gzip", "compression_opts": 9}


def hdf5_changes(h5py):
    """{name: function (file, group of an episode, its infos)}."""
    return _infos(h5py) | _large_arrays() | _links(h5py) | _odd_arrays(h5py) | _odd_attributes()


def instead(group, name, *arguments, **options):
    del group[name]
    group.create_dataset(name, *arguments, **options)


def linked(group, link):
    del group["actions"]
    group["actions"] = link


def virtual(h5py, group):
    layout = h5py.VirtualLayout((3,), "i8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3,))
    del group["actions"]
    group.create_virtual_dataset("actions", layout)


def _infos(h5py):
    """Arrays of the infos with a type or a shape that none may have."""
    references = h5py.special_dtype(ref=h5py.Reference)
    texts, pairs = h5py.string_dtype(), np.dtype([("a", "i8"), ("b", "f4")])
    info = {
        "type: references as states": ("state_id", (3,), references),
        "type: pairs as states": ("state_id", (3,), pairs),
        "words: states": ("state_id", (3,), "S5"),
        "words: rewards": ("proxy_reward", (3,), "S5"),
        "words: rewards of any length": ("proxy_reward", (3,), texts),
        "words: features": ("features", (3, 2), "S5"),
        "words: levels": ("level_seed", (3,), texts),
        "type: complex features": ("features", (3, 2), "c16"),
        "type: lists of any length": ("features", (3,), h5py.vlen_dtype(np.float64)),
        "type: halves as states": ("state_id", (3,), "f4"),
        "shape: features of three sides": ("features", (3, 2, 2), "f4"),
        "shape: one number as features": ("features", (), "f4"),
        "shape: too few states": ("state_id", (2,), "i8"),
        "width: 5,000 features": ("features", (3, 5000), "f4"),
    }
    return {
        name: lambda f, g, i, how=how: i.create_dataset(how[0], how[1], dtype=how[2])
        for name, how in info.items()
    }


def _large_arrays():
    """Arrays that are small in the file and large in memory."""
    zeros = np.zeros(1 << 24, np.int8)
    return {
        "sum: zeros, packed": lambda f, g, i: instead(
            g, "actions", data=np.zeros(1 << 24, np.int64), chunks=(1 << 20,), **ZIPPED
        ),
        "sum: wide rows to hash": lambda f, g, i: g.create_dataset(
            "observations", (4, 1 << 26), "i1", chunks=(1, 1 << 20), **ZIPPED
        ),
        "sum: the same array 300 times": lambda f, g, i: [
            i.__setitem__("x", zeros),
            *(i.__setitem__(f"x{k}", i["x"]) for k in range(300)),
        ],
        "chunk: a gigabyte": lambda f, g, i: instead(
            g, "actions", (3,), "i8", maxshape=(None,), chunks=(1 << 27,), **ZIPPED
        ),
        "chunk: rows of 64 MB": lambda f, g, i: i.create_dataset(
            "state_id", (3,), "i8", maxshape=(None,), chunks=(1 << 23,), **ZIPPED
        ),
        "filter: scale and offset": lambda f, g, i: instead(
            g, "actions", data=np.zeros(3, np.int64), chunks=(3,), scaleoffset=4
        ),
    }


def _links(h5py):
    """Arrays that lie elsewhere."""
    return {
        "link: a virtual array": lambda f, g, i: virtual(h5py, g),
        "link: within the file": lambda f, g, i: linked(g, h5py.SoftLink("/episode_0/infos")),
        "link: to nothing": lambda f, g, i: linked(g, h5py.SoftLink("/nowhere")),
        "link: to another file": lambda f, g, i: linked(g, h5py.ExternalLink("/etc/passwd", "/x")),
    }


def _odd_arrays(h5py):
    """Arrays of the episode with a shape, a type or numbers that none may have."""
    return {
        "shape: nothing": lambda f, g, i: instead(g, "actions", data=h5py.Empty("i8")),
        "shape: a single action": lambda f, g, i: instead(g, "actions", data=3),
        "shape: actions of two sides": lambda f, g, i: instead(g, "actions", (3, 2), "i8"),
        "shape: flags of two sides": lambda f, g, i: instead(g, "truncations", (3, 2), "i1"),
        "shape: no actions": lambda f, g, i: instead(g, "actions", (0,), "i8"),
        "type: a group as actions": lambda f, g, i: linked(g, i),
        "type: an array as episode": lambda f, g, i: f.create_dataset("episode_1", (3,), "i8"),
        "type: fractions as actions": lambda f, g, i: instead(g, "actions", (3,), "f8"),
        "type: words as flags": lambda f, g, i: instead(g, "terminations", (3,), "S3"),
        "number: actions of 2^64": lambda f, g, i: instead(
            g, "actions", data=np.full(3, (1 << 64) - 1, np.uint64)
        ),
        "number: a seed of 2^64": lambda f, g, i: g.attrs.__setitem__("seed", np.uint64(1 << 63)),
    }


def _odd_attributes():
    """Attributes and names that none may have."""
    return {
        "attribute: 5,000 seeds": lambda f, g, i: g.attrs.__setitem__("seed", np.zeros(5000)),
        "attribute: a word as seed": lambda f, g, i: g.attrs.__setitem__("seed", "one"),
        "attribute: half a seed": lambda f, g, i: g.attrs.__setitem__("seed", 0.5),
        "attribute: a reference as policy": lambda f, g, i: g.attrs.__setitem__("policy", g.ref),
        "attribute: a policy of 50 kB": lambda f, g, i: g.attrs.__setitem__("policy", "x" * 50_000),
        "attribute: a task of 50 kB": lambda f, g, i: f.attrs.__setitem__("task", "x" * 50_000),
        "attribute: words as sizes": lambda f, g, i: f.attrs.__setitem__("num_states", "many"),
        "attribute: a list of sizes": lambda f, g, i: f.attrs.__setitem__("num_actions", [4, 4]),
        "header: episodes of any name": lambda f, g, i: f.move(
            "episode_0", "episode_" + "9" * 5000
        ),
    }
