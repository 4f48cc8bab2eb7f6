"""Finding prompts in source code, one module for each language; no code is ever run."""
