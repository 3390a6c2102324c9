"""What a report holds for its script, whatever the names in it are."""

import json
import re

from imavatar_lab.reproduce.report import write_report


def test_no_name_ends_the_script_that_holds_the_pictures(tmp_path):
    name = "</script><script>alert(1)</script><!--"
    path = write_report(
        tmp_path / "report.html",
        facts={"commit": "abc", "command": "a command"},
        tables=[],
        figures=[],
        rows=[],
        pictures={name: None},
        problems=[],
    )
    text = path.read_text(encoding="utf-8")
    assert list(json.loads(re.search(r'id="pictures">(.*?)</script>', text, re.S)[1])) == [name]
    assert "alert(1)</script>" not in text and "<!--" not in text
