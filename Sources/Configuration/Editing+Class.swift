extension Editor {
    /// Carries out a command such as `class set vm1/iscsi dir inbound floor 200mbit`. A class is named by its path or by the end of its path: a group, a guest,
    /// or a guest's protocol. `dir` may be left out where the class can only be in one direction; `dir both` means both.
    mutating func `class`(_ verb: EditVerb, _ words: [String]) throws(ConfigurationError) {
        let example = "class \(verb.rawValue) vm1/iscsi dir inbound" + (verb == .del ? "" : " floor 200mbit")
        let (path, all) = try name(words, "class", example: example)
        var rest = all
        var named: [Direction]?
        if let position = rest.firstIndex(where: { $0 == "dir" || $0 == "direction" }) {
            let word = position + 1 < rest.endIndex ? rest[position + 1] : ""
            named = word == "both" ? Direction.allCases : Direction(rawValue: word).map { [$0] }
            if named == nil { throw ConfigurationError("class \(path)", "dir is inbound (towards the guest), outbound (from it) or both") }
            rest = rest[..<position] + rest[(position + 2)...]
        }
        if let word = rest.first, Direction(rawValue: word) != nil {
            throw ConfigurationError("class \(path)", "'\(word)' is a direction: write class \(verb.rawValue) \(path) dir \(rest.joined(separator: " "))")
        }
        let target = try target(of: path)
        switch verb {
        case .add, .set:
            if rest.isEmpty { throw ConfigurationError("class \(path)", "nothing to set: write \(example)") }
            let directions = try directions(named, possible(target), of: path, verb, rest)
            for direction in directions {
                var settings = self[target, direction]
                let before = settings
                try read(rest, into: &settings, fields.classes, "class \(path) \(direction.rawValue)", of: "a class")
                if verb == .add, before != ClassSettings() {
                    throw ConfigurationError(
                        "class \(path)", "it has \(direction.rawValue) settings already: change them with `class set \(path) ...`")
                }
                self[target, direction] = settings
            }
        case .del:
            try refuseMore(rest)
            let written = Direction.allCases.filter { self[target, $0] != ClassSettings() }
            let directions = try directions(named, written.isEmpty ? [.inbound] : written, of: path, verb, rest)
            if directions.allSatisfy({ self[target, $0] == ClassSettings() }), !isBare(target) {
                throw ConfigurationError("class \(path)", "it has no settings to delete")
            }
            for direction in directions { self[target, direction] = ClassSettings() }
            if case .protocol(let guest, let name) = target, model.guests[guest].protocols[name] == ProtocolClasses() {
                model.guests[guest].protocols[name] = nil
            }
        }
    }

    /// Whether the class is that of a guest's protocol and has no settings, so that all it does is to give the protocol a leaf of its own.
    private func isBare(_ target: Target) -> Bool {
        if case .protocol(let guest, let name) = target { model.guests[guest].protocols[name] == ProtocolClasses() } else { false }
    }

    /// The directions in which the class can exist. Outbound classes stand in the trees of physical ports. A guest of a physical port has no inbound class, as
    /// frames to it leave by that port, in the outbound classes of their senders.
    private func possible(_ target: Target) -> [Direction] {
        let bridge: String?, own: PortSettings?
        switch target {
        case .group(let index): (bridge, own) = (model.groups[index].bridge, nil)
        case .guest(let index), .protocol(let index, _):
            own = model.ports.first { $0.name == model.guests[index].port }
            bridge = own?.bridge
        }
        let isSeen = own?.isPhysical != true
        let isSent = model.ports.contains { $0.isPhysical && $0.bridge == bridge && $0.sends(from: own?.name) }
        return (isSeen ? [.inbound] : []) + (isSent ? [.outbound] : [])
    }

    /// The directions that the command names; where it names none, the only one that it can mean.
    private func directions(
        _ named: [Direction]?, _ possible: [Direction], of path: String, _ verb: EditVerb, _ rest: ArraySlice<String>
    ) throws(ConfigurationError) -> [Direction] {
        if let named { return named }
        if possible.count == 1 { return possible }
        let settings = rest.isEmpty ? "" : " " + rest.joined(separator: " ")
        let commands = Direction.allCases.map { "class \(verb.rawValue) \(path) dir \($0.rawValue)\(settings)" }.joined(separator: ", or ")
        throw ConfigurationError("class \(path)", "it has two directions: write \(commands), or dir both for both")
    }

    private enum Target {
        case group(Int)
        case guest(Int)
        case `protocol`(guest: Int, String)
    }

    private subscript(target: Target, direction: Direction) -> ClassSettings {
        get {
            switch target {
            case .group(let index): model.groups[index].settings(direction)
            case .guest(let index): model.guests[index].settings(direction)
            case .protocol(let index, let name): (model.guests[index].protocols[name] ?? ProtocolClasses()).settings(direction)
            }
        }
        set {
            let path: WritableKeyPath<ProtocolClasses, ClassSettings> = direction == .inbound ? \.inbound : \.outbound
            switch (target, direction) {
            case (.group(let index), .inbound): model.groups[index].inbound = newValue
            case (.group(let index), .outbound): model.groups[index].outbound = newValue
            case (.guest(let index), .inbound): model.guests[index].inbound = newValue
            case (.guest(let index), .outbound): model.guests[index].outbound = newValue
            case (.protocol(let index, let name), _):
                model.guests[index].protocols[name, default: ProtocolClasses()][keyPath: path] = newValue
            }
        }
    }

    private mutating func target(of path: String) throws(ConfigurationError) -> Target {
        var parts = path.split(separator: "/").map(String.init)
        var protocolName: String?
        // A word behind a guest's name is a protocol, even if a group has the same name, as no group stands below a guest.
        if parts.count > 1, guestExists(parts[parts.count - 2]) {
            protocolName = parts.removeLast()
        } else if let group = model.groups.firstIndex(where: { $0.name == parts.last }) {
            try check(parts.dropLast(), areAbove: parts[parts.count - 1], parent: model.groups[group].parent, path)
            return .group(group)
        }
        if parts.first == ClassDescription.restPath {
            let owner = model.ports.first { $0.isPhysical && $0.rate != nil }.map { "port set \($0.name)" } ?? model.bridges.first.map { "bridge set \($0.name)" }
            throw ConfigurationError(
                "", parts.count == 1
                    ? "rest is set at the port or bridge whose tree it is in: write \(owner ?? "port set uplink") rest floor 100mbit"
                    : "classes in rest are named without it: write \(parts.dropFirst().joined(separator: "/"))")
        }
        if let mirror = model.mirrors.first(where: { parts.last == ClassDescription.mirrorPath(to: $0.target.port) }) {
            throw ConfigurationError("", "\(path) is for what mirrors copy to port \(mirror.target.port): limit that with mirror set \(mirror.name) rate 100mbit")
        }
        guard let last = parts.last, guestExists(last) else {
            let names = model.groups.map(\.name) + model.effectiveGuests.map(\.settings.name)
            throw ConfigurationError("", "there is no class \(path): \(hint(parts.last ?? path, among: names, none: "no guest is configured"))")
        }
        if last.hasSuffix(":others") {
            let port = last.dropLast(":others".count)
            throw ConfigurationError(
                "", "\(last) stands for the addresses no guest of port \(port) has: to set it, add a guest without macs on \(port)")
        }
        let guest = materialized(last)
        try check(parts.dropLast(), areAbove: last, parent: model.guests[guest].group, path)
        guard let protocolName else { return .guest(guest) }
        if protocolName == "default" {
            throw ConfigurationError("", "\(path) has what \(last)'s protocols leave over: set \(last) instead")
        }
        let table = model.protocolTable.map(\.name)
        if !table.contains(protocolName) {
            throw ConfigurationError("", "there is no protocol \(protocolName): \(hint(protocolName, among: table, none: ""))")
        }
        return .protocol(guest: guest, protocolName)
    }

    private func guestExists(_ name: String) -> Bool {
        model.guests.contains { $0.name == name } || model.effectiveGuests.contains { $0.isImplicit && $0.settings.name == name }
    }

    /// The index of a guest in the model. A port's implicit guest is added to the model here, as its class is about to be set.
    private mutating func materialized(_ name: String) -> Int {
        if let index = model.guests.firstIndex(where: { $0.name == name }) { return index }
        model.guests.append(GuestSettings(name: name, port: model.ports.first { $0.name == name }?.name ?? ""))
        return model.guests.count - 1
    }

    /// Refuses a path whose words before the last are not the groups above the class.
    private func check(
        _ above: ArraySlice<String>, areAbove name: String, parent: String?, _ path: String
    ) throws(ConfigurationError) {
        var parent = parent
        for name in above.reversed() {
            guard parent == name else {
                throw ConfigurationError("", "there is no class \(path): \(name) is not a group above it")
            }
            parent = model.groups.first { $0.name == name }?.parent
        }
    }
}
