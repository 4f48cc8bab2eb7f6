"""The HTTP server: PostHog's prompt API over git repositories.

A request goes one way: `app` (path, log) → `routes` with `auth` (who may do what) → `reading` or
`writing` (library calls) → `views` (the answers of both generations).
"""
