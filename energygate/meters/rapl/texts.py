"""The commands that open RAPL's counters, as `rapl` and docs/measuring.md give them."""

from typing import Final

# The group gets access, not everyone: the counter is a side channel (CVE-2020-8694). udevadm's default is "change".
# In the unit, the top zones' ranges come last: a processor may have no zones below them, and then a glob has no match.
_PERMISSION: Final = """\
sudo groupadd -f energygate && sudo usermod -aG energygate USER
sudo tee /etc/udev/rules.d/60-energygate.rules <<'EOF'
SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add|change", RUN+="/bin/chgrp energygate /sys%p/energy_uj"
SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add|change", RUN+="/bin/chmod g+r /sys%p/energy_uj"
SUBSYSTEM=="powercap", KERNEL=="intel-rapl:*", ACTION=="add|change", RUN+="/bin/chmod a+r /sys%p/max_energy_range_uj"
EOF
sudo udevadm control --reload && sudo udevadm trigger --subsystem-match=powercap --action=add
# then restart the runner's service, so that it has the new group
Without udev rules, the same with tmpfiles:
sudo tee /etc/tmpfiles.d/energygate.conf <<'EOF'
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/energy_uj 0440 root energygate - -
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/max_energy_range_uj 0444 root energygate - -
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/intel-rapl:*/energy_uj 0440 root energygate - -
z /sys/devices/virtual/powercap/intel-rapl/intel-rapl:*/intel-rapl:*/max_energy_range_uj 0444 root energygate - -
EOF
sudo systemd-tmpfiles --create /etc/tmpfiles.d/energygate.conf
Or with a unit that runs at each boot:
sudo tee /etc/systemd/system/energygate-rapl.service <<'EOF'
[Unit]
Description=Read access to the RAPL counters for the group energygate
[Service]
Type=oneshot
RemainAfterExit=yes
WorkingDirectory=/sys/devices/virtual/powercap/intel-rapl
ExecStart=/bin/sh -c 'chgrp energygate intel-rapl:*/energy_uj intel-rapl:*/intel-rapl:*/energy_uj; \\
  chmod g+r intel-rapl:*/energy_uj intel-rapl:*/intel-rapl:*/energy_uj; \\
  chmod a+r intel-rapl:*/intel-rapl:*/max_energy_range_uj; chmod a+r intel-rapl:*/max_energy_range_uj'
[Install]
WantedBy=multi-user.target
EOF
sudo systemctl daemon-reload && sudo systemctl enable --now energygate-rapl.service
Last, on a machine that is yours alone: until the next boot, and for everyone on it:
sudo chmod -R a+r /sys/devices/virtual/powercap/intel-rapl"""

CONTAINER: Final = (
    "Docker: `-v /sys:/host/sys:ro` with `--energy-sysfs=/host/sys`, as root in the container or with "
    "`--group-add GID` of the host's group. Podman: `--security-opt unmask=/sys/devices/virtual/powercap`. "
    "Best: run the job on the host."
)


def permission(user: str) -> str:
    """Commands that let `user` read the counters, the least privilege first."""
    return _PERMISSION.replace("USER", user)
