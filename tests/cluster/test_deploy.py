"""The files by which an instance is deployed: their fields are fields, and what they name is there."""

from __future__ import annotations

import configparser
import copy
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import version

import jsonschema
import pytest
import yaml

from icm_ray.instance.settings import read_settings
from tests.cluster.kubernetes_fields import OBJECTS
from tests.conftest import ROOT

DEPLOY = ROOT / "cluster" / "deploy"
MANIFESTS = ("dealer.yaml", "organisation.yaml")
RELEASE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def objects(name):
    return {item["kind"]: item for item in yaml.safe_load_all((DEPLOY / name).read_text())}


def pods(name):
    """Each template of a pod."""
    found = objects(name)
    if "StatefulSet" in found:
        yield found["StatefulSet"]["spec"]["template"]
    if "RayCluster" in found:
        spec = found["RayCluster"]["spec"]
        yield spec["headGroupSpec"]["template"]
        yield from (group["template"] for group in spec["workerGroupSpecs"])


def containers(name):
    for pod in pods(name):
        yield from (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])


# --- Kubernetes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MANIFESTS)
def test_every_field_is_one(name):
    found = objects(name)
    assert len(found) >= 3
    for kind, item in found.items():
        jsonschema.validate(item, OBJECTS[kind])


def test_what_is_no_field_is_found():
    sound = objects("organisation.yaml")["RayCluster"]
    for path, key, value in (
        (("spec",), "authOption", {"mode": "token"}),
        (("spec", "headGroupSpec", "template", "spec", "containers", 0), "volumeMount", []),
        (("spec", "headGroupSpec", "template", "spec", "containers", 0), "image", 3),
        (("spec", "workerGroupSpecs", 0), "replicas", "two"),
    ):
        changed = copy.deepcopy(sound)
        place = changed
        for step in path:
            place = place[step]
        place[key] = value
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(changed, OBJECTS["RayCluster"])


def test_no_port_bears_a_name_that_kuberay_gives_to_another():
    """The operator makes the head's service of the ports' names, and adds Ray's own where none has the name."""
    rays = {"client": 10001, "gcs-server": 6379, "dashboard": 8265, "metrics": 8080, "serve": 8000}
    ports = {
        port["name"]: port["containerPort"]
        for item in containers("organisation.yaml")
        for port in item.get("ports", ())
    }
    assert ports.keys() & rays.keys()
    assert {**rays, **ports} == {**ports, **rays}


@pytest.mark.parametrize("name", MANIFESTS)
def test_settings_are_those_of_an_instance(name, tmp_path):
    (tmp_path / "icm.toml").write_text(objects(name)["ConfigMap"]["data"]["icm.toml"])
    settings = read_settings(tmp_path)
    ports = {port["containerPort"] for item in containers(name) for port in item.get("ports", ())}
    assert settings.bind[1] in ports
    assert settings.metrics_bind[1] in ports
    made = " ".join(word for item in containers(name) for word in item.get("args", ()))
    assert f"icm init {settings.name} " in made
    assert ("--dealer" in made) == (settings.kind == "dealer")
    if name == "dealer.yaml":
        opened = {port["port"] for port in objects(name)["Service"]["spec"]["ports"]}
        first, last = settings.worker_ports
        assert opened == {settings.bind[1], *range(first, last + 1)}
        assert settings.addresses[0][0] == settings.reached_at


