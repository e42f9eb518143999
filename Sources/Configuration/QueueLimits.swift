/// Time limits of the leaves' queues of one tree. They are turned into bytes here, when the tree is made: the poll loops know no other limits than frames and
/// bytes.
///
/// A class can count on its floor. A class without a floor can count on a share: what the floors beside it leave of the rate that its parent can count on (for
/// the root, of the root's rate), divided equally among the classes without a floor. In no case can it count on more than its own ceiling or that of a class
/// above it. In a tree without a rate, only that ceiling is known; if there is none either, the queue has no time limit.
///
/// A share is rounded down, by a fifth at most, so that a guest that comes or goes changes the queues of few others. No limit is below ten of the largest
/// frames, as a shorter queue cannot take the bursts that senders make.
struct QueueLimits: Sendable {
    private let rate: UInt64?
    /// The floors below each class, by that class's id. `rest` is not counted among them, as its floor is what the others leave.
    private var floors: [UInt16: Floors] = [:]
    /// What each class can count on, by its id.
    private var amounts: [UInt16: Amount] = [:]

    /// - Parameter rate: the rate of the root in bit/s; nil: unlimited.
    init(_ classes: [ClassDescription], rate: UInt64?) {
        self.rate = rate
        // Mirrors' copies get what other classes leave, so they take no part in the shares. They can count on nothing themselves, so that nobody who comes or
        // goes changes their queue.
        for item in classes where !item.isRest && !item.isForMirrors && !item.settings.isBare { floors[item.parent, default: Floors()].add(item.settings.floor) }
        amounts.reserveCapacity(classes.count)
        // Parents come before their children, so what a parent can count on is known here.
        for item in classes {
            amounts[item.id] = amount(of: item.settings, below: item.parent, [:], floors)
            if item.isForMirrors { amounts[item.id]?.rate = nil }
        }
    }

    /// Sets the `delayBytes` of every leaf.
    static func fill(_ classes: inout [ClassDescription], rate: UInt64?) {
        let limits = QueueLimits(classes, rate: rate)
        for index in classes.indices where classes[index].isLeaf {
            classes[index].settings.delayBytes = classes[index].settings.bytes(of: limits.amounts[classes[index].id]?.rate)
        }
    }

    /// The `delayBytes` of the `new` classes that replace `old` ones; in both lists parents come first. nil: the limits of other classes change with them.
    func filled(_ old: [ClassDescription], _ new: [ClassDescription]) -> [Int]? {
        var floors: [UInt16: Floors] = [:], amounts: [UInt16: Amount] = [:]
        for item in old where !item.isRest { floors[item.parent, default: self.floors[item.parent] ?? Floors()].remove(item.settings.floor) }
        for item in new where !item.isRest { floors[item.parent, default: self.floors[item.parent] ?? Floors()].add(item.settings.floor) }
        let all = floors.merging(new.compactMap { item in self.floors[item.id].map { (item.id, $0) } }) { first, _ in first }
        var limits: [Int] = []
        for item in new {
            let amount = amount(of: item.settings, below: item.parent, amounts, all)
            amounts[item.id] = amount
            limits.append(item.isLeaf ? item.settings.bytes(of: amount.rate) : .max)
        }
        // Looks at the classes below the same parents that are not among the changed ones.
        for (parent, now) in all {
            var others = now
            for item in new where item.parent == parent && !item.isRest { others.remove(item.settings.floor) }
            guard others.count > 0, let was = self.floors[parent] else { continue }
            let before = above(parent, [:]), after = above(parent, amounts)
            if before.ceiling != after.ceiling { return nil }
            if others.without > 0, before.rate.map({ was.share(of: $0) }) != after.rate.map({ now.share(of: $0) }) { return nil }
        }
        return limits
    }

    /// Records that `new` classes have replaced `old` ones; in both lists parents come first.
    mutating func adopt(_ old: [ClassDescription], _ new: [ClassDescription]) {
        for item in old {
            if !item.isRest { floors[item.parent, default: Floors()].remove(item.settings.floor) }
            amounts[item.id] = nil
        }
        for item in new where !item.isRest { floors[item.parent, default: Floors()].add(item.settings.floor) }
        for item in old + new where floors[item.id]?.count == 0 { floors[item.id] = nil }
        for item in new { amounts[item.id] = amount(of: item.settings, below: item.parent, [:], floors) }
    }

    private func above(_ parent: UInt16, _ changed: [UInt16: Amount]) -> Amount {
        changed[parent] ?? amounts[parent] ?? Amount(rate: rate, ceiling: rate ?? .max)
    }

    private func amount(of settings: ClassParameters, below parent: UInt16, _ changed: [UInt16: Amount], _ floors: [UInt16: Floors]) -> Amount {
        let above = above(parent, changed)
        let ceiling = min(above.ceiling, settings.ceiling, settings.peak == 0 ? .max : settings.peak)
        if settings.floor > 0 { return Amount(rate: min(settings.floor, ceiling), ceiling: ceiling) }
        let share = above.rate.map { (floors[parent] ?? Floors()).share(of: $0) } ?? (ceiling == .max ? nil : ceiling)
        return Amount(rate: share.map { min($0, ceiling) }, ceiling: ceiling)
    }
}

/// The rate that a class can count on, and the ceiling that bounds it.
private struct Amount {
    /// In bit/s; nil: not known.
    var rate: UInt64?
    /// In bit/s: the least of the class's own ceiling and those above it.
    var ceiling: UInt64
}

/// The floors below one parent.
private struct Floors {
    /// The sum may exceed 64 bits.
    var sum: Int128 = 0
    var without = 0
    var count = 0

    mutating func add(_ floor: UInt64) {
        sum += Int128(floor)
        count += 1
        if floor == 0 { without += 1 }
    }

    mutating func remove(_ floor: UInt64) {
        sum -= Int128(floor)
        count -= 1
        if floor == 0 { without -= 1 }
    }

    /// What each class without a floor gets of `rate`, rounded down to its three highest binary digits.
    func share(of rate: UInt64) -> UInt64 {
        let share = UInt64(max(Int128(rate) - sum, 0)) / UInt64(max(without, 1))
        let dropped = max(0, UInt64.bitWidth - share.leadingZeroBitCount - 3)
        return (share >> dropped) << dropped
    }
}

extension ClassParameters {
    /// The number of bytes that `limitDelay` amounts to at a rate in bit/s; `.max`: the rate is not known.
    fileprivate func bytes(of rate: UInt64?) -> Int {
        guard let rate else { return .max }
        let (high, low) = rate.multipliedFullWidth(by: limitDelay)
        let bytes = high >= 8_000_000 ? UInt64.max : UInt64(8_000_000).dividingFullWidth((high, low)).quotient
        return Int(clamping: max(bytes, UInt64(10 * largestFrame)))
    }
}
