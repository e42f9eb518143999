import Configuration
import Doctor
import Foundation
import Testing

/// A folder that stands for a host's root.
private final class Root {
    let path: String

    init() throws {
        var template = Array("/tmp/sluice-test-XXXXXX".utf8CString)
        path = String(cString: try #require(mkdtemp(&template)))
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        let file = path + name
        try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: false, encoding: .utf8)
    }
}

@Suite("What the doctor reads") struct HostReaderTests {
    private let needs: Needs

    init() throws {
        needs = Needs(try Model.checked(yaml: """
            bridges: [{name: br0}]
            ports:
              - {name: vm1, type: vhost, bridge: br0, socket: /run/sluice/vm1.sock}
              - {name: wire, type: physical, bridge: br0, device: "0000:01:00.0"}
              - {name: gone, type: physical, bridge: br0, device: "0000:02:00.0"}
            """))
    }

    @Test("a host with two NUMA nodes, hyperthreads, isolated CPUs, a NIC on vfio and libvirt")
    func whole() throws {
        let root = try Root()
        let system = "/sys/devices/system"
        for (name, text) in [
            ("\(system)/cpu/online", "0-3\n"), ("\(system)/cpu/isolated", "2-3\n"), ("\(system)/cpu/nohz_full", "(null)\n"),
            ("\(system)/node/node0/cpulist", "0,2\n"), ("\(system)/node/node1/cpulist", "1,3\n"),
            ("\(system)/node/node1/hugepages/hugepages-1048576kB/nr_hugepages", "2\n"), ("\(system)/node/node1/hugepages/hugepages-1048576kB/free_hugepages", "1\n"),
            ("\(system)/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "0\n"), ("\(system)/node/node0/hugepages/hugepages-2048kB/free_hugepages", "0\n"),
            ("\(system)/cpu/cpu2/topology/thread_siblings_list", "2-3\n"), ("\(system)/cpu/cpu2/cpufreq/scaling_governor", "powersave\n"),
            ("/dev/net/tun", ""), ("/sys/class/net/eth0/mtu", "1500\n"), ("/sys/bus/pci/devices/0000:01:00.0/iommu_group/type", "DMA\n"),
            ("/sys/bus/pci/drivers/vfio-pci/bind", ""),
            ("/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_net_tap.so.23", ""), ("/usr/lib/x86_64-linux-gnu/dpdk/pmds-23.0/librte_bus_pci.so", ""),
            ("/proc/77/status", "Name:\tsluiced\nCapEff:\t000001ffffffffff\n"),
            ("/proc/77/limits", "Limit                     Soft Limit           Hard Limit           Units     \n"
                + "Max open files            1024                 524288               files     \nMax locked memory         8388608              8388608              bytes     \n"),
            ("/usr/sbin/libvirtd", ""), ("/etc/libvirt/qemu.conf", "#user = \"root\"\nuser = \"qemu\"\n"), ("/etc/libvirt/hooks/qemu.d/50-sluice", "exec sluice libvirt hook"),
            ("/etc/passwd", "root:x:0:0::/root:/bin/sh\nqemu:x:64055:108::/:/bin/false\n"),
            ("/etc/group", "sluice-guests:x:\(getegid()):qemu\n"), ("/run/sluice/.keep", ""),
        ] { try root.write(name, text) }
        try FileManager.default.createSymbolicLink(atPath: root.path + "/sys/bus/pci/devices/0000:01:00.0/driver", withDestinationPath: "../../drivers/vfio-pci")
        chmod(root.path + "/run/sluice", 0o1775)

        let facts = HostReader(root: root.path).facts(needs, daemon: .running(version: "1"), process: 77)
        #expect(facts.cpus.keys.sorted() == [0, 1, 2, 3] && facts.cpus.mapValues(\.node) == [0: 0, 1: 1, 2: 0, 3: 1])
        #expect(facts.cpus[2]?.siblings == [2, 3] && facts.cpus[2]?.governor == "powersave" && facts.cpus[0]?.governor == nil)
        #expect(facts.isolated == [2, 3] && facts.tickless == [])
        #expect(facts.hugepages == [
            HostFacts.Hugepages(folder: "\(system)/node/node0/hugepages/hugepages-2048kB", node: 0, size: 2 << 20, total: 0, free: 0),
            HostFacts.Hugepages(folder: "\(system)/node/node1/hugepages/hugepages-1048576kB", node: 1, size: 1 << 30, total: 2, free: 1),
        ])
        #expect(facts.files == ["/dev/net/tun"] && facts.interfaces == ["eth0"])
        #expect(facts.devices.keys.sorted() == ["0000:01:00.0"])
        #expect(facts.devices["0000:01:00.0"]?.driver == "vfio-pci" && facts.devices["0000:01:00.0"]?.hasIOMMU == true)
        #expect(facts.drivers == ["net_tap", "bus_pci"])
        #expect(facts.capabilities == 0x1ff_ffff_ffff && facts.limits.openFiles == 524_288 && facts.limits.lockedMemory == 8_388_608)
        #expect(facts.qemuUser == "qemu" && facts.isHookInstalled)
        #expect(facts.folders["/run/sluice"]?.group == "sluice-guests" && facts.folders["/run/sluice"]?.isWritableForQEMU == true)
        chmod(root.path + "/run/sluice", 0o755)
        #expect(HostReader(root: root.path).facts(needs, daemon: .running(version: "1"), process: 77).folders["/run/sluice"]?.isWritableForQEMU == false)
    }

    @Test("a host of which nothing can be read is one that has nothing")
    func nothing() throws {
        let root = try Root()
        let facts = HostReader(root: root.path).facts(needs, daemon: .absent(""), process: nil)
        var none = HostFacts()
        (none.daemon, none.folders) = (.absent(""), ["/run/sluice": HostFacts.Folder()])
        #expect(facts == none)
        #expect(Checks.all(needs, facts, version: "1").contains { $0.kind == .wrong })
    }

    @Test("this very host is read without a fault")
    func thisHost() {
        let facts = HostReader().facts(needs, daemon: .absent(""), process: nil)
        #expect(!facts.cpus.isEmpty && facts.interfaces.contains("lo"))
    }
}
