import Configuration
import DataPlane
import Packet
import Scheduler
import TestSupport
import Testing

/// A configuration's tree under load in virtual time: who gets what, and what a change does to what waits.
@Suite("Trees of a configuration, and their changes") struct TreeChangeTests {
    private static let second: UInt64 = 1_000_000_000, millisecond: UInt64 = 1_000_000

    /// Guests behind one port, each with its floor outbound, and an uplink of 1 Gbit/s.
    private static func model(_ floors: [(name: String, floor: UInt64?)]) -> Model {
        var model = Model()
        model.bridges = [BridgeSettings(name: "br0")]
        model.ports = [
            PortSettings(name: "host", bridge: "br0", kind: .tap(interface: "t0", netns: nil, mac: nil)),
            PortSettings(name: "uplink", bridge: "br0", kind: .physical(device: "eth1", queues: 1)),
        ]
        model.ports[1].rate = 1_000_000_000
        for (index, item) in floors.enumerated() {
            var guest = GuestSettings(name: item.name, port: "host")
            guest.macs = [.init(value: 0x5254_0000_0000 + UInt64(index))]
            guest.outbound.floor = item.floor.map { $0 * 1_000_000 }
            model.guests.append(guest)
        }
        return model
    }

    /// One tree, the guests that offer all they can, and what came out.
    private final class Run {
        private(set) var model: Model
        private var ids = ClassIDs()
        let trial: TreeTrial
        var greedy: [String] = []
        private(set) var now: UInt64 = 0
        private var names: [UInt16: String] = [:]
        private(set) var bytes: [String: UInt64] = [:]
        /// By guest: frames offered and sent, and those that came out of order.
        private var last: [String: (offered: UInt32, sent: UInt32)] = [:]
        private(set) var disorder = 0, refused = 0
        private let into = UnsafeMutablePointer<ScheduledFrame>.allocate(capacity: 32)

        init(_ model: Model) {
            self.model = model
            var ids = ClassIDs()
            trial = TreeTrial(trees(of: model, ids: &ids).first { $0.name == "uplink" }!)
            self.ids = ids
            adoptNames()
        }

        deinit { into.deallocate() }

        var description: TreeDescription {
            var ids = ids
            return trees(of: model, ids: &ids).first { $0.name == "uplink" }!
        }

        private func adoptNames() { for item in description.classes { if let guest = item.guest { names[item.id] = guest } } }

        /// With frames of every greedy guest that come while nobody is told of the change yet.
        func change(_ edit: (inout Model) -> Void) {
            edit(&model)
            #expect(model.problems == [])
            let wanted = trees(of: model, ids: &ids).first { $0.name == "uplink" }!
            trial.change(to: wanted, at: now)
            for guest in greedy { offer(guest) }
            trial.finish(at: now)
            adoptNames()
        }

        func offer(_ guest: String, _ protocolName: String? = nil) {
            let number = (last[guest]?.offered ?? 0) + 1
            guard trial.offer(guest, protocolName, length: 1_514, tag: number, at: now) == .queued else { refused += 1; return }
            last[guest, default: (0, 0)].offered = number
        }

        /// Frames of a guest that wait.
        func waiting(_ guest: String) -> UInt32 { (last[guest]?.offered ?? 0) - (last[guest]?.sent ?? 0) }

        func run(for time: UInt64) {
            let end = now + time
            while now < end {
                while true {
                    for guest in greedy { while waiting(guest) < 8 { offer(guest) } }
                    let count = trial.tree.pointee.dequeue(into: into, limit: 32, at: now)
                    for frame in UnsafeBufferPointer(start: into, count: count) {
                        guard let guest = names[frame.leaf] else { disorder += 1; continue }
                        bytes[guest, default: 0] += UInt64(frame.charge.bytes)
                        if frame.tag != (last[guest]?.sent ?? 0) + 1 { disorder += 1 }
                        last[guest, default: (0, 0)].sent = frame.tag
                    }
                    if count == 0 { break }
                }
                now = min(end, max(now + 1, trial.tree.pointee.nextEvent(at: now)))
            }
        }

        /// Mbit/s of each over a second, after half a second to settle.
        func shares() -> [String: Double] {
            run(for: second / 2)
            bytes = [:]
            run(for: second)
            return bytes.mapValues { Double($0) * 8 / 1e6 }
        }

