"""The web page of the server: what people see and change without a program of their own."""
