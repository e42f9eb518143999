import Foundation
import Measuring

/// Open vSwitch's userspace datapath with the action NORMAL: a learning bridge without classes. It has a database and folders of its own, so an instance that
/// the host runs is not affected.
struct OpenvSwitchPeer: Peer {
    let name = "ovs-dpdk"
    private static let program = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
    private static let schema = "/usr/share/openvswitch/vswitch.ovsschema"

    func start(_ workload: Workload, _ bench: Bench) throws -> Running {
        guard FileManager.default.isExecutableFile(atPath: Self.program) else {
            throw Fault("\(Self.program) is not there: apt-get install openvswitch-switch-dpdk")
        }
        let running = Running()
        let folder = bench.path("o")
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch { throw Fault("\(error)") }
        let prefix = bench.tag + "o"
        // If a signal ends it, its taps remain. The second one always has this name, so it may belong to an Open vSwitch that the host runs.
        let bridge = bench.tag + "b"
        let taps = [bridge, "ovs-netdev"].filter { !FileManager.default.fileExists(atPath: "/sys/class/net/\($0)") }
        running.atEnd {
            for tap in taps where FileManager.default.fileExists(atPath: "/sys/class/net/\(tap)") { _ = try? shell("ip", "link", "del", tap) }
            try? FileManager.default.removeItem(atPath: "/var/run/dpdk/\(prefix)")
            try? FileManager.default.removeItem(atPath: folder)
        }
        let environment = ["OVS_RUNDIR": folder, "OVS_DBDIR": folder, "OVS_LOGDIR": folder, "OVS_SYSCONFDIR": folder]
        let database = "unix:\(folder)/db"
        func configure(_ words: [String]) throws {
            try shell(["ovs-vsctl", "--db=\(database)", "--timeout=30"] + words, environment: environment)
        }
        try shell("ovsdb-tool", "create", "\(folder)/conf.db", Self.schema)
        let store = try ChildProcess(
            ["ovsdb-server", "\(folder)/conf.db", "--remote=p\(database)", "--unixctl=\(folder)/dbctl"], log: bench.path("ovsdb.log"),
            environment: environment)
        running.processes = [store]
        for _ in 0..<200 where !FileManager.default.fileExists(atPath: "\(folder)/db") { usleep(10_000) }
        let mask = bench.switchCPUs(workload.cores).reduce(0) { $0 | 1 << $1 }
        try configure([
            "--no-wait", "--", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
            "other_config:pmd-cpu-mask=0x\(String(mask, radix: 16))", "other_config:dpdk-lcore-mask=0x\(String(1 << bench.generatorCPU, radix: 16))",
            // Without a limit it would use another gigabyte for buffers if it can, while the other switches also need memory.
            "other_config:dpdk-socket-mem=512", "other_config:dpdk-socket-limit=512",
            "other_config:dpdk-extra=\"--no-pci --in-memory --no-telemetry --file-prefix \(prefix)\"",
            "other_config:vhost-sock-dir=.",
        ] + (workload.segment == nil ? [] : ["other_config:userspace-tso-enable=true"]))
        let log = bench.path("ovs.log")
        let daemon = try ChildProcess(
            ["taskset", "-c", String(bench.generatorCPU), Self.program, database, "--unixctl=\(folder)/ctl", "-vconsole:info", "-vsyslog:off"], log: log,
            environment: environment)
        running.processes.append(daemon)
        let mtu = workload.mtu == 1_500 ? [] : ["mtu_request=\(workload.mtu)"]
        // As many addresses as the other switches' tables hold; with the default of 8192, it would flood frames to the others.
        var words = ["add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev", "other_config:mac-table-size=65536"]
        // Open vSwitch would allocate the buffers when the first guest connects, taking all memory while it tries how many fit. A second guest that connects
        // meanwhile would get none and would never be served. A port that exists from the start causes them to be allocated, and they remain.
        words += ["--", "add-port", bridge, "first", "--", "set", "interface", "first", "type=dpdk", "options:dpdk-devargs=net_ring_first"] + mtu
        do { try configure(words) } catch { throw daemon.failed("took no configuration (\(error))") }
        let trunk = workload.vlans > 0 && workload.filtersVLANs
            ? ["--", "set", "port", "PORT", "vlan_mode=trunk", "trunks=\((0..<workload.vlans).map { String(workload.vlan($0)) }.joined(separator: ","))"] : []
        words = ["del-port", bridge, "first"]
        for port in 0..<(workload.ports + workload.idlePorts) {
            words += ["--", "add-port", bridge, "p\(port)", "--", "set", "interface", "p\(port)"] + mtu
            words += workload.switchesConnect
                ? ["type=dpdkvhostuserclient", "options:vhost-server-path=\(folder)/p\(port)"] : ["type=dpdkvhostuser"]
            words += trunk.map { $0 == "PORT" ? "p\(port)" : $0 }
        }
        do { try configure(words) } catch { throw daemon.failed("took no configuration (\(error))") }
        if workload.hasRules {
            for (number, rule) in Workload.rules.enumerated() {
                try shell(["ovs-ofctl", "add-flow", "unix:\(folder)/\(bridge).mgmt", "priority=\(100 - number),\(rule.1),actions=drop"], environment: environment)
            }
        }
        running.ports = try (0..<workload.ports).map { port in
            let socket = "\(folder)/p\(port)"
            guard workload.switchesConnect || FileManager.default.fileExists(atPath: socket) else { throw daemon.failed("made no socket for port p\(port)") }
            return GeneratorPort(device: "virtio_user:\(socket)")
        }
        return running
    }
}
