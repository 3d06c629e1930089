"""What every page shares: templates that escape, figures embedded once, a policy that forbids fetching."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup

from rai_kedro import words
from rai_kedro.fairness import describe_metric, name_kind
from rai_kedro.months import say_period

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_STAGES = {"pre": "before training", "in": "during training", "post": "after training"}
_FILTERS = {
    "number": words.format_number,
    "interval": words.format_interval,
    "span": words.format_span,
    "sentence": words.begin_sentence,
    "gain": words.format_gain,
    "share": words.format_share,
    "moment": words.format_moment,
    "count": words.count_of,
    "validity": words.describe_validity,
    "period": say_period,
    "parameters": words.write_parameters,
    "metric_name": lambda name: describe_metric(name).title,
    "kind_name": name_kind,
    "plain_name": words.in_words,
    "left_out": lambda rows: "; ".join(f"{count:,} not fitted on: {reason}" for reason, count in rows.items()),
    "stage": lambda stage: _STAGES.get(stage, "not at all"),
}


def render_page(template: str, figures: Mapping[str, Figure], *, period: str = "month", **contents: Any) -> str:
    """Render one self-contained HTML page.

    The page carries a content security policy that allows its own scripts by their digest and no fetching at
    all: what the data bring along cannot run, even if a template forgot to escape it.

    Args:
        template: File name of the page's template.
        figures: Plotly figures by name, which is the caption of one without ``meta.caption``; plotly.js is embedded
            once, and only when there is a figure.
        period: What *months* are called; words of the template change, what it shows does not.
        **contents: What the template shows.
    """
    scripts = [_read_template("page.js")]
    if figures:
        from plotly.offline import get_plotlyjs

        scripts.append(get_plotlyjs())
    return (
        _environment("html", period)
        .get_template(template)
        .render(
            contents,
            policy=_allow_only(scripts),
            # Newest script last: the page's own script needs plotly.js, if there is one.
            scripts=[Markup(script) for script in reversed(scripts)],  # noqa: S704 - our own files, not data
            figures=[_embed_figure(caption, figure) for caption, figure in figures.items()],
        )
    )


def render_markdown_page(template: str, **contents: object) -> str:
    """Render a Markdown page in which no text from the data acts as Markdown or HTML."""
    text = _environment("markdown").get_template(template).render(contents)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


class _SayPeriod(Extension):
    """Puts the right word for *month* into the texts of a template, before anything is filled in."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Change what is text, or a text given to something; names stay."""
        period = str(self.environment.globals["period"])
        for token in stream:
            said = token.type in ("data", "string") and period != "month"
            yield Token(token.lineno, token.type, say_period(token.value, period)) if said else token


@cache
def _environment(language: str, period: str = "month") -> Environment:
    environment = Environment(
        loader=PackageLoader("rai_kedro.report", "templates"),
        autoescape=True,
        finalize=_escape_for_markdown if language == "markdown" else _show_hidden,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[_SayPeriod],
    )
    environment.globals["period"] = period
    environment.filters.update(_FILTERS, one_line=_join_lines)
    return environment


def _join_lines(text: str | Markup) -> Markup:
    """Put what a Markdown line is made of onto one line, trimmed; a text that is not yet Markdown is made so."""
    return Markup(" ").join(_escape_for_markdown(text).split())


def _escape_for_markdown(value: Any) -> Any:
    if value is None or hasattr(value, "__html__"):
        return value
    return Markup(words.escape_markdown(value))  # noqa: S704 - escaped here


def _show_hidden(value: Any) -> Any:
    """Show what shows nothing by itself; the environment escapes the rest."""
    return words.show_plainly(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _read_template(name: str) -> str:
    return resources.files("rai_kedro.report").joinpath("templates", name).read_text("utf-8")


def _allow_only(scripts: list[str]) -> str:
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"


def _embed_figure(caption: str, figure: Figure) -> dict[str, Any]:
    """Return the figure as JSON that cannot close its script element; its layout may name section and caption."""
    # No "<" is left in it, which is what makes it safe to mark as such.
    text = Markup(figure.to_json().replace("<", "\\u003c"))  # noqa: S704
    return {"section": "", "caption": caption} | (figure.layout.meta or {}) | {"text": text}
