"""What a prompt is, its variables, its versions and its rendered form."""
