/// Devices, privileges and libvirt.
extension Checks {
    /// Drivers by which DPDK reaches a device from user space. uio drivers work without an IOMMU.
    private static let passing: Set<String> = ["vfio-pci", "uio_pci_generic", "igb_uio"]
    /// Drivers of the kernel that DPDK shares a device with (mlx4, mlx5, and Hyper-V's).
    private static let shared: Set<String> = ["mlx4_core", "mlx5_core", "hv_netvsc"]

    static func devices(_ needs: Needs, _ facts: HostFacts) -> [Finding] {
        var findings: [Finding] = []
        for address in needs.pciAddresses {
            guard let device = facts.devices[address] else {
                findings.append(Finding(.wrong, "NICs", "there is no PCI device \(address)", remedy: "dpdk-devbind.py --status lists them: correct the port's device"))
                continue
            }
            let driver = device.driver ?? "no driver"
            guard passing.contains(driver) || shared.contains(driver) else {
                findings.append(Finding(.wrong, "NICs", "\(driver) has \(address), which a port is to use", remedy: "modprobe vfio-pci && dpdk-devbind.py -b vfio-pci \(address)"))
                continue
            }
            if driver == "vfio-pci", !device.hasIOMMU {
                findings.append(Finding(
                    .wrong, "NICs", "vfio-pci has \(address), and there is no IOMMU for it",
                    remedy: "add intel_iommu=on (or amd_iommu=on) to the kernel's command line; without an IOMMU: echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"))
            } else {
                findings.append(Finding(.fine, "NICs", "\(driver) has \(address)"))
            }
        }
        let missing = needs.interfaces.filter { !facts.interfaces.contains($0) }
        if !missing.isEmpty {
            findings.append(Finding(.wrong, "NICs", "there is no interface \(missing.joined(separator: ", "))", remedy: "ip link lists them: correct the port's device"))
        }
        if findings.isEmpty, !needs.pciAddresses.isEmpty || !needs.interfaces.isEmpty {
            findings.append(Finding(.fine, "NICs", "the interfaces \(needs.interfaces.joined(separator: ", ")) are there"))
        }
        return findings
    }

    static func taps(_ needs: Needs, _ facts: HostFacts) -> [Finding] {
        guard needs.hasTaps else { return [] }
        guard facts.files.contains("/dev/net/tun") else {
            return [Finding(.wrong, "taps", "there is no /dev/net/tun, so no tap can be made", remedy: "modprobe tun")]
        }
        guard facts.files.contains("/dev/vhost-net") else {
            return [Finding(.advice, "taps", "there is no /dev/vhost-net, so taps are slower than they could be", remedy: "modprobe vhost_net")]
        }
        return [Finding(.fine, "taps", "/dev/net/tun and /dev/vhost-net are there")]
    }

    /// Capabilities by their numbers (linux/capability.h), and what cannot be done without them.
    private static let capabilities: [(number: UInt64, name: String, use: String)] = [
        (12, "CAP_NET_ADMIN", "taps and interfaces"), (13, "CAP_NET_RAW", "AF_PACKET"), (14, "CAP_IPC_LOCK", "memory for NICs"),
        (1, "CAP_DAC_OVERRIDE", "sockets of QEMU's user"),
    ]

    static func privileges(_ needs: Needs, _ facts: HostFacts) -> [Finding] {
        var findings: [Finding] = []
        let who = if case .running = facts.daemon { "the daemon" } else { "this program, and a daemon started from here," }
        let held = facts.capabilities ?? .max
        let missing = capabilities.filter { held >> $0.number & 1 == 0 }
        if !missing.isEmpty {
            let names = missing.map { "\($0.name) (\($0.use))" }.joined(separator: ", ")
            findings.append(Finding(.wrong, "privileges", "\(who) lacks \(names)", remedy: "run it as root, or as the service: systemctl start sluiced"))
        }
        // Only vfio maps the buffers for a NIC, and the kernel counts what is mapped.
        if let locked = facts.limits.lockedMemory, !needs.pciAddresses.isEmpty || needs.drivers.contains("net_af_xdp"), locked < max(needs.memory, 64 << 20),
            held >> 14 & 1 == 0
        {
            findings.append(Finding(.wrong, "limits", "only \(locked >> 20) MiB may be locked in memory, which NICs and AF_XDP need", remedy: "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit"))
        }
        if let files = facts.limits.openFiles, files < 16_384 {
            findings.append(Finding(
                .advice, "limits", "\(files) files can be open at a time, enough for some \(files / 16) guests", remedy: "ulimit -n 65536, or LimitNOFILE=65536 in the unit"))
        }
        return findings.isEmpty ? [Finding(.fine, "privileges", "capabilities and limits suffice")] : findings
    }

    static func libvirt(_ needs: Needs, _ facts: HostFacts) -> [Finding] {
        var findings: [Finding] = []
        if facts.qemuUser != nil, !facts.isHookInstalled {
            findings.append(Finding(.advice, "libvirt", "libvirt is here, and does not tell Sluice of its domains", remedy: "sluice libvirt install, then systemctl restart libvirtd"))
        }
        for path in needs.folders {
            guard let folder = facts.folders[path], folder.exists else {
                findings.append(Finding(.wrong, "sockets", "there is no folder \(path), in which QEMU is to make sockets", remedy: "systemd-tmpfiles --create sluice.conf, or mkdir -p \(path)"))
                continue
            }
            guard let user = facts.qemuUser, folder.isWritableForQEMU == false else { continue }
            let joins = folder.group != "root" && folder.group != "0"
            findings.append(Finding(
                .wrong, "sockets", "libvirt's QEMU runs as \(user), who may make no socket in \(path)",
                remedy: joins ? "adduser \(user) \(folder.group), and see that the group may write: chmod 1775 \(path)" : "setfacl -m u:\(user):rwx \(path)"))
        }
        if findings.isEmpty, let user = facts.qemuUser {
            findings.append(Finding(.fine, "libvirt", "the hook is in place" + (needs.folders.isEmpty ? "" : ", and \(user) may make sockets")))
        }
        return findings
    }
}
