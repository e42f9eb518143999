import Foundation

/// A network namespace, which stands for another host.
final class Namespace {
    let name: String

    init(_ lab: Lab, _ name: String) throws {
        self.name = "\(lab.tag)-\(name)"
        let full = self.name
        try SystemTests.run("ip", "netns", "add", full)
        lab.atClose { _ = try? SystemTests.run("ip", "netns", "del", full) }
        try run("ip", "link", "set", "lo", "up")
    }

    @discardableResult
    func run(_ arguments: String..., environment: [String: String] = [:], within seconds: Double = 60) throws -> String {
        let result = try finish(arguments, namespace: name, environment: environment, within: seconds)
        guard result.status == 0 else {
            throw LabError("in \(name): \(arguments.joined(separator: " ")) ended with \(result.status):\n\(result.output)\(result.errors)")
        }
        return result.output
    }

    func configure(_ interface: String, address: String) throws {
        try run("ip", "addr", "add", address, "dev", interface)
        try run("ip", "link", "set", interface, "up")
    }

    /// Pings until one answer arrives, which shows that the path is up.
    func reaches(_ address: String, within seconds: Double = 30) throws {
        try eventually("\(name) reaches \(address)", within: seconds) {
            try finish(["busybox", "ping", "-c", "1", "-W", "1", address], namespace: name).status == 0
        }
    }

    /// Serves the files of `folder` over HTTP on port 80.
    func serve(_ lab: Lab, _ folder: String) throws {
        _ = try lab.start("busybox", "httpd", "-f", "-p", "80", "-h", folder, namespace: self)
    }

    func fetchedDigest(_ url: String, within seconds: Double = 60) throws -> String {
        try String(run("sh", "-c", "busybox wget -q -O - \(url) | sha256sum", within: seconds).prefix(64))
    }
}

/// Two connected interfaces. The near one stays here (for a `physical` port), the far one may be in a namespace.
struct VethPair {
    let near: String
    let far: String

    /// - Parameters:
    ///   - queues: the number of queues of each end in each direction.
    ///   - finishesChecksums: whether checksums are complete, as on a wire; otherwise a sender leaves them to the other side, which is the kernel's default.
    init(_ lab: Lab, _ name: String, queues: Int = 1, finishesChecksums: Bool = true, farIn namespace: Namespace? = nil) throws {
        near = "\(lab.tag)\(name)a"
        far = "\(lab.tag)\(name)b"
        precondition(near.utf8.count < 16, "interface name \(near) is too long for Linux")
        let near = near, far = far
        // DPDK's af_packet computes the number of a fanout group from process id and interface index, so the next process could get the number that the
        // neighbour of an interface had.
        let number = "\(queues)"
        try run(
            "ip", "link", "add", near, "numrxqueues", number, "numtxqueues", number, "type", "veth",
            "peer", "name", far, "index", "\(Int.random(in: 1 << 17..<1 << 30))", "numrxqueues", number, "numtxqueues", number)
        lab.atClose { _ = try? run("ip", "link", "del", near) }
        for end in [near, far] {
            // Offloads would put frames on the "wire" that no wire carries: with incomplete checksums, or of 64 KiB.
            _ = try? run("ethtool", "-K", end, "tx", finishesChecksums ? "off" : "on", "tso", "off", "gso", "off", "gro", "off")
            // No router solicitations may be among the frames that a test counts.
            try? "1".write(toFile: "/proc/sys/net/ipv6/conf/\(end)/disable_ipv6", atomically: false, encoding: .utf8)
        }
        try run("ip", "link", "set", near, "up", "promisc", "on")
        if let namespace {
            try run("ip", "link", "set", far, "netns", namespace.name)
            try namespace.run("ip", "link", "set", far, "up")
        } else {
            try run("ip", "link", "set", far, "up", "promisc", "on")
        }
    }
}
