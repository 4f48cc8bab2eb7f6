"""PostHog's API, as it is spoken by the client and the sync."""
