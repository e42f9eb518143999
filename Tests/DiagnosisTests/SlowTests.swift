import ControlAPI
import Diagnosis
import Testing

/// What is said to hold a guest back. Each test stages one cause.
@Suite struct SlowTests {
    private static func sample(_ time: Double) -> Sample {
        var sample = Sample(time: time)
        var guest = GuestStatus(), port = PortStatus(), item = ClassStatus(), core = CoreStatus()
        (guest.name, guest.port, port.name, port.state) = ("vm1", "vm1", "vm1", .up)
        (item.tree, item.direction, item.path, item.leaf, item.guest) = ("uplink", "outbound", "tenants/vm1", true, "vm1")
        item.ceiling = 100_000_000
        (core.cpu, core.queues, core.busyPercent) = (2, [QueueAssignment(port: "vm1", queue: 0)], 40)
        (sample.guests, sample.ports, sample.classes, sample.cores) = ([guest], [port], [item], [core])
        return sample
    }

    /// The names of the causes, the heaviest first, where `change` makes the second of two samples, two seconds later.
    private func causes(_ change: (inout Sample) -> Void) throws -> [Cause] {
        var now = Self.sample(12)
        (now.classes[0].sent, now.ports[0].rx) = (Traffic(frames: 10_000, bytes: 15_000_000), Traffic(frames: 10_000, bytes: 15_000_000))
        change(&now)
        return try #require(Slow.causes(of: "vm1", Self.sample(10), now))
    }

    @Test func ownCeiling() throws {
        let causes = try causes { $0.classes[0].holds = ["own_ceiling": 9_000, "nothing_to_lend": 10] }
        #expect(causes.map(\.name) == ["own_ceiling"])
        #expect(causes[0].sentence == "class tenants/vm1 of uplink is at its own ceiling 100mbit: it waited 4500 times a second, and sent 60mbit")
        #expect(causes[0].advice == "sluice class set tenants/vm1 dir outbound ceiling RATE raises it")
    }

    @Test func ceilingOfAGroup() throws {
        let causes = try causes {
            $0.classes[0].holds = ["ancestor_ceiling": 9_000]
            $0.classes[0].heldBy = [.init(id: 5, class: "tenants", waits: 8_000), .init(id: 1, class: "uplink", waits: 1_000)]
        }
        #expect(causes.map(\.name) == ["ancestor_ceiling"])
        #expect(causes[0].sentence.hasPrefix("class tenants, which it shares with others, is at its ceiling: class tenants/vm1 of uplink waited"))
    }

    @Test func rateOfTheUplink() throws {
        let causes = try causes {
            $0.classes[0].holds = ["ancestor_ceiling": 9_000]
            $0.classes[0].heldBy = [.init(id: 1, class: "uplink", waits: 9_000)]
        }
        #expect(causes[0].sentence.hasPrefix("uplink's rate is used up: class tenants/vm1 of uplink waited 4500 times a second"))
    }

    @Test func receiversRing() throws {
        let causes = try causes {
            ($0.classes[0].direction, $0.classes[0].tree) = ("inbound", "br0")
            $0.classes[0].holds = ["output_full": 20_000]
        }
        #expect(causes.map(\.name) == ["output_full"] && causes[0].direction == "inbound")
        #expect(causes[0].sentence.hasPrefix("the guest does not take its frames fast enough, so that its ring was full"))
    }

    @Test func receiversWindow() throws {
        let causes = try causes { $0.guests[0].outbound = Traffic(frames: 10_000, bytes: 15_000_000) }
        #expect(causes.map(\.name) == ["nothing"])
        #expect(causes[0].sentence == "nothing here holds vm1 back: it got 0bit and sent 60mbit, and none of its frames waited")
        #expect(causes[0].advice?.contains("windows") == true)
    }

