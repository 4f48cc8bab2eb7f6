"""Small templates that would work for ever: each ends in a clear error, soon and in little memory.

Under the default limits no template of 1 KB takes more than 2 seconds or 200 MB, whatever JSON of
1 MB it is given.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptstore.errors import (
    LimitError,
    PromptStoreError,
    TemplateSyntaxError,
)
from promptstore.model.prompt import Prompt
from promptstore.template import Limits

SECONDS = 2.0
MEGABYTES = 200

HASH_MODULUS = 2**61 - 1
"""Python's hash of an integer is the integer modulo this."""

DATA: dict[str, Callable[[], Any]] = {
    "one": lambda: 1,
    "text": lambda: "x" * 1_000_000,
    "words": lambda: "a-" * 500_000,
    "spaces": lambda: "ab " * 330_000,
    "lines": lambda: "\n" * 500_000,
    "commas": lambda: "a," * 500_000,
    "cyrillic": lambda: "я " * 330_000,
    "sharp": lambda: "ß" * 500_000,
    "dots": lambda: "a." * 500_000,
    "alike": lambda: "a" * 2_500,
    "needle": lambda: "a" * 600 + "b" + "a" * 649,
    "long_needle": lambda: "a" * 150_000 + "b" + "a" * 149_999,
    "numbers": lambda: list(range(140_000)),
    "ones": lambda: [1] * 500_000,
    "ids": lambda: [number * HASH_MODULUS for number in range(10_000)],
    "chars": lambda: list("abcde" * 50_000),
    "empties": lambda: [[]] * 330_000,
    "objects": lambda: [{"a": number} for number in range(65_000)],
    "object": lambda: {str(number): number for number in range(70_000)},
    "rows": lambda: [[0] * 400 + [number] for number in range(800)],
    "strings": lambda: ["a" * 990 + str(number % 10) for number in range(1_000)],
    "digits": lambda: [10**3_999 - number for number in range(240)],
    "debts": lambda: [1 - 10**3_999],
    "deep": lambda: json.loads("[" * 90 + "0" + "]" * 90),
    "many": lambda: [str(number) for number in range(105_000)],
}


def loop(body: str, rounds: int = 65_536) -> str:
    """Repeat a body: as many rounds as a range can give that was cheap before."""
    return f"{{% for i in range({rounds}) %}}{body}{{% endfor %}}"


DOUBLE = "{% set y = y ~ y %}"
DOUBLE_LIST = "{% set y = y + y %}"

