"""Settings come from the environment, and what cannot be used is named."""

import pytest

from dermalens.core.errors import DermaLensError
from dermalens.records.jobs import add_job
from dermalens.records.store import open_records
from dermalens.serve.service import open_service
from dermalens.serve.settings import Settings, read_settings
from tests.tiny_bundle import write_equipped_bundle


def test_settings_are_read_from_the_environment_and_changes_win(monkeypatch, tmp_path):
    monkeypatch.setenv("DERMALENS_PORT", "9000")
    monkeypatch.setenv("DERMALENS_QUEUE_SIZE", "7")
    monkeypatch.setenv("DERMALENS_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("DERMALENS_RETENTION_DAYS", "")
    settings = read_settings(port=9001)
    assert (settings.port, settings.queue_size, settings.retention_days) == (9001, 7, None)
    assert settings.database_url == f"sqlite:///{tmp_path / 'records.sqlite'}"


def test_the_default_is_this_machine_only():
    assert Settings().is_loopback
    assert not Settings().allow_open


@pytest.mark.parametrize(("host", "expected"), [
    ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("LocalHost", True),
    ("0.0.0.0", False), ("::", False), ("192.168.1.5", False), ("derma.example", False), ("", False),
])  # fmt: skip
def test_loopback_is_told_from_other_addresses(host, expected):
    assert Settings(host=host).is_loopback is expected


@pytest.mark.parametrize(("name", "value"), [
    ("port", "70000"), ("port", "x"), ("queue_size", "0"), ("deadline_seconds", "0"), ("secret", "short"),
    ("default_prevalence", "2"), ("allow_open", "perhaps"), ("retention_days", "1000000"),
])  # fmt: skip
def test_a_value_that_cannot_be_used_is_one_line_with_its_variable(monkeypatch, name, value):
    monkeypatch.setenv(f"DERMALENS_{name.upper()}", value)
    with pytest.raises(DermaLensError, match=f"DERMALENS_{name.upper()}") as refused:
        read_settings()
    assert "\n" not in str(refused.value)
    assert name != "secret" or value not in str(refused.value)


def test_a_prevalence_needs_a_bundle_that_states_its_own(tmp_path):
    write_equipped_bundle(tmp_path / "plain")
    settings = read_settings(bundle=tmp_path / "plain", default_prevalence=0.03, records=False, workers=1)
    with pytest.raises(DermaLensError, match="default_prevalence"):
        open_service(settings)


@pytest.mark.parametrize(
    "text", ["Derma.example, b.example", '["derma.example", "b.example"]', "derma.example,b.example,"]
)
def test_names_of_hosts_are_given_with_commas(monkeypatch, text):
    monkeypatch.setenv("DERMALENS_ALLOWED_HOSTS", text)
    assert read_settings().allowed_hosts == ("derma.example", "b.example")


def test_the_database_lies_in_the_data_folder_whatever_its_name_is(tmp_path):
    folder = tmp_path / "what? 100%41 #1"
    open_records(read_settings(data_folder=folder).database_url, folder).engine.dispose()
    assert (folder / "records.sqlite").is_file()


@pytest.mark.parametrize(("variable", "meant"), [
    ("DERMALENS_RETENTION_DAY", "DERMALENS_RETENTION_DAYS"), ("DERMALENS_ALLOWED_HOST", "DERMALENS_ALLOWED_HOSTS"),
    ("DERMALENS_RETENTION", "DERMALENS_RETENTION_DAYS"), ("DERMALENS_SESSION", "DERMALENS_SESSION_HOURS"),
    ("DERMALENS_DATA", "DERMALENS_DATA_FOLDER or DERMALENS_DATABASE_URL"),
    ("DERMALENS_DATABASE", "DERMALENS_DATABASE_URL"),
    ("DERMALENS_MAX_BATCH", "DERMALENS_MAX_BATCH_BYTES or DERMALENS_MAX_BATCH_IMAGES"),
    ("DERMALENS_SECRET_KEY", "DERMALENS_SECRET"),
])  # fmt: skip
def test_a_misspelt_variable_is_refused_and_one_of_another_program_is_not(monkeypatch, variable, meant):
    monkeypatch.setenv("DERMALENS_SERVICE_HOST", "10.0.0.1")  # Kubernetes makes such
    monkeypatch.setenv("DERMALENS_TEST_POSTGRESQL", "1")
    read_settings()
    monkeypatch.setenv(variable, "30")
    with pytest.raises(DermaLensError, match=f"{variable} is no setting; is {meant} meant"):
        read_settings()


def test_a_variable_that_is_no_setting_is_named_unless_kubernetes_made_it(monkeypatch, capsys):
    for name in ("KEEP_DAYS", "URL", ""):
        monkeypatch.setenv(f"DERMALENS_{name}", "30")
    links = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "RECORDS_SERVICE_HOST", "PORT_8000_TCP_ADDR")
    for name in (*links, "PORT_8000_TCP", "DB_PORT", "TEST_POSTGRESQL"):
        monkeypatch.setenv(f"DERMALENS_{name}", "tcp://10.0.0.1:8000")
    read_settings()
    told = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in told] == ["DERMALENS_KEEP_DAYS", "DERMALENS_URL"]
    assert "is no setting and is not used" in told[0]


def test_a_server_with_an_empty_folder_does_not_start_on_the_database_of_another(service_with, mel, tmp_path):
    url = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    records = service_with(database_url=url).records
    add_job(records, "local", [("", mel)], {})
    with pytest.raises(DermaLensError, match="has none of the images that the database knows"):
        service_with(database_url=url, data_folder=tmp_path / "misspelt")
    service_with(database_url=url)
