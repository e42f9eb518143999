import Foundation
import Testing

extension EndToEnd {
    /// Real bridges of this kernel, read by `sluice import` and handed over by `sluice migrate`.
    @Suite("From the kernel's bridge", .needs(.hugepages))
    struct ImportTests {
        /// A bridge with an uplink to another host, a container behind a veth pair, a tap and the host's own address.
        private struct KernelBridge {
            let name: String, wire: VethPair, container: VethPair, far: Namespace, inside: Namespace, tap: String
            static let host = "198.18.77.1", outside = "198.18.77.2", guest = "198.18.77.3"

            init(_ lab: Lab) throws {
                let name = "\(lab.tag)r", tap = "\(lab.tag)t"
                (self.name, self.tap) = (name, tap)
                far = try Namespace(lab, "far")
                inside = try Namespace(lab, "in")
                try run("ip", "link", "add", name, "type", "bridge", "ageing_time", "6000", "mcast_snooping", "0")
                // The tap of Sluice's outlives the daemon.
                for interface in [name, "sluice0"] { lab.atClose { _ = try? run("ip", "link", "del", interface) } }
                wire = try VethPair(lab, "w", farIn: far)
                container = try VethPair(lab, "c", farIn: inside)
                try run("ip", "tuntap", "add", "dev", tap, "mode", "tap")
                lab.atClose { _ = try? run("ip", "link", "del", tap) }
                for port in [wire.near, container.near, tap] { try run("ip", "link", "set", port, "up", "master", name) }
                try run("ip", "addr", "add", "\(Self.host)/24", "dev", name)
                try run("ip", "link", "set", name, "up")
                try far.configure(wire.far, address: "\(Self.outside)/24")
                try inside.configure(container.far, address: "\(Self.guest)/24")
            }

            /// The names of its ports.
            var ports: [String] { (try? FileManager.default.contentsOfDirectory(atPath: "/sys/class/net/\(name)/brif")) ?? [] }

            func isReached() throws {
                try far.reaches(Self.host)
                try far.reaches(Self.guest)
            }
        }

        private func importing(_ words: String...) throws -> Finished { try finish([Build.program("sluice"), "import", "bridge"] + words, within: 30) }

        @Test("ports, flags, static entries, HTB with its filters, TBF and libvirt's names become a configuration that is accepted")
        func importsWhatIsThere() throws {
            try withLab { lab in
                let bridge = try KernelBridge(lab), wire = bridge.wire.near
                try run("bridge", "link", "set", "dev", bridge.tap, "isolated", "on")
                try run("bridge", "fdb", "add", "52:54:00:00:00:77", "dev", wire, "master", "static")
                func tc(_ words: String) throws { _ = try finish(["tc"] + words.split(separator: " ").map(String.init)) }
                try tc("qdisc add dev \(wire) root handle 1: htb default 30")
                try tc("class add dev \(wire) parent 1: classid 1:1 htb rate 1gbit")
                try tc("class add dev \(wire) parent 1:1 classid 1:10 htb rate 200mbit ceil 800mbit burst 64k prio 1")
                try tc("class add dev \(wire) parent 1:1 classid 1:11 htb rate 50mbit ceil 1gbit prio 0")
                try tc("class add dev \(wire) parent 1:1 classid 1:30 htb rate 100mbit ceil 1gbit prio 3")
                try tc(
                    "filter add dev \(wire) parent 1: protocol all prio 2 u32 match u32 0x52540000 0xffffffff at -8 match u16 0x0001 0xffff at -4 flowid 1:10")
                try tc("filter add dev \(wire) parent 1: protocol ip prio 1 u32 match ip protocol 6 0xff match ip dport 3260 0xffff flowid 1:11")
                // A table of u32's that another rule leads to.
                try tc("class add dev \(wire) parent 1:1 classid 1:12 htb rate 25mbit ceil 1gbit prio 0")
                try tc("filter add dev \(wire) parent 1: protocol ip prio 4 handle 2: u32 divisor 1")
                try tc("filter add dev \(wire) parent 1: protocol ip prio 4 u32 ht 2: match tcp dst 4420 0xffff flowid 1:12")
                try tc("filter add dev \(wire) parent 1: protocol ip prio 4 u32 match ip protocol 6 0xff link 2: offset at 0 mask 0f00 shift 6")
                try tc("qdisc add dev \(bridge.tap) root tbf rate 10mbit burst 32k limit 100000 peakrate 20mbit mtu 2000")
                try FileManager.default.createDirectory(atPath: lab.path("qemu"), withIntermediateDirectories: false)
                _ = try lab.write(
                    "qemu/vm1.xml",
                    """
                    <domstatus state='running'><domain type='qemu'><name>vm1</name><devices><interface type='bridge'><mac address='52:54:00:00:00:01'/>\
                    <source bridge='\(bridge.name)'/><target dev='\(bridge.tap)'/></interface></devices></domain></domstatus>
                    """)
                let result = try importing(bridge.name, "--libvirt", "--libvirt-folder", lab.path("qemu"), "-o", lab.path("sluice.yaml"))
                #expect(result.status == 0, "\(result.output)\(result.errors)")
                let text = try String(contentsOfFile: lab.path("sluice.yaml"), encoding: .utf8).replacing("\n#   ", with: " ")
                for words in [
                    "ageing: 60s", "device: \(wire)", "rate: 1gbit", "name: vm1", "socket: /run/sluice/vm1.sock", "isolated: true", "52:54:00:00:00:77", "floor: 200mbit",
                    "ceiling: 800mbit", "burst: 64kib", "floor: 100mbit", "iscsi", "floor: 50mbit", "floor: 25mbit", "ceiling: 10mbit", "peak: 20mbit", "ceiling-burst: 32kib", "interface: sluice0",
                    "ip addr add \(KernelBridge.host)/24 dev sluice0", "class htb 1:30 parent 1:1 prio 3 rate 100Mbit ceil 1Gbit",
                ] where !text.contains(words) {
                    Issue.record("no '\(words)' in:\n\(text)")
                }
                try run(Build.program("sluice"), "check", lab.path("sluice.yaml"))
            }
        }

