import Foundation
import Netlink
import Packet
import Testing

/// Whether this process may create network namespaces. If not, that is printed once.
private let mayChangeNetwork: Bool = {
    let probe = "sl-probe-\(getpid())"
    let works = getuid() == 0 && ip("netns", "add", probe) && ip("netns", "del", probe)
    if !works { print("SKIPPED: tests of interfaces need root and network namespaces (`ip netns add` does not work here)") }
    return works
}()

@discardableResult
private func ip(_ arguments: String...) -> Bool {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["ip"] + arguments
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
}

/// Two network namespaces of this test, with a veth pair in the first. They are removed together with this object.
private final class Laboratory {
    let first = NetworkNamespace.named("sl-a-\(getpid())-\(UInt32.random(in: 0...9999))")
    let second = NetworkNamespace.named("sl-b-\(getpid())-\(UInt32.random(in: 0...9999))")

    init() throws {
        for namespace in [first, second] { try #require(ip("netns", "add", name(namespace))) }
        try #require(ip("-n", name(first), "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"))
    }

    func name(_ namespace: NetworkNamespace) -> String { String(namespace.path!.split(separator: "/").last!) }

    deinit { for namespace in [first, second] { ip("netns", "del", name(namespace)) } }
}

@Suite("Interfaces in real namespaces", .enabled(if: mayChangeNetwork))
struct LinkTests {
    @Test func looksUpByNameAndIndex() throws {
        let laboratory = try Laboratory()
        let socket = try LinkSocket(in: laboratory.first)
        let link = try socket.link(named: "veth0")
        #expect(link.name == "veth0")
        #expect(link.kind == "veth")
        #expect(link.driver == "veth")
        #expect(link.mtu == 1500)
        #expect(!link.isUp && !link.hasCarrier && !link.isLoopback)
        #expect(link.receiveQueues >= 1 && link.transmitQueues >= 1)
        #expect(link.controller == nil)
        let mac = try #require(link.mac)
        #expect(!mac.isMulticast && !mac.isZero)
        #expect(try socket.link(index: link.index) == link)
        #expect(socket.exists("veth0") && !socket.exists("veth9") && !socket.exists("a/b"))
        #expect(try Set(socket.links().map(\.name)) == ["lo", "veth0", "veth1"])
        #expect(try socket.link(named: "lo").isLoopback)
    }

    @Test func changesAllAtOnce() throws {
        let laboratory = try Laboratory()
        let socket = try LinkSocket(in: laboratory.first)
        let mac = try #require(MACAddress("02:00:5e:10:20:30"))
        try socket.change("veth0", LinkChange(up: true, mtu: 9000, mac: mac))
        try socket.setUp("veth1")
        var link = try socket.link(named: "veth0")
        #expect(link.mac == mac)
        #expect(link.mtu == 9000)
        #expect(link.isUp && link.hasCarrier)
        try socket.setUp("veth0", false)
        link = try socket.link(named: "veth0")
        #expect(!link.isUp)
        #expect(link.mtu == 9000 && link.mac == mac, "bringing down changed something else")
        try socket.setMTU("veth0", 1400)
        try socket.setMAC("veth0", MACAddress(value: 0x02_0000_0000_01))
        link = try socket.link(named: "veth0")
        #expect(link.mtu == 1400 && link.mac?.value == 0x02_0000_0000_01)
        try socket.change("veth0", LinkChange(promiscuous: true))
        #expect(try socket.link(named: "veth0").isPromiscuous)
        try socket.change("veth0", LinkChange(promiscuous: false))
        try socket.change("veth0", LinkChange())
        #expect(try socket.link(named: "veth0") == link)
    }

    @Test func movesIntoANamespace() throws {
        let laboratory = try Laboratory()
        let here = try LinkSocket(in: laboratory.first)
        let there = try LinkSocket(in: laboratory.second)
        try here.move("veth1", to: laboratory.second)
        #expect(!here.exists("veth1"))
        try there.setUp("veth1")
        try here.setUp("veth0")
        #expect(try there.link(named: "veth1").hasCarrier)

        let path = NetworkNamespace.path("/run/netns/\(laboratory.name(laboratory.first))")
        try there.move("veth1", to: path)
        #expect(here.exists("veth1"))
    }

