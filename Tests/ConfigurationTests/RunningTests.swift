import Configuration
import Packet
import TestSupport
import Testing

/// Compares the short way of carrying out an edit with the general one.
@Suite struct RunningTests {
    /// The words of a random edit of a class. Most are valid, some are refused, and some change the shape of a tree.
    private func words(_ model: Model, _ random: inout Seeded) -> (verb: String, words: [String]) {
        let guests = model.effectiveGuests.map(\.settings)
        var path: String
        switch Int.random(in: 0...9, using: &random) {
        case 0: path = model.groups.randomElement(using: &random)?.name ?? "nosuch"
        case 1, 2: path = (guests.randomElement(using: &random)?.name ?? "nosuch") + "/" + ["iscsi", "backup", "default", "nosuch"].randomElement(using: &random)!
        case 3:
            let guest = guests.randomElement(using: &random)
            path = (guest?.group ?? "tenant00") + "/" + (guest?.name ?? "nosuch")
        default: path = guests.randomElement(using: &random)?.name ?? "nosuch"
        }
        if Int.random(in: 0...40, using: &random) == 0 { path = "nosuch" }
        var words = [path]
        if Int.random(in: 0...9, using: &random) > 0 { words += ["dir", Bool.random(using: &random) ? "inbound" : "outbound"] }
        if Int.random(in: 0...9, using: &random) == 0 { return ("del", words) }
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let number = Int.random(in: 1...20, using: &random)
            let choices: [[String]] = [
                ["floor", "\(number)mbit"], ["floor", "\(number * 100)mbit"], ["floor", "none"], ["ceiling", "\(number)gbit"], ["ceiling", "none"], ["burst", "\(number)kib"],
                ["priority", "\(number % 8)"], ["quantum", "\(number)kib"], ["limit", "\(number)"], ["queue", "codel"], ["floor-packets", "\(number)kpps"],
                ["floor-packets", "none"], ["peak", "\(number)gbit"], ["floor", "1"], ["nosuch", "1"],
            ]
            let pair = choices.randomElement(using: &random)!
            if !words.contains(pair[0]) { words += pair }
        }
        return ("set", words)
    }

    /// The words of a random edit of a guest, in the same manner.
    private func guestWords(_ model: Model, _ number: Int, _ random: inout Seeded) -> (verb: String, words: [String]) {
        let name = Int.random(in: 0...4, using: &random) == 0 ? model.effectiveGuests.randomElement(using: &random)!.settings.name : model.guests.randomElement(using: &random)?.name
        switch (Int.random(in: 0...5, using: &random), name) {
        case (0, let name?): return ("del", [name])
        case (1...2, let name?): return ("set", [name] + guestSettings(model, number, &random))
        default:
            let names = ["new\(number)", model.ports.randomElement(using: &random)!.name, model.groups.randomElement(using: &random)?.name ?? "a"]
            let name = names[max(0, Int.random(in: -3...2, using: &random))]
            let port = model.ports.randomElement(using: &random)!.name
            return ("add", [name] + (Int.random(in: 0...9, using: &random) == 0 ? [] : ["port", port]) + guestSettings(model, number, &random))
        }
    }

    private func guestSettings(_ model: Model, _ number: Int, _ random: inout Seeded) -> [String] {
        func address(_ number: Int) -> String { MACAddress(value: 0x5254_0a00_0000 + UInt64(number)).description }
        var words: [String] = []
        switch Int.random(in: 0...9, using: &random) {
        case 0: words += ["macs", "none"]
        case 1: words += ["macs", address(Int.random(in: 0...number, using: &random))]
        case 2: words += ["macs", [address(number), address(1_000 + number)].joined(separator: ",")]
        case 3: words += ["macs", model.bridges.flatMap(\.staticEntries).randomElement(using: &random)?.mac.description ?? "ff:ff:ff:ff:ff:ff"]
        case 4...7: words += ["macs", address(number)]
        default: break
        }
        if Int.random(in: 0...2, using: &random) == 0 { words += ["group", model.groups.randomElement(using: &random)?.name ?? "none"] }
        if Int.random(in: 0...9, using: &random) == 0 { words += ["group", "none"] }
        if Int.random(in: 0...20, using: &random) == 0 { words += ["port", model.ports.randomElement(using: &random)!.name] }
        for direction in ["inbound", "outbound"] where Bool.random(using: &random) {
            words += [direction, "floor", Int.random(in: 0...3, using: &random) == 0 ? "none" : "\(Int.random(in: 1...300, using: &random))mbit"]
        }
        return words.isEmpty ? ["macs", address(number)] : words
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func theShortWayGivesWhatTheGeneralOneGives(_ seed: UInt64) throws {
        var random = Seeded(seed)
        var short = 0, whole = 0, refused = 0, moved = 0
        for _ in 0..<25 {
            let model = randomModel(&random)
            guard model.problems.isEmpty else { continue }
            var quick = Running(), slow = Running()
            quick.adopt(try quick.changed(to: model))
            slow.adopt(try slow.changed(to: model))
            for number in 0..<100 {
                let object = Bool.random(using: &random) ? "class" : "guest"
                let (verb, words) = object == "class" ? words(quick.model, &random) : guestWords(quick.model, number, &random)
                let old = slow.model
                let expected: Result<Running.Change, ConfigurationError> = Result { () throws(ConfigurationError) in
                    guard case .whole(let change) = try slow.edited(object, verb, words, short: false) else { fatalError("the general way was asked for") }
                    return change
                }
                switch (expected, Result { () throws(ConfigurationError) in try quick.edited(object, verb, words) }) {
                case (.failure(let error), .failure(let other)):
                    refused += 1
                    #expect(error == other, "\(words)")
                case (.success(let change), .success(let edit)):
                    slow.adopt(change)
                    switch edit {
                    case .local(let item):
                        short += 1
                        if item.trees.contains(where: { !$0.splices.isEmpty }) { moved += 1 }
                        #expect(item.port == portChange(old, change.model), "\(words)")
                        #expect(item.warnings == change.warnings, "\(words)")
                        #expect(item.lines == change.plan.lines(from: old, to: change.model), "\(words)")
                        quick.adopt(item)
                    case .whole(let item):
                        whole += 1
                        quick.adopt(item)
                    }
                case (let one, let other): Issue.record("\(object) \(verb) \(words): \(one) and \(other)")
                }
                try #require(quick.model == slow.model && quick.trees == slow.trees && quick.ids == slow.ids, "\(object) \(verb) \(words)")
                // The state that the short way leaves must be the one that the model describes.
                var ids = quick.ids
                try #require(trees(of: quick.model, ids: &ids) == quick.trees && quick.model.problems.isEmpty)
            }
        }
        // Each kind of outcome must have occurred.
        #expect(short > 400 && moved > 50 && whole > 20 && refused > 100, "\(short) short, \(moved) of them of shapes, \(whole) whole, \(refused) refused")
    }

    /// Which port's guests or addresses an edit changes, found by comparing the two models.
    private func portChange(_ old: Model, _ new: Model) -> LocalChange.PortGuests? {
        let (before, after) = (old.guests.filter { !new.guests.contains($0) }, new.guests.filter { !old.guests.contains($0) })
        guard let guest = after.first ?? before.first else { return nil }
        func effective(_ model: Model) -> [EffectiveGuest] { model.effectiveGuests.filter { $0.settings.port == guest.port } }
        let (was, now) = (effective(old).map(\.settings.name), effective(new).map(\.settings.name))
        let (lost, won) = (before.first?.macs ?? [], after.first?.macs ?? [])
        if was == now, before.first?.macs == after.first?.macs { return nil }
        return LocalChange.PortGuests(
            port: guest.port, bridge: new.ports.first { $0.name == guest.port }!.bridge, all: now, catchAll: effective(new).first(where: \.isCatchAll)!.settings.name,
            came: now.filter { !was.contains($0) }.sorted(), gone: was.filter { !now.contains($0) }.sorted(), removed: lost.filter { !won.contains($0) },
            added: won.filter { !lost.contains($0) }, owner: guest.name)
    }

    /// The floors of many guests use up the rate to the last bit: one bit more is refused, and what one guest gives up another may take.
    @Test func floorsAreAdmittedOnTheShortWay() throws {
        let guests = (0..<8).map { "{name: vm\($0), port: host, macs: ['52:54:00:00:00:0\($0)'], group: \($0 < 4 ? "a" : "none"), inbound: {floor: 1gbit}}" }
        let yaml = """
            bridges: [{name: br0, rate: 8gbit}]
            ports: [{name: host, type: tap, bridge: br0, interface: tap0}]
            groups: [{name: a, bridge: br0, inbound: {floor: 4gbit}}]
            guests: [\(guests.joined(separator: ", "))]
            """
        var running = Running()
        running.adopt(try running.changed(to: try Model.checked(yaml: yaml), isChecked: true))
        func edit(_ words: String...) throws -> Bool {
            switch try running.edited("class", "set", words) {
            case .local(let change): running.adopt(change)
            // An edit that changes what the floors leave also changes the queue limit of a class below `rest`, which the short way does not do.
            case .whole(let change): running.adopt(change)
            }
            return true
        }
        #expect(try edit("vm7", "dir", "inbound", "floor", "999mbit"))
        #expect(throws: ConfigurationError.self) { try edit("vm6", "dir", "inbound", "floor", "1002mbit") }
        #expect(try edit("vm6", "dir", "inbound", "floor", "1001mbit"))
        #expect(throws: ConfigurationError.self) { try edit("vm0", "dir", "inbound", "floor", "1001mbit") }
        #expect(throws: ConfigurationError.self) { try edit("a", "dir", "inbound", "floor", "3999mbit") }
        #expect(try edit("vm0", "dir", "inbound", "floor", "500mbit"))
        #expect(try edit("a", "dir", "inbound", "floor", "3500mbit"))
        #expect(try edit("vm6", "dir", "inbound", "floor", "1501mbit"))
        #expect(throws: ConfigurationError.self) { try edit("vm5", "dir", "inbound", "floor", "1001mbit") }
    }

    /// A change tells what will not work since then, and nothing that did not work before.
    @Test func aChangeBringsItsWarningsOnce() throws {
        let yaml = """
            bridges: [{name: br0, rate: 8gbit}]
            ports: [{name: a, type: tap, bridge: br0, interface: tap0}, {name: up, type: physical, bridge: br0, device: net_null0, rate: 1gbit}]
            guests: [{name: vm0, port: a, macs: ['52:54:00:00:00:01'], outbound: {floor: 10mbit}}, {name: vm1, port: a, macs: ['52:54:00:00:00:02']}]
            """
        var running = Running()
        running.adopt(try running.changed(to: try Model.checked(yaml: yaml), isChecked: true))
        var kinds: [String] = []
        func edit(_ words: String) throws -> [String] {
            let words = words.split(separator: " ").map(String.init)
            switch try running.edited(words[0], words[1], Array(words[2...])) {
            case .local(let change):
                kinds.append("local")
                running.adopt(change)
                return change.warnings
            case .whole(let change):
                kinds.append("whole")
                running.adopt(change)
                return change.warnings
            }
        }
        func told(_ names: String...) -> [String] {
            names.map {
                "nothing guarantees the outbound floor of \($0): it holds where frames leave by a physical port, and bridge br0 has no such port: add one with a rate, or leave the floor out"
            }
        }
        #expect(try edit("class set vm0 dir outbound floor 20mbit") == [])
        #expect(try edit("port del up") == told("vm0"))
        #expect(try edit("class set vm0 dir outbound floor 30mbit") == [])
        #expect(try edit("bridge set br0 ageing 60s") == [])
        #expect(try edit("guest set vm1 outbound floor 5mbit") == told("vm1"))
        #expect(try edit("class set vm1/iscsi dir outbound floor 1mbit") == told("vm1/iscsi"))
        #expect(try edit("guest add vm2 port a macs 52:54:00:00:00:03 outbound floor 5mbit") == told("vm2"))
        // The places of the guests behind it shift.
        #expect(try edit("guest del vm0") == [])
        #expect(try edit("group add g outbound floor 10mbit") == told("g"))
        #expect(Set(kinds) == ["local", "whole"], "\(kinds)")
    }

    /// The address of a tap's interface can be bound to no other port, neither by the short way nor by the general one.
    @Test func noGuestTakesTheHostsAddress() throws {
        let yaml = """
            bridges: [{name: br0}]
            ports: [{name: host, type: tap, bridge: br0, interface: tap0, mac: '52:54:00:00:00:09'}, {name: a, type: tap, bridge: br0, interface: tap1}]
            guests: [{name: vm0, port: a, macs: ['52:54:00:00:00:01']}]
            """
        for short in [true, false] {
            var running = Running()
            running.adopt(try running.changed(to: try Model.checked(yaml: yaml), isChecked: true))
            for words in [["set", "vm0", "macs", "52:54:00:00:00:09"], ["add", "vm1", "port", "a", "macs", "52:54:00:00:00:09"]] {
                let error = #expect(throws: ConfigurationError.self) { _ = try running.edited("guest", words[0], Array(words[1...]), short: short) }
                #expect(error?.description.contains("52:54:00:00:00:09 is the address of the host's own interface at port host") == true, "\(String(describing: error))")
            }
            // The host is its own guest.
            _ = try running.edited("guest", "add", ["host", "macs", "52:54:00:00:00:09"], short: short)
        }
    }
}
