"""The tensors of a Stable-Baselines3 zip, read in a confined process; nothing is unpickled.

``python -P -m proxylab.untrusted.sb3_tensors FILE`` writes the policy's state to stdout as
safetensors, with facts from the zip as metadata. With ``-`` in place of FILE it reads paths from
stdin, one frame each, and answers with frames: torch is loaded once, and every file is read in a
bounded process of its own that is forked for it. It opens two members of a zip:
``policy.pth``, with torch's weights-only loader, and ``data``, a JSON object that holds pickled
values as Base64 strings, each with a readable description; only the descriptions are read.
"""

import io
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxylab.console.terminal import one_line
from proxylab.storage.limits import LIMITS
from proxylab.storage.strict_json import parse_json
from proxylab.untrusted.confined import MESSAGE_BYTES, Refusal, bound, reason_of_end, run
from proxylab.untrusted.zips import open_zip, read_member, written_anew

if TYPE_CHECKING:
    import torch

KIND = "Stable-Baselines3 zip"
MEMBERS = re.compile(
    r"data|policy\.pth|policy\.optimizer\.pth|pytorch_variables\.pth"
    r"|_stable_baselines3_version|system_info\.txt"
)
TORCH_MEMBERS = re.compile(
    r"[\w-]{1,64}/(data\.pkl|data/\d{1,6}|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id)",
    re.ASCII,
)
SERVE = "-"
LENGTH = 4
"""Bytes of the length before a path or an answer."""
SOUND, UNSOUND = b"\0", b"\1"
MOST_BYTES = LIMITS.sb3_bytes + LIMITS.header_bytes
"""Of an answer, besides its first byte."""
MAX_PICKLE_BYTES = 1 << 20
MAX_RANK = 8
ACTIVATION = re.compile(r"<class 'torch\.nn\.modules\.activation\.(\w{1,32})'>")
TEXTS = ("activation", "observation_shape", "actions", "action_start", "scaled", "version")
"""Keys of the metadata; every value is a short string."""
SPACE = re.compile(r"<class 'gymnasium\.spaces\.\w{1,32}\.(\w{1,32})'>")
DEFAULT = "default"
"""Activation of a zip that names none: that of the algorithm's policy."""


def tensors_of(path: str | Path) -> "tuple[dict[str, torch.Tensor], dict[str, str]]":
    """(state of the policy, facts) of a zip: {name: float32 tensor}, {name: str}.

    Raises:
        Refusal: the zip or its tensors are not sound.
    """
    with open_zip(path, MEMBERS, KIND) as archive:
        raw = read_member(archive, "policy.pth")
        names = archive.namelist()
        data = read_member(archive, "data") if "data" in names else b"{}"
        version = b""
        if "_stable_baselines3_version" in names:
            version = read_member(archive, "_stable_baselines3_version")
    facts = facts_of(data) | {"version": one_line(version[:20].decode("ascii", "replace"))}
    return checked(load_state(raw)), facts


