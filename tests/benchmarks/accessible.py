"""Pages held against axe-core in a browser: light and dark, wide and narrow, all cards unfolded.

    npm install axe-core
    python tests/benchmarks/accessible.py node_modules/axe-core/axe.min.js PAGE.html ...

It ends with 1 where a rule is broken. The rules that need no browser are a test of their own.
"""

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOOKS = {
    "light": ("--window-size=1100,900",),
    "dark": ("--window-size=1100,900", "--blink-settings=preferredColorScheme=0"),
    "narrow": ("--window-size=500,900",),
}
RUN = """
for (const one of document.querySelectorAll('details')) one.open = true;
axe.run(document, {resultTypes: ['violations', 'incomplete']}).then(found => {
  const told = kind => found[kind].map(rule => ({
    rule: rule.id, impact: rule.impact, help: rule.help,
    nodes: rule.nodes.map(node => node.html.slice(0, 160) + ' ' + (node.failureSummary || '')),
  }));
  const out = document.createElement('pre');
  out.id = 'axe-found';
  out.textContent = JSON.stringify({
    violations: told('violations'), incomplete: told('incomplete'),
    passes: found.passes.length, dark: matchMedia('(prefers-color-scheme: dark)').matches,
  });
  document.body.append(out);
});
"""


def judged(page, axe, look, folder):
    """Return what axe-core says of a page; the policy of the copy lets axe-core in."""
    text = page.read_text(encoding="utf-8")
    text, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert count == 1, f"{page}: no policy"
    copy = folder / "page.html"
    added = f"<script>{axe}</script><script>{RUN}</script></body>"
    copy.write_text(text.replace("</body>", added), encoding="utf-8")
    browser = shutil.which("chromium") or "chromium"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--virtual-time-budget=60000", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run(
        [*command, *look, copy.as_uri()], capture_output=True, text=True, check=True
    )
    return json.loads(
        html.unescape(re.search(r'id="axe-found">(.*?)</pre>', done.stdout, re.DOTALL)[1])
    )


def main():
    axe, *pages = map(Path, sys.argv[1:])
    broken = 0
    with tempfile.TemporaryDirectory() as home:
        spoiled = Path(home) / "spoiled.html"
        text = pages[0].read_text(encoding="utf-8")
        spoiled.write_text(text.replace("</main>", '<img src="data:,"></main>'), encoding="utf-8")
        found = judged(spoiled, axe.read_text(encoding="utf-8"), (), Path(home))
        assert "image-alt" in {rule["rule"] for rule in found["violations"]}  # it can fail
        for page in pages:
            for name, look in LOOKS.items():
                found = judged(page, axe.read_text(encoding="utf-8"), look, Path(home))
                assert found["dark"] == (name == "dark")
                broken += len(found["violations"])
                counts = [f"{len(found[kind])} {kind}" for kind in ("violations", "incomplete")]
                print(
                    f"{page.name:<24} {name:<7} {found['passes']} rules pass, {', '.join(counts)}"
                )
                for kind in ("violations", "incomplete"):
                    for rule in found[kind]:
                        print(f"  {kind}: {rule['rule']} ({rule['impact']}): {rule['help']}")
                        print(*(f"    {node}" for node in rule["nodes"][:3]), sep="\n")
    sys.exit(broken > 0)


if __name__ == "__main__":
    main()
