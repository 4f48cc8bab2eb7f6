"""A bot with its prompts in the code."""

from openai import OpenAI

client = OpenAI()

SYSTEM_PROMPT = """You help customers of the shop.
Answer in a friendly way and in one paragraph only.
"""
GREETING = "not a prompt, although it is a rather long string of many words"


def triage(ticket, user, history):
    return client.chat.completions.create(
        model="m",
        messages=[
            {"role": "system", "content": f"You sort tickets of {user.name} into bug or other."},
            {"role": "user", "content": ticket},
            *history,
        ],
    )


def summary(text):
    return client.responses.create(
        model="m",
        instructions="Summarise the text in three short lines, "
        "and leave every number as it is.",
        input=text,
    )


def stored(ticket):
    return client.responses.create(prompt={"id": "pmpt_68abc", "variables": {"ticket": ticket}})


def formatted(text, count):
    return client.responses.create(input=f"Write {count:>3} lines about this long text here: {text}")
