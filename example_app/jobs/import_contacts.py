from flask_queue import Job

from ..services import contacts
from ..services.errors import Gone, Invalid


class ImportContacts(Job):
    fail_on = (Gone, Invalid)  # another run would find the same file

    def handle(self, import_id: int) -> dict[str, int]:
        return contacts.run_import(import_id, progress=self.progress, log=self.log)