        @Test("what cannot be imported is said in a sentence")
        func saysWhatIsWrong() throws {
            let missing = try importing("no-such-bridge")
            #expect(missing.status == 1 && missing.errors.contains("there is no interface no-such-bridge"))
            let loopback = try importing("lo")
            #expect(loopback.status == 1 && loopback.errors.contains("lo is no bridge of the kernel's"))
        }

        private func migrating(_ lab: Lab, _ bridge: KernelBridge, _ daemon: Daemon, _ words: String...) -> [String] {
            [Build.program("sluice"), "migrate", "bridge", bridge.name, "--uplink", bridge.wire.near, "--socket", daemon.socket] + words
        }

        @Test("a migration keeps the host and its guests reachable, and stays once it is confirmed")
        func confirmed() throws {
            try withLab { lab in
                let bridge = try KernelBridge(lab), daemon = try Daemon(lab, "")
                try bridge.isReached()
                let dry = try finish(migrating(lab, bridge, daemon, "--dry-run"))
                #expect(dry.status == 0 && dry.output.contains("take \(bridge.wire.near) out of \(bridge.name)"), "\(dry.output)\(dry.errors)")
                #expect(bridge.ports.contains(bridge.wire.near))
                let result = try finish(migrating(lab, bridge, daemon, "--confirm-within", "60s", "--no-wait"))
                try #require(result.status == 0, "\(result.output)\(result.errors)")
                lab.atClose { _ = try? daemon.sluice("migrate", "undo") }
                #expect(!bridge.ports.contains(bridge.wire.near) && bridge.ports.contains("sluice0"))
                try bridge.isReached()
                #expect(try daemon.command("migrate", "confirm").contains("confirmed"))
                #expect(try daemon.sluice("migrate", "undo").status == 1)
                // The tap outlives the daemon, as a port of the bridge.
                try daemon.crashAndRestart()
                #expect(bridge.ports.contains("sluice0"))
                try bridge.isReached()
            }
        }

        @Test("what is not confirmed is undone, also when who asked for it was killed, and the daemon, too; the uplink has its flags and entries again")
        func undone() throws {
            try withLab { lab in
                let bridge = try KernelBridge(lab), daemon = try Daemon(lab, ""), wire = bridge.wire.near
                try run("bridge", "link", "set", "dev", wire, "hairpin", "on")
                try run("ip", "link", "set", wire, "promisc", "off")
                try run("bridge", "fdb", "add", "52:54:00:00:00:77", "dev", wire, "master", "static")
                let asking = try ChildProcess(migrating(lab, bridge, daemon, "--confirm-within", "5s"))
                lab.atClose { asking.stop() }
                try eventually("the bridge is handed over") { bridge.ports.contains("sluice0") }
                asking.signal(SIGKILL)
                try bridge.isReached()
                // The daemon ends meanwhile, and starts again with what it ran, when the bridge has its ports back.
                daemon.process.signal(SIGKILL)
                try eventually("the bridge has its port back", within: 20) { bridge.ports.contains(wire) }
                try bridge.isReached()
                try daemon.crashAndRestart()
                try eventually("it is undone") { FileManager.default.fileExists(atPath: lab.path("migration.json.outcome")) }
                #expect(try String(contentsOfFile: lab.path("migration.json.outcome"), encoding: .utf8).hasPrefix("undone: \(bridge.name) is as it was"))
                #expect(bridge.ports.contains(wire) && !bridge.ports.contains("sluice0"))
                try bridge.isReached()
                #expect(try run("bridge", "-d", "link", "show", "dev", wire).contains("hairpin on"))
                #expect(try run("bridge", "fdb", "show", "br", bridge.name).contains("52:54:00:00:00:77 dev \(wire) master \(bridge.name) static"))
                #expect(try !run("ip", "link", "show", "dev", wire).contains("PROMISC"))
                #expect(try daemon.show("port", "show").items.isEmpty && !FileManager.default.fileExists(atPath: "/sys/class/net/sluice0"))
            }
        }

