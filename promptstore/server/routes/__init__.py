"""The routes: HTTP in, one call, JSON out."""
