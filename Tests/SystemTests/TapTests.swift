import Foundation
import Testing

extension EndToEnd {
    @Suite("Host taps that others change", .needs(.hugepages))
    struct TapTests {
        @Test("a tap that is removed, with its namespace or alone, is failed and idle; one set down is down; by another name it is the same",
            arguments: ["adaptive", "interrupt"])
        func interfaceBelow(_ mode: String) throws {
            try withLab { lab in
                let host = try Namespace(lab, "host")
                // One as long as an interface's name can be.
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
                /// Soon little but the longest sleep's end wakes the loop: what the host itself says on the taps. What is always ready wakes it all the time,
                /// and may do so until the daemon's next round, a second later at most, has closed it.
                func isIdle() throws {
                    try eventually("the loop sleeps its longest sleeps") {
                        let traffic = try wakeups(by: "traffic"), time = try wakeups(by: "time")
                        try eventually("its sleeps end") { try wakeups(by: "time") >= time + 10 }
                        return try wakeups(by: "traffic") < traffic + 1_000
                    }
                }
                for port in ["inside", "a", "b", "c"] { try becomes(port, "up", reason: nil) }
                // One of the same name is another's, and stays as it is.
                try run("sh", "-c", "ip link del $0 && ip tuntap add dev $0 mode tap", name("a"))
                lab.atClose { _ = try? run("ip", "link", "del", name("a")) }
                try run("ip", "link", "set", name("a"), "up")
                try becomes("a", "failed", reason: "interface \(name("a")) exists already")
                try isIdle()
                try run("ip", "netns", "del", host.name)
                try becomes("inside", "failed", reason: host.name)
                try isIdle()
                try run("ip", "link", "set", name("b"), "down")
                try becomes("b", "down", reason: "no link")
                try isIdle()

                // What is for it meanwhile is dropped under the name of that.
                try RawSocket(name("c")).send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:01", type: 0x88b5, []))
                try eventually("nobody is there to flood to") { try daemon.port("c")["drops"]["no_destination"].int ?? 0 > 0 }
                try run("ip", "link", "set", name("b"), "name", name("x"))
                try run("ip", "link", "set", name("x"), "up")
                try becomes("b", "up", reason: nil)
                let capture = try Capture(lab, name("x"), fields: ["eth.dst"], filter: "ether proto 0x88b5")
                try RawSocket(name("c")).send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:01", type: 0x88b5, []))
                _ = try capture.waitFor(1)

                #expect(try run("ip", "-o", "link", "show", "dev", name("a")).contains(",UP"))
                try run("ip", "link", "del", name("a"))
                try becomes("a", "up", reason: nil)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
