pytest_plugins = ["rig.fixtures", "pytester"]