        /// In a guest with Debian's kernel, as kernels of test machines may lack VLAN filtering.
        @Test("VLANs of the bridge's port pass to the tap, and come back with the port when it is undone", .needs(.qemu))
        func vlans() throws {
            try withLab { lab in
                let outside = try Namespace(lab, "out"), initramfs = lab.path("host-initramfs")
                try run("\(Build.repository)/scripts/lab/host-image", Guest.image.get(), Build.folder, initramfs, within: 60)
                let guest = try Guest(
                    lab, "host", initramfs: initramfs, kernel: "hugepages=80",
                    machine: ["-m", "1000", "-M", "q35", "-netdev", "tap,id=n0,ifname=wire,script=no,downscript=no", "-device", "virtio-net-pci,netdev=n0"],
                    processors: 2, namespace: outside)
                try guest.booted()
                try outside.configure("wire", address: "10.0.0.1/24")
                try guest.run("load-host-modules; mkdir -p /dev/hugepages /run/sluice /var && ln -s /run /var/run && mount -t hugetlbfs none /dev/hugepages")
                // The wire carries VLAN 20 without tags, and others with them.
                try guest.run("""
                    brctl addbr br0 && ip link set eth0 up master br0 && echo 1 >/sys/class/net/br0/bridge/vlan_filtering && \
                    bridge vlan del dev eth0 vid 1 && \
                    bridge vlan add dev eth0 vid 20 pvid untagged && bridge vlan add dev eth0 vid 30-35 && bridge vlan add dev br0 self vid 20 pvid untagged && \
                    bridge vlan del dev br0 self vid 1 && ip addr add 10.0.0.2/24 dev br0 && ip link set br0 up
                    """)
                try outside.reaches("10.0.0.2")
                let before = try guest.run("bridge vlan show"), ofWire = try guest.run("bridge vlan show dev eth0 | sed s/eth0//")
                #expect(before.contains("30") && before.contains("20 PVID Egress Untagged"), "\(before)")
                let started = try guest.finish("""
                    echo 'daemon: {cpus: [1], buffers: 8192}' >/tmp/sluice.yaml; mkfifo /tmp/out; \
                    sluiced --config /tmp/sluice.yaml --state /tmp/state.json >/tmp/out 2>/tmp/log & grep -q ^ready </tmp/out || { cat /tmp/log; exit 1; }
                    """)
                try #require(started.status == 0, "\(started.output)")
                for filters in [true, false] {
                    // A bridge that does not filter keeps its ports' VLANs all the same.
                    try guest.run("echo \(filters ? 1 : 0) >/sys/class/net/br0/bridge/vlan_filtering")
                    try guest.run("sluice migrate bridge br0 --confirm-within 10min --no-wait || { cat /tmp/log; exit 1; }")
                    try outside.reaches("10.0.0.2")
                    if filters {
                        #expect(try guest.run("bridge vlan show dev sluice0 | sed s/sluice0//").filter { $0 != " " } == ofWire.filter { $0 != " " })
                        let running = try guest.run("sluice config show")
                        #expect(running.contains("native: 20") && running.contains("30-35"), "\(running)")
                    }
                    try guest.run("sluice migrate undo")
                    #expect(try guest.run("bridge vlan show") == before)
                    try outside.reaches("10.0.0.2")
                }
            }
        }

        @Test("what has no counterpart stops a migration before anything changes")
        func stopsAtLosses() throws {
            try withLab { lab in
                let bridge = try KernelBridge(lab), daemon = try Daemon(lab, "")
                try run("ip", "link", "set", bridge.name, "type", "bridge", "stp_state", "1")
                let result = try finish(migrating(lab, bridge, daemon))
                #expect(result.status == 1 && result.errors.contains("[stp_state 1]") && result.errors.contains("--force"), "\(result.output)\(result.errors)")
                #expect(bridge.ports.contains(bridge.wire.near))
                #expect(try daemon.show("port", "show").items.isEmpty)
            }
        }
    }
}
