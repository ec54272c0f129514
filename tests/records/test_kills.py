"""SIGKILL at random points of keep, feedback, delete and batch jobs: 25 times on each database."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from dermalens.records import audit, cases
from dermalens.records.errors import NotKept
from dermalens.records.jobs import find_job
from dermalens.records.retention import sweep
from dermalens.records.store import opened, spool_path
from dermalens.records.tables import CaseRow, JobItemRow
from tests.records.made_case import OWNER, files

ROOT = Path(__file__).parents[2]
KILLS = 25


@contextmanager
def host(url, folder):
    command = [sys.executable, "-m", "tests.records.killed", url, str(folder)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder, env=environment
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def kill_once(process, number, chance):
    """Start a fork, kill it after its first words or a moment later; what it had said."""
    process.stdin.write(f"{number}\n")
    process.stdin.flush()
    said, pid = [], None
    while pid is None or not said:
        line = process.stdout.readline().split()
        if line[0] == "pid":
            pid = int(line[1])
        else:
            said.append(line)
    time.sleep(chance.uniform(0, 0.2))
    os.kill(pid, signal.SIGKILL)
    while (line := process.stdout.readline().split()) != ["ended"]:
        said.append(line)
    return said


class Expected:
    """What was acknowledged so far, over all kills."""

    def __init__(self):
        self.kept, self.touched, self.deleted = set(), set(), set()
        self.feedback, self.jobs, self.answered = {}, set(), set()

    def hear(self, said):
        for word, *ids in said:
            if word == "kept":
                self.kept.add(ids[0])
            elif word == "feedback":
                self.feedback[ids[0]] = ids[1]
            elif word == "deleting":
                self.touched.add(ids[0])
            elif word == "deleted":
                self.deleted.add(ids[0])
            elif word == "job":
                self.jobs.add(ids[0])
            elif word == "answered":
                self.answered.add((ids[0], int(ids[1])))


def check_all(records, expected):
    for case_id in expected.kept - expected.touched:
        case = cases.find(records, OWNER, case_id)
        assert records.images.has(case.image_sha256)
        assert case_id not in expected.feedback or case.feedback[0].id == expected.feedback[case_id]
    for case_id in expected.deleted:
        with pytest.raises(NotKept):
            cases.find(records, OWNER, case_id)
    for job_id in expected.jobs:
        states = {(job_id, item.number): item.state for item in find_job(records, OWNER, job_id).items}
        assert all(states[item] == "done" for item in expected.answered & states.keys())


def check_files(records):
    """After the janitor there are just the files that rows refer to, each whole."""
    sweep(records, age_seconds=0)
    with records.reading() as session:
        images = set(session.scalars(select(CaseRow.image_sha256)))
        waiting = session.execute(
            select(JobItemRow.job_id, JobItemRow.number).where(JobItemRow.state == "waiting")
        ).all()
    spooled = {spool_path(records, job_id, number).name for job_id, number in waiting}
    assert files(records) == {f"{sha256}.png" for sha256 in images} | spooled
    assert all(records.images.read(sha256) for sha256 in images)


def check_round(records, said, before):
    """What this round acknowledged, and that the log of the rounds before is still there."""
    assert audit.verify(records, noted=before.head).count > before.count
    this_round = Expected()
    this_round.hear(said)
    check_all(records, this_round)
    check_files(records)


def check_integrity(records):
    if records.engine.dialect.name == "sqlite":
        with records.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    return audit.verify(records)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_after_every_kill_all_that_was_acknowledged_is_there_and_nothing_else_is_left(url, tmp_path):
    chance, expected = random.Random(20261121), Expected()
    folder = tmp_path / "record"
    with opened(url, folder) as records, host(url, folder) as process:
        before = check_integrity(records)
        for number in range(KILLS):
            said = kill_once(process, number, chance)
            check_round(records, said, before)
            before = check_integrity(records)
            expected.hear(said)
        check_all(records, expected)
    assert len(expected.kept) > KILLS
    assert expected.deleted
    assert expected.answered
