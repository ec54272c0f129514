"""An audit in plain text: tables of counts, then what was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dermalens.core.errors import MAX_NAMED
from dermalens.data.audit import Audit, Counts
from dermalens.data.duplicates import Pair

TITLES = {
    "diagnosis": "Images per diagnosis",
    "lesions": "Lesions per diagnosis",
    "sex": "Images per sex",
    "age": "Images per age in years",
    "site": "Images per site",
    "source": "Images per source",
}


def counts_table(title: str, counts: Counts, parts: Sequence[str]) -> list[str]:
    """A title and one line a value: a column for each part, the sum, and its share of all."""
    names = [part or "no part" for part in parts]
    columns = [*names, "all", "share"] if len(parts) > 1 else ["images" if title.startswith("Images") else "n", "share"]
    total = sum(sum(of_part.values()) for of_part in counts.values())
    width = max([len(title), *(len(value) + 2 for value in counts)])
    lines = [title.ljust(width) + "".join(name.rjust(9) for name in columns)]
    for value, of_part in counts.items():
        numbers = [of_part.get(part, 0) for part in parts]
        shown = [*numbers, sum(numbers)] if len(parts) > 1 else numbers
        share = sum(numbers) / total if total else 0.0
        cells = [*(f"{number:,}" for number in shown), f"{share:.1%}"]
        lines.append(f"  {value}".ljust(width) + "".join(cell.rjust(9) for cell in cells))
    return lines


def audit_as_text(audit: Audit) -> str:
    """The whole audit, ready to be printed."""
    lines = [f"{audit.images:,} images of {audit.lesions:,} lesions", ""]
    for name, counts in audit.by_property.items():
        lines += [*counts_table(TITLES[name], counts, audit.parts), ""]
    lines += [*_sizes(audit), *_unreadable(audit), *_lesions(audit)]
    lines += _pairs("Exact duplicates (same file, different lesion id)", audit.exact)
    lines += _pairs("Near duplicates (same picture, different lesion id)", audit.near)
    return "\n".join([*lines, "", _verdict(audit)])


def _sizes(audit: Audit) -> Iterator[str]:
    shown = [f"{size} ({count:,})" for size, count in list(audit.sizes.items())[:MAX_NAMED]]
    more = len(audit.sizes) - len(shown)
    yield f"Sizes in pixels: {', '.join(shown) or 'none'}" + (f" and {more} more" if more else "")


def _unreadable(audit: Audit) -> Iterator[str]:
    yield f"Unreadable images: {len(audit.unreadable) or 'none'}"
    yield from (f"  {found.row.image_id}: {found.reason}" for found in audit.unreadable[:MAX_NAMED])
    yield from _more(len(audit.unreadable))


def _lesions(audit: Audit) -> Iterator[str]:
    yield f"Lesions in more than one part or fold: {len(audit.leaking_lesions) or 'none'}"
    yield from (f"  {lesion}" for lesion in audit.leaking_lesions[:MAX_NAMED])
    yield from _more(len(audit.leaking_lesions))


def _pairs(title: str, pairs: Sequence[Pair]) -> Iterator[str]:
    across = sum(pair.across_parts for pair in pairs)
    yield f"{title}: {len(pairs) or 'none'}" + (f", {across} across parts" if pairs else "")
    ordered = sorted(pairs, key=lambda pair: not pair.across_parts)
    yield from (f"  {_pair(pair)}" for pair in ordered[:MAX_NAMED])
    yield from _more(len(pairs))


def _pair(pair: Pair) -> str:
    sides = (
        f"{row.image_id} ({', '.join(word for word in (row.label, row.part) if word)})"
        for row in (pair.first, pair.second)
    )
    turned = ", mirrored or turned" if pair.turned else ""
    return f"{' = '.join(sides)}, alike {pair.correlation:.2f}{turned}"


def _more(number: int) -> Iterator[str]:
    if number > MAX_NAMED:
        yield f"  and {number - MAX_NAMED} more (all with --json)"


def _verdict(audit: Audit) -> str:
    if audit.parts == ("",):
        return "Not split yet: give images of one lesion one lesion_id, then dermalens data split."
    if audit.leaks:
        return f"LEAK: {audit.leaks} lesion(s) or pair(s) stand on two sides; a result on this split is too good."
    return "No leak found: no lesion and no picture stands on two sides."
