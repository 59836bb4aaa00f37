#!/bin/sh
# The first program of the virtual machine: devices, modules, the job, the end.
export PATH=/job:/bin:/usr/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs shm /dev/shm
mount -t devpts pts /dev/pts
ln -s /proc/self/fd /dev/fd
chmod 1777 /tmp
cd /tmp
date -s "@$(cat /job/now)" >/dev/null
stty -F /dev/ttyS1 raw -echo
for module in virtio_pci virtio_console virtio_net; do
    modprobe $module || echo "no module $module"
done
while read -r module; do
    # A module and its options are words.
    [ -z "$module" ] || modprobe $module || echo "no module $module"
done </job/modules
ifconfig lo 127.0.0.1 up
# On purpose no way to anything but the host.
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
for port in /sys/class/virtio-ports/*; do
    ln -s "${port##*/}" "/dev/job$(cat "$port/name")"
done
read -r up rest </proc/uptime
echo "the job begins at $up s"
setsid sh /job/command </dev/null >/dev/jobout 2>/dev/joberr
code=$?
read -r up rest </proc/uptime
echo "the job ended with $code at $up s"
echo "exit $code" >/dev/ttyS1
sync
# QEMU's isa-debug-exit.
printf '\052' | dd of=/dev/port bs=1 seek=1281 count=1 2>/dev/null
poweroff -f
