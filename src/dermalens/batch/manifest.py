"""What a run is: its images in order, its source, its bundle and its options, as files in the output.

    OUT/manifest.json           below; written last, so that where it is, the lists are complete
    OUT/keys/part-00000.jsonl   the images of a shard
    OUT/part-00000.parquet      its rows; where it is, the shard is finished
    OUT/timings.jsonl           how long each shard took

A run that was ended goes on with the lists as they are: its source is not looked through again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from dermalens.batch.errors import BatchError
from dermalens.batch.keys import chunked, from_lines, in_order, to_lines
from dermalens.batch.listing import Source, images_of, no_images
from dermalens.batch.output import LOCK, Output
from dermalens.core.errors import name_some

MANIFEST: Final = "manifest.json"
KEYS: Final = "keys"
_GO_ON: Final = "Give the same to go on, or name another output."

Format = Literal["parquet", "csv"]


class Plan(BaseModel):
    """All that the bytes of the shards depend on, but for the images."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    dermalens: str
    """The version."""
    source: str
    list_column: str | None
    list_sha256: str | None
    bundle_sha256: str
    operating_point: str
    prevalence: float | None
    format: Format
    shard_size: int
    device: Literal["cpu", "gpu"]


class Manifest(Plan):
    """The plan with the images that were found."""

    format_version: Literal[1] = 1
    images: int
    keys_sha256: str
    """Of all list files, one after the other."""
    limits: list[str]
    """Of the bundle; show them with every answer."""

    @property
    def shards(self) -> int:
        """How many there are, finished or not."""
        return -(-self.images // self.shard_size)

    def shard_name(self, number: int) -> str:
        """The file of a shard."""
        return f"{part_name(number)}.{self.format}"

    def images_in(self, number: int) -> int:
        """How many images a shard has."""
        return min(self.shard_size, self.images - number * self.shard_size)


class Begun(NamedTuple):
    """A run with its lists."""

    manifest: Manifest
    digests: tuple[bytes, ...]
    """SHA-256 of each list file."""


def part_name(number: int) -> str:
    """Five digits or more.

    >>> part_name(7)
    'part-00007'
    """
    return f"part-{number:05}"


def keys_name(number: int) -> str:
    """The list file of a shard."""
    return f"{KEYS}/{part_name(number)}.jsonl"


def has_begun(output: Output) -> bool:
    """Whether there is a run in the output that goes on with its lists.

    Raises:
        BatchError: the output cannot be read.
    """
    return MANIFEST in output.names()


def begin_or_resume(output: Output, plan: Plan, source: Source, limits: list[str]) -> Begun:
    """A new run, or the one which was ended in this output.

    Raises:
        BatchError: no images, an output of another run or with other files, or lists that are damaged.
    """
    names = output.names()
    if MANIFEST in names:
        manifest = _read(output)
        _refuse_another(output, manifest, plan)
        return Begun(manifest, _checked(output, manifest))
    foreign = sorted(name for name in names - {KEYS, LOCK} if not name.endswith(".tmp"))
    if foreign:
        raise BatchError(f"{output.name} holds what no batch run wrote: {name_some(foreign)}. Name another folder.")
    return _begin(output, plan, source, limits)


def keys_of(output: Output, number: int, digest: bytes) -> list[str]:
    """The images of a shard, in order.

    Raises:
        BatchError: its list is another than when the run began: a bucket has no lock, and another run writes there.
    """
    content = output.read(keys_name(number))
    if hashlib.sha256(content).digest() != digest:
        raise BatchError(
            f"{output.name}/{keys_name(number)} has changed: another run writes to {output.name}. End both, and give "
            "each an output of its own; this one mixes them."
        )
    return from_lines(content)


class _Hashed:
    """The SHA-256 of all list files, one after the other, and of each."""

    def __init__(self) -> None:
        self.whole = hashlib.sha256()
        self.each: list[bytes] = []

    def add(self, content: bytes) -> None:
        self.whole.update(content)
        self.each.append(hashlib.sha256(content).digest())


def _begin(output: Output, plan: Plan, source: Source, limits: list[str]) -> Begun:
    hashed, count = _Hashed(), 0
    for number, (content, keys) in enumerate(_lists(source, plan.shard_size)):
        output.write(keys_name(number), content)
        hashed.add(content)
        count += keys
    if not count:
        raise no_images(source)
    _remove_older_lists(output, len(hashed.each))
    manifest = Manifest(**plan.model_dump(), images=count, keys_sha256=hashed.whole.hexdigest(), limits=limits)
    output.write(MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode())
    return Begun(manifest, tuple(hashed.each))


def _remove_older_lists(output: Output, shards: int) -> None:
    """A run that was ended while it looked for images has left lists, and found more of them than this one."""
    own = {keys_name(number) for number in range(shards)}
    found = {f"{KEYS}/{name}" for name in output.names(KEYS) if name.startswith("part-")}
    for name in sorted(found - own):
        output.remove(name)


def _lists(source: Source, shard_size: int) -> Iterator[tuple[bytes, int]]:
    """The list file of each shard, and how many keys it has."""
    for keys in chunked(in_order(images_of(source)), shard_size):
        yield to_lines(keys), len(keys)


def _read(output: Output) -> Manifest:
    try:
        return Manifest.model_validate_json(output.read(MANIFEST))
    except ValidationError as error:
        raise BatchError(
            f"{output.name}/{MANIFEST} is no manifest of a batch run of this version: "
            f"{error.errors()[0]['msg']}. Name another output."
        ) from error


def _refuse_another(output: Output, manifest: Manifest, plan: Plan) -> None:
    wanted = plan.model_dump()
    begun = {name: getattr(manifest, name) for name in wanted}
    differing = [name for name in wanted if begun[name] != wanted[name]]
    if differing:
        words = "; ".join(
            f"{name.replace('_', ' ')} {_shown(begun[name])}, now {_shown(wanted[name])}" for name in differing
        )
        raise BatchError(f"{output.name} belongs to another run, begun with {words}. {_GO_ON}")


def _shown(value: object) -> str:
    return "none" if value is None else str(value)


def _checked(output: Output, manifest: Manifest) -> tuple[bytes, ...]:
    hashed = _Hashed()
    for number in range(manifest.shards):
        hashed.add(output.read(keys_name(number)))
    if hashed.whole.hexdigest() != manifest.keys_sha256:
        raise BatchError(f"The lists in {output.name}/{KEYS} are not those of its {MANIFEST}. Name another output.")
    return tuple(hashed.each)
