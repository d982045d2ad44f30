"""Limits on the cost of reading one log, by the size of its file.

A small file must be cheap to read, whatever sizes it states. The limits on arrays apply to
every format and are checked before memory of that size is allocated.
"""

from dataclasses import dataclass
from typing import NoReturn

from proxylab.logs.rows import LogError
from proxylab.storage.limits import LIMITS

CELL_BYTES = 8
"""Bytes counted for each number of a row."""

LARGE_SLICE = 4_000_000
"""Rows of a large log that are read at a time."""

FREE_ROWS = 1000
"""Number of rows that a file of any size may hold."""


@dataclass(frozen=True)
class Budget:
    """Limits for one file.

    Attributes:
        source: path, for messages.
        size: of the file, bytes.
        large: whether the caller expects a large log and has named a folder for temporary files.
    """

    source: str
    size: int
    large: bool = False

    @property
    def memory(self) -> int:
        """Bytes of memory of the reading process, in addition to its use when idle."""
        return min(LIMITS.log_memory_bytes + self.size, LIMITS.log_most_memory_bytes)

    @property
    def disk(self) -> int:
        """Bytes of temporary files."""
        return max(LIMITS.log_disk_bytes, self.size * (LIMITS.log_large_ratio if self.large else 1))

    @property
    def cpu_seconds(self) -> int:
        """Seconds of processor time."""
        return LIMITS.cpu_seconds + self.size // self._bytes_per_second

    @property
    def wall_seconds(self) -> int:
        """Seconds of wall-clock time."""
        return LIMITS.wall_seconds + self.size // self._bytes_per_second

    @property
    def _bytes_per_second(self) -> int:
        return LIMITS.log_large_seconds_bytes if self.large else LIMITS.log_seconds_bytes

    @property
    def slice_rows(self) -> int:
        """Rows that the reading process holds at a time."""
        return LARGE_SLICE if self.large else LIMITS.log_rows

    @property
    def array_bytes(self) -> int:
        """Bytes of all arrays together."""
        most = LIMITS.log_rows * LIMITS.log_step_bytes
        return min(LIMITS.log_array_bytes + LIMITS.log_ratio * self.size, most)

    def check_rows(self, count: int) -> None:
        """Refuse too many rows, or too many for the size of the file."""
        most = LIMITS.log_large_rows if self.large else LIMITS.log_rows
        if count > most:
            more = "" if self.large else "; --large-logs reads more"
            self.complain(f"{count:,} rows are over the limit of {most:,}{more}")
        if count > max(FREE_ROWS, LIMITS.log_rows_per_byte * self.size):
            self.complain(
                f"{count:,} rows are too many for the size of the file: a decompression bomb?"
            )

    def check_cells(self, count: int, width: int, more: int = 0) -> None:
        """Refuse ``count`` rows of ``width`` numbers and ``more`` bytes if over the limit.

        Of a large log only ``slice_rows`` are held at a time.
        """
        if count > self.slice_rows:
            count, more = self.slice_rows, more * self.slice_rows // count
        total = count * width * CELL_BYTES + more
        if total > self.array_bytes:
            self.complain(
                f"{count:,} rows of {width:,} columns take {total:,} bytes, over the limit of "
                f"{self.array_bytes:,} for a file of {self.size:,}"
            )

    def complain(self, message: str) -> NoReturn:
        """Raise ``LogError`` with the name of the file."""
        raise LogError(f"{self.source}: {message}")
