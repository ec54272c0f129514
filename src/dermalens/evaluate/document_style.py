"""The style of a page. Colours are variables, also those of the figures, so that a dark page has dark figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

COLOURS: Final = {
    "paper": ("#fefefe", "#14181d"),
    "ink": ("#1b2127", "#e6eaee"),
    "faint": ("#5b6570", "#a3adb8"),
    "grid": ("#d9dee3", "#39424c"),
    "good": ("#0b6e63", "#3fc7b4"),
    "bad": ("#c2410c", "#f5935a"),
    "first": ("#d28000", "#ffb900"),
    "second": ("#8990be", "#bdc2f4"),
    "third": ("#27a761", "#49e3b3"),
    "fourth": ("#885268", "#a95563"),
    "fifth": ("#9d2700", "#cb391b"),
    "sixth": ("#13489c", "#1186ef"),
    "seventh": ("#391647", "#86629d"),
}
"""Every colour of a page and its figures, on a light and on a dark page."""

_RULES: Final = """
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:72rem;background:var(--paper);color:var(--ink);
font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;overflow-wrap:break-word}
h1{font-size:1.6rem;line-height:1.25;margin:.4rem 0 .6rem}
h2{font-size:1.2rem;line-height:1.3;margin:2.2rem 0 .6rem;padding-top:.8rem;border-top:1px solid var(--grid)}
nav h2{font-size:1rem;margin:.2rem 0;padding:0;border:0}
nav{margin-top:1.4rem;padding:.8rem 1rem;border:1px solid var(--grid);border-radius:.4rem}
nav ol{margin:0;padding-left:1.4rem;columns:16rem}
p,li{max-width:44rem}
li p{margin:0}
a{color:var(--good)}
a:focus-visible,.scroll:focus-visible{outline:3px solid var(--good);outline-offset:2px}
code{font:.92em ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--faint);padding:.2rem 0 .5rem;max-width:44rem}
@media(max-width:40rem){caption{max-width:calc(100vw - 2rem);position:sticky;left:0;width:max-content}}
th,td{padding:.32rem .8rem .32rem 0;border-bottom:1px solid var(--grid);text-align:left;vertical-align:top}
thead th{border-bottom-color:var(--faint);font-weight:600;vertical-align:bottom}
tbody th{font-weight:400}
.interval{white-space:nowrap}
.dense .interval{display:block;color:var(--faint);font-size:.92em}
.plain td{white-space:nowrap}
@media(max-width:40rem){.interval{display:block}}
.dense th,.dense td{min-width:4.5rem}
.dense tbody th{min-width:7rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,30rem),1fr));gap:1.2rem 2rem;
align-items:start;margin:1rem 0}
figure{margin:0;break-inside:avoid}
figure.single{max-width:36rem}
figure.wide{margin:1rem 0}
figure svg{display:block;width:100%;height:auto}
figure svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif!important}
figure svg *{stroke-linejoin:round;stroke-linecap:butt}
figure img{display:block;width:100%;min-width:40rem;height:auto}
figcaption{color:var(--faint);font-size:.9rem;margin-top:.3rem}
footer{margin-top:2.5rem;padding-top:.8rem;border-top:1px solid var(--grid);color:var(--faint)}
@media print{body{max-width:none;padding:0;font-size:10.5pt}nav{display:none}.scroll{overflow:visible}
.figures{grid-template-columns:1fr 1fr}figure img{min-width:0}tr,figure{break-inside:avoid}h2{break-after:avoid}
thead{display:table-header-group}table{font-size:8.5pt}.plain td{white-space:normal}}
"""


def variable(colour: str) -> str:
    """The variable of a page for a colour of a figure; a colour that is none of ours stays.

    >>> variable("#1b2127"), variable("#ffffff")
    ('var(--ink)', '#ffffff')
    """
    return next((f"var(--{name})" for name, (light, _) in COLOURS.items() if light == colour), colour)


def style() -> str:
    """The whole style sheet."""
    light = {name: pair[0] for name, pair in COLOURS.items()}
    dark = {name: pair[1] for name, pair in COLOURS.items()}
    return (
        f":root{{color-scheme:light dark;{_variables(light)}}}"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{_variables(dark)}}}}}{_RULES}"
    )


def _variables(colours: Mapping[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())
