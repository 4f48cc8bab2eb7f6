"""The Model Context Protocol: prompts, files, skills and tools for agents, by the official SDK."""
