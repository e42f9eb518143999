import Configuration
import Doctor
import Testing

/// A host on which nothing is wrong: four CPUs on one node, the last two of which belong to poll loops.
private func soundHost() -> HostFacts {
    var facts = HostFacts()
    facts.daemon = .running(version: "1")
    for number in 0..<4 {
        var cpu = HostFacts.CPU()
        cpu.siblings = [number]
        cpu.governor = "performance"
        facts.cpus[number] = cpu
    }
    facts.isolated = [2, 3]
    facts.tickless = [2, 3]
    facts.hugepages = [HostFacts.Hugepages(folder: "/sys/n0", node: 0, size: 2 << 20, total: 256, free: 256)]
    facts.files = ["/dev/net/tun", "/dev/vhost-net"]
    facts.drivers = ["bus_vdev", "bus_pci", "mempool_ring", "net_tap", "net_virtio", "net_af_xdp", "net_af_packet", "net_memif"]
    facts.capabilities = .max
    facts.limits.openFiles = 1 << 20
    facts.interfaces = ["eth1"]
    var device = HostFacts.Device()
    (device.driver, device.hasIOMMU) = ("vfio-pci", true)
    facts.devices = ["0000:01:00.0": device]
    facts.qemuUser = "libvirt-qemu"
    facts.isHookInstalled = true
    var folder = HostFacts.Folder()
    (folder.exists, folder.group, folder.isWritableForQEMU) = (true, "sluice-guests", true)
    facts.folders = ["/run/sluice": folder]
    return facts
}

private func needs(_ ports: String = "", daemon: String = "daemon: {cpus: [2, 3]}") throws -> Needs {
    Needs(try Model.checked(yaml: "\(daemon)\nbridges: [{name: br0}]\nports:\(ports.isEmpty ? " []" : "\n" + ports)\n"))
}

private let all = """
      - {name: vm1, type: vhost, bridge: br0, socket: /run/sluice/vm1.sock}
      - {name: host0, type: tap, bridge: br0, interface: sluice0}
      - {name: wire, type: physical, bridge: br0, device: "01:00.0"}
      - {name: up, type: physical, bridge: br0, device: eth1}
      - {name: far, type: physical, bridge: br0, device: "net_memif0,role=client"}
    """

@Suite("What the doctor finds") struct ChecksTests {
    @Test("a host on which nothing is wrong is told so, whatever the configuration asks for")
    func sound() throws {
        for ports in ["", all] {
            let findings = Checks.all(try needs(ports), soundHost(), version: "1")
            #expect(!findings.isEmpty && findings.allSatisfy { $0.kind == .fine && $0.remedy == nil }, "\(findings)")
        }
    }

    @Test("what a configuration needs")
    func needed() throws {
        let needs = try needs(all)
        #expect(needs.pciAddresses == ["0000:01:00.0"] && needs.interfaces == ["eth1"] && needs.folders == ["/run/sluice"] && needs.hasTaps)
        #expect(needs.drivers == ["bus_vdev", "bus_pci", "mempool_ring", "net_tap", "net_virtio", "net_af_xdp", "net_af_packet", "net_memif"])
        // 65 536 buffers of 2 048 bytes, each with 512 more, and 48 MiB.
        #expect(needs.memory == 208 << 20)
        #expect(Needs(try Model.checked(yaml: "daemon: {hugepages: false}")).memory == 0)
        #expect(Needs(try Model.checked(yaml: "daemon: {memory: 1gib}")).memory == 1 << 30)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var sentence: String
        var remedy: String
        var kind = Finding.Kind.wrong
        var change: @Sendable (inout HostFacts) -> Void
        var testDescription: String { sentence }
    }

