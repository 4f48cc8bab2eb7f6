"""Prompts in other forms: what is written for other tools."""
