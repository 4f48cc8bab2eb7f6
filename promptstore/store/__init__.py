"""The front door: get, list, render and write the prompts of a repository."""
