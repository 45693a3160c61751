"""How Hypothesis looks for what breaks the pipelines."""

from hypothesis import Phase, settings

# Training takes longer than an example is allowed by default. What else is set makes each run the
# same, so that the README can show it; a team leaves it out.
settings.register_profile(
    "mailroom",
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
settings.load_profile("mailroom")
