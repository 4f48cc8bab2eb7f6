"""What two prompts have in common and what differs: differences by meaning and merges."""
