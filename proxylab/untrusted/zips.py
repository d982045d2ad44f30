"""Looking into a zip without believing it: names, kinds, sizes and ratios first.

Nothing is ever extracted to a folder, so a name cannot lead out of one; names outside the
list are refused all the same.
"""

import stat
import zipfile
import zlib

from proxylab.storage.limits import LIMITS
from proxylab.untrusted.confined import Refusal

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)
"""What zipfile raises about a damaged file."""


def open_zip(file, allowed, kind):
    """A ``ZipFile`` whose members are all as they should be.

    Args:
        file: path or binary stream.
        allowed: compiled pattern that the whole of every name matches.
        kind: what it should be, for messages.

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
    if sum(member.file_size for member in members) > LIMITS.sb3_bytes:
        raise Refusal(f"unpacked, it is larger than the limit of {LIMITS.sb3_bytes} bytes")
    return archive


def _repeated(names):
    return next(name for k, name in enumerate(names) if name in names[:k])


def _check(member, allowed, kind):
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


def read_member(archive, name):
    """All bytes of a member, which may be no more than it says.

    Raises:
        Refusal: it is missing, damaged or longer than it says.
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