@pytest.mark.parametrize("name", MANIFESTS)
def test_names_lead_somewhere(name):
    found = objects(name)
    claims = (
        {item["metadata"]["name"] for item in found["StatefulSet"]["spec"]["volumeClaimTemplates"]}
        if ("StatefulSet" in found)
        else set()
    )
    for pod in pods(name):
        spec = pod["spec"]
        there = {volume["name"] for volume in spec["volumes"]} | claims
        for item in (*spec.get("initContainers", ()), *spec["containers"]):
            assert {mount["name"] for mount in item["volumeMounts"]} <= there
        for volume in spec["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
    if "Service" in found:
        selector = found["Service"]["spec"]["selector"]
        assert selector.items() <= next(pods(name))["metadata"]["labels"].items()
        assert found["StatefulSet"]["spec"]["selector"]["matchLabels"] == selector


@pytest.mark.parametrize("name", MANIFESTS)
def test_nobody_is_root_and_releases_are_these(name):
    for pod in pods(name):
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert not pod["spec"]["automountServiceAccountToken"]
    for item in containers(name):
        assert item["image"].startswith(f"icm-ray:{RELEASE}")
    if "RayCluster" in objects(name):
        assert objects(name)["RayCluster"]["spec"]["rayVersion"] == version("ray")
        assert objects(name)["RayCluster"]["spec"]["authOptions"]["mode"] == "token"


@pytest.mark.parametrize("name", MANIFESTS)
def test_what_shells_are_told_is_shell(name):
    told = [item["args"][0] for item in containers(name) if item.get("command", ["icm"])[0].startswith("/bin/")]
    assert told
    for text in told:
        subprocess.run(["bash", "-n", "-c", text], check=True)


def test_an_instance_beside_the_head_is_told_to_end(tmp_path):
    """The text of the head's shell, with an `icm` that says how it was ended and a `ray` that is healthy."""
    (text,) = [item["args"][0] for item in containers("organisation.yaml") if item["name"] == "ray-head"]
    ended = 'trap "echo ended; exit" TERM; echo started; for _ in {1..200}; do sleep 0.05; done'
    for name, does in {"icm": ended, "ray": "exit 0"}.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{does}\n")
        (tmp_path / name).chmod(0o755)
    told = {"PATH": f"{tmp_path}:/usr/bin:/bin", "KUBERAY_GEN_RAY_START_CMD": "exec sleep 10 >/dev/null"}
    with subprocess.Popen(["bash", "-c", text], env=told, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout.readline() == "started\n"
        shell.terminate()
        assert shell.stdout.readline() == "ended\n"
        shell.wait(20)


# --- a container, and a machine -----------------------------------------------------------------------------------


def test_the_container_is_made_of_what_is_there():
    text = (DEPLOY / "Containerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert {"icm_ray", "analytics", "cluster", "pyproject.toml"} <= set(copied)
    assert all((ROOT / word).exists() for word in copied)
    assert f"rayproject/ray:{version('ray')}-py311" in text
    assert f"-t icm-ray:{RELEASE} " in text
    assert re.search(r"^USER 1000$", text, re.MULTILINE)
    assert text.index("USER root") < text.index("USER 1000") < text.index("ENTRYPOINT")
    assert (ROOT / "icm_ray" / "ring" / "warm.py").exists()


def test_the_unit_starts_an_instance_and_keeps_it_shut():
    unit = configparser.ConfigParser(strict=True, interpolation=None)
    unit.optionxform = str
    unit.read(DEPLOY / "icm.service")
    assert unit.sections() == ["Unit", "Service", "Install"]
    service = unit["Service"]
    assert service["ExecStart"].split()[1:] == ["serve"]
    assert (service["User"], service["StateDirectoryMode"], service["UMask"]) == ("icm", "0700", "0077")
    assert f"ICM_HOME=/var/lib/{service['StateDirectory']}" in service["Environment"]
    assert service["LimitCORE"] == "0"
    assert "MemoryDenyWriteExecute" not in service, "kernels are compiled"


def test_systemd_takes_the_unit(tmp_path):
    """Where systemd is: its own word, with a program in the instance's place that is there."""
    if verify := shutil.which("systemd-analyze"):
        unit = (DEPLOY / "icm.service").read_text().replace("/opt/icm/bin/icm", "/bin/true")
        (tmp_path / "icm.service").write_text(unit)
        command = [verify, "verify", str(tmp_path / "icm.service")]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert said.returncode == 0, said.stderr
        assert "icm.service" not in said.stderr
