"""One module for each format that prompts come from."""