    @Test func saysWhatIsWrong() throws {
        let laboratory = try Laboratory()
        let socket = try LinkSocket(in: laboratory.first)
        let blue = laboratory.name(laboratory.first)
        #expect(throws: NetlinkError.noSuchLink(name: "eth9", place: "in the network namespace \(blue)")) { try socket.link(named: "eth9") }
        #expect(throws: NetlinkError.noSuchLink(name: "eth9", place: "in the network namespace \(blue)")) { try socket.setMTU("eth9", 1500) }
        #expect(throws: NetlinkError.badName("a-name-that-is-too-long")) { try socket.link(named: "a-name-that-is-too-long") }
        #expect(throws: NetlinkError.badName("")) { try socket.link(named: "") }
        #expect(throws: NetlinkError.noSuchIndex(index: 4711, place: "in the network namespace \(blue)")) { try socket.link(index: 4711) }
        #expect(throws: NetlinkError.noSuchIndex(index: 0, place: "in the network namespace \(blue)")) { try socket.link(index: 0) }
        #expect(throws: NetlinkError.noSuchNamespace(path: "/run/netns/no-such")) { try socket.move("veth0", to: .named("no-such")) }
        #expect(throws: NetlinkError.notANamespace(path: "/etc/hostname")) { try socket.move("veth0", to: .path("/etc/hostname")) }
        #expect(throws: NetlinkError.notANamespace(path: "/etc/hostname")) { _ = try LinkSocket(in: .path("/etc/hostname")) }
        #expect(throws: NetlinkError.noSuchNamespace(path: "/run/netns/no-such")) { _ = try LinkSocket(in: .named("no-such")) }
        #expect(throws: NetlinkError.self) { try socket.setMTU("veth0", 67) }
        #expect(throws: NetlinkError.self) { try socket.setMTU("veth0", 70_000) }
        #expect(throws: NetlinkError.self) { try socket.setMAC("veth0", MACAddress(value: 0x0100_0000_0001)) }
        // The kernel, not our code, refuses to change the loopback interface.
        #expect(throws: NetlinkError.self) { try socket.setMAC("lo", MACAddress(value: 0)) }

        let second = try LinkSocket(in: laboratory.second)
        #expect(ip("-n", laboratory.name(laboratory.second), "link", "add", "veth0", "type", "veth", "peer", "name", "veth7"))
        #expect(throws: NetlinkError.nameTaken(name: "veth0", place: "in the network namespace \(laboratory.name(laboratory.second))")) {
            try socket.move("veth0", to: laboratory.second)
        }
        try second.delete("veth0")
        #expect(!second.exists("veth7"))
        #expect(socket.exists("veth0"))
    }

    @Test func errorsAreSentences() {
        #expect(NetlinkError.noSuchLink(name: "eth9", place: "on this host").description == "no interface eth9 on this host; `ip link` lists them")
        #expect(NetlinkError.badName("a b").description.contains("1 to 15 characters"))
        #expect(NetlinkError.noSuchNamespace(path: "/run/netns/x").description.contains("ip netns add"))
    }

    @Test func workInsideANamespaceStaysThere() throws {
        let laboratory = try Laboratory()
        let before = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self/ns/net")
        let inside = try laboratory.first.run { () throws(NetlinkError) -> String in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self/ns/net")) ?? ""
        }
        #expect(inside.hasPrefix("net:[") && inside != before)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self/ns/net") == before)
        #expect(throws: NetlinkError.unavailable(reason: "as it says")) {
            try laboratory.first.run { () throws(NetlinkError) in throw .unavailable(reason: "as it says") }
        }
    }
}

@Suite("Names of namespaces")
struct NetworkNamespaceTests {
    @Test func textIsANameOrAPath() {
        #expect(NetworkNamespace("blue") == .named("blue"))
        #expect(NetworkNamespace("blue").path == "/run/netns/blue")
        #expect(NetworkNamespace("/proc/1/ns/net") == .path("/proc/1/ns/net"))
        #expect(NetworkNamespace.current.path == nil)
    }

    @Test func theHostsLoopbackIsFoundUnprivileged() throws {
        let socket = try LinkSocket()
        #expect(try socket.link(named: "lo").isLoopback)
        #expect(throws: NetlinkError.noSuchLink(name: "no-such-link", place: "on this host")) { try socket.link(named: "no-such-link") }
    }
}
