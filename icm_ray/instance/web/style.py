"""How the pages look: one sheet, by the reader's own choice light or dark, on windows wide and narrow."""

from __future__ import annotations

from typing import Final

__all__ = ["STYLE"]

STYLE: Final = """\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; --page: #f6f7f9; --sheet: #fff; --ink: #1b2430;
  --faint: #5a6675; --line: #d9dee5; --accent: #1d5fa8; --on-accent: #fff; --good: #14703d; --bad: #b3261e;
  --open: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --page: #12161b; --sheet: #1b2129; --ink: #e4e9ef; --faint: #9aa7b5;
  --line: #313a45; --accent: #6fb1f5; --on-accent: #0d1a28; --good: #63c88b; --bad: #f28b82; --open: #e5b45a; } }
* { box-sizing: border-box; }
body { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem 4rem; background: var(--page); color: var(--ink); }
a { color: var(--accent); }
nav { display: flex; flex-wrap: wrap; gap: .35rem 1.25rem; align-items: center; padding: .9rem 0;
  border-bottom: 1px solid var(--line); }
nav b { margin-right: auto; font-size: 1.1rem; }
nav a { text-decoration: none; padding: .2rem 0; border-bottom: 2px solid transparent; }
nav [aria-current] { color: var(--ink); font-weight: 600; border-color: var(--accent); }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 1.6rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 .6rem; overflow-wrap: anywhere; }
section { background: var(--sheet); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1.25rem;
  margin: 1rem 0; }
section > :last-child, form > :last-child { margin-bottom: 0; }
section > :first-child { margin-top: 0; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; background: var(--sheet);
  border: 1px solid var(--line); }
th, td { text-align: left; vertical-align: top; padding: .5rem .8rem; border-bottom: 1px solid var(--line); }
th { color: var(--faint); font-size: .85rem; font-weight: 600; }
td { overflow-wrap: anywhere; }
td.short { white-space: nowrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.25rem; margin: 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: .9rem/1.55 ui-monospace, monospace; }
blockquote { margin: 0; padding: .1rem 0 .1rem 1rem; border-left: 3px solid var(--line); white-space: pre-wrap;
  overflow-wrap: anywhere; }
code { font-family: ui-monospace, monospace; font-size: .92em; overflow-wrap: anywhere; }
.faint { color: var(--faint); }
.state { display: inline-block; padding: 0 .55rem; border: 1px solid; border-radius: 1rem; font-size: .85rem;
  white-space: nowrap; color: var(--faint); }
.waiting, .queued, .joined { color: var(--open); }
.approved { color: var(--good); }
.denied, .revoked { color: var(--bad); }
.note { border-left: 4px solid var(--open); background: var(--sheet); padding: .5rem .9rem; }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
.two > section { margin: 0; }
form.inline { display: inline; }
label { display: block; margin: 0 0 .8rem; color: var(--faint); font-size: .9rem; }
label > input { display: block; width: 100%; margin-top: .2rem; }
input, button { font: inherit; padding: .4rem .7rem; border: 1px solid var(--line); border-radius: .35rem;
  background: var(--page); color: var(--ink); }
button { cursor: pointer; background: var(--sheet); }
button:disabled { opacity: .5; cursor: default; }
button.first { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; }
button.last { color: var(--bad); border-color: var(--bad); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.enter { max-width: 26rem; }
@media (max-width: 44rem) {
  body { padding: 0 .9rem 3rem; }
  nav form { order: -1; }
  nav b { order: -2; flex-basis: 60%; }
  .two { grid-template-columns: 1fr; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  table, tbody, tr, td { display: block; }
  table { background: none; border: 0; }
  tr { background: var(--sheet); border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .9rem;
    margin: 0 0 .8rem; }
  tr.heads { display: none; }
  td, td.short { border: 0; padding: .15rem 0; white-space: normal; }
  td:empty { display: none; }
  td[data-is]::before { content: attr(data-is) ": "; color: var(--faint); }
}
"""
