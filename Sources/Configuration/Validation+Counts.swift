extension Model {
    /// The most ports, and the most bridges: each port has a place in tables that poll loops index.
    public static let mostPorts = 1_023
    /// The most guests, and the most groups: as many classes as the 16-bit ids of a tree can name.
    public static let mostGuests = 65_534
    public static let mostFilters = 1_023
    public static let mostMirrors = 1_023
    /// The most protocol rows that a document may have. How many rows the table in force can have is checked separately.
    static let mostProtocols = 1_024
    /// The most classes in all trees together, as each class takes memory in every poll loop.
    public static let mostClasses = 1_000_000
}

/// Checks how many there are of each kind of object.
extension Validator {
    mutating func checkCounts() {
        check(model.bridges.count, Model.mostPorts, "bridges", "bridges")
        check(model.ports.count, Model.mostPorts, "ports", "ports")
        check(model.groups.count, Model.mostGuests, "groups", "groups")
        check(model.guests.count, Model.mostGuests, "guests", "guests")
        check(model.protocols.count, Model.mostProtocols, "protocols", "protocols")
        check(model.filters.count, Model.mostFilters, "filters", "filters")
        check(model.mirrors.count, Model.mostMirrors, "mirrors", "mirrors")
        for (index, filter) in model.filters.enumerated() where filter.rules.count > FilterSettings.mostRules {
            add("filters[\(index)].rules", "a filter has at most \(FilterSettings.mostRules) rules, and this one has \(filter.rules.count): leave some out")
        }
        for (index, port) in model.ports.enumerated() where port.addresses.count > PortSettings.mostAddresses {
            add("ports[\(index)].addresses", "a port has at most \(PortSettings.mostAddresses) addresses, and this one has \(port.addresses.count): write networks, such as 10.0.0.0/24")
        }
        check(model.daemon.cpus.count, 4_096, "daemon.cpus", "CPUs")
        check(model.daemon.cores.count, 4_096, "daemon.cores", "cores")
        for (index, port) in model.ports.enumerated() { check(port.cpus.count, 4_096, "ports[\(index)].cpus", "CPUs") }
    }

    private mutating func check(_ count: Int, _ most: Int, _ path: String, _ noun: String) {
        if count > most { add(path, "a daemon has at most \(most) \(noun), and these are \(count): leave some out") }
    }

    /// Checks the number of classes. A guest has a class in its bridge's tree and in the tree of every physical port there, so there may be many more classes
    /// than guests.
    mutating func checkClassCount() {
        var classes: [String: Int] = [:]
        for group in model.groups { classes[group.bridge, default: 0] += 1 }
        for guest in model.effectiveGuests.map(\.settings) {
            guard let bridge = ports[guest.port]?.bridge else { continue }
            classes[bridge, default: 0] += guest.protocols.isEmpty ? 1 : guest.protocols.count + 2
        }
        var trees: [String: Int] = [:]
        for port in model.ports where port.isPhysical { trees[port.bridge, default: 0] += 1 }
        var total = 0
        for (bridge, count) in classes { total += count * (1 + (trees[bridge] ?? 0)) }
        guard total > Model.mostClasses else { return }
        add(
            "guests",
            "these guests and groups come to \(total) classes, as each has one in the tree of its bridge and of every physical port there: at most"
                + " \(Model.mostClasses) are kept; leave some out, or put physical ports on bridges of their own")
    }
}
