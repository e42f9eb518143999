import Configuration
import TestSupport
import Testing

/// The short way of an edit against the general one.
@Suite struct RunningTests {
    /// Words of a random edit of a class: mostly sound, some refused, some that change the shape of a tree.
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

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func theShortWayGivesWhatTheGeneralOneGives(_ seed: UInt64) throws {
        var random = Seeded(seed)
        var short = 0, whole = 0, refused = 0
        for _ in 0..<25 {
            let model = randomModel(&random)
            guard model.problems.isEmpty else { continue }
            var quick = Running(), slow = Running()
            quick.adopt(try quick.changed(to: model))
            slow.adopt(try slow.changed(to: model))
            for _ in 0..<60 {
                let (verb, words) = words(quick.model, &random)
                let old = slow.model
                let expected: Result<Running.Change, ConfigurationError> = Result { () throws(ConfigurationError) in
                    guard case .whole(let change) = try slow.edited("class", verb, words, short: false) else { fatalError("the general way was asked for") }
                    return change
                }
                switch (expected, Result { () throws(ConfigurationError) in try quick.edited("class", verb, words) }) {
                case (.failure(let error), .failure(let other)):
                    refused += 1
                    #expect(error == other, "\(words)")
                case (.success(let change), .success(let edit)):
                    slow.adopt(change)
                    switch edit {
                    case .classes(let item):
                        short += 1
                        #expect(item.lines == change.plan.lines(from: old, to: change.model), "\(words)")
                        quick.adopt(item)
                    case .whole(let item):
                        whole += 1
                        quick.adopt(item)
                    }
                case (let one, let other): Issue.record("class \(verb) \(words): \(one) and \(other)")
                }
                try #require(quick.model == slow.model && quick.trees == slow.trees && quick.ids == slow.ids, "class \(verb) \(words)")
                // What the short way leaves is what the model says.
                var ids = quick.ids
                try #require(trees(of: quick.model, ids: &ids) == quick.trees && quick.model.problems.isEmpty)
            }
        }
        // Each of the three happens, and the short way is the usual one.
        #expect(short > 150 && whole > 20 && refused > 100, "\(short) short, \(whole) whole, \(refused) refused")
    }

    /// Floors of many guests fill the rate to the last bit: one bit more is refused, and room that one gives another may take.
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
            case .classes(let change): running.adopt(change)
            // What is left changes the limit of a queue below `rest`.
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
}
