"""The HTTP server: PostHog's prompt API over git repositories.

A request goes one way: `gate` (path, log) → `routes` (HTTP in, JSON out) → `guard` (who may do
what) → `reading` or `writing` (library calls) → `wire` (the JSON of both generations).
"""
