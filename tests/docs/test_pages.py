"""Pages that list what the code does are those of this code."""

import runpy
import sys
import warnings

import pytest
from mkdocs.config import load_config
from mkdocs.structure.files import get_files

from icm_ray.error_codes import CODES
from tests.analytics.derived_once import derive_once
from tests.conftest import ROOT


@pytest.mark.parametrize("script", ["errors.py", "operations.py", "sql.py", "verbs.py"])
def test_the_page_is_of_this_code(script, monkeypatch):
    derive_once(monkeypatch)
    monkeypatch.setattr(sys, "argv", [script, "--check"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the page has what users see who do not make errors of them
        runpy.run_path(str(ROOT / "docs" / script), run_name="__main__")  # exits where it is another


def test_each_code_has_a_page_where_docs_are_built():
    """... with all that the table says of it, and the index leads there: by the hook, as mkdocs runs it."""
    config = load_config(str(ROOT / ".ci" / "mkdocs.yml"))
    files = config.plugins.on_files(get_files(config), config=config)
    index = files.get_file_from_path("errors.md").content_string
    for item in CODES:
        page = files.get_file_from_path(f"errors/{item.code}.md").content_string
        assert page.startswith(f"# {item.code}: {item.kind.__name__}\n")
        assert all(text in page for _, text in item.paragraphs)
        assert f"[{item.code}](errors/{item.code}.md)" in index
    assert "\n## " not in index
