"""A session with planted values on a Ray cluster of its own, for another process to look at.

python -m tests.security.ray_watched FOLDER RAY_FOLDER READY GO: works with what FOLDER/brought.npz and its files
hold, writes next to them what only this process can know, says READY (a descriptor) and waits for GO, at every stage:
while the session is open; when objects were spilled, too.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.security import ray_witness

NAMESPACES = ("__autoscaler", "cluster", "dashboard", "fun", "healthcheck", "job", "session", "tracing", "usage_stats")
"""Of the control store's keys; one that is missing here is an error below."""
STORE, LARGE = 80 << 20, 40 << 20
"""Bytes of the object store, the least that Ray takes, and of an object of which it does not hold two."""


def main(folder: Path, ray_folder: str, pause: Callable[[], None]) -> None:
    ray_witness.record()
    import numpy as np
    import ray

    import icm_ray as icm

    brought = dict(np.load(folder / "brought.npz"))
    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=STORE,
        _temp_dir=ray_folder,
        runtime_env={
            "worker_process_setup_hook": "tests.security.ray_witness.record",
            "env_vars": {"ICM_TEST_CONTROL": str(brought["control environment"][0])},
        },
    )
    with icm.Session(("alice", "bob")) as session:
        made: dict[str, Any] = {}
        kept = [statistics(session, brought, folder, made)]
        refusals(session, brought, folder)
        predictions(session, brought, made)
        np.savez(folder / "made.npz", **made)
        kept += controls(brought)
        for name, dumped in control_store().items():
            (folder / name).write_bytes(dumped)
        workers = {name: handle._pid for name, handle in session._lanes[0].handles.items()}
        (folder / "workers.json").write_text(json.dumps(workers))
        pause()
        large = np.zeros(LARGE // 8, np.int64)
        large[-8:] = brought["control spill"]
        kept += [ray.put(large) for _ in range(STORE // LARGE + 1)]
        pause()
    ray.shutdown()


def statistics(session: Any, brought: dict[str, Any], folder: Path, made: dict[str, Any]) -> Any:
    """Returns what keeps the parties' shares alive."""
    import pandas as pd

    import analytics as an
    import icm_ray as icm

    bounds = {"whole": 2.0**48, "part": 2.0**32}
    frames = {
        owner: pd.DataFrame({name: brought[f"pushed {owner} {name}"] for name in ("whole", "part", "text")})
        for owner in session.parties
    }
    pushed = an.from_pandas(session, frames, bounds)
    files = an.read_parquet(session, {owner: folder / f"{owner}.parquet" for owner in session.parties}, bounds)
    answers: list[int | float] = []
    shared = [frame[["whole", "part"]].share() for frame in (pushed, files)]
    for frame in (pushed, files, *shared):
        columns = [frame[name] for name in ("whole", "part")]
        answers += icm.reveal(*(column.sum() for column in columns), *(column.max() for column in columns))
        answers += [column.mean().reveal(to="bob") for column in columns]
        ranges = ((2.0**47, 2.0**48), (2.0**31, 2.0**32))
        counts = [column.histogram(3, edges).reveal()[0] for column, edges in zip(columns, ranges, strict=True)]
        sys.stdout.write(f"{frame!r} {[column.sum() for column in columns]} {counts}\n")
    made["whole answers"] = [answer for answer in answers if isinstance(answer, int)]
    made["answers"] = [answer for answer in answers if isinstance(answer, float)]
    return shared


def refusals(session: Any, brought: dict[str, Any], folder: Path) -> None:
    """What goes wrong in the workers with values in hand, and here: all that an error tells is printed."""
    import pandas as pd

    import analytics as an

    frame = pd.DataFrame({"part": brought["pushed alice part"]})
    frames = {"alice": frame, "bob": frame * 0}
    unfit: list[Callable[[], Any]] = [
        lambda: an.from_pandas(session, frames, {"part": 4.0}).share(),
        lambda: an.read_csv(session, dict.fromkeys(session.parties, folder / "ragged.csv")),
        lambda: an.read_csv(session, dict.fromkeys(session.parties, folder / "words.csv"))["x"].sum().reveal(),
    ]
    for refused in unfit:
        try:
            refused()
        except Exception:  # noqa: BLE001 - whichever: what it says is looked at
            traceback.print_exc(file=sys.stdout)
        else:
            raise AssertionError("nothing was refused")


def predictions(session: Any, brought: dict[str, Any], made: dict[str, Any]) -> None:
    import torch

    import analytics as an
    from icm_ray.ring.fixed import encode

    images = brought["images"]
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(72, 3)
    ).double()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.from_numpy(brought[f"model {name}"]))
    model = an.SecureModel(session, net.eval(), owner="alice", example_inputs=(torch.from_numpy(images),))
    prediction = model.predict(images, owner="bob", output="logits")
    made["logits"] = prediction.reveal(to="bob")
    sys.stdout.write(f"{model!r} {prediction!r}\n")
    scheme = model._compiled.model.scheme
    made["coded images"] = encode(images, scheme.input_f, scheme.inputs)
    for name, words in model._compiled.weights().items():
        made[f"coded {name}"] = words


def controls(brought: dict[str, Any]) -> list[Any]:
    """Values that Ray is meant to see, one for each place that is looked at."""
    import ray
    from ray.experimental.internal_kv import _internal_kv_put

    enclosed = brought["control closure"]

    @ray.remote(num_cpus=0)
    class Careless:
        def __init__(self, constructed: Any) -> None:
            self.constructed = constructed

        def call(self, argument: Any, printed: int) -> Any:
            sys.stdout.write(f"{printed} {len(enclosed)}\n")
            return argument + 1

    actor = Careless.remote(brought["control constructor"])
    stored = ray.put(brought["control store"])
    ray.get(actor.call.remote(brought["control argument"], int(brought["control log"][0])))
    sys.stdout.write(f"careless {brought['control output'][0]}\n")
    _internal_kv_put(b"careless", brought["control kv"].tobytes(), namespace=b"job")
    return [actor, stored]


def control_store() -> dict[str, bytes]:
    """All that Ray's control store (GCS) gives: keys and values, and its tables."""
    import ray
    from ray._private import state
    from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_list

    known = {
        (space, key): _internal_kv_get(key, namespace=space)
        for space in (None, *NAMESPACES)
        for key in _internal_kv_list(b"", namespace=space)
    }
    everywhere = set(_internal_kv_list(b"", namespace=None))  # with no namespace: those of all, without their names
    if missed := everywhere - {key for (_, key), value in known.items() if value is not None}:
        raise AssertionError(f"in a namespace that is not looked at: {missed}")
    pairs = [key + b"\n" + (value or b"") for (_, key), value in known.items()]
    accessor: Any = state.state._connect_and_get_accessor()
    actors = [info["ActorID"] for info in state.state.actor_table(None).values()]
    tables = [
        *(accessor.get_actor_info(ray.ActorID(bytes.fromhex(actor))) for actor in actors),
        *accessor.get_job_table(skip_submission_job_info_field=False, skip_is_running_tasks_field=False),
        *accessor.get_worker_table(),
        *accessor.get_placement_group_table(),
        *accessor.get_task_events(),
        repr(accessor.get_node_table()).encode(),
    ]
    return {"kv.bin": b"\n".join(pairs), "tables.bin": b"\n".join(tables)}


if __name__ == "__main__":
    ready, go = map(int, sys.argv[3:5])

    def pause() -> None:
        sys.stdout.flush()
        os.write(ready, b"!")
        os.read(go, 1)

    main(Path(sys.argv[1]), sys.argv[2], pause)
