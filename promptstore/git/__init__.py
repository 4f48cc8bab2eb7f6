"""Git: everything that promptstore reads from a repository and writes to it (pygit2 lives here).

Object ids are 40 hexadecimal digits everywhere outside this package.
"""
