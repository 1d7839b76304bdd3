"""What is wrong in icm.toml is said in words: which setting, what it has to be, and not in msgspec's."""

from __future__ import annotations

import pytest

import icm_ray as icm
from icm_ray.instance.settings import Settings, read_settings, write_settings

WRONG = {
    "another kind": ("listen = 5", "listen has to be text, not a whole number"),
    "no number": ('worker_cpus = "2"', "worker_cpus has to be a number, not text"),
    "no list": ('advertise = "x"', "advertise has to be a list, not text"),
    "too few": ("worker_ports = [5]", "worker_ports has to be a list of 2, not of 1"),
    "one of a list": ('worker_ports = [5, "x"]', r"worker_ports\[1\] has to be a whole number, not text"),
    "one of a table": ("worker_labels = {a = 3}", r"worker_labels\[...\] has to be text, not a whole number"),
    "below its range": ("spare_workers = -1", "spare_workers has to be a whole number >= 0"),
    "beyond its range": ("worker_cpus = 5000.0", "worker_cpus has to be a number <= 1024.0"),
    "no setting": ('carier = "ray"', "there is no setting 'carier'; did you mean 'carrier'?"),
    "nothing like it": ("zzz = 1", "there is no setting 'zzz'; there are name, kind, listen, "),
    "no limit": ("limits = {result = 1}", r"there is no setting 'result' in \[limits\]; did you mean 'results'\?"),
    "a limit of another kind": ('limits = {results = "x"}', "limits.results has to be a whole number, not text"),
    "no table": ("limits = 3", "limits has to be a table, not a whole number"),
    "none of several": ('carrier = "x"', "carrier is 'x', and has to be one of 'processes', 'ray'"),
    "one of a kind": ('kind = "dealr"', "kind is 'dealr', and has to be one of 'organisation', 'dealer'"),
    "no TOML": ('listen = "x', "no TOML: Illegal character .*line 2"),
}


@pytest.mark.parametrize("name", WRONG)
def test_settings_that_are_wrong(tmp_path, name):
    line, says = WRONG[name]
    (tmp_path / "icm.toml").write_text(f'name = "bob"\n{line}\n')
    with pytest.raises(icm.InstanceError, match=says) as raised:
        read_settings(tmp_path)
    assert "`" not in str(raised.value)


def test_a_name_that_is_missing(tmp_path):
    (tmp_path / "icm.toml").write_text('listen = "127.0.0.1:7800"\n')
    with pytest.raises(icm.InstanceError, match="name is missing"):
        read_settings(tmp_path)


def test_what_init_writes_is_read(tmp_path):
    write_settings(tmp_path, Settings("bob"))
    assert read_settings(tmp_path) == Settings("bob")