    @Test("each thing that is wrong is one sentence, with what mends it", arguments: [
        Case(sentence: "no daemon runs: nobody listens", remedy: "systemctl start sluiced") { $0.daemon = .absent("nobody listens") },
        Case(sentence: "sluiced is of version 2, and sluice of version 1", remedy: "systemctl restart sluiced") { $0.daemon = .running(version: "2") },
        Case(sentence: "DPDK's drivers are not installed", remedy: "apt-get install librte-meta-net librte-meta-bus librte-meta-mempool") { $0.drivers = nil },
        Case(sentence: "DPDK's drivers mempool_ring, net_af_xdp are not installed", remedy: "apt-get install librte-mempool-ring23 librte-net-af-xdp23") {
            $0.drivers?.subtract(["mempool_ring", "net_af_xdp"])
        },
        Case(sentence: "daemon.cpus names 2-3, and this host has 0-1", remedy: "correct daemon.cpus") { ($0.cpus[2], $0.cpus[3]) = (nil, nil) },
        Case(
            sentence: "other programs may run on 3, which poll loops use",
            remedy: "add isolcpus=2-3 nohz_full=2-3 to the kernel's command line (sluice-prepare-host --isolate 2-3)", kind: .advice
        ) { $0.isolated = [2] },
        Case(
            sentence: "the kernel's tick interrupts poll loops on 2-3", remedy: "add isolcpus=2-3 nohz_full=2-3 to the kernel's command line (sluice-prepare-host --isolate 2-3)",
            kind: .advice
        ) { $0.tickless = [] },
        Case(
            sentence: "the frequency of 2 follows the load (governor powersave)",
            remedy: "for c in 2; do echo performance > /sys/devices/system/cpu/cpu$c/cpufreq/scaling_governor; done", kind: .advice
        ) { $0.cpus[2]!.governor = "powersave" },
        Case(
            sentence: "poll loops on 2 share a core with CPUs that others use (hyperthreads)",
            remedy: "leave those to nobody: isolcpus too, or echo off > /sys/devices/system/cpu/smt/control", kind: .advice
        ) { ($0.cpus[2]!.siblings, $0.cpus[1]!.siblings) = ([1, 2], [1, 2]) },
        Case(sentence: "poll loops on 2-3 share a core with each other (hyperthreads)", remedy: "name one CPU of each core in daemon.cpus", kind: .advice) {
            for cpu in [2, 3] { $0.cpus[cpu]!.siblings = [2, 3] }
        },
        Case(sentence: "there is no PCI device 0000:01:00.0", remedy: "dpdk-devbind.py --status lists them: correct the port's device") { $0.devices = [:] },
        Case(sentence: "ixgbe has 0000:01:00.0, which a port is to use", remedy: "modprobe vfio-pci && dpdk-devbind.py -b vfio-pci 0000:01:00.0") {
            $0.devices["0000:01:00.0"]!.driver = "ixgbe"
        },
        Case(sentence: "no driver has 0000:01:00.0, which a port is to use", remedy: "modprobe vfio-pci && dpdk-devbind.py -b vfio-pci 0000:01:00.0") {
            $0.devices["0000:01:00.0"]!.driver = nil
        },
        Case(
            sentence: "vfio-pci has 0000:01:00.0, and there is no IOMMU for it",
            remedy: "add intel_iommu=on (or amd_iommu=on) to the kernel's command line; without an IOMMU: echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
        ) { $0.devices["0000:01:00.0"]!.hasIOMMU = false },
        Case(sentence: "there is no interface eth1", remedy: "ip link lists them: correct the port's device") { $0.interfaces = ["eth0"] },
        Case(sentence: "there is no /dev/net/tun, so no tap can be made", remedy: "modprobe tun") { $0.files = [] },
        Case(sentence: "there is no /dev/vhost-net, so taps are slower than they could be", remedy: "modprobe vhost_net", kind: .advice) { $0.files = ["/dev/net/tun"] },
        Case(sentence: "the daemon lacks CAP_NET_ADMIN (taps and interfaces), CAP_IPC_LOCK (memory for NICs)", remedy: "run it as root, or as the service: systemctl start sluiced") {
            $0.capabilities! &= ~(1 << 12 | 1 << 14)
        },
        Case(sentence: "1024 files can be open at a time, enough for some 64 guests", remedy: "ulimit -n 65536, or LimitNOFILE=65536 in the unit", kind: .advice) {
            $0.limits.openFiles = 1_024
        },
        Case(sentence: "libvirt is here, and does not tell Sluice of its domains", remedy: "sluice libvirt install, then systemctl restart libvirtd", kind: .advice) {
            $0.isHookInstalled = false
        },
        Case(sentence: "there is no folder /run/sluice, in which QEMU is to make sockets", remedy: "systemd-tmpfiles --create sluice.conf, or mkdir -p /run/sluice") {
            $0.folders = [:]
        },
        Case(
            sentence: "libvirt's QEMU runs as libvirt-qemu, who may make no socket in /run/sluice",
            remedy: "adduser libvirt-qemu sluice-guests, and see that the group may write: chmod 1775 /run/sluice"
        ) { $0.folders["/run/sluice"]!.isWritableForQEMU = false },
        Case(sentence: "libvirt's QEMU runs as libvirt-qemu, who may make no socket in /run/sluice", remedy: "setfacl -m u:libvirt-qemu:rwx /run/sluice") {
            ($0.folders["/run/sluice"]!.isWritableForQEMU, $0.folders["/run/sluice"]!.group) = (false, "root")
        },
    ])
    func wrong(_ example: Case) throws {
        var facts = soundHost()
        example.change(&facts)
        let found = Checks.all(try needs(all), facts, version: "1").filter { $0.kind != .fine }
        #expect(found.map(\.sentence) == [example.sentence])
        #expect(found.map(\.remedy) == [example.remedy] && found.map(\.kind) == [example.kind])
    }

