"""A rendered prompt as the arguments of a vendor's API.

`conversation` reads messages in the shapes of OpenAI's and Anthropic's chat APIs into one neutral
form, `parameters` reads a prompt's config; one module for each vendor writes both down as that
vendor wants them. What a vendor cannot take is a `ProviderError`; nothing is left out silently.
"""
