"""A prompt's file: bytes ↔ prompt.

Read strictly, with every fault of the file and its place; written in one canonical style; edited
in place, so that comments, layout and everything that did not change stay as they are.
"""
