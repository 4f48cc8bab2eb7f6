"""Prompts of somebody who wants a page to run what they wrote."""

from __future__ import annotations

import json
from typing import Final

_BREAKERS: Final = (
    "<script>pwned = 1</script>",
    "\"'><img src=x onerror=pwned=1>",
    "</textarea></pre></title><script>pwned = 1</script>",
    "<!--<script>",
    "<svg onload=pwned=1>",
    "[x](javascript:pwned=1) javascript:pwned=1",
    "{{ '</script><script>pwned=1</script>' }}",
    "&lt;script&gt;&#0;&amp;",
    "' autofocus onfocus=pwned=1 x='",
    "]]>\u2028<script>\u2029pwned=1</script>",
)


FILES: Final[dict[str, str | bytes | None]] = {
    "prompts/hostile/breakers.yaml": json.dumps(
        {
            "description": " ".join(_BREAKERS),
            "template": "none",
            "messages": [
                {"role": "system", "content": "\n".join(_BREAKERS)},
                *({"role": "user", "content": text} for text in _BREAKERS),
                {"role": "user", "content": [{"type": "x", "text": text} for text in _BREAKERS]},
            ],
            "config": {text: text for text in _BREAKERS},
            "tags": list(_BREAKERS),
            "metadata": {"x": list(_BREAKERS)},
        }
    ),
    "prompts/hostile/logic.yaml": json.dumps(
        {
            "prompt": "{{ x }}{# <script>pwned=1</script> #}{% if x %}<b>{% endif %}",
            "variables": {
                "x": {
                    "type": "string",
                    "description": "<script>pwned=1</script>",
                    "enum": ['"><script>pwned=1</script>', "'"],
                }
            },
        }
    ),
    "prompts/hostile/openers.yaml": json.dumps({"prompt": "{{" * 20_000, "template": "simple"}),
    "prompts/hostile/bidi.yaml": json.dumps({"prompt": "Pay \u202eeno\u202c \u200b\x1b[31m"}),
    "prompts/hostile/long.yaml": json.dumps({"prompt": "<b>" * 300_000, "template": "none"}),
    "prompts/hostile/broken.yaml": "prompt: [<script>pwned=1</script>\n",
}
