"""The pages as Jinja2 templates: whatever stands in braces is escaped."""

from __future__ import annotations

from typing import Any, Final

from icm_ray.errors import UnsupportedError
from icm_ray.instance.moments import in_utc

__all__ = ["Templates"]

_PAGES: Final = {
    "field": """<input type="hidden" name="form_token" value="{{ form_token }}">""",
    "base": """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }} - {{ name }}</title><link rel="stylesheet" href="/style.css"></head>
<body>
<nav><b>{{ name }}</b>{% for path, text in places %}
<a href="{{ at }}{{ path }}"{% if here in (path, path[:-1]) %} aria-current="page"{% endif %}>{{ text }}</a>{% endfor %}
{% if form_token %}
<form class="inline" method="post" action="{{ at }}/leave">{% include "field" %}<button>Leave</button></form>
{% endif %}
</nav>
<h1>{{ title }}</h1>
{% block body %}{% endblock %}
</body></html>
""",
    "enter": """\
{% extends "base" %}{% block body %}
{% if wrong %}<p class="note">That is not the token.</p>{% endif %}
<section class="enter">
<p>The token lies in the file <code>{{ file }}</code>.</p>
<form method="post" action="/enter">
<label>Token <input type="password" name="token" autocomplete="off" required autofocus></label>
<button class="first">Enter</button>
</form></section>
{% endblock %}""",
    "refused": """\
{% extends "base" %}{% block body %}<p class="note">{{ text }}</p><p><a href="{{ at }}/">Back</a></p>{% endblock %}""",
    "requests": """\
{% extends "base" %}{% block body %}
<p>{{ waiting or "None" }} of {{ requests | length }} wait{{ "s" if waiting <= 1 }} for a decision.</p>
{% if requests %}
<table><tr class="heads"><th>request</th><th>asker</th><th>datasets</th><th>state</th><th>used</th><th>until (UTC)</th>
<th>came (UTC)</th><th>the asker's reason</th></tr>
{% for one, condition in requests %}
<tr><td class="short"><a href="{{ at }}/request?number={{ one.number }}">Request {{ one.number }}</a></td>
<td data-is="asker">{{ one.asker }}</td><td data-is="datasets">{{ one.datasets | join(", ") }}</td>
<td><span class="state {{ one.state if condition == one.state }}">{{ condition }}</span>
{{- ", by rule " ~ one.rule if one.rule }}</td>
<td class="short"{% if one.times %} data-is="used">{{ one.used }} of {{ one.times }}{% else %}>{% endif %}</td>
<td class="short"{% if one.until %} data-is="until">{{ one.until | in_utc }}{% else %}>{% endif %}</td>
<td class="short" data-is="came">{{ one.since | in_utc }}</td>
<td{% if one.reason %} data-is="the asker's reason">{{ one.reason | truncate(120) }}{% else %}>{% endif %}</td></tr>
{% endfor %}</table>
{% else %}<p class="faint">Peers may request questions of datasets that
<code>icm data NAME FILES --request PEER</code> names them for.</p>{% endif %}
{% endblock %}""",
    "request": """\
{% extends "base" %}{% block body %}
<section><dl>
<dt>State</dt><dd><span class="state {{ one.state if condition == one.state }}">{{ condition }}</span></dd>
{% if one.times %}<dt>Used</dt><dd>{{ one.used }} of {{ one.times }}, until {{ one.until | in_utc }} UTC</dd>{% endif %}
{% if one.rule %}<dt>Approved by</dt><dd>rule {{ one.rule }}, for all that it approves together</dd>{% endif %}
{% if one.left_open %}<dt>Left open</dt><dd>{{ one.left_open }}</dd>{% endif %}
{% if one.said %}<dt>Denied because</dt><dd>{{ one.said }}</dd>{% endif %}
<dt>Datasets</dt><dd>{{ one.datasets | join(", ") }}</dd>
{% if parties %}<dt>Computed by</dt><dd>{{ parties | join(", ") }}, and a dealer</dd>{% endif %}
<dt>Came</dt><dd>{{ one.since | in_utc }} UTC</dd>
<dt>Digest</dt><dd><code>{{ one.digest }}</code></dd>
</dl></section>
<section><h2>What would be opened</h2>
<p class="faint">Derived here from the question itself: whatever {{ one.asker }} says of it has no part in this.</p>
{% if fault %}<p class="note">{{ fault }}</p>{% else %}<pre>{{ opens }}</pre>{% endif %}</section>
<section><h2>What was asked before</h2>
<p class="faint">As the ledgers and the log of {{ name }} have it.</p>
<pre>{{ before | join("\n") }}</pre></section>
<section><h2>{{ one.asker }}'s reason, in its own words</h2>
{% if one.reason %}<blockquote>{{ one.reason }}</blockquote>{% else %}<p class="faint">None.</p>{% endif %}</section>
<div class="two">
<section><h2>Approve</h2>
<form method="post" action="{{ at }}/requests/approve">{% include "field" %}
<input type="hidden" name="number" value="{{ one.number }}">
<label>How often it may be asked
<input type="number" name="times" value="1" min="1" max="1000000" required></label>
<label>Until the beginning of this day, UTC; a month from now if empty <input type="date" name="until"></label>
{% for parameter, value in parameters %}
<label>Left open: {{ parameter }} (empty: {{ value }} alone)
<input name="open.{{ parameter }}" placeholder="from..to, or one|another" autocomplete="off"></label>
{% endfor %}
<label>A rule of this name, which approves it whenever it is requested again (empty: none)
<input name="rule" maxlength="64" autocomplete="off"></label>
<button class="first"{{ " disabled" if fault }}>Approve</button>
<p class="faint">Exactly this question, for {{ one.asker }}{{ ", but for what is left open" if parameters }}.
Its uses are counted from 0.</p>
</form></section>
<section><h2>Deny</h2>
<form method="post" action="{{ at }}/requests/deny">{% include "field" %}
<input type="hidden" name="number" value="{{ one.number }}">
<label>Why: {{ one.asker }} reads it <input name="reason" maxlength="1000" autocomplete="off"></label>
<button class="last">Deny</button>
<p class="faint">Takes an approval back, too.</p>
</form></section></div>
{% endblock %}""",
    "rules": """\
{% extends "base" %}{% block body %}
<p>What each approves is approved whenever it is requested; they stand in <code>{{ file }}</code>, and may be changed
there.</p>
{% if rules %}
<table><tr class="heads"><th>rule</th><th>peers</th><th>what</th><th>left open</th><th>state</th><th>used</th>
<th>until (UTC)</th></tr>
{% for one, state, used in rules %}
<tr><td><b>{{ one.name }}</b></td><td data-is="peers">{{ one.table.peers | join(", ") }}</td>
<td data-is="what">{{ one.in_words }}</td>
<td{% if one.ranges %} data-is="left open"{% endif %}>
{{- one.ranges | map(attribute="in_words") | join(", ") }}</td>
<td><span class="state {{ "approved" if state == "approves" }}">{{ state }}</span></td>
<td class="short" data-is="used">{{ used }} of {{ one.table.times }}</td>
<td class="short" data-is="until">{{ one.until | in_utc }}</td></tr>
{% endfor %}</table>
{% else %}<p class="faint">There is none: a request that is approved with the name of a rule makes one.</p>{% endif %}
{% endblock %}""",
    "jobs": """\
{% extends "base" %}{% block body %}
<p>What this organisation requested of others, and what each of them said.</p>
{% if jobs %}
<table><tr class="heads"><th>job</th><th>what</th><th>state</th><th>owners</th><th>since (UTC)</th></tr>
{% for job in jobs %}
<tr><td><code>{{ job.id }}</code></td><td data-is="what">{{ job.title }}</td>
<td><span class="state {{ job.state }}">{{ job.condition(now) }}</span></td>
<td data-is="owners">{% for one in job.owners %}{{ one.owner }}: {{ one.condition(now) }}
{{- " (" ~ one.said ~ ")" if one.said }}
{{- ", " if not loop.last }}{% endfor %}</td>
<td class="short" data-is="since">{{ job.since | in_utc }}</td></tr>
{% endfor %}</table>
{% else %}<p class="faint">There is none: <code>query.request(reason=...)</code> makes one.</p>{% endif %}
{% endblock %}""",
    "results": """\
{% extends "base" %}{% block body %}
<p>What peers' questions answered for this organisation; <code>icm results NUMBER</code> shows one.</p>
{% if results %}
<table><tr class="heads"><th>result</th><th>from</th><th>what</th><th>since (UTC)</th><th>rows</th>
<th>withheld</th></tr>
{% for one in results %}
<tr><td class="short">Result {{ one.number }}</td><td data-is="from">{{ one.asker }}</td>
<td data-is="what">{{ one.title }}</td><td class="short" data-is="since">{{ one.since | in_utc }}</td>
<td class="short" data-is="rows">{{ one.rows }}</td>
<td{% if one.withheld %} data-is="withheld">some numbers{% else %}>{% endif %}</td></tr>
{% endfor %}</table>
{% else %}<p class="faint">There is none: a peer's <code>query.reveal(to="{{ name }}")</code> brings one.</p>
{% endif %}
{% endblock %}""",
    "models": """\
{% extends "base" %}{% block body %}
{% for held, shape, uses in models %}
<section><h2>{{ held.public.name }}</h2><dl>
<dt>Images</dt><dd>{{ shape }}</dd>
<dt>Says</dt><dd>{{ held.public.outputs | join(", ") }}</dd>
<dt>Answered at once</dt><dd>{{ held.standing | join(", ") or "nobody" }}</dd>
<dt>May request</dt><dd>{{ held.requests | join(", ") or "nobody" }}</dd>
{% if model_asleep[held.public.name] %}<dt>Asleep</dt>
<dd>{{ model_asleep[held.public.name] | join(", ") }}: met anew since</dd>{% endif %}
<dt>Predictions</dt><dd>{% for owner, used, most in uses %}
{{ used }}{{ " of " ~ most if most is not none }} on images of {{ owner }}{{ ", " if not loop.last }}
{%- else %}none yet, and no quota{% endfor %}</dd>
</dl></section>
{% else %}<p class="faint">There is no model: <code>icm model NAME FILE --quota PEER=IMAGES</code> offers one.</p>
{% endfor %}
{% for held in pictures %}
<section><h2>{{ held.public.name }}</h2><dl>
<dt>Pictures</dt><dd>{{ held.public.images }}</dd>
<dt>Answered at once</dt><dd>{{ held.standing | join(", ") or "nobody else" }}</dd>
<dt>May request</dt><dd>{{ held.requests | join(", ") or "nobody" }}</dd>
{% if picture_asleep[held.public.name] %}<dt>Asleep</dt>
<dd>{{ picture_asleep[held.public.name] | join(", ") }}: met anew since</dd>{% endif %}
{% if held.graphs %}<dt>Models</dt><dd>{% for graph in held.graphs %}<code>{{ graph }}</code>
{{- ", " if not loop.last }}{% endfor %}</dd>{% endif %}
</dl><details><summary>Files</summary>
<p>{% for path in held.paths %}<code>{{ path }}</code>{{ ", " if not loop.last }}{% endfor %}</p></details></section>
{% else %}<p class="faint">There are no pictures: <code>icm data NAME FILES</code> has them.</p>{% endfor %}
{% endblock %}""",
    "datasets": """\
{% extends "base" %}{% block body %}
{% for held in datasets %}
<section><h2>{{ held.public.name }}</h2><dl>
<dt>Rows</dt><dd>{{ held.public.rows }} rows, {{ held.public.columns | length }} columns{% if held.public.mock %},
{{ held.public.mock.rows }} mock rows{% endif %}</dd>
<dt>Answered at once</dt><dd>{{ held.standing | join(", ") or "nobody" }}</dd>
<dt>May request</dt><dd>{{ held.requests | join(", ") or "nobody" }}</dd>
{% if asleep[held.public.name] %}<dt>Asleep</dt>
<dd>{{ asleep[held.public.name] | join(", ") }}: met anew since</dd>{% endif %}</dl>
<ul>{% for rule in held.public.policy.in_words() %}<li>{{ rule }}</li>{% endfor %}</ul>
<details><summary>Columns and files</summary>
<p>{% for column in held.public.columns %}<code>{{ column.name }}</code>{{ ", " if not loop.last }}{% endfor %}</p>
<p>{% for path in held.source.paths %}<code>{{ path }}</code>{{ ", " if not loop.last }}{% endfor %}</p></details>
</section>
{% else %}<p class="faint">There is none: <code>icm data NAME FILES --policy RULES.toml</code> offers one.</p>
{% endfor %}
{% endblock %}""",
    "peers": """\
{% extends "base" %}{% block body %}
<p>Approve a peer once both have read the same six words to each other. Whoever is revoked is hung up on at once.</p>
{% if peers %}
<table><tr class="heads"><th>name</th><th>kind</th><th>state</th><th>linked</th><th>workers</th><th>six words</th>
<th></th></tr>
{% set live = ["joined", "approved"] %}
{% for peer in peers %}
<tr><td><b>{{ peer.name }}</b></td><td data-is="kind">{{ peer.kind }}</td>
<td><span class="state {{ peer.state }}">{{ peer.state }}</span></td>
<td data-is="linked">{{ "yes" if peer.linked else "no" }}</td>
<td data-is="workers">{{ peer.workers }} of {{ most }}</td><td data-is="six words">{{ words[peer.name] }}</td><td>
{% for path, text, states in (("/peers/approve", "Approve", ["joined"]), ("/peers/revoke", "Revoke", live)) %}
{% if peer.state in states %}
<form class="inline" method="post" action="{{ at }}{{ path }}">{% include "field" %}
<input type="hidden" name="peer" value="{{ peer.name }}">
<button class="{{ "last" if loop.last else "first" }}">{{ text }}</button></form>
{% endif %}{% endfor %}
</td></tr>
{% endfor %}</table>
{% else %}<p class="faint">There is none: <code>icm invite NAME</code>.</p>{% endif %}
{% endblock %}""",
    "audit": """\
{% extends "base" %}{% block body %}
{% if fault %}<p class="note">{{ fault }}</p>{% else %}
<p>{{ total }} entries; the chain holds.</p>
<table><tr class="heads"><th>time (UTC)</th><th>who</th><th>what</th><th>facts</th></tr>
{% for entry in entries %}
<tr><td class="short">{{ entry.time[:19] | replace("T", " ") }}</td><td data-is="who">{{ entry.who }}</td>
<td data-is="what">{{ entry.what }}</td>
<td>{% for fact, text in entry.facts.items() %}{{ fact }} {{ text }}{{ ", " if not loop.last }}{% endfor %}</td></tr>
{% endfor %}</table>
{% if before %}<p><a href="{{ at }}/audit?before={{ before }}">Earlier</a></p>{% endif %}
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
        self._environment.filters["in_utc"] = in_utc

    def render(self, page: str, **facts: Any) -> str:
        """The HTML of a page."""
        return self._environment.get_template(page).render(**facts)
