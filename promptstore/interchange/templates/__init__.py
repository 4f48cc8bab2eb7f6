"""Template languages of other tools → ours; what would not render the same is refused."""
