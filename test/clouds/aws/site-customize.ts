/**
 * Runs first in the moto_server that the tests start, which finds it through PYTHONPATH: ends the server with the process that
 * started it, however that one ended, makes secrets that the tests can look for, and saves some of its start.
 */
export const SITE_CUSTOMIZE = `import os
import sys
import threading

if os.environ.get("SPOT_TEST_MOTO") == "1":

    def end_with_parent():
        # The other end of this pipe is held by the parent alone: it closes even when that one is killed.
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()

    try:
        import botocore.loaders
        import moto.iam.models as models

        # moto reads the same big files of botocore three times over; once is a third less of its start.
        read = botocore.loaders.JSONFileLoader._load_file
        known = {}

        def read_once(self, path, *rest):
            if path not in known:
                known[path] = read(self, path, *rest)
            return known[path]

        botocore.loaders.JSONFileLoader._load_file = read_once

        plain = models.AccessKey.__init__

        def with_canary(self, *args, **kwargs):
            plain(self, *args, **kwargs)
            self.secret_access_key = "canary-aws-" + self.secret_access_key[:29]

        models.AccessKey.__init__ = with_canary
    except ImportError as missing:
        sys.stderr.write(f"moto_server without moto: {missing}\\n")
`;
