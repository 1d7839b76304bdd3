"""Single images over HTTP: every request has a reply, by type; images that come together are one batch."""

import asyncio
import io
import json

import numpy as np
import pytest
from PIL import Image

from analytics.nn.predictor import ModelHandle
from cluster.serve.deployment import application
from cluster.serve.gateway import Gateway, answers, body_of
from icm_ray.errors import BoundExceeded, IcmError, InputError, PeerLost, PolicyError, SessionClosed, UnsupportedError

OUTPUTS = (("label", "<i8", ()), ("failed", "|b1", ()))
HANDLE = ModelHandle(None, (3, 4, 5), None, outputs=OUTPUTS)
PIXELS = np.random.default_rng(1).integers(0, 256, (4, 5, 3), dtype=np.uint8)
IMAGE = PIXELS.transpose(2, 0, 1)


def brightest(columns):
    """Labels, as of a model; images with a negative number fail."""
    (images,) = columns.values()
    failed = (images < 0).any(axis=(1, 2, 3))
    return {"label": np.where(failed, -1, images.mean(axis=(2, 3)).argmax(axis=1)), "failed": failed}


def gateway(predict=brightest):
    async def one(image):
        return answers(predict, [image])[0]

    return Gateway(HANDLE, one)


def ask(served, body=b"", kind="", method="POST", path="/"):
    return asyncio.run(served.answer(method, path, kind, body))


def picture(kind="PNG", size=None):
    file = io.BytesIO()
    whole = Image.fromarray(PIXELS)
    (whole.resize(size) if size else whole).save(file, kind)
    return file.getvalue()


def array(image):
    file = io.BytesIO()
    np.save(file, image)
    return file.getvalue()


def arrays(image):
    """Several, as `numpy.savez` writes them."""
    file = io.BytesIO()
    np.savez(file, image)
    return file.getvalue()


def claiming(rows):
    """An array's header that promises so many."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (rows, 4, 5)})
    return file.getvalue()


BODIES = {
    "a picture": (picture(), "image/png"),
    "a picture of no stated kind": (picture("BMP"), ""),
    "an array": (array(IMAGE), "application/x-npy"),
    "an array of floats": (array(IMAGE / 255), "Application/X-NPY"),
    "numbers": (json.dumps({"image": IMAGE.tolist()}).encode(), "application/json; charset=utf-8"),
}


@pytest.mark.parametrize("name", BODIES)
def test_an_image_has_a_prediction(name):
    reply = ask(gateway(), *BODIES[name])
    assert (reply.status, reply.body) == (200, {"label": int(IMAGE.mean(axis=(1, 2)).argmax())})


def test_a_larger_picture_is_made_as_large_as_the_network_takes_it():
    assert ask(gateway(), picture(size=(50, 40)), "image/png").status == 200


BAD = {
    "no picture": (b"no", "image/png", 400, "cannot be read as a picture"),
    "half of one": (picture()[:60], "image/png", 400, "cannot be read as a picture"),
    "no JSON": (b"{", "application/json", 400, '{"image": [...]}'),
    "JSON of something else": (b"[1]", "application/json", 400, '{"image": [...]}'),
    "unequal lists": (b'{"image": [[1], [1, 2]]}', "application/json", 400, "equal lengths"),
    "deep lists": (b'{"image": ' + b"[" * 100_000, "application/json", 400, "equal lengths"),
    "another shape": (array(IMAGE[:2]), "application/x-npy", 400, "an image is (3, 4, 5); this is (2, 4, 5)"),
    "text": (array(IMAGE.astype(str)), "application/x-npy", 400, "of dtype <U3"),
    "objects": (array(np.array([{}])), "application/x-npy", 400, "no .npy array"),
    "several arrays": (arrays(IMAGE), "application/x-npy", 400, "no .npy array"),
    "a size beyond all": (claiming(10**30), "application/x-npy", 400, "no .npy array"),
    "a size beyond memory": (claiming(10**13), "application/x-npy", 400, "no .npy array"),
    "a program": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 4\nshowpage",
        "image/png",
        400,
        "UnidentifiedImageError",
    ),
    "too much": (b"\0" * ((32 << 20) + 1), "image/png", 413, "at most"),
    "beyond a bound": (array(-IMAGE.astype(float)), "application/x-npy", 422, "beyond a bound"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_image_is_refused_by_type(name):
    body, kind, status, says = BAD[name]
    reply = ask(gateway(), body, kind)
    assert (reply.status, set(reply.body)) == (status, {"error", "message"})
    assert says in reply.body["message"]


def test_no_more_is_read_of_a_request_than_says_that_it_is_too_large():
    read = []

    async def chunks():
        for number in range(100):
            read.append(number)
            yield bytes(1 << 20)

    body = asyncio.run(body_of(chunks()))
    assert len(read) == 33
    assert ask(gateway(), body, "image/png").status == 413


def test_a_body_in_pieces_is_put_together():
    async def chunks():
        for piece in (b"one ", b"", b"image"):
            yield piece

    assert asyncio.run(body_of(chunks())) == b"one image"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PolicyError("alice refuses: 0 images are left"), 403),
        (BoundExceeded("withheld"), 422),
        (SessionClosed("closed"), 503),
        (PeerLost("gone", party="driver"), 503),
        (IcmError("something"), 500),
    ],
)
def test_errors_of_predictions_have_a_status(error, status):
    def fails(columns):
        raise error

    served = gateway(fails)
    reply = ask(served, *BODIES["an array"])
    assert (reply.status, reply.body["error"]) == (status, type(error).__name__)
    health = ask(served, method="GET", path="/health")
    assert (health.status == 503) == (status == 503)


def test_the_health_page_counts_and_tells_nothing_of_images():
    served = gateway()
    for name in ("a picture", "numbers"):
        ask(served, *BODIES[name])
    ask(served, b"no")
    health = ask(served, method="GET", path="/health/")
    assert health.body.pop("seconds") >= 0
    assert (health.status, health.body) == (
        200,
        {"status": "ok", "predicted": 2, "refused": 1, "failed": 0, "input_shape": [3, 4, 5], "output": "label"},
    )
    assert ask(served, method="GET").status == 404
    assert ask(served, method="PUT").status == 405


def test_images_that_come_together_are_one_batch():
    asked = []
    images = [IMAGE.astype(float), -IMAGE.astype(float), IMAGE[::-1].astype(float)]
    rows = answers(lambda columns: asked.append(columns["image"].shape) or brightest(columns), images)
    assert asked == [(3, 3, 4, 5)]
    assert [row["failed"] for row in rows] == [False, True, False]


def test_a_deployment_that_cannot_be_is_refused():
    with pytest.raises(InputError, match="batch_size=0"):
        application(HANDLE, batch_size=0)
    with pytest.raises(InputError, match="errors='mask'"):
        application(ModelHandle(None, (3, 4, 5), None, outputs=OUTPUTS[:1]))


def test_it_says_what_to_install():
    try:
        import ray.serve  # noqa: F401
    except ImportError:
        with pytest.raises(UnsupportedError, match="pip install"):
            application(HANDLE)
