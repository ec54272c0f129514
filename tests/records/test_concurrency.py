"""Several threads on one record, which the databases see as several connections."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from dermalens.records import audit, cases
from dermalens.records.cases import Wanted, keep
from dermalens.records.retention import sweep
from dermalens.records.store import opened
from tests.records.made_case import OWNER, drawn, files, new_case

IMAGES = [drawn(code) for code in ("mel", "nv")]


def test_threads_that_keep_and_delete_at_once_leave_a_whole_chain_and_every_image(records):
    """All share two images, so that each deletion meets somebody who keeps the same one."""

    def work(worker: int) -> list[str]:
        left = []
        for number in range(6):
            case = keep(records, OWNER, new_case(image=IMAGES[number % 2], lesion=f"lesion {number % 2}"))
            if number % 3:
                cases.delete(records, OWNER, case.id)
            else:
                left.append(case.id)
        return left

    with ThreadPoolExecutor(6) as threads:
        left = {case_id for ids in threads.map(work, range(6)) for case_id in ids}
    found = cases.search(records, OWNER, Wanted(limit=100)).cases
    assert {case.id for case in found} == left
    assert all(cases.image_of(records, OWNER, case.id) for case in found)
    assert files(records) == {f"{case.image_sha256}.png" for case in found}
    assert {lesion.count for lesion in cases.lesions(records, OWNER)} == {6}
    assert audit.verify(records).count == 6 * (6 + 4)


def test_the_janitor_and_deletions_never_take_an_image_from_a_case_that_is_being_kept(records):
    def keep_and_look(worker: int) -> bool:
        for _ in range(8):
            case = keep(records, OWNER, new_case(image=IMAGES[0]))
            image = cases.image_of(records, OWNER, case.id)
            cases.delete(records, OWNER, case.id)
        return image.startswith(b"\x89PNG")

    def clean(worker: int) -> bool:
        for _ in range(8):
            # A minute's grace would hide the race; temporary files, which have nothing else, are left out of it.
            sweep_orphans(records)
        return True

    with ThreadPoolExecutor(5) as threads:
        jobs = [threads.submit(keep_and_look, worker) for worker in range(3)] + [threads.submit(clean, 0)]
        assert all(job.result() for job in jobs)
    sweep(records, age_seconds=0)
    assert files(records) == set()
    audit.verify(records)


def sweep_orphans(records):
    from dermalens.records.retention import _sweep_images

    return _sweep_images(records, float("inf"), lambda: False)


def test_two_servers_on_one_record_share_one_chain(url, tmp_path):
    def serve(number: int) -> None:
        with opened(url, tmp_path / "record") as records:
            for _ in range(5):
                keep(records, OWNER, new_case())

    with opened(url, tmp_path / "record"), ThreadPoolExecutor(3) as threads:
        list(threads.map(serve, range(3)))
    with opened(url, tmp_path / "record") as records:
        assert audit.verify(records).count == 15


def test_the_same_case_from_several_threads_at_once_is_kept_once(records):
    def keep_it(worker: int) -> str:
        return keep(records, OWNER, new_case(image=IMAGES[worker % 2]), case_id="c" * 32).id

    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(keep_it, range(6))) == {"c" * 32}
    (case,) = cases.search(records, OWNER, Wanted()).cases
    assert cases.image_of(records, OWNER, case.id).startswith(b"\x89PNG")
    assert audit.verify(records).count == 1
