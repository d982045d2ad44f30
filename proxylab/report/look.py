"""The style sheet: light and dark, for screens, phones and print."""

from proxylab.plots.style import GREEN, GREY, MEANINGS, ORANGE, SKY

SUSPECT, TRUSTED = MEANINGS["suspect"], MEANINGS["trusted"]

LIGHT = f"""
--page:#fcfcfb;--ink:#1d1f22;--soft:#5a5f66;--line:#d9dadc;--card:#f3f3f1;
--s:{SUSPECT};--t:{TRUSTED};--ok:{GREEN};--maybe:{ORANGE};--even:#e4e3df;--nowhere:#c9cacc;
--floor:#f4f0e7;--wall:#545d70;--land:#d8dfc4;--water:#e3f0f5;--shore:{GREY};--halo:#fff;
--s-ink:#a84900;--t-ink:#00598c;--ok-ink:#006b4e
"""

DARK = f"""
--page:#15171a;--ink:#e8e8e6;--soft:#a6abb2;--line:#3a3e44;--card:#1e2125;
--s:#f07a2b;--t:{SKY};--ok:#35c498;--maybe:{ORANGE};--even:#3a3d41;--nowhere:#0d0e10;
--floor:#2b2d31;--wall:#70798c;--land:#27301f;--water:#1f3440;--shore:{GREY};--halo:#15171a;
--s-ink:#ff9d5c;--t-ink:{SKY};--ok-ink:#4fd3aa
"""

