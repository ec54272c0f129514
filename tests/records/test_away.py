"""A database that goes away, and a disk that is full: one line that says so, soon, and all is well again after."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import event, make_url, text

from dermalens.records import audit, cases
from dermalens.records.cases import Wanted, keep
from dermalens.records.errors import RecordsError
from dermalens.records.feedback import add_feedback
from dermalens.records.jobs import add_job
from dermalens.records.keys import check_key, create_key
from dermalens.records.retention import sweep
from dermalens.records.store import check, close, connect, open_records, opened
from tests.records.databases import fresh_database, reading_only, run_on_postgresql
from tests.records.made_case import OWNER, drawn, files, new_case

ROOT = Path(__file__).parents[2]


@pytest.fixture
def on_postgresql(tmp_path):
    with fresh_database("postgresql", tmp_path) as url, opened(url, tmp_path / "record") as records:
        yield records


def test_connections_that_the_server_ended_are_made_anew(on_postgresql):
    case = keep(on_postgresql, OWNER, new_case())
    name = make_url(on_postgresql.engine.url).query["application_name"]
    for _ in range(3):
        run_on_postgresql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'")
        check(on_postgresql)
        assert cases.find(on_postgresql, OWNER, case.id) == case


def test_a_connection_lost_within_a_transaction_is_a_records_error_and_nothing_is_kept(on_postgresql):
    name = make_url(on_postgresql.engine.url).query["application_name"]

    def lose():
        with on_postgresql.writing() as session:
            audit.write(session, "case.keep", OWNER, "x")
            run_on_postgresql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'"
            )
            audit.write(session, "case.keep", OWNER, "y")

    with pytest.raises(RecordsError, match="database cannot be used"):
        lose()
    assert audit.verify(on_postgresql).count == 0
    keep(on_postgresql, OWNER, new_case())


def test_a_server_that_is_not_there_is_said_at_once_by_every_function(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"postgresql+psycopg://postgres@127.0.0.1:{closed.getsockname()[1]}/test"
        start = time.monotonic()
        with pytest.raises(RecordsError, match="refused"):
            open_records(url, tmp_path)
        records = connect(url, tmp_path)
        records.images.make_folders()
        records.spool.mkdir()
        for call in (
            lambda: check(records),
            lambda: keep(records, OWNER, new_case()),
            lambda: cases.find(records, OWNER, "0" * 32),
            lambda: cases.search(records, OWNER, Wanted()),
            lambda: cases.delete(records, OWNER, "0" * 32),
            lambda: add_feedback(records, OWNER, "0" * 32, kind="agree"),
            lambda: add_job(records, OWNER, [("a", b"a")], {}),
            lambda: check_key(records, "dl_0123_x"),
            lambda: audit.verify(records),
            lambda: sweep(records),
        ):
            with pytest.raises(RecordsError, match="cannot be used") as error:
                call()
            assert "\n" not in str(error.value)
        close(records)
    assert time.monotonic() - start < 10


def test_a_server_that_does_not_answer_is_away_after_three_seconds(tmp_path):
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        start = time.monotonic()
        with pytest.raises(RecordsError, match="cannot be used"):
            open_records(f"postgresql+psycopg://postgres@127.0.0.1:{deaf.getsockname()[1]}/test", tmp_path)
        assert time.monotonic() - start < 8


def test_where_the_database_is_stands_in_the_line_of_the_operator_only(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(RecordsError, match="Check that it runs") as away:
        open_records(f"postgresql+psycopg://postgres@127.0.0.1:{port}/test", tmp_path)
    assert str(port) in str(away.value)
    assert away.value.public == "The database cannot be used. Check that it runs, and DERMALENS_DATABASE_URL."


def test_a_database_file_that_is_none_is_said(tmp_path):
    (tmp_path / "x.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(RecordsError, match="not a database"):
        open_records(f"sqlite:///{tmp_path / 'x.sqlite'}", tmp_path)


def test_a_full_disk_is_said_and_what_was_kept_before_stays(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    if not _mount(folder):
        pytest.skip("no small file system can be mounted here; test_a_limit_on_files_... does the same with a limit")
    try:
        with opened(f"sqlite:///{folder / 'x.sqlite'}", folder) as records:
            case = keep(records, OWNER, new_case())
            _, secret = create_key(records, name="x", scopes=["predict"])
            filler = folder / "filler"
            _fill(filler)
            for call in (lambda: keep(records, OWNER, new_case(image=drawn("nv"))), lambda: check(records)):
                with pytest.raises(RecordsError, match="Make room"):
                    call()
            assert cases.find(records, OWNER, case.id) == case
            assert check_key(records, secret) is not None
            filler.unlink()
            check(records)
            keep(records, OWNER, new_case(image=drawn("bcc")))
            sweep(records, age_seconds=0)
            assert len(files(records)) == 2
            audit.verify(records)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_limit_on_files_is_said_and_nothing_half_is_left(tmp_path):
    """The limit strikes at other points than a full disk: the log of the database is cut in the middle of a page."""
    url = f"sqlite:///{tmp_path / 'x.sqlite'}"
    with opened(url, tmp_path) as records:
        case = keep(records, OWNER, new_case(image=drawn("nv")))
    script = (
        "import sys; from pathlib import Path\n"
        "from dermalens.records.cases import keep\n"
        "from dermalens.records.errors import RecordsError\n"
        "from dermalens.records.store import opened\n"
        "from tests.records.made_case import new_case\n"
        "with opened(sys.argv[1], Path(sys.argv[2])) as records:\n"
        "    for number in range(400):\n"
        "        try: print(keep(records, 'local', new_case(note='x' * 9000)).id, flush=True)\n"
        "        except RecordsError as error: sys.exit(str(error))\n"
    )
    limit = 600_000
    ended = subprocess.run(
        [sys.executable, "-c", script, url, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert ended.returncode == 1
    assert "The database cannot" in ended.stderr.splitlines()[-1]
    with opened(url, tmp_path) as records:
        kept = ended.stdout.split()
        assert kept
        assert all(cases.find(records, OWNER, case_id) for case_id in [case.id, *kept])
        assert audit.verify(records).count == len(kept) + 1
        sweep(records, age_seconds=0)
        assert len(files(records)) == 2
        keep(records, OWNER, new_case())


def test_a_database_of_postgresql_that_can_only_be_read_is_said(on_postgresql, tmp_path):
    check(on_postgresql)
    url = on_postgresql.engine.url.render_as_string(hide_password=False)
    with opened(reading_only(url), tmp_path / "record") as records:
        for call in (lambda: check(records), lambda: keep(records, OWNER, new_case())):
            with pytest.raises(RecordsError, match="can only be read"):
                call()


def test_a_file_of_sqlite_that_can_only_be_read_is_said(on_sqlite, tmp_path):
    check(on_sqlite)
    file = f"file:{on_sqlite.engine.url.database}?mode=ro"
    records = connect(on_sqlite.engine.url.render_as_string(), tmp_path / "record")
    event.listen(records.engine, "do_connect", lambda *_: sqlite3.connect(file, uri=True))  # root may write any file
    for call in (lambda: check(records), lambda: keep(records, OWNER, new_case())):
        with pytest.raises(RecordsError, match="can only be read"):
            call()
    close(records)


def test_a_writer_at_work_is_no_fault_and_the_check_leaves_nothing(records):
    keep(records, OWNER, new_case())
    before = state_of(records)
    with ThreadPoolExecutor(1) as threads:
        with records.writing():
            checked = threads.submit(check, records)
            time.sleep(0.3)  # SQLite lets the check wait; PostgreSQL has answered by now
            assert checked.done() is (records.engine.dialect.name == "postgresql")
        checked.result()
    assert state_of(records) == before
    keep(records, OWNER, new_case())


def state_of(records):
    """When the files of SQLite were last written; of PostgreSQL, which transaction wrote the row of the schema."""
    if records.engine.dialect.name == "sqlite":
        file = Path(records.engine.url.database)
        return [path.stat().st_mtime_ns for path in (file, file.with_name(f"{file.name}-wal"))]
    with records.reading() as session:
        return session.execute(text("SELECT xmin, xmax, ctid FROM dermalens_schema")).all()


def _mount(folder: Path) -> bool:
    if shutil.which("mount") is None:
        return False
    return not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True
    ).returncode


def _fill(file: Path) -> None:
    try:
        with file.open("wb") as stream:
            while True:
                stream.write(bytes(4096))
                stream.flush()
    except OSError:
        return


def test_an_error_of_the_database_holds_no_value_of_a_row(tmp_path):
    with opened(f"sqlite:///{tmp_path / 'records.sqlite'}", tmp_path) as records:
        keep(records, OWNER, new_case(note="private note"))
        with pytest.raises(RecordsError) as failed, records.reading() as session:
            session.execute(text("SELECT :a, :b"), {"a": object(), "b": "private note"})
    assert "private note" not in f"{failed.value} {failed.value.__cause__}"
