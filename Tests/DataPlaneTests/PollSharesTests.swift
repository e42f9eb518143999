import DataPlane
import Testing
import TestSupport

/// A poll loop in virtual time, in which one nanosecond is one cycle. Each port's frames take what the test says.
private struct Loop: ~Copyable {
    struct Port {
        /// Cycles that a frame takes.
        var cost: UInt64
        /// The length of its frames in bytes.
        var length: UInt32 = 60
        var price = PollShares.leastPrice
        /// Frames that arrive in 2^20 cycles; nil: there are always more.
        var rate: UInt64?
        var arrivedAt: UInt64 = 0
        var waiting: UInt64 = 0
        var taken: UInt64 = 0
        var cycles: UInt64 = 0
        /// For how long at most a frame waited until its port was polled, or the port from one poll to the next if there are always more.
        var longestWait: UInt64 = 0
        var waitsSince: UInt64?
        var isIdle = false
    }

    var shares: PollShares
    var ports: [Port]
    var now: UInt64 = 1_000_000
    /// What a turn takes beyond the ports' frames.
    var overhead: UInt64 = 100

    init(_ ports: [Port], level: UInt64 = 0) {
        shares = PollShares(ports: ports.count, level: level) { $0 }
        self.ports = ports
        for index in ports.indices { self.ports[index].arrivedAt = now }
    }

    private mutating func arrive(_ index: Int) {
        guard let rate = ports[index].rate else { return }
        let frames = ((now - ports[index].arrivedAt) * rate) >> 20
        if frames > 0, ports[index].waitsSince == nil { ports[index].waitsSince = ports[index].arrivedAt + (1 << 20) / rate }
        ports[index].arrivedAt += (frames << 20) / max(rate, 1)
        ports[index].waiting += frames
    }

    /// Looks at a port. Returns how many frames it found.
    private mutating func visit(_ index: Int, _ divides: Bool) -> UInt64 {
        if ports[index].isIdle { return 0 }
        arrive(index)
        let has = ports[index].rate == nil ? UInt64.max : ports[index].waiting
        if has > 0, ports[index].waitsSince == nil { ports[index].waitsSince = now }
        if divides, !shares.admits(UInt16(index)) { return 0 }
        let frames = min(has, divides ? UInt64(shares.burst(of: UInt16(index), most: 32)) : 32)
        if frames == 0 { return 0 }
        ports[index].longestWait = max(ports[index].longestWait, now - (ports[index].waitsSince ?? now))
        let cycles = frames * ports[index].cost
        now += cycles
        ports[index].cycles += cycles
        ports[index].taken += frames
        if ports[index].rate != nil { ports[index].waiting -= frames }
        ports[index].waitsSince = has > frames ? now : nil
        if divides { shares.charge(UInt16(index), at: index, frames: Int(frames), cycles: cycles, queued: 0, price: ports[index].price, hasMore: has > frames, length: ports[index].length) }
        return frames
    }

    /// Takes a turn. Returns how many frames it found.
    mutating func turn() -> UInt64 {
        let began = now, divides = shares.isOn(at: now)
        var found: UInt64 = 0
        let first = divides ? shares.beginTurn(at: now, queues: ports.count) : 0
        for index in Array(first..<ports.count) + Array(0..<first) {
            found += visit(index, divides)
            while divides, let modest = shares.nextModestQueue(of: ports.count) { found += visit(modest, divides) }
        }
        if divides { shares.endTurn(sent: 0, in: 0, at: now) }
        now += overhead
        if found > 0, now - began > shares.longTurnCycles { shares.noteLongTurn(endedAt: now) }
        return found
    }

    mutating func run(for cycles: UInt64) {
        let end = now + cycles
        while now < end { _ = turn() }
    }
}

@Suite("A poll loop's time is divided by weight") struct PollSharesTests {
    @Test("Ports that always have frames get cycles in proportion to their weights, whatever their frames cost", arguments: 0..<40)
    func proportion(seed: UInt64) {
        var random = Seeded(seed)
        let weights = (0..<Int.random(in: 2...12, using: &random)).map { _ in UInt64.random(in: 1...20, using: &random) }
        let heaviest = weights.max()!
        // Some wrap around on the way.
        var loop = Loop(
            weights.map { Loop.Port(cost: .random(in: 40...3_000, using: &random), price: PollShares.price(of: $0, heaviest: heaviest)) },
            level: seed & 1 == 0 ? 0 : .max - 50_000_000)
        loop.run(for: 20_000_000)
        let before = loop.ports.map(\.cycles)
        loop.run(for: 4_000_000_000)
        let spent = zip(loop.ports, before).map { $0.cycles - $1 }
        // What each got for its weight may differ by the slack and a burst of the dearest frames, and by how prices are rounded.
        let perWeight = zip(spent, loop.ports).map { Double($0) * Double($1.price) }
        let most = perWeight.max()!, least = perWeight.min()!
        let burst = 32.0 * 3_000 * Double(loop.ports.map(\.price).max()!)
        #expect(most - least <= 2 * (20_000 * Double(PollShares.leastPrice) + burst) + most * 0.001, "\(spent) for \(weights)")
    }

