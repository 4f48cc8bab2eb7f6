"""What a range of commits does to the prompts, told where a change is reviewed."""
