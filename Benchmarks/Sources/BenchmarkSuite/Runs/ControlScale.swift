import Foundation
import Measuring

/// How long changes and looks take in a configuration of many classes, beside Open vSwitch, where its QoS has as many queues on one port.
struct ControlScale {
    private static let guests = 5_000

    /// Two classes for each guest, one in the bridge's tree and one in the uplink's.
    private static func configuration(_ guests: Int, _ bench: Bench, metrics: String? = nil) -> String {
        var lines = ["daemon: {cpus: [\(bench.switchCPUs(1)[0])], buffers: 16384, polling: interrupt\(metrics.map { ", metrics: \($0)" } ?? "")}"]
        lines += ["bridges: [{name: br0, rate: 100gbit}]", "ports:", "  - {name: up, type: physical, bridge: br0, device: \"net_null0,no-rx=1\", rate: 100gbit}"]
        lines += (0..<50).map { "  - {name: p\($0), type: vhost, bridge: br0, mode: server, socket: \(bench.folder)/p\($0)}" }
        lines += ["guests:"] + (0..<guests).map { number in
            let mac = "52:54:01:00:\(String(format: "%02x:%02x", number >> 8, number & 255))", rates = "{floor: 1mbit, ceiling: 100mbit}"
            return "  - {name: g\(number), port: p\(number % 50), macs: ['\(mac)'], inbound: \(rates), outbound: \(rates)}"
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func milliseconds(_ body: () throws -> Void) rethrows -> Double { try ContinuousClock().measure(body) / .milliseconds(1) }

    /// Starts a daemon that has next to nothing to do, on a socket that is returned.
    private static func start(_ bench: Bench, _ configuration: String) throws -> (process: ChildProcess, socket: String) {
        let file = try bench.file("sluice.yaml", configuration), socket = bench.path("c")
        let process = try ChildProcess(["\(bench.programs)/sluiced", "--config", file, "--socket", socket, "--state", "none"], log: bench.path("sluiced.log"))
        try process.waitFor("ready", within: 120)
        return (process, socket)
    }

    static func run(_ bench: Bench, _ name: String) throws {
        func figure(_ quantity: String, _ unit: String, _ target: Double? = nil, higherIsBetter: Bool = false) -> Figure {
            Figure(name, quantity, unit: unit, higherIsBetter: higherIsBetter, targets: target.map { [.init(against: nil, $0)] } ?? [])
        }
        var apply = figure("10 000 classes applied", "ms", 1_000), command = figure("one of 10 000 changed, by command", "ms")
        var change = figure("one of 10 000 changed, on a connection", "ms", 5), rate = figure("changes a second on a connection", "/s", 1_000, higherIsBetter: true)
        var show = figure("10 000 classes shown, on a connection", "ms", 300), list = figure("10 000 classes shown, by command", "ms")
        for round in 0..<bench.rounds {
            let (process, socket) = try start(bench, "bridges: [{name: br0}]\ndaemon: {cpus: [\(bench.switchCPUs(1)[0])], buffers: 16384}\n")
            defer { process.stop() }
            let file = try bench.file("many.yaml", configuration(guests, bench)), sluice = "\(bench.programs)/sluice"
            apply.add("sluice", try milliseconds { try shell(sluice, "--socket", socket, "apply", file, within: 60) })
            let connection = try ControlConnection(socket)
            func edit(_ number: Int) throws { try connection.call("class.set", "{\"path\":\"g\(number % guests)\",\"dir\":\"inbound\",\"floor\":\"\(1_000 + number)kbit\"}") }
            change.add("sluice", try (1...101).map { number in try milliseconds { try edit(number) } }.sorted()[50])
            let count = 2_000
            rate.add("sluice", Double(count) / (try milliseconds { for number in 1...count { try edit(200 + number) } } / 1_000))
            show.add("sluice", try milliseconds { try connection.call("class.show") })
            command.add("sluice", try milliseconds { try shell(sluice, "--socket", socket, "class", "set", "g7", "dir", "inbound", "floor", "\(2_000 + round)kbit") })
            list.add("sluice", try milliseconds { try shell(sluice, "--socket", socket, "class", "show", within: 60) })
        }
        let peers = bench.chosen([SluicePeer(), OpenvSwitchPeer()])
        if peers.contains(where: { $0.name == "ovs-dpdk" }) {
            do {
                for round in 0..<bench.rounds {
                    let times = try OpenvSwitchQueues(bench).measure(2 * guests, round)
                    apply.add("ovs-vsctl", times.apply)
                    command.add("ovs-vsctl", times.change)
                    list.add("ovs-vsctl", times.show)
                }
            } catch { bench.fail(name, "ovs-vsctl", error) }
        }
        bench.add(apply, change, rate, show, command, list)
    }

    /// How long it takes to read all metrics of 16 000 classes.
    static func metrics(_ bench: Bench, _ name: String) throws {
        var series = Figure(name, "series of 16 000 classes", unit: "series"), time = Figure(name, "read", unit: "ms", higherIsBetter: false)
        var change = Figure(name, "longest change of a class meanwhile", unit: "ms", higherIsBetter: false)
        for _ in 0..<bench.rounds {
            let metrics = bench.path("m"), (process, socket) = try start(bench, configuration(8_000, bench, metrics: metrics))
            defer { process.stop() }
            let connection = try ControlConnection(socket)
            try connection.call("class.set", "{\"path\":\"g1\",\"dir\":\"inbound\",\"floor\":\"900kbit\"}")
            let file = bench.path("text"), began = ContinuousClock.now
            let reader = try ChildProcess(["curl", "-sf", "-o", file, "--unix-socket", metrics, "http://localhost/metrics"], log: bench.path("curl.log"))
            var longest = 0.0, number = 0
            // Until the reader ends, which is looked at without taking its time.
            while !reader.waitForExit(within: 0.002) {
                number += 1
                longest = max(longest, try milliseconds {
                    try connection.call("class.set", "{\"path\":\"g\(number % 8_000)\",\"dir\":\"inbound\",\"floor\":\"\(901 + number % 90)kbit\"}")
                })
            }
            time.add("sluice", (ContinuousClock.now - began) / .milliseconds(1))
            let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
            guard text.hasSuffix("# EOF\n") else { throw Fault("curl read no metrics: \(text.prefix(300))") }
            series.add("sluice", Double(text.utf8.split(separator: 10).count { $0.first != UInt8(ascii: "#") }))
            change.add("sluice", longest)
        }
        bench.add(series, time, change)
    }
}

/// Open vSwitch with as many queues in the QoS of one port, which its linux-htb makes classes of the kernel's HTB. It has a database and folders of its own.
private struct OpenvSwitchQueues {
    let bench: Bench
    private let folder: String
    private let environment: [String: String]

    init(_ bench: Bench) throws {
        self.bench = bench
        folder = bench.path("q")
        do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch { throw Fault("\(error)") }
        environment = ["OVS_RUNDIR": folder, "OVS_DBDIR": folder, "OVS_LOGDIR": folder, "OVS_SYSCONFDIR": folder]
    }

    @discardableResult
    private func configure(_ words: [String]) throws -> String {
        try shell(["ovs-vsctl", "--db=unix:\(folder)/db", "--timeout=110"] + words, environment: environment, within: 120)
    }

    private func milliseconds(_ body: () throws -> Void) rethrows -> Double { try ContinuousClock().measure(body) / .milliseconds(1) }

    func measure(_ queues: Int, _ round: Int) throws -> (apply: Double, change: Double, show: Double) {
        let bridge = bench.tag + "q"
        try shell("ovsdb-tool", "create", "\(folder)/conf.db", "/usr/share/openvswitch/vswitch.ovsschema")
        let store = try ChildProcess(
            ["ovsdb-server", "\(folder)/conf.db", "--remote=punix:\(folder)/db", "--unixctl=\(folder)/dbctl"], log: bench.path("ovsdb.log"), environment: environment)
        defer {
            store.stop()
            for tap in [bridge, "ovs-netdev"] where FileManager.default.fileExists(atPath: "/sys/class/net/\(tap)") { _ = try? shell("ip", "link", "del", tap) }
            try? FileManager.default.removeItem(atPath: folder)
        }
        for _ in 0..<200 where !FileManager.default.fileExists(atPath: "\(folder)/db") { usleep(10_000) }
        try configure(["--no-wait", "init"])
        let daemon = try ChildProcess(
            ["taskset", "-c", String(bench.switchCPUs(1)[0]), "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk", "unix:\(folder)/db", "--unixctl=\(folder)/ctl", "-vsyslog:off"],
            log: bench.path("ovs.log"), environment: environment)
        defer { daemon.stop() }
        try configure(["add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev"])
        var words = ["--", "set", "port", bridge, "qos=@qos", "--", "--id=@qos", "create", "qos", "type=linux-htb", "other-config:max-rate=100000000000"]
        words += (0..<queues).map { "queues:\($0)=@q\($0)" }
        for number in 0..<queues { words += ["--", "--id=@q\(number)", "create", "queue", "other-config:min-rate=1000000", "other-config:max-rate=100000000"] + (number == 7 ? ["external-ids:n=7"] : []) }
        let apply = try milliseconds { try configure(words) }
        let queue = try configure(["--bare", "--columns=_uuid", "find", "queue", "external-ids:n=7"]).trimmingCharacters(in: .whitespacesAndNewlines)
        let change = try milliseconds { try configure(["set", "queue", queue, "other-config:min-rate=\(2_000_000 + round)"]) }
        let show = try milliseconds { try shell(["ovs-appctl", "-t", "\(folder)/ctl", "qos/show", bridge], environment: environment, within: 60) }
        return (apply, change, show)
    }
}
