"""The process that reads a preferences file: ``python -P -m proxylab.rewards.worker FILE``.

It writes a safetensors file to stdout, whose metadata holds names as JSON. Whatever is wrong with
the file is one line on stderr. Nothing in the file is run, and nothing is pickled.
"""

import json
import math
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save as serialise_safetensors

from proxylab.rewards.raters import ANSWERS, SCHEMA, SIDES
from proxylab.storage.limits import LIMITS
from proxylab.storage.store import open_confined
from proxylab.storage.strict_json import parse_json
from proxylab.untrusted.confined import Refusal, bound, run

if TYPE_CHECKING:
    import duckdb

DTYPES = ("uint8", "float32")
TEXTS = ("schema", "task", "env", "observation_dtype", "observation_shape")
"""Columns with one value in all rows, as ``length``."""

WHOLE = ("policy", "level_seed", "episode", "first")
KINDS = {
    **dict.fromkeys((*TEXTS, "answer", "rater"), ("VARCHAR",)),
    **dict.fromkeys(("length", "pair"), ("BIGINT", "INTEGER")),
    **dict.fromkeys(("probability", "time"), ("DOUBLE", "FLOAT")),
    **{f"{s}_{n}": ("BIGINT", "INTEGER") for s in SIDES for n in ("clip", *WHOLE[1:])},
    **{f"{s}_policy": ("VARCHAR",) for s in SIDES},
    **{f"{s}_{n}": ("BLOB",) for s in SIDES for n in ("actions", "observations")},
}
"""{column: its types in DuckDB}."""

ROWS_AT_ONCE = 256
MEMORY = "192MiB"
"""Of DuckDB: less than the limit of the process, so that it reports an error by itself."""


def main() -> None:
    """Read the file and write its arrays."""
    path = sys.argv[1]
    with open_confined(path, memory_limit=MEMORY, threads=1) as database:
        bound()
        arrays, facts = _Reader(database, path).read()
    content = serialise_safetensors(arrays, metadata={"facts": json.dumps(facts)})
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


