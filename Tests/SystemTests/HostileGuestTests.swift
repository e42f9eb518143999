import Foundation
import Testing

extension EndToEnd {
    @Suite("A hostile guest breaks its own port only", .needs(.hugepages))
    struct HostileGuestTests {
        private static let neighbour = "52:54:00:00:00:01"

        /// A switch with two ports for the hostile guest, one for an honest guest, and a tap by which frames come for all of them.
        private func withSwitch(_ body: (Lab, Daemon, RawSocket) throws -> Void) throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(lab.tag)t}
                      - {name: evil, type: vhost, bridge: br0, socket: \(lab.path("evil")), mode: server, mtu: 9000}
                      - {name: good, type: vhost, bridge: br0, socket: \(lab.path("good")), mode: server}
                    """)
                try run("ip", "link", "set", "\(lab.tag)t", "up")
                try body(lab, daemon, RawSocket("\(lab.tag)t"))
                daemon.stop()
            }
        }

        private func frame(_ length: Int = 60) -> [UInt8] {
            // A broadcast with IEEE 802 local experimental EtherType 1.
            Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: Self.neighbour, type: 0x88b5, [UInt8](repeating: 7, count: length - 14))
        }

        /// Checks that frames still reach an honest guest.
        private func expectService(_ lab: Lab, _ daemon: Daemon, _ sender: RawSocket, _ good: Frontend) throws {
            let before = good.taken
            try eventually("a frame reaches the honest guest") {
                try sender.send(frame())
                return good.taken != before
            }
            #expect(daemon.isRunning)
        }

        private func honest(_ lab: Lab, _ daemon: Daemon) throws -> Frontend {
            let good = try Frontend(lab.path("good"))
            good.offer(ring: 0, bufferBytes: 2_048, count: 256)
            try good.start()
            try daemon.waitUntil(port: "good", is: "up")
            return good
        }

        @Test("rings that say to hold more than they do, descriptors that block, memory that goes, and sizes that change are their own guest's loss")
        func attacks() throws {
            try withSwitch { lab, daemon, sender in
                let good = try honest(lab, daemon)

                // Each frame takes 26 buffers of 60 bytes, and a burst takes more than the ring has.
                do {
                    let evil = try Frontend(lab.path("evil"))
                    evil.offer(ring: 0, bufferBytes: 60, count: 40_000)
                    try evil.start()
                    try eventually("the ring is named as stopped") {
                        for _ in 0..<64 { try sender.send(frame(1_500)) }
                        return try daemon.port("evil")["reason"].string?.contains("towards the guest: queue 0") ?? false
                    }
                    try expectService(lab, daemon, sender, good)
                }
                // The same attack with the ring from the guest.
                do {
                    let evil = try Frontend(lab.path("evil"), fromGuest: 16)
                    evil.offer(ring: 1, bufferBytes: 128, count: 1_000)
                    try evil.start()
                    try eventually("the ring is named as stopped") { try daemon.port("evil")["reason"].string?.contains("from the guest: queue 0") ?? false }
                    try expectService(lab, daemon, sender, good)
                }
                // A ring that was stopped works for the next guest, which sends as many frames as the ring holds.
                do {
                    let next = try Frontend(lab.path("evil"), fromGuest: 16)
                    let before = try daemon.port("evil")["rx"]["frames"].int ?? 0
                    next.offer(ring: 1, bufferBytes: 128, count: 16)
                    next.write(frame(100), buffers: 16, bufferBytes: 128)
                    try next.start()
                    try daemon.waitUntil(port: "evil", is: "up")
                    try eventually("its frames arrive") { try daemon.port("evil")["rx"]["frames"].int == before + 16 }

                    // If a running ring could get another size, its tables would be replaced while the poll loop uses them.
                    try next.send(.setRingSize, [1, 0, 0, 0, 2, 0, 0, 0])
                    #expect(next.isClosed())
                    try expectService(lab, daemon, sender, good)
                }
                // Nobody reads the pipe through which the guest asks to be notified, so a blocking write to it would hang.
                do {
                    let evil = try Frontend(lab.path("evil"))
                    evil.offer(ring: 0, bufferBytes: 2_048, count: 256)
                    try evil.start(fullCall: true)
                    try daemon.waitUntil(port: "evil", is: "up")
                    try eventually("frames reach it") {
                        try sender.send(frame())
                        return evil.taken > 0
                    }
                    try expectService(lab, daemon, sender, good)
                }
                // The guest's process fills the eventfd by which its guest is told, and makes writes to it wait: their flag is shared by all who have it.
                do {
                    let call = Frontend.makeEvent(0, 0)
                    defer { close(call) }
                    let evil = try Frontend(lab.path("evil"))
                    evil.offer(ring: 0, bufferBytes: 2_048, count: 256)
                    try evil.start(call: call)
                    try daemon.waitUntil(port: "evil", is: "up")
                    try eventually("it is told of frames") {
                        try sender.send(frame())
                        var told: UInt64 = 0
                        return evil.taken > 0 && read(call, &told, 8) == 8
                    }
                    let before = evil.taken
                    _ = fcntl(call, F_SETFL, 0)
                    var most = UInt64.max - 1
                    #expect(write(call, &most, 8) == 8)
                    try eventually("frames reach it") {
                        try sender.send(frame())
                        return evil.taken > before
                    }
                    try expectService(lab, daemon, sender, good)
                }
                // The guest's memory disappears while the guest is being served.
                do {
                    let evil = try Frontend(lab.path("evil"))
                    evil.offer(ring: 0, bufferBytes: 2_048, count: 256)
                    try evil.start()
                    try daemon.waitUntil(port: "evil", is: "up")
                    #expect(ftruncate(evil.memory, 0) == 0)
                    try eventually("the port says why it is not served") {
                        try sender.send(frame())
                        return try daemon.port("evil")["reason"].string?.contains("memory") ?? false
                    }
                    try expectService(lab, daemon, sender, good)
                }
                let next = try Frontend(lab.path("evil"))
                next.offer(ring: 0, bufferBytes: 2_048, count: 256)
                try next.start()
                try daemon.waitUntil(port: "evil", is: "up")
                try eventually("the next guest is served") {
                    try sender.send(frame())
                    return next.taken > 0
                }
            }
        }

        @Test("a driver that breaks the rules of its ring has that ring stopped, and told why; frames of megabytes are dropped at once, and counted")
        func brokenRings() throws {
            try withSwitch { lab, daemon, sender in
                let good = try honest(lab, daemon)
                // The flags of descriptors: 1 another follows, 2 the device writes, 4 a table of descriptors.
                let attacks: [(why: String, address: UInt64, length: UInt32, flags: UInt16, next: UInt16)] = [
                    ("outside the memory", UInt64(Frontend.memoryBytes) - 64, 128, 0, 0),
                    ("outside the memory", .max - 63, 128, 0, 0),
                    ("too long, or endless", 0x100000, 64, 1, 0),
                    ("a descriptor that the ring does not have", 0x100000, 64, 1, 256),
                    ("tables of descriptors that are none", 0x100000, 24, 4, 0),
                    ("tables of descriptors that are none", 0x100000, .max & ~15, 4, 0),
                    ("the other way round", 0x100000, 128, 2, 0),
                ]
                for attack in attacks {
                    let evil = try Frontend(lab.path("evil"))
                    evil.offer(ring: 1, bufferBytes: 128, count: 1)
                    evil.setDescriptor(ring: 1, 0, address: attack.address, length: attack.length, flags: attack.flags, next: attack.next)
                    try evil.start()
                    try eventually("the ring is stopped, as its driver \(attack.why)") {
                        let reason = try daemon.port("evil")["reason"].string ?? ""
                        return reason.contains("from the guest: queue 0") && reason.contains(attack.why)
                    }
                    try expectService(lab, daemon, sender, good)
                }
                let before = try daemon.port("evil")["drops"]["oversized"].int ?? 0
                let evil = try Frontend(lab.path("evil"))
                evil.offer(ring: 1, bufferBytes: 128, count: 256)
                for number in 0..<256 { evil.setDescriptor(ring: 1, number, address: 0x10, length: UInt32(Frontend.memoryBytes) - 64, flags: 0, next: 0) }
                try evil.start()
                try eventually("all are counted") { try daemon.port("evil")["drops"]["oversized"].int == before + 256 }
                #expect(try daemon.port("evil")["state"].string == "up")
                try expectService(lab, daemon, sender, good)
            }
        }

        /// Connects a guest that sends to itself, so that its frames go nowhere, each in a buffer of its own.
        private func sender(_ lab: Lab, _ daemon: Daemon, _ name: String, _ address: String, length: Int, buffers: Int) throws -> Frontend {
            let guest = try Frontend(lab.path(name), fromGuest: buffers)
            guest.offer(ring: 1, bufferBytes: length + 12, count: UInt16(buffers))
            guest.write(Frames.ethernet(to: address, from: address, type: 0x88b5, [UInt8](repeating: 7, count: length - 14)), buffers: buffers, bufferBytes: length + 12)
            try guest.start()
            try daemon.waitUntil(port: name, is: "up")
            return guest
        }

        /// Has guests send all the time, until the function that is returned is called.
        private func keepSending(_ senders: [Frontend]) -> () -> Void {
            nonisolated(unsafe) let guests = senders
            let ends = DispatchSemaphore(value: 0), ended = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                while ends.wait(timeout: .now()) == .timedOut { for guest in guests { guest.renew(ring: 1) } }
                ended.signal()
            }
            return {
                ends.signal()
                ended.wait()
            }
        }

        @Test("a guest that sends little, by a packed ring or a split one, gets through while others take all of the poll loop's time")
        func modest() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], polling: polling}
                    bridges: [{name: br0}]
                    ports:
                      - {name: evil1, type: vhost, bridge: br0, socket: \(lab.path("evil1")), mode: server, mtu: 9000}
                      - {name: evil2, type: vhost, bridge: br0, socket: \(lab.path("evil2")), mode: server}
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1")), mode: server}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2")), mode: server}
                    guests:
                      - {name: vm1, port: vm1, outbound: {floor: 300mbit}}
                      - {name: vm2, port: vm2, outbound: {floor: 300mbit}}
                    """)
                let end = keepSending([
                    try sender(lab, daemon, "evil1", "52:54:00:00:00:0a", length: 9_014, buffers: 128),
                    try sender(lab, daemon, "evil2", "52:54:00:00:00:0b", length: 60, buffers: 256),
                ])
                defer { end() }
                let report = try Generator.run(lab, """
                    duration: 2s
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", mac: "52:54:00:00:00:01", packed: true}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", mac: "52:54:00:00:00:02", packed: false}
                    flows:
                      - {name: packed, from: vm1, to: vm2, size: 200, rate: 60kpps}
                      - {name: split, from: vm2, to: vm1, size: 200, rate: 60kpps}
                    """)
                #expect(try daemon.port("evil1")["poll_time_nanoseconds"].int ?? 0 > 0)
                for flow in report["flows"].items {
                    // A ring that has lost a buffer takes a few hundred frames and then none.
                    #expect(flow["lost"].int == 0 && flow["sentFrames"].int ?? 0 > 2_000, "\(flow)")
                }
                daemon.stop()
            }
        }

        @Test("a guest whose frames are dear takes no more of the poll loop's time than one whose frames are not, and is told so")
        func dearFrames() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: evil, type: vhost, bridge: br0, socket: \(lab.path("evil")), mode: server, mtu: 9000}
                      - {name: good, type: vhost, bridge: br0, socket: \(lab.path("good")), mode: server}
                    guests:
                      - {name: evil, port: evil, macs: ["52:54:00:00:00:0a"]}
                      - {name: good, port: good, macs: ["52:54:00:00:00:0b"]}
                    """)
                nonisolated(unsafe) let guests = [
                    try sender(lab, daemon, "evil", "52:54:00:00:00:0a", length: 9_014, buffers: 128),
                    try sender(lab, daemon, "good", "52:54:00:00:00:0b", length: 60, buffers: 256),
                ]
                let end = keepSending(guests)
                defer { end() }
                func count(_ port: String) throws -> (frames: Int, held: Int) {
                    let port = try daemon.port(port)
                    return (port["rx"]["frames"].int ?? 0, port["poll_time_nanoseconds"].int ?? 0)
                }
                try eventually("the loop's time is divided") {
                    let before = try (evil: count("evil"), good: count("good"))
                    try eventually("both send") { try count("evil").frames > before.evil.frames + 2_000 && count("good").frames > before.good.frames + 2_000 }
                    let now = try (evil: count("evil"), good: count("good"))
                    // In turns of a burst each, as many frames would come from one as from the other.
                    return now.evil.held > before.evil.held && now.good.frames - before.good.frames > 2 * (now.evil.frames - before.evil.frames)
                }
                try eventually("the guest is told") {
                    try JSON(daemon.command("slow", "evil", "--interval", "500ms", "-j")).items.contains { $0["name"].string == "poll_time" }
                }
                daemon.stop()
            }
        }

        @Test("a guest with fault after fault has its port stopped, for whatever it does meanwhile, until it is reset; its neighbours notice nothing")
        func quarantine() throws {
            try withSwitch { lab, daemon, sender in
                let good = try honest(lab, daemon)
                func breakRing() throws -> Frontend {
                    let evil = try Frontend(lab.path("evil"))
                    evil.offer(ring: 0, bufferBytes: 2_048, count: 256)
                    evil.offer(ring: 1, bufferBytes: 128, count: 1_000)
                    try evil.start()
                    return evil
                }
                func state() throws -> (faults: Int?, quarantines: Int?, reason: String) {
                    let port = try daemon.port("evil")
                    return (port["faults"].int, port["quarantines"].int, port["reason"].string ?? "")
                }
                for number in 1...5 {
                    let evil = try breakRing()
                    try eventually("fault \(number) is counted") { try state().faults == number }
                    if number < 5 { continue }
                    try eventually("the port is in quarantine") { try state().reason.contains("in quarantine until") }
                    #expect(try state().quarantines == 1)
                    #expect(try state().reason.contains("more buffers available than the ring holds, the last of 5 faults; sluice port reset evil ends this"))
                    try expectService(lab, daemon, sender, good)
                    #expect(!evil.isClosed(within: 0))
                }
                #expect(try daemon.sluice("port", "reset", "evil").status == 0)
                let next = try Frontend(lab.path("evil"))
                next.offer(ring: 0, bufferBytes: 2_048, count: 256)
                try next.start()
                try daemon.waitUntil(port: "evil", is: "up")
                try expectService(lab, daemon, sender, next)
                #expect(try state().quarantines == 1)
            }
        }

        @Test("who connects to the socket of a guest that is served is sent away, and the guest goes on")
        func secondConnection() throws {
            try withSwitch { lab, daemon, sender in
                let good = try honest(lab, daemon)
                let silent = try Frontend(lab.path("good"))
                #expect(silent.isClosed())
                let eager = try Frontend(lab.path("good"))
                try? eager.start()
                #expect(eager.isClosed())
                #expect(try daemon.port("good")["state"].string == "up")
                try expectService(lab, daemon, sender, good)
            }
        }

        @Test("a guest that uses more queues than its port has is served whole, also when only they wake the poll loop")
        func queuesBeyond() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: good, type: vhost, bridge: br0, socket: \(lab.path("good")), mode: server, queues: 2}
                      - {name: other, type: vhost, bridge: br0, socket: \(lab.path("other")), mode: server}
                    """)
                let receiver = try Frontend(lab.path("other"))
                receiver.offer(ring: 0, bufferBytes: 2_048, count: 256)
                try receiver.start()
                try daemon.waitUntil(port: "other", is: "up")
                func received() throws -> Int { try daemon.port("good")["rx"]["frames"].int ?? 0 }
                let guest = try Frontend(lab.path("good"))
                let frames: [UInt16] = [3, 20, 40, 70, 90]
                for (pair, count) in frames.enumerated() {
                    guest.offer(ring: 2 * pair + 1, bufferBytes: 128, count: count)
                    guest.write(frame(), ring: 2 * pair + 1, buffers: 256, bufferBytes: 128)
                }
                try guest.start(pairs: frames.count)
                try eventually("all that the guest has sent by five queues is there") { try received() == 223 }
                #expect(receiver.taken == 223)
                #expect(try daemon.port("good")["queues"].int == 5)
                #expect(try daemon.port("good")["warnings"].items.isEmpty)
                for pair in frames.indices.reversed() {
                    let before = try received()
                    guest.renew(ring: 2 * pair + 1)
                    guest.kick(ring: 2 * pair + 1)
                    try eventually("what was sent by queue \(pair) is there") { try received() == before + 256 }
                }
                daemon.stop()
            }
        }

        @Test("a guest connects, and the daemon ends, though nobody reads what the daemon says")
        func unreadStandardError() throws {
            try withLab { lab in
                let config = try lab.write("unread.yaml", Daemon.preamble + """
                    bridges: [{name: br0}]
                    ports: [{name: good, type: vhost, bridge: br0, socket: \(lab.path("good")), mode: server}]
                    """)
                let unread = try UnreadPipe(lab, "errors")
                let command = Daemon.command(config, lab.path("unread.sock"), lab.path("unread.json")).joined(separator: " ")
                let process = try lab.start("/bin/sh", "-c", "exec \(command) 2>\(unread.path)")
                lab.atClose { try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-\(process.pid)") }
                _ = try process.waitForLine(in: process.output, within: 30) { $0.hasPrefix("ready") }
                // The port logs how each of these connections ends.
                for _ in 0..<200 { _ = try? Frontend(lab.path("good")).send(.setOwner) }
                let guest = try Frontend(lab.path("good"))
                guest.offer(ring: 0, bufferBytes: 2_048, count: 256)
                guest.offer(ring: 1, bufferBytes: 128, count: 1)
                try guest.start()
                let control = try ControlClient(lab.path("unread.sock"))
                try eventually("the guest is served") { try control.call("port.show")["result"][0]["state"].string == "up" }
                process.signal(SIGTERM)
                #expect(process.waitForExit(until: .after(30)) == .code(0))
            }
        }
    }
}