ATTACKS: dict[str, str] = {
    # Loops with much in them.
    "95 filters in a loop": loop("{{ one" + "|abs" * 95 + " }}"),
    "46 additions in a loop": loop("{% set y = one" + " + 1" * 46 + " %}"),
    "300 names in a loop": loop("{{ [" + "one," * 190 + "]|length }}"),
    "100 conditions in a loop": loop("{% if one %}{% endif %}" * 40),
    "100 comparisons in a loop": loop("{{ one" + " == one" * 90 + " }}"),
    "100 lookups in a loop": loop("{{ objects" + "[0].a is number and objects" * 25 + " }}"),
    "tests in a loop": loop("{{ one is odd and one is even and one is divisibleby 3 }}"),
    "methods in a loop": loop("{{ 'a'" + ".lower().upper()" * 40 + " }}"),
    "texts in a loop": loop("{{ 'a' ~ i ~ 'b' ~ i ~ 'c' ~ i }}" * 20),
    "loops in loops": loop(loop(loop("", 100), 100), 100),
    "loops in loops without rounds": loop("{% for j in [] %}{% endfor %}" * 20),
    "a loop in a condition": loop("{% for j in range(100) if j > 200 %}{% endfor %}"),
    "a loop over a text": "{% for a in text %}{% for b in text %}{% endfor %}{% endfor %}",
    "a loop that asks for its neighbours": loop("{{ loop.changed(text) }}{{ loop.last }}"),
    "a loop that looks at its items": "{% for a in many %}{{ loop.nextitem == loop.previtem }}"
    "{{ loop.changed(many) }}{% endfor %}",
    "a namespace in a loop": "{% set ns = namespace(x=[]) %}" + loop(
        "{% set ns.x = ns.x + [i] %}{% set ns.x = ns.x + ns.x %}"
    ),
    "a deep namespace": "{% set ns = namespace(x=[]) %}" + loop("{% set ns.x = [ns.x] %}", 60_000)
    + "{{ ns.x == ns.x|list }}{{ ns.x }}",
    "a deep tuple as a key": "{% set ns = namespace(x=()) %}"
    + loop("{% set ns.x = (ns.x,) %}", 60_000) + "{{ ns.x in {} }}{{ {}.get(ns.x) }}{{ ns.x }}",
    "a deep tuple compared": "{% set ns = namespace(x=(), y=()) %}"
    + loop("{% set ns.x = (ns.x,) %}{% set ns.y = (ns.y,) %}", 60_000) + "{{ ns.x == ns.y }}",
    "a deep list as JSON": "{% set ns = namespace(x=[]) %}"
    + loop("{% set ns.x = [ns.x] %}", 60_000) + "{{ ns.x|tojson }}",
    "a growing text": "{% set ns = namespace(x='') %}" + loop("{% set ns.x = ns.x ~ text %}"),
    "a growing block": "{% set y %}" + loop("{{ text }}") + "{% endset %}",
    "a block of plain text": "{% set y %}" + loop("x" * 900) + "{% endset %}",
    "blocks in blocks": "{% set y %}" + loop("{% set z %}{{ text }}{% endset %}") + "{% endset %}",
    # Numbers.
    "equal hashes of a range": "{{ range(0, 112989719361341737959000, 2305843009213693951)"
    "|unique|list }}",
    "equal hashes of data": "{{ ids|unique|list|length }}" * 20,
    "equal hashes in a list": loop("{{ i in ids }}"),
    "an endless range": "{{ range(10 ** 9) }}",
    "a huge range": "{% for i in range(999999999999999999999999) %}{% endfor %}",
    "many ranges": loop("{% for j in range(1000) %}{% endfor %}"),
    "powers": "{{ 9 ** 9 ** 9 }}",
    "powers by products": "{% set y = 9999999999 %}" + "{% set y = y * y %}" * 40,
    "powers by sums": "{% set y = [9999999999] %}" + "{% set y = [y[0] + y[0]] %}" * 30
    + loop("{{ y[0] * y[0] }}"),
    "sums of lists": "{{ empties|sum(start=[]) }}",
    "sums of texts": "{{ many|sum(start='') }}",
    "sums of long numbers": loop("{{ digits|sum }}"),
    "long numbers printed": loop("{{ digits|join|length }}"),
    "long numbers as text": loop("{{ digits[0]|string|length }}"),
    "long numbers put together": loop("{{ (digits[0] ~ '')|length }}"),
    "long numbers with a remainder": loop("{{ digits[0] is divisibleby 7 }}"),
    "long numbers rounded": loop("{{ digits[0]|round(300, 'floor') }}"),
    "long numbers copied": "{% set y = [debts[0]] %}" + DOUBLE_LIST * 17
    + "{{ y|map('abs')|list|length }}",
    "long numbers with signs": "{% set ns = namespace(x=[]) %}"
    + loop("{% set ns.x = ns.x + [[" + "-digits[0]," * 75 + "]] %}", 900),
    "long texts shown": "{% set y = '\U000e0001' %}" + DOUBLE * 25 + "{{ [y]|string|length }}",
    "long texts as JSON": "{% set y = '\x01' %}" + DOUBLE * 22 + "{{ (y|tojson)|tojson|length }}",
    "characters in lists": "{% set y = 'я' %}" + DOUBLE * 18
    + "{{ y|list|map('list')|list|length }}",
    "rounding": loop("{{ one|round(300) }}"),
    "reading digits": "{{ text|int }}",
    "reading digits as hex": "{{ text|int(0, 16) }}",
    "reading a fraction": loop("{{ text|float }}"),
    # Sorting and selecting.
    "sort by two million commas": "{% set c = ',' %}" + "{% set c = c ~ c %}" * 21
    + "{{ objects|sort(attribute=c) }}",
    "sort by hundred commas": "{{ objects|sort(attribute='" + "," * 99 + "') }}",
    "sort by a long path": "{% set a = dots %}{{ objects|map(attribute=a, default=1)|list }}",
    "sort rows": loop("{{ rows|sort|length }}"),
    "sort strings": loop("{{ strings|sort|length }}"),
    "sort numbers": loop("{{ numbers|sort|length }}"),
    "sort a text": loop("{{ text|sort|length }}"),
    "sort an object": loop("{{ object|dictsort|length }}"),
    "sort the same rows": "{% set y = rows %}" + DOUBLE_LIST * 9 + "{{ y|sort|length }}",
    "the largest": loop("{{ rows|max }}{{ strings|min }}"),
    "unique strings": loop("{{ strings|unique|list|length }}"),
    "unique objects": loop("{{ objects|unique|list|length }}"),
    "unique by a path": loop("{{ objects|unique(attribute='a')|list|length }}"),
    "map over a text": "{{ text|map('upper')|list }}",
    "map over characters": "{% set y = text|list %}{{ y|map('list')|list|length }}",
    "map of map": loop("{{ [text]|map('map', 'map', 'upper')|list }}"),
    "map by replace": "{{ many|map('replace', '', text)|list|length }}",
    "map to a long join": "{{ many|map('join', text)|list|length }}",
    "map to a text": "{{ many|map('default', text)|map('string')|map('upper')|list|length }}",
    "map a center": "{{ many|map('indent', 99999, true)|list|length }}",
    "select by search": "{{ many|select('in', text)|list|length }}",
    "select by a list": "{{ many|select('in', many)|list|length }}",
    "select by equality": "{{ strings|select('==', text)|list }}" * 20,
    "select by an attribute": loop("{{ objects|selectattr('a', '>', 5)|list|length }}"),
    "reject": loop("{{ numbers|reject('odd')|list|length }}"),
    "lists of lists": "{% set y = [0] %}" + "{% set y = [y, y, y, y] %}" * 20 + "{{ y }}",
    "lists of lists compared": "{% set y = [0] %}{% set z = [0] %}"
    + "{% set y = [y, y] %}{% set z = [z, z] %}" * 15 + "{{ y == z }}",
    "lists of lists joined": "{% set y = ['a'] %}" + "{% set y = [y, y] %}" * 25 + "{{ y|join }}",
    "lists doubled": "{% set y = [0] %}" + DOUBLE_LIST * 40,
    "lists reversed": loop("{{ ones|reverse|list|length }}"),
    "lists sliced": loop("{{ ones[1:]|length }}"),
    "texts sliced": loop("{{ text[1:]|length }}{{ text[::-1]|length }}"),
    "items": loop("{{ object|items|list|length }}{{ object.items()|length }}"),
    "an object as text": loop("{{ object|string|length }}"),
    # Texts.
    "repetition": "{{ 'a' * 1000000000 }}",
    "formats": "{{ '%1000000000d' % 1 }}",
    "formats in a test": "{{ '%999999999d' is even }}",
    "doubling": "{% set y = 'a' %}" + DOUBLE * 40,
    "doubling and dropping": "{% set y = text %}" + "{% set y = (y ~ y)[1:] %}" * 20,
    "joining by joins": "{% set y = 'aaaaaaaaaa' %}" + "{% set y = y|join(y) %}" * 20,
    "joining lists": "{{ ones|join(text) }}",
    "joining by a method": "{% set y = 'aaaaaaaaaa' %}" + "{% set y = y.join(y|list) %}" * 20,
    "replacing by replaces": "{% set y = 'aaaaaaaaaa' %}" + "{% set y = y.replace('a', y) %}" * 20,
    "replacing nothing": "{{ text|replace('', text) }}",
    "replacing with a filter": "{% set y = 'aaaaaaaaaa' %}" + "{% set y = y|replace('a', y) %}" * 9,
    "trimming many characters": loop("{{ text|trim(text) }}"),
    "stripping many characters": loop("{{ text.strip(many|join) }}"),
    "stripping": loop("{{ text.strip('yz') }}"),
    "titles": loop("{{ words|title|length }}"),
    "one large title": "{{ (words ~ words ~ words)|title|length }}",
    "counting words": loop("{{ spaces|wordcount }}"),
    "counting large words": "{% set y = cyrillic %}" + DOUBLE * 5 + "{{ y|wordcount }}",
    "upper case that grows": "{% set y = sharp %}" + DOUBLE * 4 + "{{ y|upper|length }}",
    "truncating": loop("{{ text|truncate(999999)|length }}"),
    "indenting": "{{ lines|indent(100) }}",
    "indenting by a text": "{{ lines|indent(text) }}",
    "indenting much": "{{ text|indent(10000000000, true) }}",
    "padding": "{{ 'a'.center(1000000000) }}",
    "padding with zeros": "{{ 'a'.zfill(1000000000) }}",
    "padding in a loop": loop("{{ 'a'.ljust(999999)|length }}"),
    "wrapping": "{{ text|wordwrap(1) }}",
    "grouping": "{{ objects|groupby('a') }}",
    "batches": "{{ ones|batch(1) }}",
    "centering": "{{ 'a'|center(1000000000) }}",
    "splitting": loop("{{ commas.split(',')|length }}"),
    "splitting at spaces": "{% set y = cyrillic %}" + DOUBLE * 5 + "{{ y.split()|length }}",
    "splitting pairs": "{% set y = spaces %}" + DOUBLE * 5 + "{{ y.split(' ')|length }}",
    "splitting lines": "{% set y = lines %}" + DOUBLE * 5 + "{{ y.splitlines()|length }}",
    "splitting from the end": loop("{{ text.rsplit(long_needle)|length }}"),
    "searching": loop("{{ needle in alike }}{{ alike.find(needle) }}{{ alike.count(needle) }}"),
    "searching for much": loop("{{ long_needle in text }}"),
    "searching from the end": loop("{{ text.rfind(long_needle) }}"),
    "searching a list": loop("{{ chars.index('z') if 'z' in chars }}{{ chars.count('a') }}"),
    "searching the same long texts": "{% set y = [text[1:]] %}" + DOUBLE_LIST * 12
    + loop("{{ text[1:] in y }}{{ (text[1:] ~ '') in y }}"),
    "counting long texts": "{% set y = [text ~ ''] %}" + DOUBLE_LIST * 12
    + loop("{{ y.count(text) }}"),
    "ends": loop("{{ text.startswith(text) }}{{ text.endswith(many) }}"),
    "keys": loop("{{ (text ~ i) in object }}{{ object.get(text ~ i) }}{{ {text ~ i: 1} }}"),
    "equality of texts": loop("{{ text == text ~ '' }}"),
    "equality of lists": loop("{{ ones == ones[:] }}{{ rows == rows|list }}"),
    "order of lists": loop("{{ ones <= ones }}"),
    # Output.
    "output": "{{ text }}" * 100,
    "output of lists": "{{ ones }}" * 100,
    "output in a loop": loop("{{ text }}"),
    "output of plain text": loop("x" * 900),
    "output of small pieces": loop("{{ i }}" * 120),
    "output as JSON": "{{ objects|tojson }}" * 50,
    "output as indented JSON": "{{ empties|tojson(16) }}" * 40,
    "output as deeply indented JSON": "{% set y = deep %}" + "{% set y = [y, y, y] %}" * 12
    + "{{ y|tojson(16) }}",
    "output of an error": "{{ object[text] }}",
    # The text of the template itself.
    "brackets": "{{ " + "(" * 480 + "1" + ")" * 480 + " }}",
    "lists in lists": "{{ " + "[" * 480 + "]" * 480 + " }}",
    "loops in the text": "{% for a in text %}" * 25 + "{% endfor %}" * 25,
    "a long number": "{{ " + "9" * 1000 + " }}",
    "openers": "{{" * 500,
    "unclosed comments": "{#" * 500,
    "signs": "{{ " + "-" * 990 + "1 }}",
}  # fmt: skip

