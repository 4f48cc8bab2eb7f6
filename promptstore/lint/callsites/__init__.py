"""The calls in Python code that ask for prompts, checked against the prompts that there are.

Only the syntax tree is read: nothing is imported and nothing is run.
"""