RULES = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;color-scheme:light dark}
body{margin:0 auto;padding:1.5rem 1rem 4rem;max-width:68rem;background:var(--page);color:var(--ink);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem}
h2{font-size:1.35rem;line-height:1.25;margin:2.8rem 0 .6rem;padding-top:.9rem;
border-top:2px solid var(--line)}
h3{font-size:1.05rem;margin:1.7rem 0 .4rem}
p,ul{margin:.4rem 0;max-width:46rem}
ul{padding-left:1.2rem}
a{color:var(--t-ink)}
.lead{color:var(--soft)}
.verdict{font-size:1.15rem}
.badge{display:inline-block;padding:.05rem .55rem;border-radius:1rem;border:1.5px solid;
font-weight:600;font-size:.95rem;white-space:nowrap}
.flag{color:var(--s-ink)}.clear{color:var(--ok-ink)}
.inconclusive,.degenerate{color:var(--soft)}
h2 .badge{margin-left:.5rem;vertical-align:.1em}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));
gap:.5rem 2.2rem;align-items:start}
.pair>div{min-width:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.92rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:.2rem 0}
th,td{text-align:left;padding:.28rem .9rem .28rem 0;border-bottom:1px solid var(--line);
vertical-align:top;overflow-wrap:normal}
thead th{color:var(--soft);font-weight:500;vertical-align:bottom}
tbody th{font-weight:500}
.names tbody th{overflow-wrap:anywhere;min-width:8.5rem}
.brief td,.brief thead th{white-space:nowrap}
.facts tbody td{overflow-wrap:anywhere}
.hash{display:block;min-width:13rem;overflow-wrap:anywhere;
font:.8rem ui-monospace,"DejaVu Sans Mono",monospace}
.levels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(46%,18rem),1fr));
gap:1rem;margin:.6rem 0}
figure{margin:0;break-inside:avoid}
figcaption{font-size:.86rem;color:var(--soft);line-height:1.35;margin-top:.25rem}
figcaption b{color:var(--ink)}
svg{display:block;width:100%;height:auto;print-color-adjust:exact;
-webkit-print-color-adjust:exact}
.chart{max-width:34rem}.heat{max-width:24rem}.straight{max-width:34rem}
.level,.heat{border-radius:4px}
svg text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;
fill:var(--soft);paint-order:stroke;stroke:var(--page);stroke-width:4px;stroke-linejoin:round}
svg text.s,svg text.flag{fill:var(--s-ink)}svg text.t{fill:var(--t-ink)}
svg text.clear{fill:var(--ok-ink)}
.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.15rem 1.1rem;font-size:.86rem;
color:var(--soft);max-width:none}
.legend li{display:flex;align-items:center;gap:.3rem}
.sample{width:2.1rem}.swatch{width:1.1rem}
.floor{fill:var(--floor)}.wall{fill:var(--wall)}.land{fill:var(--land)}
.water{fill:var(--water);stroke:var(--shore);stroke-width:.5}
.finish{fill:none;stroke:var(--ink);stroke-width:1.2;stroke-dasharray:1.2 1.2}
.target{fill:var(--maybe);stroke:var(--ink);stroke-width:.3}
.mark{fill:none;stroke:var(--soft);stroke-width:.8;stroke-dasharray:1.6 1}
.cheese{fill:#f0c23c;stroke:#7a5c00;stroke-width:.5;stroke-linejoin:round}
.bucket{fill:#9aa0a8;stroke:#3b3f45;stroke-width:.5}
.tomato{fill:none;stroke:#b0483c;stroke-width:.9}.wet{fill:#c9584a}
.thing{stroke:#3b3f45;stroke-width:.5;stroke-linejoin:round}
.arrow{fill:none;stroke:var(--soft);stroke-width:1.3;stroke-linecap:round}
.way{fill:none;stroke-width:1.3;stroke-linejoin:round;stroke-linecap:round}
.way.s,.curve.s,.interval{stroke:var(--s)}.way.t,.curve.t{stroke:var(--t)}
.open .way{stroke-width:.8}
.halo.way{stroke:var(--halo);stroke-width:2.4;stroke-opacity:.65}
.end{stroke:var(--halo);stroke-width:.6}
.end.s,.chart path.s:not(.curve){fill:var(--s)}.end.t{fill:var(--t)}
.start{fill:var(--ink);stroke:var(--halo);stroke-width:.6}
.fork{fill:none;stroke:var(--ink);stroke-width:1}
.dots{fill:var(--t);fill-opacity:.75}
.axis{stroke:var(--soft)}.rule{stroke:var(--line)}
.bound{stroke-width:1.5}.bound.flag{stroke:var(--s)}
.bound.clear{stroke:var(--ok);stroke-dasharray:5 3}
.interval{stroke-width:2}
.curve{fill:none;stroke-width:2.4}.band{fill:var(--t);fill-opacity:.22}
.nowhere{fill:var(--nowhere)}.even{fill:var(--even)}
.heat .s,.swatch .s{fill:var(--s)}.heat .t,.swatch .t{fill:var(--t)}
.heat path,.swatch rect{stroke:none}
.h1{fill-opacity:.22}.h2{fill-opacity:.45}.h3{fill-opacity:.7}.h4{fill-opacity:1}
.goal{fill:none;stroke:var(--ink);stroke-width:1}
details{margin:.8rem 0}summary{cursor:pointer}
pre{white-space:pre-wrap;font-size:.78rem;background:var(--card);padding:.8rem;border-radius:4px;
max-height:30rem;overflow:auto}
.note{background:var(--card);padding:.1rem 1rem;border-radius:6px;max-width:none}
.warning{padding:.5rem 1rem;border-left:.4rem solid var(--s)}
@media (max-width:30rem){h1{font-size:1.4rem}h2{font-size:1.2rem}table{font-size:.82rem}
th,td{padding-right:.6rem}.badge{font-size:.82rem}}
@media print{body{max-width:none;padding:0;font-size:10pt}h2,h3{break-after:avoid}
pre{max-height:none}.levels{grid-template-columns:repeat(3,1fr)}a{color:inherit}}
"""


def style_sheet() -> str:
    """The whole style sheet as text."""
    dark = f"@media (prefers-color-scheme:dark){{:root{{{DARK.strip()}}}}}"
    paper = f"@media print{{:root{{{LIGHT.strip()}}}}}"
    return "\n".join((f":root{{{LIGHT.strip()}}}", dark, paper, RULES.strip()))
