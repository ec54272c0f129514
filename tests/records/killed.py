"""What `test_kills.py` kills: a host that has imported all, and for each line on its input a fork that works.

The fork says each thing that was acknowledged, in one write to standard output, and what it is about to delete.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from uuid import uuid4

from dermalens.records import cases
from dermalens.records.feedback import add_feedback
from dermalens.records.jobs import add_job, finish_item, next_item
from dermalens.records.store import Records, open_records
from tests.records.made_case import OWNER, file_of, new_case
from tests.tiny_bundle import lesion

PICTURE = lesion("nv", (128, 96))


def say(*words: str) -> None:
    os.write(1, (" ".join(words) + "\n").encode())


def some_image(chance: random.Random) -> bytes:
    """One of three that are kept again and again, or one that nobody has had."""
    picture = PICTURE.copy()
    picture.putpixel((0, 0), (chance.choice((0, 1, 2)), 0, 0) if chance.random() < 0.4 else (*chance.randbytes(3),))
    return file_of(picture, "PNG")


def work(records: Records, chance: random.Random) -> None:
    kept = []
    while True:
        case = cases.keep(records, OWNER, new_case(image=some_image(chance), lesion="arm"), case_id=uuid4().hex)
        say("kept", case.id)
        kept.append(case.id)
        feedback = add_feedback(records, OWNER, case.id, kind="agree").feedback[0]
        say("feedback", case.id, feedback.id)
        if chance.random() < 0.5:
            case_id = kept.pop(chance.randrange(len(kept)))
            say("deleting", case_id)
            cases.delete(records, OWNER, case_id)
            say("deleted", case_id)
        if chance.random() < 0.3:
            say("job", add_job(records, OWNER, [("a", b"image")] * 2, {}).id)
            found = next_item(records)
            if found:
                finish_item(records, found[0], found[1], answer={"diagnosis": "nv"})
                say("answered", found[0], str(found[1]))


def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2])
    say("ready")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(open_records(url, folder), random.Random(int(line)))
        say("pid", str(child))
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    main()
