"""Settings: what cannot be is refused by name, before anything is started."""

import pickle

import numpy as np
import pytest

import icm_ray as icm
from icm_ray.config import EngineConfig, from_environment
from icm_ray.errors import InputError
from icm_ray.runtime import session as session_module

WRONG = [
    ("heartbeat", 0),
    ("heartbeat", float("nan")),
    ("silence", -1.0),
    ("silence", "10"),
    ("silence", 10**400),
    ("lease", float("inf")),
    ("start_timeout", 0.0),
    ("job_timeout", -5),
    ("job_timeout", True),
    ("partition_bytes", 0),
    ("partition_bytes", 1.5),
    ("partition_bytes", "64"),
    ("in_flight", -1),
    ("in_flight", 1 << 64),
    ("fraction_bits", -1),
    ("fraction_bits", 63),
    ("default_bound", 63),
    ("rtt_ms", -0.1),
    ("mbit", float("nan")),
    ("tls", 0),
    ("free_programs", "no"),
    ("stock", "here"),
    ("stock", 3),
    ("ledger", "here"),
    ("ledger", 3),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_setting_that_cannot_be_is_named_with_its_value(name, value):
    with pytest.raises(InputError, match=f"^{name}=") as caught:
        EngineConfig(**{name: value})
    assert str(value) in str(caught.value)
    assert caught.value.where["settings"] == (name,)


@pytest.mark.parametrize("name", ["silence", "lease"])
def test_one_late_heartbeat_is_no_silence(name):
    with pytest.raises(InputError, match=f"{name}=3 s must be at least twice heartbeat=2 s"):
        EngineConfig(**{name: 3.0})


def test_numbers_of_numpy_are_numbers():
    config = EngineConfig(partition_bytes=np.int64(1000), silence=np.float32(20), lease=90, fraction_bits=np.int8(20))
    assert config == EngineConfig(partition_bytes=1000, silence=20.0, lease=90.0, fraction_bits=20)
    assert [type(value) for value in (config.partition_bytes, config.silence, config.lease)] == [int, float, float]


@pytest.mark.parametrize("text", ["abc", "", "ten"])
@pytest.mark.parametrize(("name", "kind"), [("silence", "a number"), ("partition_bytes", "a whole number")])
def test_a_variable_that_is_no_number_is_named(monkeypatch, name, kind, text):
    variable = f"ICM_{name.upper()}"
    monkeypatch.setenv(variable, text)
    with pytest.raises(InputError, match=f"environment variable {variable}='{text}' is not {kind}") as caught:
        from_environment()
    assert pickle.loads(pickle.dumps(caught.value)).where == {"variables": (variable,)}


@pytest.mark.parametrize(
    ("name", "text"),
    [("silence", "-1"), ("lease", "nan"), ("partition_bytes", "0"), ("in_flight", "-1"), ("stock", "here")],
)
def test_a_variable_out_of_range_is_named(monkeypatch, name, text):
    variable = f"ICM_{name.upper()}"
    monkeypatch.setenv(variable, text)
    with pytest.raises(InputError, match=f"environment variable {variable}={text}: {name}="):
        from_environment()


def test_variables_that_do_not_fit_together_are_named(monkeypatch):
    monkeypatch.setenv("ICM_HEARTBEAT", "8")
    with pytest.raises(InputError, match="environment variable ICM_HEARTBEAT=8: silence=10 s must"):
        from_environment()
    monkeypatch.setenv("ICM_SILENCE", "12")
    with pytest.raises(InputError, match="environment variables ICM_SILENCE=12 and ICM_HEARTBEAT=8: silence=12 s"):
        from_environment()


def test_variables_change_the_settings(monkeypatch):
    for name, text in (("FRACTION_BITS", "20"), ("SILENCE", "30"), ("PARTITION_BYTES", "4096")):
        monkeypatch.setenv(f"ICM_{name}", text)
    assert from_environment() == EngineConfig(fraction_bits=20, silence=30.0, partition_bytes=4096)


def test_a_session_says_so_before_ray_is_started(monkeypatch):
    def started(*_):
        raise AssertionError("Ray is started")

    monkeypatch.setattr(session_module, "Cluster", started)
    monkeypatch.setenv("ICM_SILENCE", "abc")
    with pytest.raises(InputError, match="ICM_SILENCE"):
        icm.Session()
    monkeypatch.delenv("ICM_SILENCE")
    with pytest.raises(InputError, match="partition_bytes=0"):
        icm.Session(partition_bytes=0)
