/// When something of the snooper is due next, as far as the queue knows. It is kept with what the timer is for; the queue's entry with
/// the same token is the valid one, all others are stale.
struct TimerSlot: Sendable {
    fileprivate(set) var token: UInt64 = 0
    fileprivate(set) var deadline = UInt64.max
}

/// What a timer is for.
enum TimerOwner: Sendable {
    case membership(GroupKey, port: UInt16)
    case router(DomainKey, port: UInt16)
    case startup(DomainKey, port: UInt16)
    case domain(DomainKey)
}

/// A binary heap of deadlines. Putting a deadline off leaves the entry where it is: its owner is looked at when that is due and gets a new
/// one. So a report costs no work here.
struct TimerQueue: Sendable {
    struct Entry: Sendable {
        var deadline: UInt64
        var token: UInt64
        var owner: TimerOwner

        /// Equal deadlines in the order they were set.
        static func < (a: Entry, b: Entry) -> Bool { a.deadline != b.deadline ? a.deadline < b.deadline : a.token < b.token }
    }

    private(set) var entries: [Entry] = []
    private var lastToken: UInt64 = 0
    /// With more entries than this it is worthwhile to remove the stale ones.
    private var largeCount = 256

    var first: Entry? { entries.first }
    var isLarge: Bool { entries.count > largeCount }

    /// Sees to it that `owner` is looked at no later than at `deadline`; the last time there is means never.
    mutating func arm(_ slot: inout TimerSlot, at deadline: UInt64, for owner: TimerOwner) {
        guard deadline < slot.deadline else { return }
        lastToken += 1
        slot.token = lastToken
        slot.deadline = deadline
        entries.append(Entry(deadline: deadline, token: lastToken, owner: owner))
        moveUp(from: entries.count - 1)
    }

    /// Takes the first entry out.
    mutating func removeFirst() {
        guard let last = entries.popLast(), !entries.isEmpty else { return }
        entries[0] = last
        moveDown(from: 0)
    }

    /// Keeps these entries alone.
    mutating func keep(_ valid: [Entry]) {
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
    /// The queue's entry was taken out.
    mutating func wasTaken() { self = TimerSlot() }
}
