/// Bounds of leaves' queues by time, for one tree. They are worked out here, where the tree is made, and become bytes: the poll loops know no other limits than
/// frames and bytes.
///
/// A class can count on its floor. Without one, on an equal share, among those without, of what the floors beside it leave of what its parent can count on (the
/// root: on its rate), but on no more than its own ceiling or an ancestor's. In a tree without a rate that ceiling alone is known; where there is none
/// either, the queue has no limit by time.
///
/// A share is rounded down, by a fifth at most: a guest that comes or goes then changes the queues of few others. No limit is below ten of the largest
/// frames, as a shorter queue cannot take the bursts that senders make.
struct QueueLimits: Sendable {
    private let rate: UInt64?
    /// By the id of the class above. What `rest` has is not counted: it is what these leave.
    private var floors: [UInt16: Floors] = [:]
    /// By id.
    private var amounts: [UInt16: Amount] = [:]

    /// - Parameter rate: the root's in bit/s; nil: unlimited.
    init(_ classes: [ClassDescription], rate: UInt64?) {
        self.rate = rate
        // Mirrors' copies have what others leave, and take nothing that these can count on. They can count on nothing themselves, so that nobody's coming
        // and going changes their queue.
        for item in classes where !item.isRest && !item.isForMirrors { floors[item.parent, default: Floors()].add(item.settings.floor) }
        amounts.reserveCapacity(classes.count)
        // Parents come first.
        for item in classes {
            amounts[item.id] = amount(of: item.settings, below: item.parent, [:], floors)
            if item.isForMirrors { amounts[item.id]?.rate = nil }
        }
    }

    /// Fills in every leaf's `delayBytes`.
    static func fill(_ classes: inout [ClassDescription], rate: UInt64?) {
        let limits = QueueLimits(classes, rate: rate)
        for index in classes.indices where classes[index].isLeaf {
            classes[index].settings.delayBytes = classes[index].settings.bytes(of: limits.amounts[classes[index].id]?.rate)
        }
    }

    /// The `delayBytes` of `new` classes in place of `old` ones, parents first in both; nil if the limits of other classes change with them.
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
        // Those below the same parents that are not among them.
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

    /// Takes `new` classes over in place of `old` ones, parents first.
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

/// What a class can count on.
private struct Amount {
    /// bit/s; nil: not known.
    var rate: UInt64?
    /// bit/s; the least of its own and its ancestors'.
    var ceiling: UInt64
}

/// The floors below one parent.
private struct Floors {
    /// May pass 64 bits.
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

    /// What each class without a floor has of `rate`: the three highest binary digits of it.
    func share(of rate: UInt64) -> UInt64 {
        let share = UInt64(max(Int128(rate) - sum, 0)) / UInt64(max(without, 1))
        let dropped = max(0, UInt64.bitWidth - share.leadingZeroBitCount - 3)
        return (share >> dropped) << dropped
    }
}

extension ClassParameters {
    /// What `limitDelay` comes to at a rate in bit/s.
    fileprivate func bytes(of rate: UInt64?) -> Int {
        guard let rate else { return .max }
        let (high, low) = rate.multipliedFullWidth(by: limitDelay)
        let bytes = high >= 8_000_000 ? UInt64.max : UInt64(8_000_000).dividingFullWidth((high, low)).quotient
        return Int(clamping: max(bytes, UInt64(10 * largestFrame)))
    }
}
