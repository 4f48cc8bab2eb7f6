"""Build the documentation: ``sphinx-build -W --keep-going docs build/docs``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import generated  # noqa: E402

import promptstore  # noqa: E402

project = "promptstore"
author = "the promptstore authors"
version = release = promptstore.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_generated"]
templates_path: list[str] = []
nitpicky = False

myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # pages made from code start where their page includes them

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_use_ivar = True
default_role = "code"

html_theme = "furo"
html_title = f"promptstore {release}"
html_copy_source = False
html_show_copyright = False

generated.write(HERE / "_generated")
