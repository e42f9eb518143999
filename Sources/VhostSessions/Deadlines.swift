/// Times at which something is to be looked at, the earliest first: a binary heap. What became needless meanwhile is found out when its time comes.
package struct Deadlines {
    package struct Entry {
        /// Nanoseconds, as `monotonicNow`.
        package let time: UInt64
        package let port: Int
    }

    private var heap: [Entry] = []

    package init() {}

    package var first: UInt64? { heap.first?.time }

    package mutating func add(_ time: UInt64, port: Int) {
        heap.append(Entry(time: time, port: port))
        var place = heap.count - 1
        while place > 0, heap[(place - 1) / 2].time > heap[place].time {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    /// Removes the earliest entry if its time has come.
    package mutating func take(_ now: UInt64) -> Entry? {
        guard let earliest = heap.first, earliest.time <= now else { return nil }
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var place = 0
        while true {
            let left = 2 * place + 1, right = left + 1
            var least = place
            if left < heap.count, heap[left].time < heap[least].time { least = left }
            if right < heap.count, heap[right].time < heap[least].time { least = right }
            if least == place { return earliest }
            heap.swapAt(place, least)
            place = least
        }
    }
}
