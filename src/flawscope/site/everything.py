"""Everything that a challenge has found out and who takes part in it, for its organiser: one zip."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

from flawscope.challenge.export import export_files, table
from flawscope.challenge.spec import iso
from flawscope.errors import UserError
from flawscope.site.boards import Boards
from flawscope.site.office import Office


def everything(office: Office, boards: Boards, now: datetime) -> bytes:
    """Boards, submissions, measures, people and the log, as a zip of tables and JSON.

    Scores of the private part are among it, before the deadline as well.

    Raises:
        StoreError, DataError: it cannot be made.
    """
    return _zipped(_files(office, boards, now), now)


def _files(office: Office, boards: Boards, now: datetime) -> dict[str, str]:
    desk, submissions = office.hosted.desk(), office.hosted.reads.submissions()
    final, why = None, ""
    try:
        final = boards.exact(now, final=True)
    except UserError as error:
        why = error.problem
    files = export_files(desk, submissions, boards.exact(now, final=False), final, why)
    people = [
        {"team": team.name, "person": each.name, "captain": each.captain, "joined": iso(each.joined)}
        for team in office.teams()
        for each in team.members
    ]
    log = [{"at": iso(act.at), "who": act.who, "what": act.what, "why": act.why} for act in office.log(None)[::-1]]
    return {**files, "people.csv": table(people), "log.csv": table(log)}


def _zipped(files: dict[str, str], at: datetime) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, date_time=at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, content)
    return stream.getvalue()