    @Test("A port that asks for less than its share gets all of it, and waits for no more than a burst of each other port and their slack", arguments: 0..<40)
    func modest(seed: UInt64) {
        var random = Seeded(seed)
        let others = Int.random(in: 1...10, using: &random)
        var ports = (0..<others).map { _ in Loop.Port(cost: .random(in: 100...4_000, using: &random)) }
        // Nine tenths of an equal share.
        let cost = UInt64.random(in: 60...400, using: &random)
        let rate = (1 << 20) * 9 / 10 / UInt64(others + 1) / cost
        ports.insert(Loop.Port(cost: cost, rate: rate), at: .random(in: 0...others, using: &random))
        var loop = Loop(ports)
        loop.overhead = 0
        // Before the first turn it is not known that the time must be divided.
        loop.run(for: 100_000_000)
        for index in loop.ports.indices { loop.ports[index].longestWait = 0 }
        loop.run(for: 2_000_000_000)
        let modest = loop.ports.first { $0.rate != nil }!
        let bursts = loop.ports.reduce(0) { $0 + 32 * $1.cost + 20_000 }
        #expect(modest.waiting <= (rate * 2 * bursts) >> 20 + 64, "it is left with \(modest.waiting) of \(modest.taken) frames")
        #expect(modest.longestWait <= bursts)
    }

    /// How long a port that sends a frame in 50 us waits at most for others that always have frames.
    /// - Returns: that, and the cycles of the dearest frame.
    private func longestWait(_ seed: UInt64, costs: ClosedRange<UInt64>, length: UInt32) -> (waited: UInt64, dearest: UInt64) {
        var random = Seeded(seed)
        var ports = (0..<Int.random(in: 4...40, using: &random)).map { _ in
            Loop.Port(cost: .random(in: costs, using: &random), length: length, price: PollShares.price(of: .random(in: 1...64, using: &random), heaviest: 64))
        }
        let dearest = ports.map(\.cost).max()!
        let place = Int.random(in: 0...ports.count, using: &random)
        ports.insert(Loop.Port(cost: 200, rate: 20), at: place)
        var loop = Loop(ports)
        loop.overhead = 0
        // In the first turns it is not known what frames cost.
        loop.run(for: 100_000_000)
        loop.ports[place].longestWait = 0
        loop.run(for: 200_000_000)
        return (loop.ports[place].longestWait, dearest)
    }

    @Test("A port that asks for little waits for two bursts of 2.5 us or two frames, however many others always have frames, and however dear these are", arguments: 0..<40)
    func modestAmongMany(seed: UInt64) {
        let (waited, dearest) = longestWait(seed, costs: 40...20_000, length: 1_514)
        #expect(waited <= 2 * max(2_500, dearest), "it waited for \(waited)")
    }

    @Test("It waits for two bursts of 5 us where others' frames are long, which are read by at least four while four take no longer", arguments: 0..<40)
    func modestAmongLong(seed: UInt64) {
        let (waited, dearest) = longestWait(seed, costs: 600...6_000, length: 9_014)
        #expect(waited <= 2 * max(5_000, dearest), "it waited for \(waited)")
        var loop = Loop([Loop.Port(cost: 1_000 + seed * 6, length: 9_014), Loop.Port(cost: 200, rate: 20)])
        loop.run(for: 10_000_000)
        #expect(loop.shares.burst(of: 0, most: 32) == Int(5_000 / (1_000 + seed * 6)))
    }

    @Test("Where all ports have more frames than they are polled for, bursts are whole, and they are short again as soon as one asks for little")
    func wholeBursts() {
        var loop = Loop([Loop.Port(cost: 1_000), Loop.Port(cost: 1_000), Loop.Port(cost: 200, rate: 20)])
        loop.ports[2].isIdle = true
        loop.run(for: 10_000_000)
        #expect(loop.shares.burst(of: 0, most: 32) == 32)
        loop.ports[2] = Loop.Port(cost: 200, rate: 20, arrivedAt: loop.now)
        loop.run(for: 1_000_000)
        #expect(loop.shares.burst(of: 0, most: 32) == 2)
        // It sends now and then only.
        loop.ports[2].isIdle = true
        loop.run(for: 90_000_000)
        #expect(loop.shares.burst(of: 0, most: 32) == 2)
        loop.run(for: 20_000_000)
        #expect(loop.shares.burst(of: 0, most: 32) == 32)
    }

