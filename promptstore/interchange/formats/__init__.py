"""One module for each format that prompts come from, and go to where it is written too."""
