"""Members agree on the engine as well as on the program."""

from icm_ray.program import program as module
from icm_ray.program.source_fingerprint import engine_digest
from tests.program.sample import every_operation


def layers(root, text):
    for name in ("ring", "ops", "protocols", "program", "runtime"):
        (root / name).mkdir(parents=True)
        (root / name / "a.py").write_text("x = 1\n")
    (root / text).write_text("x = 2\n")
    return engine_digest(root)


def test_an_engine_is_named_by_the_source_of_what_deals_and_runs(tmp_path):
    plain = layers(tmp_path / "plain", "runtime/b.py")
    assert len(plain) == 32
    assert layers(tmp_path / "same", "runtime/a.py") == plain
    assert layers(tmp_path / "changed", "protocols/a.py") != plain
    assert layers(tmp_path / "more", "program/b.py") != plain


def test_a_program_of_another_engine_has_another_name(monkeypatch):
    mine = every_operation().digest
    assert every_operation().digest == mine
    monkeypatch.setattr(module, "engine_digest", lambda: bytes(32))
    assert every_operation().digest != mine