    @Test("Queues of one port that always have frames are polled equally often")
    func queues() {
        var shares = PollShares(ports: 1) { $0 }
        var taken = [Int](repeating: 0, count: 16), now: UInt64 = 1
        for _ in 0..<16_000 {
            shares.noteLongTurn(endedAt: now)
            let first = shares.beginTurn(at: now, queues: taken.count)
            for queue in Array(first..<taken.count) + Array(0..<first) where shares.admits(0) {
                let frames = shares.burst(of: 0, most: 32)
                shares.charge(0, at: queue, frames: frames, cycles: UInt64(frames) * 200, queued: 0, price: PollShares.leastPrice, hasMore: true, length: 60)
                taken[queue] += frames
                now += UInt64(frames) * 200
            }
            shares.endTurn(sent: 0, in: 0, at: now)
        }
        #expect(Double(taken.min()!) > 0.95 * Double(taken.max()!), "\(taken)")
    }

    @Test("Nobody waits while the loop has time", arguments: 0..<20)
    func conserving(seed: UInt64) {
        var random = Seeded(seed)
        var ports = (0..<Int.random(in: 2...20, using: &random)).map { _ in
            Loop.Port(cost: .random(in: 60...500, using: &random), price: PollShares.price(of: .random(in: 1...64, using: &random), heaviest: 64), rate: .random(in: 0...20, using: &random))
        }
        ports.append(Loop.Port(cost: 1_500, price: PollShares.mostPrice))
        var loop = Loop(ports)
        var empty = 0
        for _ in 0..<200_000 {
            if loop.turn() == 0 { empty += 1 } else { empty = 0 }
            // One turn finds that nobody else has frames; the next one polls those that were held back.
            #expect(empty <= 1)
        }
        let demand = ports.dropLast().reduce(0) { $0 + $1.cost * $1.rate! }
        let rest = Double((1 << 20) - demand) / Double(1 << 20), got = Double(loop.ports.last!.cycles) / Double(loop.now - 1_000_000)
        #expect(demand >= 1 << 20 || got > rest * 0.9, "the port of least weight got \(got) of the loop, and \(rest) of it was free")
    }

    @Test("Time that a port does not use is not saved up")
    func idleness() {
        var loop = Loop([.init(cost: 1_000), .init(cost: 1_000), .init(cost: 1_000)])
        loop.ports[0].isIdle = true
        loop.run(for: 1_000_000_000)
        loop.ports[0].isIdle = false
        let before = loop.ports.map(\.cycles)
        loop.run(for: 3_000_000)
        let spent = zip(loop.ports, before).map { $0.cycles - $1 }
        #expect(spent.allSatisfy { $0 > 800_000 && $0 < 1_200_000 }, "\(spent)")
    }

    @Test("Short turns are not divided, and a division ends")
    func rest() {
        var loop = Loop([.init(cost: 60), .init(cost: 60)])
        loop.run(for: 1_000_000)
        let atFirst = loop.shares.isOn(at: loop.now)
        loop.ports[1].cost = 5_000
        loop.run(for: 1_000_000)
        let whileLong = loop.shares.isOn(at: loop.now)
        loop.ports[1].isIdle = true
        loop.run(for: 20_000_000)
        let atLast = loop.shares.isOn(at: loop.now)
        #expect(!atFirst && whileLong && !atLast)
    }

    @Test("Prices are in proportion to weights, within bounds")
    func prices() {
        #expect(PollShares.price(of: 10, heaviest: 10) == PollShares.leastPrice)
        #expect(PollShares.price(of: 5, heaviest: 10) == 2 * PollShares.leastPrice)
        #expect(PollShares.price(of: 1, heaviest: .max) == PollShares.mostPrice && PollShares.price(of: 0, heaviest: 1) == PollShares.leastPrice)
    }

    @Test("What was queued is charged with what it will take to send it")
    func queued() {
        // Both ports' frames take equally long to be received; those of one are queued, and it takes nine times as long to send them later.
        var shares = PollShares(ports: 2) { $0 }
        var taken: [UInt64] = [0, 0], now: UInt64 = 1
        shares.noteLongTurn(endedAt: now)
        for _ in 0..<100_000 {
            shares.noteLongTurn(endedAt: now)
            _ = shares.beginTurn(at: now, queues: 2)
            var queued = 0
            for port in 0..<2 where shares.admits(UInt16(port)) {
                shares.charge(UInt16(port), at: port, frames: 32, cycles: 3_200, queued: port == 0 ? 32 : 0, price: PollShares.leastPrice, hasMore: true, length: 60)
                taken[port] += 32
                if port == 0 { queued += 32 }
                now += 3_200
            }
            shares.endTurn(sent: queued, in: UInt64(queued) * 900, at: now)
            now += UInt64(queued) * 900
        }
        let ratio = Double(taken[1]) / Double(taken[0])
        #expect(ratio > 9.5 && ratio < 10.5, "\(taken)")
    }
}