    @Test("a daemon that is to start is told how many hugepages are missing, and on which node")
    func hugepages() throws {
        var facts = soundHost()
        facts.daemon = .absent("nobody listens")
        func hugepages() throws -> [Finding] { Checks.all(try needs(), facts, version: "1").filter { $0.subject == "hugepages" } }
        #expect(try hugepages() == [Finding(.fine, "hugepages", "512 MiB are free, 208 MiB are needed")])
        facts.hugepages[0].free = 4
        let mend = "   (sluice-prepare-host keeps it over a restart of the host)"
        #expect(try hugepages() == [
            Finding(.wrong, "hugepages", "only 8 MiB of hugepages are free, and the daemon needs 208 MiB", remedy: "echo 356 > /sys/n0/nr_hugepages\(mend)"),
        ])
        (facts.hugepages[0].total, facts.hugepages[0].free) = (0, 0)
        #expect(try hugepages() == [
            Finding(.wrong, "hugepages", "there are no hugepages, and the daemon needs 208 MiB", remedy: "echo 104 > /sys/n0/nr_hugepages\(mend)"),
        ])
        // Each node on which a poll loop runs needs its own.
        (facts.hugepages[0].total, facts.hugepages[0].free) = (256, 256)
        facts.hugepages.append(HostFacts.Hugepages(folder: "/sys/n1", node: 1, size: 2 << 20, total: 0, free: 0))
        facts.cpus[3]!.node = 1
        #expect(try hugepages() == [
            Finding(.fine, "hugepages", "512 MiB are free on NUMA node 0, 208 MiB are needed"),
            Finding(.wrong, "hugepages", "there are no hugepages on NUMA node 1, and the daemon needs 208 MiB", remedy: "echo 104 > /sys/n1/nr_hugepages\(mend)"),
        ])
        facts.hugepages = []
        #expect(try hugepages().allSatisfy { $0.sentence == "this kernel has no hugepages" && $0.kind == .wrong })
    }

    @Test("a host that is being prepared need not have a daemon")
    func prepared() throws {
        var facts = soundHost()
        facts.daemon = .absent("nobody listens")
        let found = Checks.all(try needs(all), facts, version: "1", expectsDaemon: false).filter { $0.kind != .fine }
        #expect(found == [Finding(.advice, "daemon", "no daemon runs: nobody listens", remedy: "systemctl start sluiced")])
    }

    @Test("locked memory counts only where the capability is missing")
    func locked() throws {
        var facts = soundHost()
        facts.limits.lockedMemory = 8 << 20
        #expect(Checks.all(try needs(all), facts, version: "1").allSatisfy { $0.kind == .fine })
        facts.capabilities! &= ~(1 << 14)
        let found = Checks.all(try needs(all), facts, version: "1").filter { $0.subject == "limits" }
        #expect(found.map(\.sentence) == ["only 8 MiB may be locked in memory, which NICs and AF_XDP need"])
    }

    @Test("without daemon.cpus, poll loops run on all CPUs but the first, and a host of many is advised to name some")
    func defaultCPUs() throws {
        var facts = soundHost()
        (facts.isolated, facts.tickless) = ([1, 2, 3], [1, 2, 3])
        let found = Checks.all(try needs(daemon: ""), facts, version: "1").filter { $0.kind != .fine }
        #expect(found.map(\.sentence) == ["daemon.cpus is not set, so poll loops run on 1-3, and guests have to share those"])
    }

    @Test("what a file names and the host does not have") func lacks() throws {
        func lacks(_ yaml: String) throws -> [String] { Checks.lacks(of: try Model.checked(yaml: yaml), soundHost()) }
        #expect(try lacks("daemon: {cpus: [2, 9]}\n") == ["daemon.cpus: this host has no CPU 9, but 0-3: sluiced would not start, unless the file is for another host"])
        #expect(try lacks("daemon: {cores: [{cpu: 8, polling: polling}]}\n") == ["daemon.cores[0].cpu: this host has no CPU 8, but 0-3, and no poll loop there, unless the file is for another host"])
        func port(_ device: String, _ more: String = "") throws -> [String] {
            try lacks("bridges: [{name: br0}]\nports: [{name: up, type: physical, bridge: br0, device: '\(device)'\(more)}]\n")
        }
        for device in ["eth1", "net_af_packet0,iface=eth1", "0000:01:00.0", "01:00.0", "net_null0", "net_tap0,iface=new0", "net_memif0,role=server"] {
            #expect(try port(device) == [], "\(device)")
        }
        for (device, lack) in [("eth9", "interface eth9"), ("net_af_packet0,iface=eth9", "interface eth9"), ("0000:09:00.0", "PCI device 0000:09:00.0")] {
            #expect(try port(device) == ["ports[0].device: this host has no \(lack): port up would stay failed, unless the file is for another host"])
        }
        #expect(try port("eth1", ", cpus: [7]") == ["ports[0].cpus: this host has no CPU 7, but 0-3, and no poll loop there, unless the file is for another host"])
    }
}
