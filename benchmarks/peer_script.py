"""What perun monitors: it sleeps, and writes down when it began and ended."""

import json
import sys
import time
from pathlib import Path

began_s = time.monotonic()
time.sleep(float(sys.argv[1]))
Path(sys.argv[2]).write_text(json.dumps([began_s, time.monotonic()]))