        func expect(_ guest: String, _ mbit: Double, within: Double = 0.01, of shares: [String: Double], _ place: SourceLocation = #_sourceLocation) {
            let rate = shares[guest] ?? 0
            #expect(abs(rate - mbit) <= within * mbit, "\(guest): \(rate) Mbit/s", sourceLocation: place)
        }
    }

    @Test("A guest without a floor has what floors leave, beside floors that borrow all they can")
    func oneGuestWithoutAFloor() {
        let run = Run(Self.model([("a", 400), ("b", 300), ("c", 200), ("d", nil)]))
        run.greedy = ["a", "b", "c", "d"]
        let shares = run.shares()
        for (guest, rate) in [("a", 400.0), ("b", 300), ("c", 200), ("d", 100)] { run.expect(guest, rate, of: shares) }
        #expect(run.trial.refusals.isEmpty && run.disorder == 0)
    }

    @Test("Two guests without a floor have half of it each, and a raised floor takes from them alone")
    func twoGuestsWithoutAFloor() {
        let run = Run(Self.model([("a", 400), ("b", 300), ("c", 200), ("d", nil), ("e", nil)]))
        run.greedy = ["a", "b", "c", "d", "e"]
        var shares = run.shares()
        for (guest, rate) in [("a", 400.0), ("b", 300), ("c", 200), ("d", 50), ("e", 50)] { run.expect(guest, rate, of: shares) }
        run.change { $0.guests[2].outbound.floor = 260_000_000 }
        shares = run.shares()
        for (guest, rate) in [("a", 400.0), ("b", 300), ("c", 260), ("d", 20), ("e", 20)] { run.expect(guest, rate, of: shares) }
        #expect(run.trial.refusals.isEmpty && run.disorder == 0 && run.refused == 0)
    }

    @Test("A guest gains and loses its floor, and the link its rate, with frames waiting: none is lost, none overtakes another, and counters go on")
    func floorsComeAndGo() {
        let run = Run(Self.model([("a", 400), ("b", 300), ("c", 200), ("d", nil), ("e", nil)]))
        run.greedy = ["a", "b", "c", "d", "e"]
        let ids = Set(run.description.classes.filter { !$0.isRest }.map { "\($0.path) \($0.id)" })
        func counters(_ path: String) -> ClassCounters {
            run.trial.tree.pointee.counters(of: path.isEmpty ? 1 : run.description.classes.first { $0.path == path }!.id)
        }
        var sent: [String: UInt64] = [:]
        for turn in 0..<40 {
            run.run(for: 5 * Self.millisecond)
            let before = run.waiting("d")
            #expect(before > 0)
            run.change { model in
                switch turn % 4 {
                case 0: model.guests[3].outbound.floor = 60_000_000
                case 1: model.guests[0].outbound.floor = turn % 8 == 1 ? nil : 400_000_000
                case 2: model.guests[3].outbound.floor = nil
                default: if turn % 8 == 3 { model.guests[0].outbound.floor = 400_000_000 }
                }
            }
            #expect(run.waiting("d") == before + 1)
            for path in ["", "a", "b", "d", "e"] {
                let now = counters(path).sentFrames
                #expect(now >= sent[path] ?? 0)
                sent[path] = now
            }
        }
        #expect(Set(run.description.classes.filter { !$0.isRest }.map { "\($0.path) \($0.id)" }) == ids)
        // Without a rate there is no rest, and no floor.
        run.change { model in
            for index in model.guests.indices { model.guests[index].outbound.floor = nil }
            model.ports[1].rate = nil
        }
        #expect(run.description.classes.allSatisfy { !$0.isRest && $0.parent == ClassIDs.root })
        run.greedy = []
        run.run(for: Self.second)
        #expect(["a", "b", "c", "d", "e"].allSatisfy { run.waiting($0) == 0 })
        #expect(run.trial.refusals.isEmpty && run.disorder == 0 && run.refused == 0 && run.trial.tree.pointee.droppedByRemoval == 0)
    }