def load_state(raw: bytes) -> Any:
    """The object that torch's weights-only loader returns for ``policy.pth`` (bytes).

    Torch has its own zip reader, so it receives a new zip that contains only the checked
    members.
    """
    import torch  # torch takes a second to load

    with open_zip(io.BytesIO(raw), TORCH_MEMBERS, "file of torch.save") as inner:
        pickles = [m for m in inner.infolist() if m.filename.endswith("/data.pkl")]
        if len(pickles) != 1 or pickles[0].file_size > MAX_PICKLE_BYTES:
            raise Refusal("policy.pth is no file of torch.save")
        if len({m.filename.partition("/")[0] for m in inner.infolist()}) > 1:
            raise Refusal("policy.pth is no file of torch.save (it holds two folders)")
        checked_zip = written_anew(inner)
    try:
        return torch.load(io.BytesIO(checked_zip), map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:
        if "can't allocate" in str(error):
            raise MemoryError from None
        what = f"policy.pth is damaged ({type(error).__name__})"
        if "Unsupported" in str(error) or "WeightsUnpickler" in str(error):
            what = "policy.pth holds something else than tensors: a pickle that runs code?"
        raise Refusal(what) from None


def checked(state: Any) -> "dict[str, torch.Tensor]":
    """A copy of the state; refuses all but a dict of dense, finite float32 tensors."""
    import torch  # torch takes a second to load

    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise Refusal("policy.pth is no dictionary of tensors")
    if len(state) > LIMITS.sb3_tensors:
        raise Refusal(f"{len(state)} tensors are more than the limit of {LIMITS.sb3_tensors}")
    total = 0
    for name, tensor in state.items():
        if (
            type(tensor) is not torch.Tensor
            or tensor.layout != torch.strided
            or tensor.dim() > MAX_RANK
        ):
            raise Refusal(f"{name[:80]!r} is no dense tensor")
        if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or tensor.is_quantized:
            raise Refusal(f"{name[:80]!r} is {tensor.dtype}, not float32")
        total += tensor.numel() * 4  # before anything is copied: strides may be 0
        if total > LIMITS.sb3_bytes:
            raise Refusal(f"its tensors are larger than the limit of {LIMITS.sb3_bytes} bytes")
        if not bool(torch.isfinite(tensor).all()):
            raise Refusal(f"{name[:80]!r} holds NaN or infinite weights")
    return {name: tensor.detach().contiguous().clone() for name, tensor in state.items()}


def facts_of(data: bytes) -> dict[str, str]:
    """Facts from the readable parts of ``data`` (bytes): {name in TEXTS: str}."""
    try:
        record = parse_json(data)
    except ValueError as error:
        raise Refusal(f"the member 'data' is not JSON ({error})") from None
    if not isinstance(record, dict):
        raise Refusal("the member 'data' is no JSON object")
    policy, observations, actions = (
        part if isinstance(part := record.get(name), dict) else {}
        for name in ("policy_kwargs", "observation_space", "action_space")
    )
    named = ACTIVATION.fullmatch(str(policy.get("activation_fn", "")))
    return {
        "activation": named[1] if named else ("another" if "activation_fn" in policy else DEFAULT),
        "observation_shape": _shape(observations),
        "actions": _kind(actions),
        "action_start": str(actions.get("start", "0"))[:20],
        "scaled": "yes" if _is_scaled(observations, policy) else "no",
    }


def _kind(space: dict[str, Any]) -> str:
    """The class of a space, such as ``Discrete``; empty where it is not named."""
    found = SPACE.fullmatch(str(space.get(":type:", "")))
    return found[1] if found else ""


def _shape(space: dict[str, Any]) -> str:
    """The shape of an observation as a network gets it: ``[n]`` for one of n."""
    if _kind(space) == "Discrete":
        return f"[{str(space.get('n', ''))[:9]}]"
    if _kind(space) == "MultiDiscrete":  # its one-hot rows have as many numbers as there are values
        return ""
    return str(space.get("_shape", ""))[:80]


def _is_scaled(space: dict[str, Any], policy: dict[str, Any]) -> bool:
    """Whether SB3 divides observations by 255: images of bytes, if not told otherwise."""
    low, high = (set(re.findall(r"[\d.]+", str(space.get(end, "")))) for end in ("low", "high"))
    dots = {"...", "."}
    image = str(space.get("_shape", "")).count(",") == 2 and space.get("dtype") == "uint8"
    told = str(policy.get("normalize_images", "True"))
    return image and low - dots == {"0"} and high - dots == {"255"} and told != "False"


def main() -> None:
    """Write the tensors of the zip named on the command line to stdout, or serve (``-``)."""
    import torch  # torch takes a second to load

    torch.set_num_threads(1)
    if sys.argv[1] == SERVE:
        serve()
    else:
        write_tensors(sys.argv[1])


def write_tensors(path: str) -> None:
    """Limit this process, read a zip, and write its tensors to stdout."""
    from safetensors.torch import save  # torch takes a second to load

    bound()
    state, facts = tensors_of(path)
    with open(1, "wb", closefd=False) as out:
        out.write(save(state, metadata=facts))


def serve() -> None:
    """Answer every path on stdin; ends with it."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while length := requests.read(LENGTH):
        path = requests.read(int.from_bytes(length, "little")).decode(errors="surrogateescape")
        answer = _forked(path)
        answers.write(len(answer).to_bytes(LENGTH, "little") + answer)
        answers.flush()


def _forked(path: str) -> bytes:
    """``SOUND`` and the tensors, or ``UNSOUND`` and why not, from a process for this file."""
    receiver, sender = os.pipe()
    with tempfile.TemporaryFile() as errors:
        child = os.fork()
        if not child:
            os.dup2(sender, 1)
            os.dup2(errors.fileno(), 2)
            for descriptor in (0, receiver, sender):
                os.close(descriptor)
            run(lambda: write_tensors(path))
            os._exit(0)
        os.close(sender)
        with open(receiver, "rb") as pipe:
            content = pipe.read(MOST_BYTES + 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        errors.seek(0)
        said = errors.read(MESSAGE_BYTES).decode(errors="replace")
    if code == 0 and 0 < len(content) <= MOST_BYTES:
        return SOUND + content
    return UNSOUND + reason_of_end(code, said, False, LIMITS.cpu_seconds).encode()


if __name__ == "__main__":
    run(main)
