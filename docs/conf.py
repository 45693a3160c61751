"""How Sphinx builds the pages of this folder."""

project = "pytest-bertcheck"
author = "The pytest-bertcheck developers"
extensions = ["myst_parser"]
myst_heading_anchors = 3  # the anchors that GitHub gives, to which failure messages link
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project
