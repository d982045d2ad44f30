"""Coverage-guided fuzzing with atheris: ``python fuzz_parsers.py PARSER [libFuzzer options]``.

PARSER is a name of ``parsers.MAKERS``. It ends with a traceback, and the input in a file
``crash-…``, where a parser raises anything but its own complaints.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import atheris  # ty: ignore[unresolved-import]

INSTRUMENTED = [
    *(f"proxylab.{part}" for part in ("agent_files", "strict_json", "limits", "config")),
    *(f"proxylab.{part}" for part in ("train_plan", "logs", "live_logs", "strangers")),
    *("proxylab.untrusted.sb3_tensors", "zipfile", "tomllib"),
]
"""Modules whose branches are counted; numba's kernels, and what lies beside them, cannot be."""

with atheris.instrument_imports(include=INSTRUMENTED):
    from parsers import MAKERS, attempt, parser


def main():
    """Fuzz one parser, beginning with its sound file."""
    if len(sys.argv) < 2 or sys.argv[1] not in MAKERS:
        sys.exit(f"usage: fuzz_parsers.py PARSER [OPTIONS]; parsers: {', '.join(MAKERS)}")
    name = sys.argv.pop(1)
    with tempfile.TemporaryDirectory() as corpus:
        (Path(corpus) / "sound").write_bytes(parser(name).sound)
        atheris.Setup(
            [*sys.argv, "-max_len=65536", corpus], lambda raw: attempt(name, raw) and None
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
