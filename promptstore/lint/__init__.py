"""The rules of ``promptstore check``: a small function each, with a code and a page."""