HARMLESS = {"tests in a loop", "equal hashes of data", "lists of lists compared", "rounding"}
"""Those that took long, and now are simply rendered within the limits."""


def attack(name: str) -> PromptStoreError | None:
    """Render one attack, with the data that it names, and return how it ended."""
    text = ATTACKS[name]
    values = {key: make() for key, make in DATA.items() if re.search(rf"\b{key}\b", text)}
    prompt = Prompt(prompt=text, is_fallback=True)  # which leaves out what it does not use
    try:
        prompt.render(**values)
    except PromptStoreError as error:
        return error
    return None


def outcome(name: str) -> tuple[float, str, str]:
    """Return the seconds that an attack took, its error's class, and what that says."""
    started = time.process_time()
    error = attack(name)
    return time.process_time() - started, type(error).__name__, str(error or "")


ALL = """
import json, resource
from pathlib import Path
from tests.test_template_attacks import ATTACKS, MEGABYTES, attack, outcome
attack("sort rows")  # after this everything is loaded
if Path("/proc/self/statm").exists():
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (MEGABYTES << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
print(json.dumps({name: outcome(name) for name in ATTACKS}))
"""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[float, str, str]]:
    """Return how each attack ended in a process that may not take more memory."""
    done = subprocess.run(
        [sys.executable, "-c", ALL],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
        timeout=600,
    )
    assert done.stderr == ""
    ended: dict[str, tuple[float, str, str]] = json.loads(done.stdout)
    return ended


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_soon_in_a_clear_error(
    name: str, outcomes: dict[str, tuple[float, str, str]]
) -> None:
    assert len(ATTACKS[name]) <= 1024
    seconds, error, message = outcomes[name]
    assert seconds < SECONDS
    assert (error == "NoneType") == (name in HARMLESS)
    assert error in {"NoneType", "LimitError", "RenderError", "TemplateSyntaxError"}
    assert len(message) < 600


