import Foundation
import Testing

extension EndToEnd {
    @Suite("Captures: frames in a pcapng file, with what became of them", .needs(.hugepages), .needs(.tshark))
    struct CaptureTests {
        private static func mac(_ number: Int) -> String { String(format: "52:54:00:00:00:%02x", number) }

        /// A frame for the TCP port `service`.
        private static func tcp(to: Int, from: Int, port service: UInt16 = 80, tags: [Frames.Tag] = [], length: Int = 60) -> [UInt8] {
            Frames.ethernet(
                to: mac(to), from: mac(from), tags: tags, type: 0x0800,
                Frames.ipv4(6, Frames.tcp(to: service, [UInt8](repeating: 0x5a, count: max(0, length - 54)))))
        }

        /// A switch with two taps and a wire, whose addresses are known to it.
        private struct Bed {
            let daemon: Daemon
            let lab: Lab
            let wire: VethPair
            let a, b, u: RawSocket

            init(_ lab: Lab) throws {
                self.lab = lab
                wire = try VethPair(lab, "u")
                let taps = ["a", "b"].map { "\(lab.tag)\($0)" }
                daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    filters: [{name: closed, rules: [{deny: tcp port 25}]}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0]), filter: {outbound: closed}}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1])}
                      - {name: u, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", rate: 1gbit}
                    guests:
                      - {name: ga, port: a, macs: ["\(CaptureTests.mac(1))"], protocols: {iscsi: {outbound: {floor: 10mbit}}}, outbound: {floor: 100mbit}}
                      - {name: gb, port: b, macs: ["\(CaptureTests.mac(2))"], inbound: {ceiling: 1mbit, limit: 12}}
                      - {name: gc, port: b, macs: ["\(CaptureTests.mac(3))"]}
                    """)
                for port in ["a", "b", "u"] { try daemon.waitUntil(port: port, is: "up") }
                (a, b, u) = (try RawSocket(taps[0]), try RawSocket(taps[1]), try RawSocket(wire.far))
                try u.send(CaptureTests.tcp(to: 1, from: 50))
                try b.send(CaptureTests.tcp(to: 1, from: 2))
                try eventually("the wire's address is known") { try daemon.show("fdb", "show").items.contains { $0["mac"].string == CaptureTests.mac(50) } }
            }

            /// Starts a capture and waits until it has begun.
            func begin(_ words: String...) throws -> ChildProcess {
                let child = try ChildProcess([Build.program("sluice"), "capture"] + words, environment: ["SLUICE_SOCKET": daemon.socket])
                lab.atClose { child.stop() }
                _ = try child.waitForLine(in: child.errors, within: 20) { $0.hasPrefix("capturing ") }
                return child
            }

            /// Ends a capture as its user would, unless it ends by itself, and returns what it says.
            @discardableResult
            func end(_ child: ChildProcess, signal: Int32? = nil, status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) -> String {
                if let signal { child.signal(signal) }
                #expect(child.waitForExit(until: .after(20)) == .code(status), "\(child.errors.text)", sourceLocation: sourceLocation)
                _ = child.errors.waitForEnd(until: .after(5))
                return child.errors.text
            }

            static let fields = [
                "frame.interface_name", "frame.packet_flags_direction", "eth.src", "eth.dst", "tcp.dstport", "frame.cap_len", "frame.len", "frame.comment",
                "_ws.malformed",
            ]

            /// The frames of a file as tshark reads them, which must have nothing to complain about.
            func read(_ path: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> [[String: String]] {
                let result = try finish(
                    ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=|"] + Self.fields.flatMap { ["-e", $0] },
                    environment: ["HOME": lab.folder, "WIRESHARK_CONFIG_DIR": lab.folder], within: 60)
                let complaints = result.errors.split(separator: "\n").filter { !$0.contains("Running as user") }
                #expect(result.status == 0 && complaints.isEmpty, "\(result.errors)", sourceLocation: sourceLocation)
                let frames = Capture.parse(result.output, Self.fields)
                #expect(frames.allSatisfy { $0["_ws.malformed"] == "" }, sourceLocation: sourceLocation)
                return frames
            }
        }

        @Test("of a guest, a port and classes: what an expression matches, both ways, with class, delay and the reasons of drops, as tshark reads it")
        func captures() throws {
            try withLab { lab in
                let bed = try Bed(lab), file = lab.path("a.pcapng")

                // Both directions, of what the expression matches. The iSCSI frame has a tag, which the expression does not have to name.
                var capture = try bed.begin("ga", "tcp port 80 or tcp port 25 or tcp port 3260", "-w", file, "--count", "5")
                for port: UInt16 in [80, 443, 25] { try bed.a.send(Self.tcp(to: 50, from: 1, port: port)) }
                try bed.u.send(Self.tcp(to: 1, from: 50, port: 3260, tags: [Frames.Tag(pcp: 3, vid: 9)]))
                try bed.u.send(Self.tcp(to: 1, from: 50))
                try bed.u.send(Self.tcp(to: 1, from: 50, port: 81))
                try bed.a.send(Self.tcp(to: 50, from: 1))
                #expect(bed.end(capture).contains("5 frames captured"))
                var frames = try bed.read(file)
                #expect(frames.count == 5 && frames.allSatisfy { $0["frame.interface_name"] == "a" })
                let ins = frames.filter { $0["eth.src"] == Self.mac(1) }, outs = frames.filter { $0["eth.src"] == Self.mac(50) }
                #expect(ins.map { $0["tcp.dstport"] } == ["80", "25", "80"] && outs.map { $0["tcp.dstport"] } == ["3260", "80"])
                #expect(ins.map { $0["frame.comment"] } == ["in by a", "in by a; dropped: filtered", "in by a"])
                #expect(ins.allSatisfy { $0["frame.packet_flags_direction"] == "0x00000001" } && outs.allSatisfy { $0["frame.packet_flags_direction"] == "0x00000002" })
                for out in outs { #expect(out["frame.comment"] == "out by a; class ga of br0; did not wait") }

                // A class with a low ceiling and a short queue, after shaping and before it: the guest's neighbour behind the port is not in it.
                capture = try bed.begin("gb", "tcp", "-w", file, "--direction", "out", "--snaplen", "64")
                let before = try bed.begin("gb", "tcp", "-w", lab.path("b.pcapng"), "--before", "--kind", "class")
                let dropped = try bed.begin("b", "tcp", "-w", lab.path("c.pcapng"), "--dropped")
                for _ in 0..<30 { try bed.a.send(Self.tcp(to: 2, from: 1, length: 1_000)) }
                try bed.a.send(Self.tcp(to: 3, from: 1))
                try eventually("nothing waits") { try bed.daemon.show("stats", "show")["queued"]["frames"].int == 0 }
                _ = try bed.daemon.atRest()
                for child in [capture, before, dropped] { bed.end(child, signal: SIGINT) }
                frames = try bed.read(file)
                let limit = frames.filter { $0["frame.comment"]?.contains("dropped: queue_limit") ?? false }
                let waited = frames.filter { $0["frame.comment"]?.contains("; waited ") ?? false }
                #expect(frames.count == 30 && !limit.isEmpty && waited.count >= 3, "\(frames.map { $0["frame.comment"] ?? "" })")
                #expect(limit.allSatisfy { $0["frame.comment"] == "for b; class gb of br0; dropped: queue_limit" })
                #expect(waited.allSatisfy { $0["frame.comment"]!.hasPrefix("out by b; class gb of br0; waited ") && $0["frame.comment"]!.hasSuffix(" ms") })
                #expect(frames.allSatisfy { $0["frame.len"] == "1000" && $0["frame.cap_len"] == "64" })
                frames = try bed.read(lab.path("b.pcapng"))
                let queued = frames.filter { !($0["frame.comment"]?.contains("dropped") ?? true) }
                // Frames that the queue refused were seen before that, too.
                #expect(queued.count == 30 && frames.count == 30 + limit.count && queued.allSatisfy { $0["frame.comment"] == "for b; class gb of br0" })
                #expect(try bed.read(lab.path("c.pcapng")).count == limit.count)

                // A frame that comes in and finds no room where it goes to.
                capture = try bed.begin("a", "tcp", "-w", file, "--direction", "in")
                for _ in 0..<30 { try bed.a.send(Self.tcp(to: 2, from: 1, length: 1_000)) }
                _ = try bed.daemon.atRest()
                bed.end(capture, signal: SIGTERM)
                frames = try bed.read(file)
                let lost = frames.filter { $0["frame.comment"] == "in by a; dropped: queue_limit at b" }
                let kept = frames.count { $0["frame.comment"] == "in by a" }
                #expect(frames.count == 30 && !lost.isEmpty && kept == 30 - lost.count, "\(frames.map { $0["frame.comment"] ?? "" })")

                // A protocol's class, as its frames leave by the wire with their tag; through a pipe, as it is mostly used.
                let words = "\(Build.program("sluice")) capture ga/iscsi 'tcp' --count 1 | tshark -n -l -r - -T fields -e frame.comment -e vlan.priority"
                let pipe = try ChildProcess(
                    ["sh", "-c", words], environment: ["SLUICE_SOCKET": bed.daemon.socket, "HOME": lab.folder, "WIRESHARK_CONFIG_DIR": lab.folder])
                lab.atClose { pipe.stop() }
                _ = try pipe.waitForLine(in: pipe.errors, within: 20) { $0.hasPrefix("capturing class ga/iscsi") }
                try bed.a.send(Self.tcp(to: 50, from: 1))
                try bed.a.send(Self.tcp(to: 50, from: 1, port: 3260))
                #expect(pipe.waitForExit(until: .after(20)) == .code(0))
                _ = pipe.output.waitForEnd(until: .after(5))
                #expect(pipe.output.text == "out by u; class ga/iscsi of u; did not wait\t4\n", "\(pipe.output.text)\(pipe.errors.text)")
                #expect(try bed.daemon.unaccountedFrames() == 0)
                bed.daemon.stop()
            }
        }

        @Test("captures end when what they capture is deleted, with all frames up to then, and make room for others")
        func forsaken() throws {
            try withLab { lab in
                let bed = try Bed(lab), file = lab.path("gc.pcapng")
                let guest = try bed.begin("gc", "tcp", "-w", file), classes = try bed.begin("gc", "--kind", "class", "-w", "/dev/null")
                let iscsi = try bed.begin("ga/iscsi", "-w", "/dev/null"), others = try bed.begin("ga", "-w", "/dev/null")
                let port = try (0..<4).map { _ in try bed.begin("b", "-w", "/dev/null") }
                try bed.a.send(Self.tcp(to: 3, from: 1))
                _ = try bed.daemon.atRest()
                try bed.daemon.command("guest", "del", "gc")
                let said = bed.end(guest, status: 1)
                #expect(said.contains("1 frame captured") && said.contains("the capture has ended, as guest gc was deleted"), "\(said)")
                #expect(try bed.read(file).count == 1)
                #expect(bed.end(classes, status: 1).contains("as class gc was deleted"))
                try bed.daemon.command("class", "del", "ga/iscsi", "dir", "outbound")
                #expect(bed.end(iscsi, status: 1).contains("as class ga/iscsi was deleted"))
                try bed.daemon.command("guest", "del", "gb")
                try bed.daemon.command("port", "del", "b")
                for child in port { #expect(bed.end(child, status: 1).contains("as port b was deleted")) }
                for _ in 0..<7 { _ = try bed.begin("a", "-w", "/dev/null") }
                bed.end(others, signal: SIGINT)
                bed.daemon.stop()
            }
        }

        @Test("a limited rate is told; captures end with their clients; what cannot be captured is refused with a sentence")
        func limits() throws {
            try withLab { lab in
                let bed = try Bed(lab), file = lab.path("a.pcapng")
                var capture = try bed.begin("a", "tcp", "-w", file, "--rate", "20")
                for _ in 0..<60 { try bed.a.send(Self.tcp(to: 50, from: 1)) }
                _ = try bed.daemon.atRest()
                let said = bed.end(capture, signal: SIGINT), frames = try bed.read(file)
                #expect(frames.count >= 2 && frames.count < 60 && said.contains("\(frames.count) frames captured"), "\(said)")
                #expect(said.contains("\(60 - frames.count) frames were not captured because more than 20 a second came"), "\(said)")

                // A time that is over, without any frame: an empty file that can be read.
                capture = try bed.begin("b", "tcp", "-w", file, "--seconds", "100ms", "--snaplen", "128b", "--rate", "1kpps")
                #expect(bed.end(capture).contains("0 frames captured"))
                #expect(try bed.read(file).isEmpty)

                let all = try (0..<8).map { _ in try bed.begin("u", "-w", "/dev/null") }
                #expect(try bed.daemon.sluice("capture", "u").errors.contains("there are 8 captures already"))
                // A client that is killed says no good-bye.
                all[0].signal(SIGKILL)
                try eventually("its capture has ended") { try bed.daemon.sluice("capture", "u", "--count", "1", "--seconds", "0.1").status == 0 }
                for child in all[1...] { bed.end(child, signal: SIGINT) }

                func refused(_ sentence: String, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
                    let result = try bed.daemon.sluice(["capture"] + words)
                    #expect(result.status != 0 && result.output.isEmpty && result.errors.contains(sentence), "\(result.errors)", sourceLocation: sourceLocation)
                }
                try refused("there is no guest, port or class 'nobody'", "nobody")
                try refused("there is no port 'ga'", "ga", "--kind", "port")
                try refused("the expression 'tcp prot 80' is refused: ", "a", "tcp", "prot", "80")
                try refused("write --direction in, or leave it out", "ga/iscsi", "--direction", "out")
                try refused("snaplen is 64 to 65535 bytes", "a", "--snaplen", "10")
                try refused("'x' is not a time: write a number and a unit, such as 300s", "a", "--seconds", "x")
                try refused("'1k' is not a number of frames: write one such as 1000", "a", "--count", "1k")
                try refused("write the frames to a file with -w FILE", "a", "-j")
                // The file of a capture that is refused stays as it was.
                try refused("refused", "a", "tcp prot", "-w", file)
                #expect(try bed.read(file).isEmpty)

                let told = try bed.daemon.sluice("capture", "a", "-w", file, "--seconds", "10ms", "-j")
                #expect(told.status == 0 && told.output.contains("\"frames\""), "\(told.output)\(told.errors)")

                // The daemon ends although captures go on.
                capture = try bed.begin("a", "-w", file)
                bed.daemon.stop()
                #expect(capture.waitForExit(until: .after(20)) == .code(1) && capture.errors.text.contains("has ended the connection"))
            }
        }
    }
}
