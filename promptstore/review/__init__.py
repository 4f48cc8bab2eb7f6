"""What a range of commits does to the prompts, shown where a change is reviewed."""