    @Test func receiversLoss() throws {
        /// Another port of the same bridge, or not.
        func port(_ name: String, _ bridge: String, _ drops: [String: UInt64]) -> PortStatus {
            var port = PortStatus()
            (port.name, port.bridge, port.state, port.drops) = (name, bridge, .up, drops)
            return port
        }
        let causes = try causes {
            $0.ports[0].bridge = "br0"
            var guest = GuestStatus()
            (guest.name, guest.port) = ("db", "vm2")
            $0.guests.append(guest)
            // What is dropped at the entrance is the sender's own.
            $0.ports += [
                port("vm2", "br0", ["not_taken": 400, "queue_limit": 100, "spoofed_source": 9_000]), port("vm3", "br0", ["flood_share": 20]),
                port("vm4", "br0", ["filtered": 7]), port("vm5", "br1", ["not_taken": 8_000]),
            ]
        }
        #expect(causes.map(\.name) == ["nothing"])
        #expect(
            causes[0].advice?.hasPrefix(
                """
                other ports of br0 lose frames on their way out: port vm2 250 a second (the guest has not taken them within 100 ms), port vm3 10; \
                sluice slow db tells more. If vm1 sends nothing to them, look at the guest itself
                """) == true, "\(causes[0].advice ?? "")")
    }

    @Test func busyCPU() throws {
        let causes = try causes { $0.cores[0].busyPercent = 99 }
        #expect(causes.map(\.name) == ["cpu"] && causes[0].sentence == "CPU 2, which polls port vm1, is busy 99 % of the time")
        // Another core's load is nothing to this guest.
        #expect(try self.causes { ($0.cores[0].busyPercent, $0.cores[0].queues) = (99, []) }.map(\.name) == ["nothing"])
    }

    @Test func stalls() throws {
        let causes = try causes { ($0.cores[0].stalls.count, $0.cores[0].stalls.totalMicroseconds) = (40, 500_000) }
        #expect(causes.map(\.name) == ["stalls"] && causes[0].sentence == "CPU 2, which polls port vm1, was taken away 40 times, 25 % of the time")
    }

    @Test func pace() throws {
        let causes = try causes { $0.ports[0].counts = ["pacedNanoseconds": 1_500_000_000] }
        #expect(causes.map(\.name) == ["pace"] && causes[0].weight == 0.75)
        #expect(causes[0].sentence == "pace held back the reading of port vm1 for 75 % of the time")
    }

    @Test func pollTime() throws {
        let causes = try causes { $0.ports[0].counts = ["pollTimeNanoseconds": 500_000_000] }
        #expect(causes.map(\.name) == ["poll_time"] && causes[0].weight == 0.25)
        #expect(causes[0].sentence.contains("had used up its share, so that its reading was held back for 25 % of the time"))
    }

    @Test func queueLimit() throws {
        let causes = try causes { ($0.classes[0].drops, $0.ports[0].drops) = (["queue_limit": 1_000], ["queue_limit": 1_000]) }
        #expect(causes.map(\.name) == ["queue_limit"] && causes[0].sentence == "class tenants/vm1 of uplink drops 500 frames a second, 9.1 %: its queue is full")
    }

    @Test func filter() throws {
        let causes = try causes { $0.ports[0].drops = ["filtered": 5_000] }
        #expect(causes.map(\.name) == ["filtered"] && causes[0].direction == "outbound")
        #expect(causes[0].sentence == "its port drops 2500 frames a second, 50.0 %: a filter denies them")
    }

    @Test func heavierCausesComeFirst() throws {
        let causes = try causes {
            $0.classes[0].holds = ["own_ceiling": 1_000]
            $0.ports[0].counts = ["pacedNanoseconds": 1_000_000_000]
            $0.ports[0].drops = ["filtered": 15]
        }
        #expect(causes.map(\.name) == ["pace", "own_ceiling", "filtered"])
        // A class that has frames all the time is held all the time, however seldom it is looked at.
        var before = Self.sample(10), now = Self.sample(12)
        (before.classes[0].backlog, now.classes[0].backlog) = (Traffic(frames: 5), Traffic(frames: 9))
        (now.classes[0].sent, now.classes[0].holds) = (Traffic(frames: 10_000, bytes: 15_000_000), ["own_ceiling": 100])
        #expect(Slow.causes(of: "vm1", before, now)?.first?.weight == 1)
    }

    @Test func portThatIsDown() throws {
        let causes = try causes { ($0.ports[0].state, $0.ports[0].reason) = (.waiting, "waiting for the guest") }
        #expect(causes.map(\.name) == ["port"] && causes[0].sentence == "port vm1 is waiting: waiting for the guest")
    }

    @Test func guestThatIsNotThere() { #expect(Slow.causes(of: "vm9", Self.sample(10), Self.sample(12)) == nil) }
}
