"""`dermalens data`: from images on disk to an index, a split, an audit, and copies: reduced, in folders, balanced."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from dermalens.cli.progress import counting

if TYPE_CHECKING:
    from dermalens.data.index import Row

app = typer.Typer(no_args_is_help=True, help="Index, split, audit and copy labelled images (no PyTorch needed).")

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def say(*lines: str) -> None:
    """Talk goes to stderr."""
    for line in lines:
        typer.echo(line, err=True)


def _table(rows: Sequence[Row]) -> str:
    from dermalens.data.audit import count_by_class
    from dermalens.data.audit_text import counts_table
    from dermalens.data.index import PARTS

    parts = [part for part in (*PARTS, "") if any(row.part == part for row in rows)]
    return "\n".join(counts_table("Images per diagnosis", count_by_class(rows), parts))


def _summary(rows: Sequence[Row], out: Path) -> dict[str, object]:
    parts = sorted({row.part for row in rows})
    images = {part: dict(sorted(Counter(row.label for row in rows if row.part == part).items())) for part in parts}
    return {"out": str(out), "images": len(rows), "lesions": len({row.lesion_id for row in rows}), "counts": images}


@app.command()
def index(
    source: Annotated[Path, typer.Argument(help="Folder of the images, or a CSV that names them.")],
    out: Annotated[Path, typer.Option(help="The index to write.")] = Path("index.csv"),
    layout: Annotated[str, typer.Option(help="auto, ham10000, isic2018, folders or table.")] = "auto",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out what cannot be used.")] = False,
    as_json: Json = False,
) -> None:
    """List the images of a data set with their labels, one row an image; every image is opened."""
    from dermalens.data.check import describe, find_problems, leave_out, refuse
    from dermalens.data.index import made_images, write_index
    from dermalens.data.sources import read_source

    _check_out(source, out)
    listing = read_source(source, layout=layout)
    rows = listing.rows
    with counting(len(rows), "Opening images") as advance:
        problems = find_problems(listing, advance=advance)
    if not skip_bad:
        refuse(problems)
    kept = leave_out(rows, problems)
    write_index(kept, out)
    if problems:
        say(f"Left out {len(rows) - len(kept)} of {len(rows)} images: {describe(problems)}.")
    if as_json:
        typer.echo(json.dumps({**_summary(kept, out), "left_out": len(rows) - len(kept)}))
        return
    lesions = len({row.lesion_id for row in kept})
    typer.echo(f"{_table(kept)}\n\n{len(kept):,} images of {lesions:,} lesions written to {out}")
    if lesions == len(kept):
        say(
            "No lesion ids were found: every image counts as a lesion of its own, "
            "so that photographs of one lesion may end up on two sides of a split."
        )
    if made := made_images(kept):
        say(f"{len(made):,} made images, which may not judge a model: split the original, not this index.")
    else:
        say(f"Next: dermalens data split {quote(str(out))} --out split.csv")


def _check_out(source: Path, out: Path) -> None:
    """Before all images are opened, which takes minutes."""
    from dermalens.data.index import check_target

    if out.resolve() == source.resolve():
        raise typer.BadParameter(
            "the index would replace the table that it is made of; name another.", param_hint="--out"
        )
    check_target(out)


@app.command()
def split(  # noqa: PLR0913  (each is an option of the command)
    index: Annotated[Path, typer.Argument(help="An index written by dermalens data index.")],
    out: Annotated[Path, typer.Option(help="The split to write.")] = Path("split.csv"),
    shares: Annotated[str, typer.Option(help="Shares of train/val/test in percent.")] = "70/15/15",
    folds: Annotated[int, typer.Option(help="Also number train and val in this many folds.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the shuffle: the same seed gives the same split.")] = 0,
    keep_parts: Annotated[bool, typer.Option("--keep-parts", help="Keep the train/val/test of the index.")] = False,
    as_json: Json = False,
) -> None:
    """Divide an index into train, val and test: stratified by diagnosis, a lesion never divided."""
    from dermalens.data.split import keep_parts as kept_parts
    from dermalens.data.split import parse_shares, read_rows, split_rows, write_split

    if keep_parts and folds:
        raise typer.BadParameter("--folds divides anew; leave out --keep-parts or --folds.")
    rows = read_rows(index)
    wanted = parse_shares(shares)
    parted = kept_parts(rows) if keep_parts else split_rows(rows, shares=wanted, folds=folds, seed=seed)
    sha256 = write_split(parted, out, seed=seed)
    if as_json:
        typer.echo(json.dumps({**_summary(parted, out), "sha256": sha256, "seed": seed, "folds": folds}))
        return
    typer.echo(f"{_table(parted)}\n\nWritten to {out}\nSHA-256 {sha256}")
    if not keep_parts and any(row.part for row in rows):
        say("The index had parts of its own, which this split replaces; --keep-parts keeps them.")
    say(f"Next: dermalens data audit {quote(str(out))}")


@app.command()
def audit(
    index: Annotated[Path, typer.Argument(help="An index or a split.")],
    extra: Annotated[
        list[Path] | None, typer.Option(help="Index that a recipe adds to train (data.extra); may be repeated.")
    ] = None,
    as_json: Json = False,
    figure: Annotated[Path | None, typer.Option(help="Also draw the class distribution as PNG.")] = None,
) -> None:
    """Count what is in an index or a split; look for leaks, duplicates, unreadable images. A leaking lesion: exit 2."""
    if figure and figure.suffix.lower() != ".png":
        raise typer.BadParameter(f"{figure} given; needed is a name that ends in .png.", param_hint="--figure")
    from dermalens.data.audit import audit_rows
    from dermalens.data.audit_figure import draw_class_distribution
    from dermalens.data.audit_text import audit_as_text
    from dermalens.data.leaks import check_no_leak
    from dermalens.data.split import read_rows

    added = [replace(row, part="train", fold=None) for source in extra or () for row in read_rows(source)]
    rows = read_rows(index) + added
    with counting(2 * len(rows), "Opening and comparing") as advance:
        found = audit_rows(rows, advance=advance)
    typer.echo(json.dumps(found.as_json(), indent=2) if as_json else audit_as_text(found))
    if figure:
        draw_class_distribution(found, figure)
        say(f"Figure written to {figure}")
    check_no_leak(rows)


@app.command()
def cache(
    index: Annotated[Path, typer.Argument(help="An index or a split.")],
    out: Annotated[Path, typer.Option(help="Folder for the copy.")],
    side: Annotated[int, typer.Option(help="Pixels of the shorter side; nothing is enlarged.")] = 256,
    quality: Annotated[int, typer.Option(help="JPEG quality, 1 to 100.")] = 90,
) -> None:
    """Copy the images at reduced size, with their index, for fast training or another machine."""
    from dermalens.data.cache import Reduction, copy_reduced
    from dermalens.data.index import index_file
    from dermalens.data.split import read_rows

    reduction = Reduction(side, quality)
    rows = read_rows(index)
    with counting(len(rows), "Copying images") as advance:
        copy = copy_reduced(rows, index_file(index), out, reduction=reduction, advance=advance)
    typer.echo(
        f"{copy.images:,} images, {copy.n_bytes / 1e6:.1f} MB in {out}"
        + (f" ({copy.already_there:,} were there)" if copy.already_there else "")
    )
    say(f"Next: use {copy.index} in the recipe, in the place of {index}")


@app.command()
def folders(
    split: Annotated[Path, typer.Argument(help="A split.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    copy: Annotated[bool, typer.Option("--copy", help="Copy the images; otherwise they are linked.")] = False,
    as_json: Json = False,
) -> None:
    """Lay a split out as OUT/{train,val,test}/{class}, for programs that read class folders; links by default."""
    from dermalens.data.folders import lay_out_split, thin_classes
    from dermalens.data.split import read_split

    with counting(len(read_split(split).rows), "Laying out images") as advance:
        rows = lay_out_split(split, out, copy=copy, advance=advance)
    _warn_of(thin_classes(rows))
    if as_json:
        typer.echo(json.dumps({**_summary(rows, out), "copied": copy}))
        return
    typer.echo(f"{_table(rows)}\n\n{len(rows):,} images {'copied' if copy else 'linked'} to {out}")
    say(f"Next: {out} takes the place of the split in every command and recipe, such as dermalens data audit {out}")


@app.command()
def balance(  # noqa: PLR0913  (each is an option of the command)
    split: Annotated[Path, typer.Argument(help="A split without folds.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    per_class: Annotated[int | None, typer.Option(metavar="N", help="Images of each class in train.")] = None,
    to_largest: Annotated[
        bool, typer.Option("--to-largest", help="As many of each as the largest class has (the default).")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the random changes: the same seed gives the same images.")] = 0,
    copy: Annotated[bool, typer.Option("--copy", help="Copy the original images; otherwise they are linked.")] = False,
    as_json: Json = False,
) -> None:
    """Lay a split out as class folders whose train part is balanced by made images of the rarer classes.

    Made images are turned, mirrored, enlarged, shifted and relit ones of train; val and test stay as they are.
    """
    from dermalens.data.balance import plan_balance, rows_to_balance, write_balanced
    from dermalens.data.folders import thin_classes

    if to_largest and per_class is not None:
        raise typer.BadParameter("--per-class and --to-largest were both given; choose one.")
    plan = plan_balance(rows_to_balance(split), per_class=per_class, seed=seed)
    with counting(len(plan.rows) + len(plan.making), "Making images") as advance:
        rows = write_balanced(plan, out, seed=seed, copy=copy, advance=advance)
    _warn_of(thin_classes(rows))
    if as_json:
        made = {label: dict(zip(("kept", "made", "left_out"), n, strict=True)) for label, n in plan.counts.items()}
        typer.echo(json.dumps({**_summary(rows, out), "train": made, "seed": seed}))
        return
    typer.echo("\n".join([*_before_and_after(plan.counts), "", f"{len(rows):,} images in {out}"]))
    say(f"Next: {out} takes the place of the split in a recipe, such as --set data.split={out}")


def _before_and_after(counts: Mapping[str, tuple[int, int, int]]) -> list[str]:
    head = "Images of train  " + "".join(word.rjust(10) for word in ("before", "made", "left out", "after"))
    lines = [
        f"  {label:<15}" + "".join(f"{n:>10,}" for n in (kept + left_out, made, left_out, kept + made))
        for label, (kept, made, left_out) in counts.items()
    ]
    return [head, *lines, "val and test: not changed"]


def _warn_of(thin: Sequence[str]) -> None:
    from dermalens.core.errors import name_some

    if thin:
        say(f"Fewer than two lesions: {name_some(thin)}. A figure for such a class says nothing.")
