"""Checked reading of zips: names, kinds, sizes and compression ratios come first.

Nothing is extracted to a folder, so path traversal is impossible; names outside the
allowed pattern are refused as well.
"""

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from proxylab.storage.limits import LIMITS
from proxylab.untrusted.confined import Refusal

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)
"""What zipfile raises about a damaged file."""


def open_zip(file: str | Path | IO[bytes], allowed: re.Pattern[str], kind: str) -> zipfile.ZipFile:
    """Open a zip whose members all pass the checks.

    Args:
        file: path or binary stream.
        allowed: pattern that every whole name must match.
        kind: kind of file expected, for messages.

    Raises:
        Refusal: it is no zip, or one of its members is not sound.
    """
    try:
        archive = zipfile.ZipFile(file)
    except DAMAGE as error:
        raise Refusal(f"this is no {kind} ({error})") from None
    members = archive.infolist()
    if len(members) > LIMITS.sb3_members:
        raise Refusal(f"{len(members)} members are more than the limit of {LIMITS.sb3_members}")
    names = [member.filename for member in members]
    if len(set(names)) < len(names):
        raise Refusal(f"the member {_repeated(names)!r} comes twice")
    for member in members:
        _check(member, allowed, kind)
    if sum(member.compress_size for member in members) > _length(archive):
        raise Refusal("its members claim to be packed in more bytes than the file has")
    if sum(member.file_size for member in members) > LIMITS.sb3_bytes:
        raise Refusal(f"unpacked, it is larger than the limit of {LIMITS.sb3_bytes} bytes")
    return archive


def _length(archive: zipfile.ZipFile) -> int:
    """Bytes of the file that an archive is read from."""
    return cast("IO[bytes]", archive.fp).seek(0, io.SEEK_END)  # it is open


def _repeated(names: Sequence[str]) -> str:
    return next(name for k, name in enumerate(names) if name in names[:k])


def _check(member: zipfile.ZipInfo, allowed: re.Pattern[str], kind: str) -> None:
    name = member.filename
    mode = member.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise Refusal(f"the member {name!r} is a link or no file")
    if not allowed.fullmatch(name):
        raise Refusal(f"the member {name!r} does not belong into a {kind}")
    if member.flag_bits & 1:
        raise Refusal(f"the member {name!r} is encrypted")
    if member.compress_type not in METHODS:
        raise Refusal(f"the member {name!r} is packed in an unusual way")
    if member.file_size > LIMITS.zip_ratio * max(member.compress_size, 1):
        raise Refusal(
            f"the member {name!r} grows {member.file_size // max(member.compress_size, 1)}-fold, "
            f"more than the limit of {LIMITS.zip_ratio}: a zip bomb?"
        )


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """All bytes of a member, checked against its stated size.

    Raises:
        Refusal: it is missing, damaged or longer than stated.
    """
    try:
        size = archive.getinfo(name).file_size
        with archive.open(name) as stream:
            raw = stream.read(size + 1)
    except KeyError:
        raise Refusal(f"the member {name!r} is missing") from None
    except DAMAGE as error:
        raise Refusal(f"the member {name!r} is damaged ({error})") from None
    if len(raw) != size:
        raise Refusal(f"the member {name!r} is damaged: {len(raw)} bytes of {size}")
    return raw


def written_anew(archive: zipfile.ZipFile) -> bytes:
    """A new zip with the same members in the same order, and nothing else.

    Raises:
        Refusal: a member is damaged or longer than stated.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as copy:
        for name in archive.namelist():
            copy.writestr(zipfile.ZipInfo(name), read_member(archive, name))
    return out.getvalue()
