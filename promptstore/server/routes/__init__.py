"""The routes: HTTP in, one call, an answer out."""
