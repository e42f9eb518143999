import Foundation
import Testing

extension EndToEnd {
    @Suite("Host taps that others change", .needs(.hugepages))
    struct TapTests {
        @Test("a tap that is removed, with its namespace or alone, is failed and idle; one set down is down; one renamed is failed until it has its name again or the port has its new one",
            arguments: ["adaptive", "interrupt"])
        func interfaceBelow(_ mode: String) throws {
            try withLab { lab in
                let host = try Namespace(lab, "host")
                // The name of c is as long as an interface's name can be.
                func name(_ tap: String) -> String { tap == "c" ? String("\(lab.tag)c-fifteen-letters".prefix(15)) : "\(lab.tag)\(tap)" }
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 16384, polling: \(mode)}
                    bridges: [{name: br0}]
                    ports:
                      - {name: inside, type: tap, bridge: br0, interface: \(name("i")), netns: \(host.name)}

                    """ + ["a", "b", "c"].map { "  - {name: \($0), type: tap, bridge: br0, interface: \(name($0))}\n" }.joined())
                func becomes(_ port: String, _ state: String, reason: String?) throws {
                    try eventually("\(port) is \(state)") {
                        let port = try daemon.port(port)
                        return port["state"].string == state && (reason.map { (port["reason"].string ?? "").contains($0) } ?? port["reason"].isNull)
                    }
                }
                func wakeups(by reason: String) throws -> Int { try daemon.show("core", "show")[0]["wakeups"][reason].int ?? 0 }
                /// Waits until little but the end of its longest sleep wakes the loop; the host itself sends some frames on the taps. A descriptor that is
                /// always ready would wake it all the time. It may do so until the daemon has closed it in its next round, at most a second later.
                func isIdle() throws {
                    try eventually("the loop sleeps its longest sleeps") {
                        let traffic = try wakeups(by: "traffic"), time = try wakeups(by: "time")
                        try eventually("its sleeps end") { try wakeups(by: "time") >= time + 10 }
                        return try wakeups(by: "traffic") < traffic + 1_000
                    }
                }
                for port in ["inside", "a", "b", "c"] { try becomes(port, "up", reason: nil) }
                // A new interface of the same name belongs to somebody else and must stay as it is.
                try run("sh", "-c", "ip link del $0 && ip tuntap add dev $0 mode tap", name("a"))
                lab.atClose { _ = try? run("ip", "link", "del", name("a")) }
                try run("ip", "link", "set", name("a"), "up")
                try becomes("a", "failed", reason: "interface \(name("a")) exists already")
                try isIdle()
                // The interface is removed now, while the daemon still tries to open the port every few seconds.
                #expect(try run("ip", "-o", "link", "show", "dev", name("a")).contains(",UP"))
                try run("ip", "link", "del", name("a"))
                try becomes("a", "up", reason: nil)
                try run("ip", "netns", "del", host.name)
                try becomes("inside", "failed", reason: host.name)
                try isIdle()
                for tap in ["a", "b"] {
                    try run("ip", "link", "set", name(tap), "down")
                    try becomes(tap, "down", reason: "no link")
                }
                try isIdle()

                // Frames for the other ports are then dropped with the reason that there is no destination.
                try RawSocket(name("c")).send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:01", type: 0x88b5, []))
                try eventually("nobody is there to flood to") { try daemon.port("c")["drops"]["no_destination"].int ?? 0 > 0 }

                // Under another name it is not the port's interface, and nothing of it may be touched, not even by a change of something else.
                try run("ip", "link", "set", name("b"), "up")
                try becomes("b", "up", reason: nil)
                try run("ip", "addr", "add", "10.9.9.1/24", "dev", name("b"))
                let identity = try InterfaceIdentity(name("b"))
                func rename(_ from: String, _ to: String) throws {
                    try run("ip", "link", "set", name(from), "down")
                    try run("ip", "link", "set", name(from), "name", name(to))
                    try run("ip", "link", "set", name(to), "up")
                }
                func reason(_ port: String, _ now: String) -> String {
                    "its interface \(name(port)) is called \(name(now)) now; rename it back (`ip link set \(name(now)) name \(name(port))`), or configure `interface \(name(now))`"
                }
                try rename("b", "x")
                try becomes("b", "failed", reason: reason("b", "x"))
                #expect(try daemon.command("status").contains("failed: port b: \(reason("b", "x"))"))
                try isIdle()
                try daemon.command("port", "set", "b", "mtu", "1400")
                try becomes("b", "failed", reason: reason("b", "x"))
                try daemon.command("port", "set", "b", "mtu", "1500")
                try rename("x", "b")
                try becomes("b", "up", reason: nil)
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 10) { $0.contains("port b: its interface \(name("b")) has its name again") }
                #expect(try InterfaceIdentity(name("b")) == identity)
                try rename("b", "x")
                try becomes("b", "failed", reason: reason("b", "x"))

                // The port takes over the interface's new name, and the old name is free for another interface.
                let adopted = try daemon.command("port", "set", "b", "interface", name("x"))
                #expect(adopted.hasPrefix("~ port b interface \(name("b")) -> \(name("x")) (its interface is called that already, and stays as it is)\n"), "\(adopted)")
                try becomes("b", "up", reason: nil)
                #expect(try InterfaceIdentity(name("x")) == identity)
                try daemon.command("port", "add", "other", "type", "tap", "bridge", "br0", "interface", name("b"))
                try becomes("other", "up", reason: nil)
                try daemon.command("port", "set", "b", "mtu", "1400")
                #expect(try InterfaceIdentity(name("x")).mtu == "1400")
                try daemon.command("port", "del", "other")
                #expect(if_nametoindex(name("b")) == 0)
                try becomes("b", "up", reason: nil)
                let capture = try Capture(lab, name("x"), fields: ["eth.dst"], filter: "ether proto 0x88b5")
                try RawSocket(name("c")).send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:01", type: 0x88b5, []))
                _ = try capture.waitFor(1)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
