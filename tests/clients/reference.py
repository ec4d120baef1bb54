"""A stand-in for AWS that answers from the files of histories: what clients should get.

It knows calls that succeed. GetExecutionHistory is answered in one page.
"""

import contextlib
import glob
import http.server
import json
import os
import threading

from tests.data import history_file


class Reference:
    """The answers."""

    def __init__(self, folder):
        self.histories = {os.path.basename(path)[:-len(".json")]: history_file.load(path)
                          for path in glob.glob(os.path.join(folder, "*.json"))}

    def answer(self, operation, request):
        return getattr(self, operation)(**request)

    def GetExecutionHistory(self, executionArn, reverseOrder=False, includeExecutionData=True,
                            **_):
        events = self.histories[executionArn.rpartition(":")[2]]
        if not includeExecutionData:
            events = [history_file.without_data(e) for e in events]
        return {"events": events[::-1] if reverseOrder else events}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    reference = None

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].partition(".")[2]
        body = json.dumps(self.reference.answer(operation, request)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(folder):
    """Answers from a folder's files. Gives the URL."""
    handler = type("Handler", (Handler,), {"reference": Reference(folder)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield "http://127.0.0.1:%d" % server.server_port
        finally:
            server.shutdown()
            thread.join()