@pytest.mark.slow
@pytest.mark.parametrize("rounds", [16_384, 4_096, 1_024, 256, 64, 16, 4])
def test_a_loop_that_just_fits_ends_soon_too(rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in ATTACKS.items():
        if "range(65536)" in text:
            monkeypatch.setitem(ATTACKS, name, text.replace("range(65536)", f"range({rounds})"))
            assert outcome(name)[0] < SECONDS, name


def test_json_of_a_megabyte_is_what_the_attacks_are_given() -> None:
    for make in DATA.values():
        assert len(json.dumps(make(), ensure_ascii=False, separators=(",", ":"))) <= 1_050_000


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        # The template, the output, the name, the condition and its number.
        ("{{ x }}{% if 1 %}{% endif %}", 5),
        # The template, the loop, its list, and twice the round, the output and the name.
        ("{% for i in xs %}{{ i }}{% endfor %}", 3 + 1 + 2 * 3),
        # The same, for which the condition need not hold.
        ("{% for i in xs %}{% if 0 %}{{ i }}{% endif %}{% endfor %}", 3 + 1 + 2 * 5),
        # The template, the output, the filter and the name; 32 characters and what they begin with.
        ("{{ long|upper }}", 4 + 1 + 2),
        ("{{ long.upper() }}", 5 + 1 + 2),
    ],
)
def test_what_a_step_is(text: str, steps: int) -> None:
    values = {"x": "a", "xs": [1, 2], "long": "b" * 32}
    prompt = Prompt(prompt=text, is_fallback=True, limits=Limits(max_steps=steps))
    assert prompt.render(**values).messages
    with pytest.raises(LimitError, match=f"more than {steps - 1} steps"):
        replace(prompt, limits=Limits(max_steps=steps - 1)).render(**values)


INCLUDED = {"a": Prompt(prompt="{{x}}" * 200), "b": Prompt(prompt="{% include 'a' %}" * 9)}


@pytest.mark.parametrize("times", [1, 4, 5, 55])
def test_includes_of_includes_end_soon(times: int) -> None:
    prompt = Prompt(prompt="{% include 'b' %}" * times, includes=INCLUDED)
    started = time.process_time()
    with suppress(TemplateSyntaxError):
        prompt.render(x=1)
    assert time.process_time() - started < SECONDS
