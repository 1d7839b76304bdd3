"""An instance is founded whole, or not at all: whoever was refused can try again."""

from __future__ import annotations

from pathlib import Path

import pytest

from icm_ray.errors import InstanceError
from icm_ray.instance import keys
from icm_ray.instance.found import found
from icm_ray.instance.instance import USERS
from icm_ray.instance.settings import Settings, read_settings

SETTINGS = Settings("alice")


@pytest.mark.parametrize("written", range(4))
def test_a_disk_that_is_full_leaves_no_half_of_an_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    write, left = keys.write_bytes, iter(range(written))

    def write_until_full(path: Path, payload: bytes) -> None:
        if next(left, None) is None:
            raise InstanceError(f"{path}: No space left on device", path=str(path))
        write(path, payload)

    with monkeypatch.context() as full:
        full.setattr(keys, "write_bytes", write_until_full)
        with pytest.raises(InstanceError, match="No space"):
            found(tmp_path / "alice", SETTINGS)
    key = found(tmp_path / "alice", SETTINGS)
    assert read_settings(tmp_path / "alice") == SETTINGS
    assert key.certificate == keys.InstanceKey.load("alice", tmp_path / "alice").certificate


def test_users_that_cannot_be_made_are_named(tmp_path: Path) -> None:
    (tmp_path / USERS).write_text("a file in the way")
    tmp_path.chmod(0o700)
    with pytest.raises(InstanceError, match="cannot be made: File exists"):
        found(tmp_path, SETTINGS)
    assert not (tmp_path / "icm.toml").exists()
