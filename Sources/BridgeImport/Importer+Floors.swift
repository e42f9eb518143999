import Configuration
import Packet

/// Floors that the kernel lets stand although they exceed what is above them. Sluice admits none that it cannot keep.
extension Importer {
    mutating func fitFloors() {
        raiseGroups()
        setRates()
        fit(.outbound)
        fit(.inbound)
    }

    /// A group without a floor guarantees what its members are guaranteed.
    private mutating func raiseGroups() {
        // Groups were made from the root down, so that those below come later.
        for index in model.groups.indices.reversed() {
            let name = model.groups[index].name
            for path in [\GroupSettings.inbound.floor, \.outbound.floor] where model.groups[index][keyPath: path] == nil {
                let ofGuests: KeyPath<GuestSettings, UInt64?> = path == \.inbound.floor ? \.inbound.floor : \.outbound.floor
                let sum = model.groups.lazy.filter { $0.parent == name }.reduce(UInt64(0)) { $0 &+ ($1[keyPath: path] ?? 0) }
                    &+ model.guests.lazy.filter { $0.group == name }.reduce(UInt64(0)) { $0 &+ ($1[keyPath: ofGuests] ?? 0) }
                let most = (path == \.inbound.floor ? model.groups[index].inbound : model.groups[index].outbound).ceiling
                if sum > 0 { model.groups[index][keyPath: path] = min(sum, most ?? Validator.rates.upperBound) }
            }
        }
    }

    /// Every physical port has a tree with all guests in it, whose floors need a rate there.
    private mutating func setRates() {
        let outbound = top(.outbound), inbound = top(.inbound)
        for index in model.ports.indices where model.ports[index].isPhysical && model.ports[index].rate == nil {
            let name = model.ports[index].name
            let port = bridge.ports.first { ports[$0.name] == name }
            let speed = port?.speed.flatMap { Bits.rate($0 * 125_000) }
            if let speed, speed >= outbound {
                model.ports[index].rate = speed
                decide(name, "the rate is the link's speed", quote: "ethtool \(port?.name ?? name): Speed: \(speed / 1_000_000)Mb/s")
            } else if outbound > 0 {
                model.ports[index].rate = Validator.rates.upperBound
                decide(
                    name,
                    "guests' floors hold in the tree of every physical port, which needs a rate for them; "
                        + (speed.map { "the link's speed \(Quantity.rate.format($0)) is too little for all, so none is set that limits" }
                            ?? "the link's speed is not known: write what it carries"))
            } else if let speed {
                model.ports[index].rate = speed
            } else {
                decide(
                    name, "neither tc nor the link tells a rate: without one (`rate: 10gbit`) no outbound floor can be guaranteed there",
                    quote: "\(name): no HTB, Speed: Unknown")
            }
        }
        // `rest` is what floors leave of a rate.
        for index in model.ports.indices where model.ports[index].rate == nil { model.ports[index].rest = RestSettings() }
        let index = model.bridges.firstIndex { $0.name == settings.name }
        if let index, inbound == 0, model.bridges[index].rate == nil { model.bridges[index].rest = RestSettings() }
        if inbound > 0, let index, model.bridges[index].rate == nil {
            model.bridges[index].rate = Validator.rates.upperBound
            decide(
                bridge.name,
                "the kernel limits nothing towards all guests together, and floors need a rate that they are guaranteed from: it is one that limits nothing")
        }
    }

    /// The sum of the floors that stand right below the root.
    private func top(_ direction: Direction) -> UInt64 {
        let guests: KeyPath<GuestSettings, UInt64?> = direction == .inbound ? \.inbound.floor : \.outbound.floor
        let groups: KeyPath<GroupSettings, UInt64?> = direction == .inbound ? \.inbound.floor : \.outbound.floor
        return model.guests.lazy.filter { $0.group == nil }.reduce(UInt64(0)) { $0 &+ ($1[keyPath: guests] ?? 0) }
            &+ model.groups.lazy.filter { $0.parent == nil }.reduce(UInt64(0)) { $0 &+ ($1[keyPath: groups] ?? 0) }
    }

