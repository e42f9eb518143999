import Configuration
import DataPlane
import Packet
import Scheduler
import TestSupport
import Testing

/// Compares what poll loops are told at edits of single guests with what they would be told of the whole configuration, in virtual time.
@Suite("A tree under edits of single guests") struct LocalTreeChangeTests {
    private static let yaml = """
        bridges: [{name: br0}]
        ports:
          - {name: h0, type: tap, bridge: br0, interface: h0}
          - {name: h1, type: tap, bridge: br0, interface: h1}
          - {name: uplink, type: physical, bridge: br0, device: eth1, rate: 1gbit}
        groups: [{name: g, bridge: br0, outbound: {floor: 300mbit}}]
        guests:
          - {name: k0, port: h0, macs: ['52:54:00:00:00:01'], group: g, outbound: {floor: 10mbit}}
          - {name: k1, port: h0, macs: ['52:54:00:00:00:02'], outbound: {floor: 10mbit}}
          - {name: k2, port: h1, macs: ['52:54:00:00:00:03']}
          - {name: k3, port: h1, macs: ['52:54:00:00:00:04']}
        """
    private static let kept = ["k0", "k1", "k2", "k3"]

    /// The words of a random edit. Guests that have frames are changed, and others are added and removed between them.
    private func words(_ model: Model, _ number: Int, _ random: inout Seeded) -> (String, String, [String]) {
        let others = model.guests.map(\.name).filter { !Self.kept.contains($0) }
        let guest = model.guests.randomElement(using: &random)!.name
        let floor = ["none", "5mbit", "20mbit", "40mbit"].randomElement(using: &random)!
        switch Int.random(in: 0...8, using: &random) {
        case 0...1:
            let group = Bool.random(using: &random) ? ["group", "g"] : []
            return ("guest", "add", ["n\(number)", "port", "h\(number % 2)", "macs", MACAddress(value: 0x5254_0100_0000 + UInt64(number)).description] + group + ["outbound", "floor", floor])
        case 2: return ("guest", "del", [others.randomElement(using: &random) ?? "nobody"])
        case 3: return ("guest", "set", [guest, "outbound", "floor", floor])
        case 4: return ("guest", "set", [guest, "group", Bool.random(using: &random) ? "g" : "none"])
        case 5: return ("class", "del", ["\(guest)/\(["iscsi", "nfs"].randomElement(using: &random)!)", "dir", "outbound"])
        case 6: return ("class", "set", [guest, "dir", "outbound", "ceiling", "\(Int.random(in: 50...900, using: &random))mbit"])
        default: return ("class", "set", ["\(guest)/\(["iscsi", "nfs"].randomElement(using: &random)!)", "dir", "outbound", "ceiling", "\(Int.random(in: 50...900, using: &random))mbit"])
        }
    }

    @Test("tells it no more and no less than the whole does, and loses no frame of who stays", arguments: [1, 2, 3, 4] as [UInt64])
    func edits(_ seed: UInt64) throws {
        var random = Seeded(seed)
        var running = Running()
        running.adopt(try running.changed(to: try Model.checked(yaml: Self.yaml)))
        func uplink() -> TreeDescription { running.trees.first { $0.name == "uplink" }! }
        let trial = TreeTrial(uplink())
        let into = UnsafeMutablePointer<ScheduledFrame>.allocate(capacity: 32)
        defer { into.deallocate() }
        var now: UInt64 = 0, queued = 0, sent = 0, local = 0, shapes = 0
        func offer() {
            for guest in Self.kept {
                for name in ["iscsi", "nfs", nil] {
                    let verdict = trial.offer(guest, name, length: 1_000, at: now)
                    #expect(verdict != .notALeaf, "\(guest)/\(name ?? "")")
                    if verdict == .queued { queued += 1 }
                }
            }
        }
        func dequeue() -> Int {
            let count = trial.tree.pointee.dequeue(into: into, limit: 32, at: now)
            sent += count
            return count
        }
        for number in 0..<600 {
            let (object, verb, words) = words(running.model, number, &random)
            offer()
            guard let edit = try? running.edited(object, verb, words) else { continue }
            switch edit {
            case .local(let change):
                local += 1
                if let edit = change.trees.first(where: { $0.name == "uplink" }) {
                    if !edit.splices.isEmpty { shapes += 1 }
                    trial.change(edit, at: now)
                }
                running.adopt(change)
            case .whole(let change):
                running.adopt(change)
                trial.change(to: uplink(), at: now)
            }
            // Frames still go to the leaves that they went to before.
            offer()
            trial.finish(at: now)
            offer()
            #expect(trial.says(uplink()), "\(object) \(verb) \(words)")
            now += 100_000
            _ = dequeue()
        }
        while sent < queued, now < 100_000_000_000 {
            if dequeue() == 0 { now = max(now + 1, trial.tree.pointee.nextEvent(at: now)) }
        }
        #expect(trial.refusals.isEmpty && sent == queued, "\(sent) sent of \(queued)")
        #expect(local > 150 && shapes > 50, "\(local) of one guest, \(shapes) of them of shapes")
    }
}
