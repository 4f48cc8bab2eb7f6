"""One module for each format that prompts go to."""
