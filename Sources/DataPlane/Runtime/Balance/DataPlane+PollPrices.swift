import Configuration

extension DataPlane {
    /// Makes loops divide their time after every turn that found frames, or never, instead of after long turns, and lets turns take as long as they take. It is for
    /// whoever counts instructions, which makes every turn long.
    public func dividePollTime(always: Bool) {
        for index in runtime.lcores.indices {
            let lcore = runtime.lcores.baseAddress! + index
            lcore.pointee.shares.longTurnCycles = always ? 0 : .max
            lcore.pointee.shares.turnCycles = UInt64(Int32.max)
        }
    }

    /// The weight in bit/s of a guest without floors, and of a physical port to whose bridge's guests no floors are given, when a loop's time is divided.
    private static let leastWeight: UInt64 = 50_000_000, leastPhysicalWeight: UInt64 = 1_000_000_000

    /// Prices the loops' time for each port by the floors of its guests; see `PollShares`. `tick` calls it, so that changes of many classes cost no more than
    /// those of one.
    func setPollPrices() {
        if pollPricesAreSet { return }
        pollPricesAreSet = true
        let weights = pollWeights()
        guard let heaviest = weights.values.max() else { return }
        for port in ports.values {
            let price = PollShares.price(of: weights[port.settings.name] ?? Self.leastWeight, heaviest: heaviest)
            port.state.pointee.pollPrice.store(price, ordering: .relaxed)
        }
    }

    /// The weight of each port: the floors of its guests, the larger one of both directions. By a physical port comes what the floors towards its bridge's guests
    /// are for.
    private func pollWeights() -> [String: UInt64] {
        var inbound: [String: UInt64] = [:], outbound: [String: UInt64] = [:]
        for tree in trees.values {
            // A guest's topmost class has the largest floor. Frames leave by one uplink or another.
            for item in tree.description.classes {
                guard let guest = item.guest, item.settings.floor > 0 else { continue }
                if case .inbound = tree.kind {
                    inbound[guest] = max(inbound[guest] ?? 0, item.settings.floor)
                } else {
                    outbound[guest] = max(outbound[guest] ?? 0, item.settings.floor)
                }
            }
        }
        var weights: [String: UInt64] = [:], floors: [String: UInt64] = [:]
        let bridgeOf = Dictionary(ports.values.map { ($0.settings.name, $0.settings.bridge) }) { first, _ in first }
        for guest in effectiveGuests {
            let name = guest.settings.name, port = guest.settings.port, towards = inbound[name] ?? 0
            weights[port, default: 0] += max(towards, outbound[name] ?? 0)
            if let bridge = bridgeOf[port] { floors[bridge, default: 0] += towards }
        }
        for port in ports.values {
            let name = port.settings.name
            weights[name] = port.isPhysical ? max(floors[port.settings.bridge] ?? 0, Self.leastPhysicalWeight) : max(weights[name] ?? 0, Self.leastWeight)
        }
        return weights
    }
}