    @Test("Groups and guests with protocols move with all that is below them")
    func subtreesMove() {
        var model = Self.model([("a", 400), ("b", nil), ("c", nil)])
        model.groups = [GroupSettings(name: "t", bridge: "br0"), GroupSettings(name: "u", bridge: "br0")]
        model.groups[1].parent = "t"
        (model.guests[1].group, model.guests[2].group) = ("u", "t")
        var classes = ProtocolClasses()
        classes.outbound.priority = 2
        model.guests[1].protocols = ["iscsi": classes, "fcoe": classes]
        let run = Run(model)
        run.greedy = ["a", "b", "c"]
        let ids = run.description.classes.map(\.id)
        for _ in 0..<10 {
            run.run(for: 10 * Self.millisecond)
            run.change { $0.groups[0].outbound.floor = 100_000_000 }
            #expect(run.description.classes.first { $0.path == "t" }?.parent == ClassIDs.root)
            run.run(for: 10 * Self.millisecond)
            run.change { $0.groups[0].outbound.floor = nil }
        }
        #expect(run.description.classes.map(\.id) == ids)
        #expect(run.trial.refusals.isEmpty && run.disorder == 0 && run.refused == 0 && run.trial.tree.pointee.droppedByRemoval == 0)
    }

    @Test("A guest gets protocols of its own and loses them again, made with them or not, and no frame of it is lost or without a class", arguments: [false, true])
    func protocolsComeAndGo(_ isMadeWithThem: Bool) {
        var model = Self.model([("a", 400), ("b", nil)])
        var classes = ProtocolClasses()
        classes.outbound.priority = 2
        if isMadeWithThem { model.guests[1].protocols = ["iscsi": classes, "fcoe": classes] }
        let run = Run(model)
        run.greedy = ["a", "b"]
        func sent(_ path: String) -> UInt64 { run.trial.tree.pointee.counters(of: run.description.classes.first { $0.path == path }!.id).sentFrames }
        var before: UInt64 = 0
        for turn in 0..<20 {
            run.run(for: 5 * Self.millisecond)
            #expect(run.waiting("b") > 0)
            run.change { model in
                model.guests[1].protocols = (turn % 2 == 0) == isMadeWithThem ? [:] : ["iscsi": classes, "fcoe": classes]
                // A floor comes or goes with them, at times.
                if turn % 3 == 0 { model.guests[1].outbound.floor = model.guests[1].outbound.floor == nil ? 50_000_000 : nil }
            }
            #expect(sent("b") >= before)
            before = sent("b")
        }
        run.greedy = []
        run.run(for: Self.second)
        #expect(run.waiting("a") == 0 && run.waiting("b") == 0)
        #expect(run.trial.refusals.isEmpty && run.disorder == 0 && run.refused == 0 && run.trial.tree.pointee.droppedByRemoval == 0)
    }

    @Test("A guest that changes its group takes along what waits")
    func groupsChange() {
        var model = Self.model([("a", 400), ("b", 100)])
        model.groups = [GroupSettings(name: "t", bridge: "br0")]
        model.groups[0].outbound.floor = 200_000_000
        let run = Run(model)
        run.greedy = ["a", "b"]
        for turn in 0..<10 {
            run.run(for: 5 * Self.millisecond)
            #expect(run.waiting("b") > 0)
            run.change { $0.guests[1].group = turn % 2 == 0 ? "t" : nil }
        }
        run.greedy = []
        run.run(for: Self.second)
        #expect(run.waiting("b") == 0)
        #expect(run.trial.refusals.isEmpty && run.disorder == 0 && run.refused == 0 && run.trial.tree.pointee.droppedByRemoval == 0)
    }

    @Test("A thousand guests without a floor share what ten with floors leave")
    func manyGuests() {
        let floors = (0..<10).map { (name: "f\($0)", floor: UInt64?(80)) } + (0..<1_000).map { (name: "n\($0)", floor: UInt64?.none) }
        let run = Run(Self.model(floors))
        run.greedy = floors.map(\.name)
        let shares = run.shares()
        for index in 0..<10 { run.expect("f\(index)", 80, of: shares) }
        // 200 kbit/s each: 16.5 frames a second.
        let rest = (0..<1_000).map { shares["n\($0)"] ?? 0 }
        #expect(abs(rest.reduce(0, +) - 200) < 2)
        #expect(rest.min()! > 0.18 && rest.max()! < 0.22, "\(rest.min()!) to \(rest.max()!)")
        #expect(run.trial.refusals.isEmpty && run.disorder == 0)
    }
}
