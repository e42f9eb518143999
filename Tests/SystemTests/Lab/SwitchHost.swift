import Foundation

/// A guest that runs Sluice: `sluiced` runs in it and drives a NIC that QEMU emulates, on a PCI bus behind an IOMMU, bound to vfio-pci as an operator would
/// bind it. Frames that the NIC sends arrive at the tap `wire` in a namespace.
final class SwitchHost {
    let guest: Guest
    let outside: Namespace
    static let nic = "0000:00:01.0"

    /// - Parameter device: QEMU's description of the NIC, without its backend.
    init(_ lab: Lab, device: String) throws {
        let image = try Guest.image.get()
        let initramfs = lab.path("host-initramfs")
        try run("\(Build.repository)/scripts/lab/host-image", image, Build.folder, initramfs, within: 60)
        outside = try Namespace(lab, "out")
        guest = try Guest(
            lab, "host", initramfs: initramfs, kernel: "intel_iommu=on iommu=pt hugepages=80",
            machine: [
                "-m", "1200", "-M", "q35", "-device", "intel-iommu,intremap=on,caching-mode=on",
                "-netdev", "tap,id=n0,ifname=wire,script=no,downscript=no", "-device", "\(device),netdev=n0,addr=1",
            ], processors: 2, namespace: outside)
        try guest.booted()
        try outside.configure("wire", address: "10.0.0.1/24")
        try guest.run("load-host-modules; mkdir -p /dev/hugepages /run/sluice /var && ln -s /run /var/run && mount -t hugetlbfs none /dev/hugepages")
        let sysfs = "/sys/bus/pci/devices/\(Self.nic)"
        try guest.run("[ ! -e \(sysfs)/driver ] || echo \(Self.nic) > \(sysfs)/driver/unbind")
        try guest.run("echo vfio-pci > \(sysfs)/driver_override; echo \(Self.nic) > /sys/bus/pci/drivers_probe; [ -c /dev/vfio/1 ]")
    }

    /// Starts the daemon with the NIC as port `wire` and the tap `host0`, which gets 10.0.0.2, and waits until frames pass in both directions.
    func start(polling: String) throws {
        try start([
            "daemon: {cpus: [1], buffers: 8192, polling: \(polling)}",
            "bridges: [{name: br0}]",
            "ports:",
            "  - {name: wire, type: physical, bridge: br0, device: \"\(Self.nic)\"}",
            "  - {name: host0, type: tap, bridge: br0, interface: host0}",
        ])
        try guest.configure("10.0.0.2/24", interface: "host0")
        try outside.reaches("10.0.0.2")
    }

    /// Starts the daemon.
    /// - Parameter lines: its configuration.
    func start(_ lines: [String]) throws {
        try guest.run("printf '%s\\n' \(lines.map { "'\($0)'" }.joined(separator: " ")) >/tmp/sluice.yaml")
        // The pipe closes when the daemon ends, so a daemon that fails to start is not waited for.
        let started = try guest.finish(
            "mkfifo /tmp/out; sluiced --config /tmp/sluice.yaml --state /tmp/state.json >/tmp/out 2>/tmp/log & grep -q ^ready </tmp/out || { cat /tmp/log; exit 1; }")
        guard started.status == 0 else { throw LabError("sluiced did not start in the guest:\n\(started.output)") }
    }

    func show(_ words: String) throws -> JSON { try JSON(guest.run("sluice \(words) -j")) }
    func core() throws -> JSON { try show("core show")[0] }

    /// The number of interrupts that the NIC has raised, except for link changes.
    func interrupts() throws -> Int {
        let counts = try guest.run("grep 'vfio-msix\\[[1-9]' /proc/interrupts | awk '{ sum += $2 + $3 } END { print sum + 0 }'")
        return Int(counts.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    }
}
