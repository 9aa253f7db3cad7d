#!/bin/sh
# Runs the tests of the sandbox, and the static program in an empty root, under other kernels in an emulator: the rights
# that the sandbox can drop depend on the kernel.
# usage: tests/kernels.sh BUILD PACKAGE...
#   PACKAGE: a Debian package of a kernel (apt-get download linux-image-6.1.0-56-cloud-amd64)
set -eu
build=$1
shift
for tool in qemu-system-x86_64 busybox cpio dpkg-deb; do
  command -v $tool > /dev/null || { echo "kernels: skipped, $tool is not installed"; exit 0; }
done
[ $# -gt 0 ] || { echo "kernels: skipped, KERNELS names no package"; exit 0; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/etc" "$root/here" "$root/alone/fixtures"
cp "$(command -v busybox)" "$root/bin/busybox"
for program in "$build/release/run-tests" "$build/wirelap"; do
  cp "$program" "$root/here/"
  ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
done
cp -r fixtures README.md "$root/here/" && mkdir "$root/here/tests" && cp -r tests/timelines "$root/here/tests"
cp "$build/static/wirelap" "$root/alone/"
cp fixtures/loss.pcap "$root/alone/fixtures/"
printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' > "$root/etc/passwd"
cat > "$root/init" << 'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t devtmpfs dev /dev && mount -t tmpfs tmp /tmp
mount -t securityfs security /sys/kernel/security
chmod 1777 /tmp
cd /here
echo "kernels: $(uname -r), $(cat /sys/kernel/security/lsm)"
WIRELAP=/here/wirelap ./run-tests -tc='*sandbox*' && passed=true || passed=false
chroot /alone /wirelap -q fixtures/loss.pcap | cmp - fixtures/golden/loss.ndjson || passed=false
$passed && echo "kernels: passed"
poweroff -f
END
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) > "$work/root.gz"

for package in "$@"; do
  rm -rf "$work/kernel"
  dpkg-deb -x "$package" "$work/kernel"
  timeout 300 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 2048 -smp 2 -nographic -no-reboot \
    -kernel "$work"/kernel/boot/vmlinuz-* -initrd "$work/root.gz" -append 'console=ttyS0 quiet panic=-1' \
    < /dev/null > "$work/log" 2>&1 || true
  grep -ao 'kernels: .*\|MESSAGE.*\|ERROR.*\|test cases:.*' "$work/log"
  grep -aq '^kernels: passed' "$work/log" || { tail -n 40 "$work/log"; exit 1; }
  if grep -aq 'kernels: .*landlock' "$work/log" && grep -aq 'skipped: no Landlock' "$work/log"; then
    echo "kernels: the kernel has Landlock, but the tests skipped it" >&2
    exit 1
  fi
done