class _Reader:
    """The file as a relation."""

    def __init__(self, database: "duckdb.DuckDBPyConnection", path: str) -> None:
        self.database = database
        quoted = path.replace("'", "''")
        self.table = f"read_parquet('{quoted}')"

    def read(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays by name, and names of policies and raters."""
        self._check_columns()
        count = self._one(f"select count(*) from {self.table}")
        if not count:
            raise Refusal("it holds no answers")
        if count > LIMITS.preference_pairs:
            raise Refusal(f"{count:,} answers are over the limit of {LIMITS.preference_pairs:,}")
        self._check_texts()
        facts = self._constants()
        columns = self._scalars()
        raters, columns["rater"] = np.unique(columns["rater"].astype(str), return_inverse=True)
        columns["answer"] = _numbers(columns["answer"], ANSWERS, "answer")
        clips, policies = self._clips(columns, facts)
        names = {"task": facts["task"], "env": facts["env"], "policies": policies}
        kept = ("answer", "rater", "probability", "time", *SIDES)
        arrays = {name: np.ascontiguousarray(columns[name]) for name in kept} | clips
        return arrays, names | {"raters": raters.tolist()}

    def _one(self, query: str) -> Any:
        row = self.database.execute(query).fetchone()
        return row[0] if row else None

    def _check_columns(self) -> None:
        described = self.database.execute(f"describe select * from {self.table}").fetchall()
        present = {name: kind for name, kind, *_ in described}
        for name, kinds in KINDS.items():
            if name not in present:
                raise Refusal(f"this is no preferences file: the column {name} is missing")
            if present[name] not in kinds:
                raise Refusal(f"the column {name} is {present[name][:80]}, not {kinds[0]}")

    def _check_texts(self) -> None:
        """Refuse texts and bytes that are too long before they are fetched."""
        texts = [name for name, kinds in KINDS.items() if kinds == ("VARCHAR",)]
        longest = ", ".join(f"coalesce(max(strlen({name})), 0)" for name in texts)
        if self._one(f"select greatest({longest}) from {self.table}") > LIMITS.log_text_bytes:
            raise Refusal(f"a text is longer than {LIMITS.log_text_bytes} bytes")
        blobs = [name for name, kinds in KINDS.items() if kinds == ("BLOB",)]
        total = " + ".join(f"coalesce(sum(octet_length({name})), 0)" for name in blobs)
        if self._one(f"select {total} from {self.table}") > LIMITS.preference_bytes:
            raise Refusal(f"its clips take more than {LIMITS.preference_bytes:,} bytes")

    def _constants(self) -> dict[str, Any]:
        """Task, environment, shape and type of observations, and the length of clips."""
        names = ", ".join((*TEXTS, "length"))
        rows = self.database.execute(f"select distinct {names} from {self.table} limit 2")
        found = rows.fetchall()
        if len(found) > 1 or None in found[0]:
            raise Refusal("schema, task, env, shape and length must be the same in all rows")
        facts = dict(zip((*TEXTS, "length"), found[0], strict=True))
        if facts["schema"] != SCHEMA:
            raise Refusal(f"schema {facts['schema'][:80]!r} is not {SCHEMA!r}")
        for name in ("env", "observation_shape"):
            try:
                facts[name] = parse_json(facts[name])
            except ValueError:
                raise Refusal(f"{name} is not JSON") from None
        return facts | {"shape": _shape(facts)}

    def _scalars(self) -> dict[str, NDArray[Any]]:
        """{column: array[P]} of the columns that are neither constant nor bytes."""
        names = ("answer", "rater", "probability", "time")
        numbered = ", ".join(f'{side}_clip as "{side}"' for side in SIDES)
        query = f"select {', '.join(names)}, {numbered} from {self.table}"
        columns: dict[str, Any] = self.database.execute(query).fetchnumpy()
        for name in ("answer", "rater", *SIDES):
            if np.ma.getmaskarray(columns[name]).any():
                raise Refusal(f"{name} is missing in a row")
        numbers = {n: columns[n].astype(np.int64) for n in SIDES}
        for name in ("probability", "time"):
            numbers[name] = np.ma.filled(columns[name].astype(np.float64), np.nan)
        return {n: np.ma.getdata(columns[n]) for n in ("answer", "rater")} | numbers

    def _clips(
        self, columns: dict[str, NDArray[Any]], facts: dict[str, Any]
    ) -> tuple[dict[str, NDArray[Any]], list[str]]:
        """Columns of the clips, by number, and the names of their policies."""
        numbers = np.unique(np.concatenate([columns[side] for side in SIDES]))
        if numbers[0] < 0:
            raise Refusal("a clip has a negative number")
        for side in SIDES:
            columns[side] = np.searchsorted(numbers, columns[side])
        count, shape = len(numbers), facts["shape"]
        size = math.prod((count, *shape)) * np.dtype(facts["observation_dtype"]).itemsize
        if size > LIMITS.preference_bytes:
            raise Refusal(f"its clips take more than {LIMITS.preference_bytes:,} bytes")
        clips = {
            "observations": np.empty((count, *shape), facts["observation_dtype"]),
            "actions": np.empty((count, shape[0]), np.int8),
            **{name: np.zeros(count, np.int64) for name in WHOLE[1:]},
        }
        policies, filled = np.full(count, "", object), np.zeros(count, bool)
        for row in self._first_appearances():
            at = int(np.searchsorted(numbers, row["number"]))
            _fill(clips, at, row)
            policies[at], filled[at] = row["policy"], True
        if not filled.all():
            raise Refusal(f"the observations of clip {numbers[~filled][0]} are missing")
        names, policy = np.unique(policies.astype(str), return_inverse=True)
        clips |= {"policy": policy.astype(np.int32), "first": clips["first"].astype(np.int32)}
        return clips, names.tolist()

    def _first_appearances(self) -> Iterator[dict[str, Any]]:
        """One dict per row and side with observations."""
        names = (*WHOLE, "actions", "observations")
        for side in SIDES:
            chosen = ", ".join(f"{side}_{name}" for name in names)
            has = f"{side}_observations is not null"
            cursor = self.database.execute(
                f"select {side}_clip, {chosen} from {self.table} where {has}"
            )
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                for row in rows:
                    if None in row:
                        raise Refusal(f"a value of a {side} clip is missing")
                    yield dict(zip(("number", *names), row, strict=True))


def _shape(facts: dict[str, Any]) -> tuple[int, ...]:
    """Shape of the observations of one clip, checked."""
    shape, dtype, length = (facts[n] for n in ("observation_shape", "observation_dtype", "length"))
    if dtype not in DTYPES:
        raise Refusal(f"observations are {dtype[:80]!r}, not {' or '.join(DTYPES)}")
    counts: list[Any] = [length, *shape] if isinstance(shape, list) else [None]
    whole = all(type(n) is int and 1 <= n <= LIMITS.size for n in counts)
    if not whole or len(counts) > 5:
        raise Refusal("the shape of the observations is not a list of counts")
    if not isinstance(facts["env"], dict):
        raise Refusal("env is not an object")
    return tuple(counts)


def _fill(clips: dict[str, NDArray[Any]], at: int, row: dict[str, Any]) -> None:
    """Write one clip; ``Refusal`` where its bytes do not fit."""
    for name in ("observations", "actions"):
        target = clips[name][at]
        if len(row[name]) != target.nbytes:
            raise Refusal(f"{name} of a clip take {len(row[name])} bytes, not {target.nbytes}")
        target[...] = np.frombuffer(row[name], target.dtype).reshape(target.shape)
    if not np.isfinite(clips["observations"][at]).all():
        raise Refusal("an observation is not finite")
    for name in WHOLE[1:]:
        clips[name][at] = row[name]


def _numbers(texts: NDArray[Any], known: tuple[str, ...], name: str) -> NDArray[np.int64]:
    """Places of texts in ``known``."""
    for text in np.unique(texts.astype(str)).tolist():
        if text not in known:
            raise Refusal(f"{name} {text[:80]!r} is none of {', '.join(known)}")
    return np.array([known.index(text) for text in texts.tolist()], np.int64)


if __name__ == "__main__":
    run(main)
