"""What a range of commits does to the prompts, told where a change is reviewed.

`compare` finds what changed; the other modules write it: Markdown for a comment, JSON, the
annotations of GitHub Actions, SARIF.
"""

from __future__ import annotations

from promptstore.review.impact import Impact, Judgement, judge
from promptstore.review.ranges import PromptChange, RangeDiff, compare

__all__ = ["Impact", "Judgement", "PromptChange", "RangeDiff", "compare", "judge"]
