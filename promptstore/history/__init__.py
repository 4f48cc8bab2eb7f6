"""Which commit is version n of a prompt, where labels point, and the cache of parsed prompts."""
