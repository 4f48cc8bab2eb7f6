"""The command line: arguments in, calls of the library, text or JSON out."""
