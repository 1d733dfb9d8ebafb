"""What every test shares: the simulated hardware, and signals as a terminal gives them."""

import signal

pytest_plugins = ["pytester", "rig.fixtures", "rig.storage", "rig.github"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores SIGINT for what it starts in the background, and children inherit that: the tests of interrupts
    # would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    # As under nohup.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
