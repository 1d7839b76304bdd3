"""Pages that list what the code does are those of this code."""

import runpy
import sys
import warnings

import pytest

from tests.analytics.derived_once import derive_once
from tests.conftest import ROOT


@pytest.mark.parametrize("script", ["errors.py", "operations.py", "sql.py", "verbs.py"])
def test_the_page_is_of_this_code(script, monkeypatch):
    derive_once(monkeypatch)
    monkeypatch.setattr(sys, "argv", [script, "--check"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the page has what users see who do not make errors of them
        runpy.run_path(str(ROOT / "docs" / script), run_name="__main__")  # exits where it is another
