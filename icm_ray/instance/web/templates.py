"""The pages as Jinja2 templates: whatever stands in braces is escaped."""

from __future__ import annotations

from typing import Any, Final

from icm_ray.errors import UnsupportedError

__all__ = ["STYLE", "Templates"]

STYLE: Final = """\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 64rem; margin: 0 auto; padding: 0 1rem 4rem; }
nav { display: flex; gap: 1.5rem; align-items: baseline; border-bottom: 1px solid #8886; padding: .8rem 0; }
nav b { margin-right: auto; }
nav [aria-current] { font-weight: bold; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8883; }
td { overflow-wrap: anywhere; }
form.inline { display: inline; }
input, button { font: inherit; padding: .2rem .6rem; }
.note { border-left: 4px solid #c80; padding: .4rem .8rem; }
code { font-family: ui-monospace, monospace; }
"""

_PAGES: Final = {
    "field": """<input type="hidden" name="form_token" value="{{ form_token }}">""",
    "base": """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }} - {{ name }}</title><link rel="stylesheet" href="/style.css"></head>
<body>
<nav><b>{{ name }}</b>{% for path, text in places %}
<a href="{{ path }}"{% if path == here %} aria-current="page"{% endif %}>{{ text }}</a>{% endfor %}
{% if form_token %}
<form class="inline" method="post" action="/leave">{% include "field" %}<button>Leave</button></form>
{% endif %}
</nav>
<h1>{{ title }}</h1>
{% block body %}{% endblock %}
</body></html>
""",
    "enter": """\
{% extends "base" %}{% block body %}
{% if wrong %}<p class="note">That is not the token.</p>{% endif %}
<p>The token lies in the file <code>{{ file }}</code>.</p>
<form method="post" action="/enter">
<label>Token <input type="password" name="token" autocomplete="off" required autofocus></label> <button>Enter</button>
</form>
{% endblock %}""",
    "refused": """\
{% extends "base" %}{% block body %}<p class="note">{{ text }}</p><p><a href="/">Back</a></p>{% endblock %}""",
    "datasets": """\
{% extends "base" %}{% block body %}
{% for held in datasets %}
<h2>{{ held.public.name }}</h2>
<p>{{ held.public.rows }} rows, {{ held.public.columns | length }} columns. Answered at once:
{{ held.standing | join(", ") or "nobody" }}.</p>
<ul>{% for rule in held.public.policy.in_words() %}<li>{{ rule }}</li>{% endfor %}</ul>
<details><summary>Columns and files</summary>
<p>{% for column in held.public.columns %}<code>{{ column.name }}</code>{{ ", " if not loop.last }}{% endfor %}</p>
<p>{% for path in held.source.paths %}<code>{{ path }}</code>{{ ", " if not loop.last }}{% endfor %}</p></details>
{% else %}<p>There is none: <code>icm data NAME FILES --policy RULES.toml</code> offers one.</p>{% endfor %}
{% endblock %}""",
    "peers": """\
{% extends "base" %}{% block body %}
<p>Approve a peer once both have read the same six words to each other. Whoever is revoked is hung up on at once.</p>
<table><tr><th>name</th><th>kind</th><th>state</th><th>linked</th><th>workers</th><th>six words</th><th></th></tr>
{% set live = ["joined", "approved"] %}
{% for peer in peers %}
<tr><td>{{ peer.name }}</td><td>{{ peer.kind }}</td><td>{{ peer.state }}</td>
<td>{{ "yes" if peer.linked else "no" }}</td>
<td>{{ peer.workers }} of {{ most }}</td><td>{{ words[peer.name] }}</td><td>
{% for path, text, states in (("/peers/approve", "Approve", ["joined"]), ("/peers/revoke", "Revoke", live)) %}
{% if peer.state in states %}
<form class="inline" method="post" action="{{ path }}">{% include "field" %}
<input type="hidden" name="peer" value="{{ peer.name }}"><button>{{ text }}</button></form>
{% endif %}{% endfor %}
</td></tr>
{% else %}<tr><td colspan="7">There is none: <code>icm invite NAME</code>.</td></tr>{% endfor %}
</table>{% endblock %}""",
    "audit": """\
{% extends "base" %}{% block body %}
{% if fault %}<p class="note">{{ fault }}</p>{% else %}
<p>{{ total }} entries; the chain holds.</p>
<table><tr><th>time (UTC)</th><th>who</th><th>what</th><th>facts</th></tr>
{% for entry in entries %}
<tr><td>{{ entry.time[:19] | replace("T", " ") }}</td><td>{{ entry.who }}</td><td>{{ entry.what }}</td>
<td>{% for fact, text in entry.facts.items() %}{{ fact }} {{ text }}{{ ", " if not loop.last }}{% endfor %}</td></tr>
{% endfor %}</table>
{% if before %}<p><a href="/audit?before={{ before }}">Earlier</a></p>{% endif %}
{% endif %}{% endblock %}""",
}


class Templates:
    """Errors: `UnsupportedError` where Jinja2 is not installed."""

    def __init__(self, more: dict[str, str] | None = None) -> None:
        try:
            import jinja2
        except ImportError:
            raise UnsupportedError("the page needs Jinja2: pip install 'icm-ray[web]'") from None
        pages = {**_PAGES, **(more or {})}
        self._environment = jinja2.Environment(
            loader=jinja2.DictLoader(pages), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
        )

    def render(self, page: str, **facts: Any) -> str:
        """The HTML of a page."""
        return self._environment.get_template(page).render(**facts)