    private mutating func fit(_ direction: Direction) {
        let guestPath: WritableKeyPath<GuestSettings, ClassSettings> = direction == .inbound ? \.inbound : \.outbound
        let groupPath: WritableKeyPath<GroupSettings, ClassSettings> = direction == .inbound ? \.inbound : \.outbound
        let protocolPath: WritableKeyPath<ProtocolClasses, ClassSettings> = direction == .inbound ? \.inbound : \.outbound
        // The least rate of a tree that all of them stand in, and what `rest` has of it.
        let trees: [(name: String, rate: UInt64, rest: RestSettings)] =
            direction == .inbound
            ? model.bridges.compactMap { bridge in bridge.rate.map { (bridge.name, $0, bridge.rest) } }
            : model.ports.compactMap { port in port.isPhysical ? port.rate.map { (port.name, $0, port.rest) } : nil }
        for tree in trees {
            var sum = top(direction) &+ (tree.rest.floor ?? 0)
            guard sum > tree.rate else { continue }
            let words = "floors sum to \(Quantity.rate.format(sum)), more than \(tree.name)'s rate \(Quantity.rate.format(tree.rate))"
            if let floor = tree.rest.floor {
                // `rest` gives way first: those that no filter knows have the weakest claim.
                let left = tree.rate > sum - floor ? tree.rate - (sum - floor) : 0
                setRestFloor(Validator.rates.contains(left) ? left : nil, of: tree.name)
                sum = sum - floor + (Validator.rates.contains(left) ? left : 0)
                lose(tree.name, "\(words): `rest` has what is left, \(Quantity.rate.format(left))")
                if sum <= tree.rate { continue }
            } else {
                lose(tree.name, "\(words): all are made smaller in proportion; the kernel would keep none of them")
            }
            for index in model.groups.indices where model.groups[index].parent == nil { Self.scale(&model.groups[index][keyPath: groupPath], tree.rate, sum) }
            for index in model.guests.indices where model.guests[index].group == nil { Self.scale(&model.guests[index][keyPath: guestPath], tree.rate, sum) }
        }
        // From above downwards: groups stand in the list before those in them.
        for group in model.groups.indices {
            let name = model.groups[group].name, own = model.groups[group][keyPath: groupPath].floor ?? 0
            let sum = model.groups.lazy.filter { $0.parent == name }.reduce(UInt64(0)) { $0 &+ ($1[keyPath: groupPath].floor ?? 0) }
                &+ model.guests.lazy.filter { $0.group == name }.reduce(UInt64(0)) { $0 &+ ($1[keyPath: guestPath].floor ?? 0) }
            guard sum > own else { continue }
            lose(name, "floors in it sum to \(Quantity.rate.format(sum)), more than its own \(Quantity.rate.format(own)): all are made smaller in proportion")
            for index in model.groups.indices where model.groups[index].parent == name { Self.scale(&model.groups[index][keyPath: groupPath], own, sum) }
            for index in model.guests.indices where model.guests[index].group == name { Self.scale(&model.guests[index][keyPath: guestPath], own, sum) }
        }
        for index in model.guests.indices {
            let own = model.guests[index][keyPath: guestPath].floor ?? 0
            let sum = model.guests[index].protocols.values.reduce(UInt64(0)) { $0 &+ ($1[keyPath: protocolPath].floor ?? 0) }
            guard sum > own else { continue }
            lose(
                model.guests[index].name,
                "floors of its protocols sum to \(Quantity.rate.format(sum)), more than its own \(Quantity.rate.format(own)):"
                    + " they are made smaller in proportion")
            for key in model.guests[index].protocols.keys { Self.scale(&model.guests[index].protocols[key]![keyPath: protocolPath], own, sum) }
        }
    }

    private mutating func setRestFloor(_ floor: UInt64?, of tree: String) {
        if let index = model.ports.firstIndex(where: { $0.name == tree }) { model.ports[index].rest.floor = floor }
        if let index = model.bridges.firstIndex(where: { $0.name == tree }) { model.bridges[index].rest.floor = floor }
    }

    /// Makes a floor smaller by a ratio, to whole kbit/s; one that would be too small is none.
    private static func scale(_ settings: inout ClassSettings, _ numerator: UInt64, _ denominator: UInt64) {
        guard let floor = settings.floor, denominator > 0 else { return }
        let (high, low) = floor.multipliedFullWidth(by: numerator)
        let scaled = denominator.dividingFullWidth((high, low)).quotient / 1_000 * 1_000
        settings.floor = Validator.rates.contains(scaled) ? scaled : nil
        if settings.floor == nil { settings.burst = nil }
    }
}
