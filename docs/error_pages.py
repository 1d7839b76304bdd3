"""What `make docs` makes of the table of error codes: a page for each, and the index that leads there."""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from docs.errors import PAGE, pages


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """mkdocs' hook: docs/errors.md gives way to the index, and the codes' pages are added."""
    for place, content in pages().items():
        there = files.get_file_from_path(place)
        if there is not None:
            files.remove(there)
        reached = InclusionLevel.INCLUDED if place == PAGE.name else InclusionLevel.NOT_IN_NAV
        files.append(File.generated(config, place, content=content, inclusion=reached))
    return files
