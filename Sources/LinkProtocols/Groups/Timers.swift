/// The next deadline of a membership, router or domain, stored with it. The queue's entry with the same token is valid; all other entries of the same owner are
/// stale.
struct TimerSlot: Sendable {
    fileprivate(set) var token: UInt64 = 0
    fileprivate(set) var deadline = UInt64.max
}

/// What a timer belongs to.
enum TimerOwner: Sendable {
    case membership(GroupKey, port: UInt16)
    case router(DomainKey, port: UInt16)
    case startup(DomainKey, port: UInt16)
    case domain(DomainKey)
}

/// A binary heap of deadlines. When a deadline is postponed, its entry stays where it is: the owner is looked at when that entry is due and only then gets a
/// new one. So a report that renews a membership costs nothing here.
struct TimerQueue: Sendable {
    struct Entry: Sendable {
        var deadline: UInt64
        var token: UInt64
        var owner: TimerOwner

        /// Entries with equal deadlines are ordered by when they were set.
        static func < (a: Entry, b: Entry) -> Bool { a.deadline != b.deadline ? a.deadline < b.deadline : a.token < b.token }
    }

    private(set) var entries: [Entry] = []
    private var lastToken: UInt64 = 0
    /// With more entries than this it pays to remove the stale ones.
    private var largeCount = 256

    var first: Entry? { entries.first }
    var isLarge: Bool { entries.count > largeCount }

    /// Makes sure that `owner` is looked at no later than at `deadline`; `UInt64.max` means never.
    mutating func arm(_ slot: inout TimerSlot, at deadline: UInt64, for owner: TimerOwner) {
        guard deadline < slot.deadline else { return }
        lastToken += 1
        slot.token = lastToken
        slot.deadline = deadline
        entries.append(Entry(deadline: deadline, token: lastToken, owner: owner))
        moveUp(from: entries.count - 1)
    }

    /// Removes the earliest entry.
    mutating func removeFirst() {
        guard let last = entries.popLast(), !entries.isEmpty else { return }
        entries[0] = last
        moveDown(from: 0)
    }

    /// Replaces all entries by `valid`.
    mutating func replaceAll(with valid: [Entry]) {
        entries = valid
        largeCount = max(256, valid.count * 2)
        for index in (0..<entries.count / 2).reversed() { moveDown(from: index) }
    }

    private mutating func moveUp(from start: Int) {
        var index = start
        while index > 0, entries[index] < entries[(index - 1) / 2] {
            entries.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func moveDown(from start: Int) {
        var index = start
        while true {
            var smallest = index
            for child in [2 * index + 1, 2 * index + 2] where child < entries.count && entries[child] < entries[smallest] { smallest = child }
            guard smallest != index else { return }
            entries.swapAt(index, smallest)
            index = smallest
        }
    }
}

extension TimerSlot {
    /// Must be called after the queue's entry for this slot was removed.
    mutating func wasTaken() { self = TimerSlot() }
}
