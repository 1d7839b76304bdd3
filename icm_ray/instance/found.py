"""Founding an instance: its folder, its key, the key of its users, its settings."""

from __future__ import annotations

import shutil
from pathlib import Path

from icm_ray.errors import InstanceError
from icm_ray.instance.instance import USERS
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.settings import SETTINGS, Settings, write_settings
from icm_ray.private_folder import check_private
from icm_ray.runtime.driver.checked_names import check_name

__all__ = ["found"]


def found(folder: Path, settings: Settings) -> InstanceKey:
    """Make an instance in a folder that is this user's own, or new. Errors: `InstanceError` (there is one already; the
    folder is open to others; an address that is none), `OwnerError` for what is no name.
    """
    check_name(settings.name)
    _ = settings.bind, settings.addresses  # raise what icm serve would raise
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InstanceError(f"{folder}: cannot be made: {error.strerror}", path=str(folder)) from None
    check_private(folder)
    write_settings(folder, settings)
    users = folder / USERS
    known = users.exists()
    try:
        users.mkdir(mode=0o700, exist_ok=True)
        InstanceKey.create("user", users)
        return InstanceKey.create(settings.name, folder)
    except (InstanceError, OSError) as error:  # a full disk, say: half of an instance is none
        (folder / SETTINGS).unlink(missing_ok=True)
        if not known:
            shutil.rmtree(users, ignore_errors=True)
        if isinstance(error, InstanceError):
            raise
        raise InstanceError(f"{users}: cannot be made: {error.strerror}", path=str(users)) from None
